/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "core/parse.h"
#include "core/uuid.h"

struct row {
    const char *text;
    int rc;
    uint64_t value;
};

static void numbers_are_read_strictly(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* in range, ends included */
        { "1", 0, 1 },
        { "10", 0, 10 },
        { "010", 0, 10 }, /* decimal, not octal */
        /* one beyond either end */
        { "0", -ERANGE, 0 },
        { "11", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999", -ERANGE, 0 },
        /* not a number, wholly or in part */
        { "", -EINVAL, 0 },
        { NULL, -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "0x1", -EINVAL, 0 },
        { "99999999999999999999999x", -EINVAL, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 77;
        assert_int_equal(xlx__parse_u64(rows[i].text, 1, 10, &value),
                         rows[i].rc);
        assert_int_equal(value, rows[i].rc ? 77 : rows[i].value);
    }
}

static void the_largest_number_fits(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(
        xlx__parse_u64("18446744073709551615", 0, UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
    uint32_t small = 5;
    assert_int_equal(xlx__parse_u32("4294967296", 0, UINT32_MAX, &small),
                     -ERANGE);
    assert_int_equal(small, 5);
    assert_int_equal(xlx__parse_u32("4294967295", 0, UINT32_MAX, &small), 0);
    assert_true(small == UINT32_MAX);
}

static void hexadecimal_digits_are_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = { "",   "1",  "1g", "g1", "0x",
                                       "-1", "+1", " 1", "1 ", "1\xb2" };
    uint32_t value = 5;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xlx__parse_hex(bad[i], 2, &value), -EINVAL);
    assert_int_equal(value, 5);
    assert_int_equal(xlx__parse_hex("fFzz", 2, &value), 0);
    assert_int_equal(value, 0xff);
    assert_int_equal(xlx__parse_hex("09afAF99", 8, &value), 0);
    assert_true(value == 0x09afaf99);
}

static void a_digit_ends_where_its_neighbours_begin(void **state)
{
    (void)state;
    static const char not_one[] = "/:@G`g";
    for (const char *c = not_one; *c; c++)
        assert_int_equal(xlx__hex_digit(*c), -1);
    assert_int_equal(xlx__hex_digit('\0'), -1);
    assert_int_equal(xlx__hex_digit('0'), 0);
    assert_int_equal(xlx__hex_digit('9'), 9);
    assert_int_equal(xlx__hex_digit('a'), 10);
    assert_int_equal(xlx__hex_digit('f'), 15);
    assert_int_equal(xlx__hex_digit('A'), 10);
    assert_int_equal(xlx__hex_digit('F'), 15);
}

#define SOME_UUID "0123abcd-89ef-4000-8000-0123456789ab"

static void uuids_are_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0123abcd-89ef-4000-8000-0123456789a",
        SOME_UUID "0",
        SOME_UUID " ",
        " " SOME_UUID,
        "{" SOME_UUID "}",
        "0123abcd089ef-4000-8000-0123456789ab",
        "0123abcd-89ef-4000-8000-0123456789ag",
        "../../../../../../../../../etc/passwd",
    };
    assert_true(xlx__uuid_valid(SOME_UUID));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xlx__uuid_valid(bad[i]));
        assert_false(xlx__uuid_same(bad[i], bad[i]));
    }
}

static void one_uuid_has_two_cases(void **state)
{
    (void)state;
    const char *upper = "0123ABCD-89EF-4000-8000-0123456789AB";
    assert_false(xlx__uuid_valid(upper)); /* it names no file of ours */
    assert_true(xlx__uuid_same(upper, SOME_UUID));
    assert_false(
        xlx__uuid_same("0123ABCD-89EF-4000-8000-0123456789AC", SOME_UUID));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(the_largest_number_fits),
        cmocka_unit_test(hexadecimal_digits_are_read_strictly),
        cmocka_unit_test(a_digit_ends_where_its_neighbours_begin),
        cmocka_unit_test(uuids_are_read_strictly),
        cmocka_unit_test(one_uuid_has_two_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
