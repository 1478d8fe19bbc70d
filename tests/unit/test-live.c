/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Live views: what a terminal and what a file gets, on a clock and a terminal
 * of the test's own; and once on a real terminal.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lazy_rate.h"
#include "live.h"

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* What happens before each list but the first: a letter each. */
struct world {
    const char *events; /* a: again, w: again, in another window; s: suspend */
    const char *const *lists;
    const char *const *errors; /* or NULL */
    int fails_at;              /* that list fails; -1: none does */
    unsigned lines, columns;
    int nr_lists, nr_suspends;
    int64_t now_ms;
    uint32_t waited_ms;
    struct cmd_env env;
    struct live live;
    char *out, *err;
};

static int list(void *user)
{
    struct world *w = user;
    int i = w->nr_lists++;
    fputs(w->lists[i], w->env.out);
    if (w->errors)
        fputs(w->errors[i], w->env.err);
    assert_int_equal(w->live.now_ms, w->now_ms);
    return i == w->fails_at ? CMD_FAILED : CMD_OK;
}

static void size(void *user, unsigned *lines, unsigned *columns)
{
    const struct world *w = user;
    *lines = w->lines;
    *columns = w->columns;
}

static int64_t now_ms(void *user)
{
    return ((struct world *)user)->now_ms;
}

static enum live_event wait_for(void *user, uint32_t ms)
{
    struct world *w = user;
    w->now_ms += ms;
    w->waited_ms = ms;
    switch (*w->events ? *w->events++ : 0) {
    case 'w':
        w->lines--;
        w->columns--;
        return LIVE_AGAIN;
    case 'a':
        return LIVE_AGAIN;
    case 's':
        return LIVE_SUSPEND;
    default:
        return LIVE_END;
    }
}

static void suspend(void *user)
{
    struct world *w = user;
    fputs("<stopped>", w->env.out);
    w->nr_suspends++;
}

static int run(struct world *w, bool terminal)
{
    const struct live_screen screen = { w,      terminal, size,
                                        now_ms, wait_for, suspend };
    size_t out_size, err_size;
    free(w->out);
    free(w->err);
    w->env.out = open_memstream(&w->out, &out_size);
    w->env.err = open_memstream(&w->err, &err_size);
    w->live.env = &w->env;
    w->live.interval_ms = 1500;
    w->live.list = list;
    w->live.user = w;
    w->now_ms = 7;
    int status = live_run_on(&w->live, &screen);
    fclose(w->env.out);
    fclose(w->env.err);
    return status;
}

static void done(struct world *w)
{
    free(w->out);
    free(w->err);
}

/* --- in place ------------------------------------------------------------- */

static void a_terminal_has_it_in_place(void **state)
{
    (void)state;
    static const char *const lists[] = { "A B\n1 2\n", "A B\n", "" };
    static const char *const errors[] = { "", "", "nothing\n" };
    struct world w = { .events = "aa", .lists = lists, .errors = errors };
    w.fails_at = -1;
    w.lines = 5;
    w.columns = 10;
    assert_int_equal(run(&w, true), CMD_OK);
    assert_string_equal(w.out, ENTER "\033[HA B\033[K\r\n1 2\033[K\r\n\033[J"
                                     "\033[HA B\033[K\r\n\033[J"
                                     "\033[Hnothing\033[K\r\n\033[J" LEAVE);
    assert_string_equal(w.err, "nothing\n");
    assert_int_equal(w.nr_lists, 3);
    assert_int_equal(w.waited_ms, 1500);
    done(&w);
}

static void it_is_cut_to_the_window(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "1234\n\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\nc\n",
        "1234\n\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\nc\n",
        "1234\nb\nc\n",
    };
    struct world w = { .events = "ww", .lists = lists };
    w.fails_at = -1;
    w.lines = 4;
    w.columns = 4;
    assert_int_equal(run(&w, true), CMD_OK);
    /* four lines, three, and two, of which one tells what is missing */
    assert_string_equal(
        w.out,
        ENTER "\033[H1234\033[K\r\n\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\033[K\r\n"
              "c\033[K\r\n\033[J"
              "\033[H123\033[K\r\n\xc3\xbc\xc3\xbc\xc3\xbc\033[K\r\nc\033[K"
              "\033[H12\033[K\r\n(2 more lines)\033[K" LEAVE "1234\nb\nc\n");
    done(&w);
}

