/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Tables: how wide a column is, and what is printed where there is nothing.
 */
#include "test.h"

#include "columns.h"

static const struct column heads[] = {
    { "NAME", false }, { "NUMBER", true }, { "REST", false }, { NULL, false }
};

/* Takes the table. */
static void assert_printed(struct columns *t, unsigned indent, const char *want)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_true(columns_print(t, out, stderr, indent));
    fclose(out);
    columns_free(t);
    assert_string_equal(text, want);
    free(text);
}

static struct columns *with_row(struct columns *t, const char *name,
                                const char *number, const char *rest)
{
    columns_row(t);
    columns_put(t, 0, "%s", name);
    columns_put(t, 1, "%s", number);
    columns_put(t, 2, "%s", rest);
    return t;
}

static void an_empty_table_has_its_headings(void **state)
{
    (void)state;
    assert_printed(columns_new(heads), 0, "NAME  NUMBER  REST\n");
}

static void a_column_is_as_wide_as_its_widest_text(void **state)
{
    (void)state;
    struct columns *t = with_row(columns_new(heads), "longer", "1", "a b");
    columns_row(with_row(t, "x", "1234567", "c"));
    assert_printed(t, 2,
                   "  NAME     NUMBER  REST\n"
                   "  longer        1  a b\n"
                   "  x       1234567  c\n"
                   "  -             -\n");
}

/* Two bytes, one place. */
static void letters_count_and_not_bytes(void **state)
{
    (void)state;
    assert_printed(with_row(columns_new(heads), "f\xc3\xbcnf\xc3\xbc", "1", ""),
                   0,
                   "NAME   NUMBER  REST\n"
                   "f\xc3\xbcnf\xc3\xbc       1\n");
}

#define TEN "0123456789"

static void a_very_wide_text_moves_its_line_only(void **state)
{
    (void)state;
    const char *width = TEN TEN TEN TEN;
    struct columns *t = with_row(columns_new(heads), TEN TEN TEN TEN, "1", "");
    with_row(t, TEN TEN TEN TEN "+", "2", "");
    char want[256];
    snprintf(want, sizeof(want),
             "NAME%36s  NUMBER  REST\n%s       1\n%s+       2\n", "", width,
             width);
    assert_printed(t, 0, want);
}

static void more_rows_than_it_begins_with(void **state)
{
    (void)state;
    struct columns *t = columns_new(heads);
    char *text;
    size_t size;
    unsigned lines = 0;
    for (int i = 0; i < 1000; i++)
        with_row(t, "a", "b", "c");
    FILE *out = open_memstream(&text, &size);
    assert_true(columns_print(t, out, stderr, 0));
    fclose(out);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 1001);
    columns_free(t);
    free(text);
}

static void without_memory_that_is_told(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *err = open_memstream(&text, &size);
    with_row(NULL, "a", "b", "c");
    assert_false(columns_print(NULL, stdout, err, 0));
    fclose(err);
    assert_string_equal(text, "error: no memory\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_its_headings),
        cmocka_unit_test(a_column_is_as_wide_as_its_widest_text),
        cmocka_unit_test(letters_count_and_not_bytes),
        cmocka_unit_test(a_very_wide_text_moves_its_line_only),
        cmocka_unit_test(more_rows_than_it_begins_with),
        cmocka_unit_test(without_memory_that_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
