/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the words of the usb commands can become, on a host with guests.
 */
#include "test.h"

#include "cmd.h"
#include "cmd_complete.h"
#include "fakes/usb_world.h"

static int setup(void **state)
{
    struct usb_world *w = usb_world_new();
    const struct xlx_usb_hc_config two = { .ports = 2 };
    struct xlx_usb_place place = { 0, 2 };
    uint32_t devid;
    assert_int_equal(
        xlx_usb_hc_create(w->ctx, 5, &two, sizeof(two), 5000, &devid), 0);
    assert_int_equal(
        xlx_usb_hc_create(w->ctx, 5, &two, sizeof(two), 5000, &devid), 0);
    assert_int_equal(xlx_usb_attach(w->ctx, 5, "1-2", &place, 0, 5000, &place),
                     0);
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-1", 0, NULL), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    usb_world_free(*state);
    return 0;
}

/* What is printed for a line that is split at blanks; free() it. */
static char *answer(struct usb_world *w, const char *line)
{
    char *argv[16], *copy = strdup(line), *rest = copy, *text;
    size_t size;
    int argc = 0;
    struct cmd_env env = { .ctx = w->ctx, .err = stderr };
    while ((argv[argc] = strsep(&rest, " ")))
        argc++;
    env.out = open_memstream(&text, &size);
    cmd_complete(&env, argc, argv);
    fclose(env.out);
    free(copy);
    return text;
}

/* The candidates, each followed by a blank. */
static void complete(struct usb_world *w, const char *line, char *got)
{
    char *text = answer(w, line), *rest = text, *next;
    *got = '\0';
    while ((next = strsep(&rest, "\n")) && *next)
        strcat(strcat(got, strsep(&next, "\t")), " ");
    free(text);
}

static void words_become(void **state)
{
    static const struct {
        const char *line, *want;
    } rows[] = {
        { "usb-attach ", "guest other " },
        { "usb-attach g", "guest " },
        { "usb-attach guest ", "1-1 1-3.1 2-1 " },
        { "usb-attach guest 1-", "1-1 1-3.1 " },
        { "usb-attach guest --hub ", "1-3 " },
        { "usb-attach guest 1-1 ", "controller= port= " },
        { "usb-attach --wait 5 guest 1-1 c", "controller= " },
        { "usb-attach -w 5 guest 1-1 c", "controller= " },
        { "usb-attach guest --dry-run 1-1 c", "controller= " },
        { "usb-attach guest 1-1 controller=", "controller=0 controller=1 " },
        { "usb-attach guest 1-1 port=", "port=1 " },
        { "usb-attach guest 1-1 controller=1 port=", "port=1 port=2 " },
        { "usb-attach guest 1-1 controller=7 port=", "" },
        { "usb-attach nobody 1-1 port=", "" },
        { "usb-detach guest ", "1-2 controller= port= " },
        { "usb-detach guest --hub 1-", "1-3 " },
        { "usb-detach guest controller=0 port=", "port=2 " },
        { "usb-detach guest controller=1 port=", "" },
        { "usb-detach guest 1-2 --move ", "guest other " },
        { "usb-detach guest 1-2 -m o", "other " },
        { "usb-detach guest 1-2 --move=o", "--move=other " },
        { "usb-list ", "guest other " },
        { "usb-list guest ", "" },
        { "usb-hc-create guest ty", "type= " },
        { "usb-hc-create guest type=q", "type=qusb " },
        { "usb-hc-create guest version=", "version=1 version=2 version=3 " },
        { "usb-hc-create guest ports=", "" },
        { "usb-hc-destroy guest ", "0 1 " },
        { "usb-assign guest 1-", "1-1 1-2 1-3.1 1-4 " },
        { "usb-unassign guest ", "1-1 " },
        { "usb-unassign other ", "" },
        { "usb-policy ", "check list " },
        { "usb-policy check 2", "2-1 " },
        { "usbdev-detach guest ", "0 1 controller= port= " },
        { "usb-list --s", "--stats " },
        { "usb-list -", "--help --json --stats --watch " },
        { "usb-attach --wait ", "" },
        { "evtchn-list o", "other " },
        { "nonsense ", "" },
    };
    char got[1024];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        complete(*state, rows[i].line, got);
        if (strcmp(got, rows[i].want))
            fail_msg("%s: '%s', not '%s'", rows[i].line, got, rows[i].want);
    }
}

/* A shell would make two words of it, or worse. */
static void a_name_with_blanks_is_left_out(void **state)
{
    struct usb_world *w = *state;
    char got[1024];
    xs_mem_put(w->xs, "/local/domain/6/name", "my guest");
    complete(w, "usb-list ", got);
    assert_string_equal(got, "guest ");
}

/* A shell shows it behind the option, on one line. */
static void the_help_of_an_option_is_one_line(void **state)
{
    char *text = answer(*state, "restore --la");
    assert_string_equal(text, "--lazy\trun the guest at once, load its memory "
                              "while it runs; =require: fail if that is not "
                              "possible\n");
    free(text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_become),
        TEST(a_name_with_blanks_is_left_out),
        TEST(the_help_of_an_option_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