static void a_size_that_is_not_known_is_the_usual_one(void **state)
{
    (void)state;
    char longest[82 + 1 + 1];
    const char *lists[] = { longest };
    struct world w = { .events = "", .lists = lists, .fails_at = -1 };
    memset(longest, 'x', 82);
    strcpy(longest + 82, "\n");
    assert_int_equal(run(&w, true), CMD_OK);
    const char *x = strchr(w.out, 'x');
    assert_int_equal(strspn(x, "x"), 80);
    done(&w);
}

static void the_terminal_is_as_before_when_a_list_fails(void **state)
{
    (void)state;
    static const char *const lists[] = { "A\n", "" };
    static const char *const errors[] = { "", "error: gone\n" };
    struct world w = { .events = "aaa", .lists = lists, .errors = errors };
    w.fails_at = 1;
    w.lines = w.columns = 5;
    assert_int_equal(run(&w, true), CMD_FAILED);
    assert_int_equal(w.nr_lists, 2);
    const char *end = w.out + strlen(w.out) - strlen(LEAVE);
    assert_string_equal(end, LEAVE);
    assert_string_equal(w.err, "error: gone\n");
    done(&w);
}

static void the_terminal_is_as_before_while_it_is_stopped(void **state)
{
    (void)state;
    static const char *const lists[] = { "A\n", "A\n" };
    struct world w = { .events = "s", .lists = lists, .fails_at = -1 };
    assert_int_equal(run(&w, true), CMD_OK);
    assert_int_equal(w.nr_suspends, 1);
    assert_non_null(strstr(w.out, LEAVE "<stopped>" ENTER "\033[HA\033[K"));
    done(&w);
}

/* --- elsewhere ------------------------------------------------------------ */

static void a_file_has_a_table_for_each_change(void **state)
{
    (void)state;
    static const char *const lists[] = { "A\n", "A\n", "B\n", "B\n" };
    static const char *const errors[] = { "", "", "", "e\n" };
    struct world w = { .events = "aaa", .lists = lists, .errors = errors };
    w.fails_at = -1;
    assert_int_equal(run(&w, false), CMD_OK);
    assert_string_equal(w.out, "A\n\nB\n\nB\n");
    assert_string_equal(w.err, "e\n");
    done(&w);
}

static void json_is_never_in_place(void **state)
{
    (void)state;
    static const char *const lists[] = { "{}\n", "{}\n", "[]\n" };
    struct world w = { .events = "aa", .lists = lists, .fails_at = -1 };
    w.live.json = true;
    assert_int_equal(run(&w, true), CMD_OK);
    assert_string_equal(w.out, "{}\n[]\n");
    done(&w);
}

static void seconds_are_within_their_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t ms; /* 0: refused */
    } rows[] = { { NULL, 1000 },      { "1", 1000 }, { "3599", 3599000 },
                 { "3600", 3600000 }, { "3601", 0 }, { "0", 0 },
                 { "", 0 },           { "1.5", 0 },  { "-1", 0 } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text;
        size_t text_size;
        struct cmd_env env = { .err = open_memstream(&text, &text_size) };
        struct live live = { .env = &env };
        int status = live_read(&live, cmd_find("usb-list"), rows[i].text);
        fclose(env.err);
        assert_int_equal(status, rows[i].ms ? 0 : CMD_USAGE);
        assert_int_equal(live.interval_ms, rows[i].ms);
        assert_int_equal(!*text, !status);
        free(text);
    }
}

/* --- rates ---------------------------------------------------------------- */

static double rate_at(struct lazy_rates *rates, uint64_t done, int64_t at_ms)
{
    struct xlx_lazy_status s[2] = { { .domid = 3, .done = done },
                                    { .domid = 4, .done = 5 } };
    lazy_rates_update(rates, s, 2, at_ms);
    assert_true(lazy_rate(rates, 4) == 0);
    return lazy_rate(rates, 3);
}

