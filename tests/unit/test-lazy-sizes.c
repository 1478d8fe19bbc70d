/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The public structs of lazily restored guests in programs that were built with
 * an older header or with a newer one.
 */
#include "test.h"

#include <poll.h>
#include <unistd.h>

#include "fakes/sized.h"
#include "lazy/control.h"
#include "lazy/status.h"

struct world {
    xlx_ctx *ctx;
    char dir[64];
    struct xlx__control *control;
};

static struct xlx_lazy_status example(void)
{
    return (struct xlx_lazy_status){
        .domid = 5,
        .state = XLX_LAZY_COMPLETE,
        .image = "/srv/guest.save",
        .pages = 100,
        .image_ino = 7,
        .bad_pages = 3,
        .nr_bad = 1,
        .bad = { { 300, 3 } },
    };
}

static void change(void *user, const struct xlx_lazy_change *what)
{
    (void)user;
    (void)what;
}

static char *status(void *user)
{
    const struct xlx_lazy_status s = example();
    (void)user;
    return xlx_lazy_status_json(&s, sizeof(s));
}

static void tick(void *user)
{
    (void)user;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct xlx__control_user user = { change, status, tick, w, 300 };
    const struct xlx_lazy_status s = example();
    strcpy(w->dir, "/tmp/xlx-sizes-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->dir), 0);
    assert_int_equal(xlx__control_start(w->ctx, 5, &user, &w->control), 0);
    assert_int_equal(xlx__lazy_status_write(w->dir, &s), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    xlx__control_stop(w->control);
    snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
    assert_int_equal(system(command), 0);
    xlx_ctx_free(w->ctx);
    free(w);
    return 0;
}

/* --- what the library fills in -------------------------------------------- */

static int read_status(void *user, void *to, size_t size)
{
    struct world *w = user;
    return xlx_lazy_status(w->ctx, 5, to, size);
}

static int set_nothing(void *user, void *to, size_t size)
{
    const struct xlx_lazy_change nothing = { 0 };
    struct world *w = user;
    return xlx_lazy_set(w->ctx, 5, &nothing, sizeof(nothing), to, size);
}

static int watch(void *user, void *to, size_t size)
{
    struct world *w = user;
    xlx_lazy_watch *watch;
    int rc = xlx_lazy_watch_new(w->ctx, 5, &watch);
    assert_int_equal(rc, 0);
    while (!(rc = xlx_lazy_watch_dispatch(watch, to, size))) {
        struct pollfd pfd = { .fd = xlx_lazy_watch_fd(watch),
                              .events = POLLIN };
        poll(&pfd, 1, -1);
    }
    xlx_lazy_watch_free(watch);
    return rc;
}

static void a_status_has_the_callers_size(void **state)
{
    static sized_fill_fn *const calls[] = { read_status, set_nothing, watch };
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct xlx_lazy_status s;
        assert_true(calls[i](*state, &s, sizeof(s)) >= 0);
        assert_int_equal(s.bad[0].gfn, 300);
        sized_fill_check(calls[i], *state,
                         offsetof(struct xlx_lazy_status, reason),
                         offsetof(struct xlx_lazy_status, bad), sizeof(s));
    }
}

static int parse_prefetch(void *user, void *to, size_t size)
{
    (void)user;
    return xlx_lazy_parse_prefetch("2s", to, size);
}

static void a_prefetch_that_was_read_has_the_callers_size(void **state)
{
    size_t last = offsetof(struct xlx_lazy_prefetch, ms);
    sized_fill_check(parse_prefetch, *state, last, last,
                     sizeof(struct xlx_lazy_prefetch));
}

/* --- what it is handed ---------------------------------------------------- */

static int set(void *user, const void *change, size_t size)
{
    struct world *w = user;
    return xlx_lazy_set(w->ctx, 5, change, size, NULL, 0);
}

static void a_change_has_the_callers_size(void **state)
{
    static const struct xlx_lazy_change pause = { .fill = XLX_LAZY_FILL_PAUSE };
    sized_take_check(set, *state, &pause,
                     offsetof(struct xlx_lazy_change, set_bwlimit),
                     sizeof(pause));
}

/* As a status is told and not asked for, what is unknown is left out. */
static void the_json_of_a_status_is_of_the_callers_size(void **state)
{
    size_t older = offsetof(struct xlx_lazy_status, bad_pages);
    struct {
        struct xlx_lazy_status s;
        uint64_t more;
    } newer = { example(), 1 };
    struct xlx_lazy_status s = example();
    char *known = xlx_lazy_status_json(&s, sizeof(s));
    char *text = xlx_lazy_status_json(&newer.s, sizeof(newer));
    (void)state;
    assert_string_equal(text, known);
    free(text);
    free(known);
    text = xlx_lazy_status_json(&s, older);
    memset((char *)&s + older, 0, sizeof(s) - older);
    known = xlx_lazy_status_json(&s, sizeof(s));
    assert_string_equal(text, known);
    free(text);
    free(known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_status_has_the_callers_size),
        TEST(a_prefetch_that_was_read_has_the_callers_size),
        TEST(a_change_has_the_callers_size),
        TEST(the_json_of_a_status_is_of_the_callers_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
