/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "core/bytes.h"

static void utf8_stays_and_all_else_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        { "", "" },
        { "/srv/g.save", "/srv/g.save" },
        { "\x01\n\"", "\x01\n\"" },
        { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
        { "gr\xfc\xdf", "gr\\xfc\\xdf" },
        { "cut \xc3", "cut \\xc3" },
        { "cut \xe2\x82", "cut \\xe2\\x82" },
        { "\xe2\x82\xac", "\xe2\x82\xac" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        /* one beyond the ends: overlong, surrogates, above U+10FFFF */
        { "\xc1\xbf", "\\xc1\\xbf" },
        { "\xc2\x80", "\xc2\x80" },
        { "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
        { "\xe0\xa0\x80", "\xe0\xa0\x80" },
        { "\xed\x9f\xbf", "\xed\x9f\xbf" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
        { "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
        { "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
        /* what looks escaped, and what does not */
        { "a\\xe4", "a\\x5cxe4" },
        { "a\\x5cxe4", "a\\x5cx5cxe4" },
        { "a\\xE4\\x4\\\\", "a\\xE4\\x4\\\\" },
        { "a\\x00", "a\\x00" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        xlx__bytes_to_text(rows[i].bytes, text);
        assert_string_equal(text, rows[i].text);
        xlx__text_to_bytes(text);
        assert_string_equal(text, rows[i].bytes);
    }
}

static void every_pair_of_bytes_comes_back(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 0x10000; i++) {
        char bytes[] = { (char)(i & 0xff ? i & 0xff : 'a'),
                         (char)(i >> 8 ? i >> 8 : 'a'),
                         'x',
                         '5',
                         'c',
                         0 };
        char text[64];
        xlx__bytes_to_text(bytes, text);
        xlx__text_to_bytes(text);
        assert_string_equal(text, bytes);
    }
}

static void a_cut_is_between_characters(void **state)
{
    (void)state;
    static const char *const cuts[] = { "",
                                        "a",
                                        "a",
                                        "a\xc3\xbc",
                                        "a\xc3\xbc",
                                        "a\xc3\xbc",
                                        "a\xc3\xbc\xe2\x82\xac",
                                        "a\xc3\xbc\xe2\x82\xac" };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        char text[] = "a\xc3\xbc\xe2\x82\xac";
        xlx__cut_text(text, i);
        assert_string_equal(text, cuts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_stays_and_all_else_is_escaped),
        cmocka_unit_test(every_pair_of_bytes_comes_back),
        cmocka_unit_test(a_cut_is_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