static bool is_about(double rate, double want)
{
    return rate > want - 0.01 && rate < want + 0.01;
}

static void a_rate_is_smoothed(void **state)
{
    (void)state;
    struct lazy_rates *rates = calloc(1, sizeof(*rates));
    assert_true(lazy_rate(rates, 3) == 0);
    assert_true(rate_at(rates, 100, 1000) == 0);
    assert_true(is_about(rate_at(rates, 300, 2000), 200));
    assert_true(is_about(rate_at(rates, 700, 4000), 200));
    assert_true(is_about(rate_at(rates, 700, 4000), 200)); /* at once again */
    assert_true(is_about(rate_at(rates, 700, 5000), 140));
    /* Another guest with that domid. */
    assert_true(rate_at(rates, 10, 6000) == 0);
    /* It went, and came again. */
    lazy_rates_update(rates, NULL, 0, 7000);
    assert_true(rate_at(rates, 500, 8000) == 0);
    free(rates);
}

static void many_guests_have_no_rate(void **state)
{
    (void)state;
    unsigned nr = LAZY_RATES_MAX + 1;
    struct lazy_rates *rates = calloc(1, sizeof(*rates));
    struct xlx_lazy_status *s = calloc(nr, sizeof(*s));
    for (int64_t second = 0; second < 2; second++) {
        for (unsigned i = 0; i < nr; i++) {
            s[i].domid = i + 1;
            s[i].done = second ? 50 : 0;
        }
        lazy_rates_update(rates, s, nr, second * 1000);
    }
    assert_true(is_about(lazy_rate(rates, LAZY_RATES_MAX), 50));
    assert_true(lazy_rate(rates, LAZY_RATES_MAX + 1) == 0);
    free(rates);
    free(s);
}

/* --- a terminal ----------------------------------------------------------- */

static int list_and_end(void *user)
{
    struct world *w = user;
    fputs("0123456789\nb\n", w->env.out);
    raise(SIGTERM);
    return CMD_OK;
}

/* Until the text has stood there; a terminal that has less keeps us waiting
 * for the time limit of a test. */
static void read_until(int fd, char *text, size_t room, const char *end)
{
    size_t len = 0;
    text[0] = '\0';
    while (!strstr(text, end) && len + 1 < room) {
        ssize_t n = read(fd, text + len, room - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        text[len] = '\0';
    }
}

static void a_real_terminal_is_drawn_and_left(void **state)
{
    (void)state;
    struct world w = { 0 };
    const struct winsize window = { .ws_row = 4, .ws_col = 6 };
    sigset_t pending;
    char text[512];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    assert_int_equal(ioctl(master, TIOCSWINSZ, &window), 0);
    int fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    setenv("TERM", "xterm", 1);
    w.env.out = fdopen(fd, "w");
    w.env.err = stderr;
    w.live = (struct live){ &w.env, 1000, false, list_and_end, &w, 0 };
    assert_int_equal(live_run(&w.live), CMD_OK);
    read_until(master, text, sizeof(text), LEAVE);
    assert_non_null(strstr(text, ENTER "\033[H012345\033[K"));
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGTERM));
    fclose(w.env.out);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_has_it_in_place),
        cmocka_unit_test(it_is_cut_to_the_window),
        cmocka_unit_test(a_size_that_is_not_known_is_the_usual_one),
        cmocka_unit_test(the_terminal_is_as_before_when_a_list_fails),
        cmocka_unit_test(the_terminal_is_as_before_while_it_is_stopped),
        cmocka_unit_test(a_file_has_a_table_for_each_change),
        cmocka_unit_test(json_is_never_in_place),
        cmocka_unit_test(seconds_are_within_their_limits),
        cmocka_unit_test(a_rate_is_smoothed),
        cmocka_unit_test(many_guests_have_no_rate),
        cmocka_unit_test(a_real_terminal_is_drawn_and_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
