/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Near misses.
 */
#include "test.h"

#include "nearest.h"

static void letters_are_counted(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } rows[] = {
        { "", "", 0 },
        { "usb-attach", "usb-attach", 0 },
        { "", "abc", 3 },
        { "usb-atach", "usb-attach", 1 },   /* left out */
        { "usb-atttach", "usb-attach", 1 }, /* put in */
        { "usb-attech", "usb-attach", 1 },  /* replaced */
        { "ubs-attach", "usb-attach", 1 },  /* swapped */
        { "usb-attahc", "usb-attach", 1 },
        { "ca", "abc", 3 }, /* none is swapped across another one */
        { "kitten", "sitting", 3 },
        { "usb-list", "evtchn-list", 6 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned there = cmd_edit_distance(rows[i].a, rows[i].b);
        unsigned back = cmd_edit_distance(rows[i].b, rows[i].a);
        if (there != rows[i].distance || back != rows[i].distance)
            fail_msg("%s, %s: %u and %u", rows[i].a, rows[i].b, there, back);
    }
}

static void long_words_are_near_to_nothing(void **state)
{
    char word[CMD_NEAREST_MAX + 2], same[CMD_NEAREST_MAX + 2];
    (void)state;
    for (int n = CMD_NEAREST_MAX - 1; n <= CMD_NEAREST_MAX + 1; n++) {
        memset(word, 'x', sizeof(word));
        word[n] = '\0';
        strcpy(same, word);
        same[0] = 'y';
        unsigned want = n <= CMD_NEAREST_MAX ? 1 : CMD_NEAREST_MAX + 1;
        assert_int_equal(cmd_edit_distance(word, same), want);
    }
    const char *const words[] = { same, NULL };
    assert_null(cmd_nearest_of(word, words));
}

static void what_is_meant(void **state)
{
    static const char *const words[] = { "usb-attach", "usb-detach", "usb-list",
                                         "help", NULL };
    static const struct {
        const char *text, *meant;
    } rows[] = {
        { "usb-atach", "usb-attach" },
        { "usb-dettach", "usb-detach" },
        { "usb-btach", "usb-attach" }, /* as near to the next one */
        { "usblist", "usb-list" },
        { "hel", "help" },
        { "he", NULL }, /* a third of it, and no more */
        { "", NULL },
        { "create", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *meant = cmd_nearest_of(rows[i].text, words);
        if (meant != rows[i].meant &&
            (!meant || !rows[i].meant || strcmp(meant, rows[i].meant)))
            fail_msg("%s: %s", rows[i].text, meant ? meant : "nothing");
    }
    assert_null(cmd_nearest_of("help", words + 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_counted),
        cmocka_unit_test(long_words_are_near_to_nothing),
        cmocka_unit_test(what_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
