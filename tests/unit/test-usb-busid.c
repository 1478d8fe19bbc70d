/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "usb/device/busid.h"

static void busids_are_read_strictly(void **state)
{
    (void)state;
    static const char *const good[] = {
        "1-1",
        "1-2.3",
        "10-14",
        "255-1",
        "1-1.2.3.4.5.6.7",
        "100-100.100.100.100.100.100.100", /* the longest */
    };
    static const char *const bad[] = {
        "",       "1",
        "1-",     "-1",
        "1-0",    "01-1",
        "1-01",   "1-2.",
        "1-.2",   "1.2",
        "1-2-3",  "1-2 ",
        " 1-2",   "1-2\n",
        "usb1",   "1-2:1.0",
        "1234-1", "1-1234",
        "a-1",    "0-1",
        "../1-1", "1-1.2.3.4.5.6.7.8",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(xlx__busid_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(xlx__busid_valid(bad[i]));
}

static void root_hubs_are_known_by_name(void **state)
{
    (void)state;
    assert_true(xlx__busid_is_root_hub("usb1"));
    assert_true(xlx__busid_is_root_hub("usb12"));
    assert_false(xlx__busid_is_root_hub("usb"));
    assert_false(xlx__busid_is_root_hub("usb1x"));
    assert_false(xlx__busid_is_root_hub("1-1"));
}

static void what_is_behind_a_hub(void **state)
{
    (void)state;
    assert_true(xlx__busid_is_behind("1-4.2", "1-4"));
    assert_true(xlx__busid_is_behind("1-4.1.3", "1-4"));
    assert_true(xlx__busid_is_behind("1-4.1.3", "1-4.1"));
    assert_false(xlx__busid_is_behind("1-4", "1-4"));
    assert_false(xlx__busid_is_behind("1-40", "1-4"));
    assert_false(xlx__busid_is_behind("1-4.10", "1-4.1"));
    assert_false(xlx__busid_is_behind("2-4.1", "1-4"));
    assert_false(xlx__busid_is_behind("1-4", "1-4.1"));
}

static void names_in_xenstore_go_both_ways(void **state)
{
    (void)state;
    char name[32], text[32];
    xlx__busid_encode("1-2.3:1.0", name);
    assert_string_equal(name, "1-2_3@1_0");
    xlx__busid_decode(name, text);
    assert_string_equal(text, "1-2.3:1.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busids_are_read_strictly),
        cmocka_unit_test(root_hubs_are_known_by_name),
        cmocka_unit_test(what_is_behind_a_hub),
        cmocka_unit_test(names_in_xenstore_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
