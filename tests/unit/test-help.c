/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Help texts fit on a terminal of 80 columns.
 */
#include "test.h"

#include <string.h>

#include "cmd.h"

#define WIDTH 80

static void assert_fits(const char *what, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len > WIDTH)
            fail_msg("%s: %zu columns: %.*s", what, len, (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* Free it. */
static char *help_of(const char *command)
{
    char *argv[] = { "help", (char *)command, NULL }, *text;
    size_t size;
    struct cmd_env env = { .err = stderr };
    env.out = open_memstream(&text, &size);
    assert_int_equal(cmd_help(&env, command ? 2 : 1, argv), CMD_OK);
    fclose(env.out);
    assert_true(size > 0);
    return text;
}

static void the_help_of_each_command_fits(void **state)
{
    (void)state;
    for (const struct cmd *c = cmd_table; c->name; c++) {
        char *text = help_of(c->name);
        assert_fits(c->name, text);
        free(text);
    }
}

static void the_overview_fits(void **state)
{
    (void)state;
    char *text = help_of(NULL);
    assert_fits("help", text);
    free(text);
}

static void assert_wrapped(unsigned at, const char *text, const char *want)
{
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    cmd_print_wrapped(out, at, 3, text);
    fclose(out);
    assert_string_equal(got, want);
    free(got);
}

static void words_that_do_not_fit_are_on_the_next_line(void **state)
{
    (void)state;
    assert_wrapped(0, "", "\n");
    assert_wrapped(70, "1234 6789", "1234 6789\n");
    assert_wrapped(71, "1234 6789", "1234 6789\n"); /* the 80th column */
    assert_wrapped(72, "1234 6789", "1234\n   6789\n");
    assert_wrapped(72, "1234 6789 x", "1234\n   6789 x\n");
    /* What is longer than a line, or stands first, is on it all the same. */
    assert_wrapped(79, "1234 x", "1234\n   x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_help_of_each_command_fits),
        cmocka_unit_test(the_overview_fits),
        cmocka_unit_test(words_that_do_not_fit_are_on_the_next_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
