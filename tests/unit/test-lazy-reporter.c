/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a pager reports is in the status file, and what it does for the public
 * calls that its process makes.
 */
#include "test.h"

#include <pthread.h>
#include <unistd.h>

#include "fakes/pager_world.h"
#include "fakes/sized.h"
#include "lazy/lazy.h"

static char dir[64];
static xlx_lazy lazy;

static int setup(void **state)
{
    if (pager_world_setup(state))
        return -1;
    struct world *w = *state;
    strcpy(dir, "/tmp/xlx-reporter-XXXXXX");
    if (!mkdtemp(dir) || xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, dir))
        return -1;
    lazy = (xlx_lazy){
        .ctx = w->ctx, .domid = 5, .image = w->image, .pager = w->pager
    };
    if (xlx__reporter_new(w->ctx, 5, w->image, 77, &lazy.reporter))
        return -1;
    xlx__pager_set_report(w->pager, xlx__reporter_report, lazy.reporter);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    xlx__reporter_free(lazy.reporter);
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    return system(command) | pager_world_teardown(state);
}

static void report(enum xlx_lazy_state now, const char *reason)
{
    xlx__reporter_report(lazy.reporter, lazy.pager, now, reason);
}

static struct xlx_lazy_status written(void)
{
    struct xlx_lazy_status s;
    if (xlx_lazy_status(lazy.ctx, 5, &s, sizeof(s)))
        fail_msg("%s", xlx_ctx_error(lazy.ctx));
    return s;
}

static void the_first_report_writes_all(void **state)
{
    (void)state;
    xlx__reporter_begin(lazy.reporter);
    report(XLX_LAZY_FILLING, NULL);
    struct xlx_lazy_status s = written();
    assert_int_equal(s.domid, 5);
    assert_int_equal(s.pid, getpid());
    assert_int_equal(s.state, XLX_LAZY_FILLING);
    assert_string_equal(s.reason, "");
    assert_string_equal(s.image, xlx_image_name(lazy.image));
    assert_int_equal(s.pages, LOW_PAGES + HIGH_PAGES);
    assert_int_equal(s.index_us, 77);
    assert_int_equal(s.held_back, HELD);
}

/* Other reports may wait for their turn. */
static void news_is_written_at_once(void **state)
{
    (void)state;
    report(XLX_LAZY_FILLING, NULL);
    report(XLX_LAZY_FILLING, "the disk is slow");
    assert_string_equal(written().reason, "the disk is slow");
    report(XLX_LAZY_STALLED, "the disk hangs");
    assert_int_equal(written().state, XLX_LAZY_STALLED);
    report(XLX_LAZY_FILLING, NULL);
    assert_int_equal(written().state, XLX_LAZY_FILLING);
    assert_string_equal(written().reason, "");
}

static void nothing_is_reported_after_the_end(void **state)
{
    (void)state;
    report(XLX_LAZY_COMPLETE, NULL);
    report(XLX_LAZY_STALLED, "late");
    assert_int_equal(written().state, XLX_LAZY_COMPLETE);
    assert_string_equal(written().reason, "");
}

static void a_domain_that_is_gone_has_no_status(void **state)
{
    struct xlx_lazy_status s;
    (void)state;
    report(XLX_LAZY_FILLING, NULL);
    report(XLX_LAZY_GONE, NULL);
    assert_int_equal(xlx_lazy_status(lazy.ctx, 5, &s, sizeof(s)), -ENOENT);
}

/* As often as clients ask, whatever is in the file. */
static void who_asks_is_told_the_counters_of_now(void **state)
{
    struct world *w = *state;
    report(XLX_LAZY_FILLING, NULL);
    xlx__shared_count(xlx__pager_shared(w->pager), XLX__FAULTS, 3);
    char *json = xlx__reporter_json(lazy.reporter, lazy.pager);
    assert_non_null(strstr(json, "\"faults\":3"));
    free(json);
    assert_int_equal(written().faults, 0);
}

static void a_restore_that_is_served_ends_complete(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx_lazy_serve(&lazy), 0);
    assert_int_equal(written().state, XLX_LAZY_COMPLETE);
    assert_int_equal(written().done, HELD);
}

/* The last line, at its level. */
static void keep_line(void *user, enum xlx_log_level level, const char *text)
{
    snprintf(user, 256, "%d %s", (int)level, text);
}

static void a_change_of_state_is_logged_once(void **state)
{
    char line[256] = "";
    (void)state;
    xlx_ctx_set_log(lazy.ctx, keep_line, line, XLX_LOG_INFO);
    report(XLX_LAZY_FILLING, NULL);
    assert_string_equal(line, "");
    report(XLX_LAZY_STALLED, "the disk hangs");
    assert_int_equal(line[0], '0' + XLX_LOG_WARN);
    assert_non_null(strstr(line, "domain 5: stalled: "));
    assert_non_null(strstr(line, ": the disk hangs (the domain is paused"));
    line[0] = '\0';
    report(XLX_LAZY_STALLED, "the disk still hangs");
    assert_string_equal(line, "");
    report(XLX_LAZY_COMPLETE, NULL);
    assert_int_equal(line[0], '0' + XLX_LOG_INFO);
    xlx_ctx_set_log(lazy.ctx, NULL, NULL, XLX_LOG_ERROR);
}

/* Of another program: when it has an answer, or cannot have one. */
static void *finish_fill(void *arg)
{
    const struct xlx_lazy_change finish = { .fill = XLX_LAZY_FILL_FINISH };
    struct xlx_lazy_status *s = arg;
    xlx_ctx *ctx;
    int rc = -ENOTCONN;
    if (xlx_ctx_new(&ctx))
        return NULL;
    if (!xlx_ctx_set_path(ctx, XLX_PATH_RUN, dir))
        while ((rc = xlx_lazy_set(ctx, 5, &finish, sizeof(finish), s,
                                  sizeof(*s))) == -ENOTCONN)
            usleep(1000);
    xlx_ctx_free(ctx);
    return rc ? NULL : s;
}

/* The limit would let the backfill take an hour. */
static void who_serves_takes_changes_and_answers(void **state)
{
    struct xlx_lazy_status answer;
    struct world *w = *state;
    pthread_t thread;
    void *answered;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    xlx_lazy_limit(&lazy, 1024);
    assert_int_equal(pthread_create(&thread, NULL, finish_fill, &answer), 0);
    assert_int_equal(xlx_lazy_serve(&lazy), 0);
    assert_int_equal(pthread_join(thread, &answered), 0);
    assert_ptr_equal(answered, &answer);
    assert_int_equal(answer.domid, 5);
    assert_int_equal(answer.bwlimit, 1024);
    assert_int_equal(written().state, XLX_LAZY_COMPLETE);
}

static int prefetch(void *user, const void *limit, size_t size)
{
    (void)user;
    return xlx_lazy_prefetch(&lazy, limit, size);
}

/* Of an older program, whose limit has no time, nothing is to be loaded. */
static void a_prefetch_has_the_callers_size(void **state)
{
    static const struct xlx_lazy_prefetch timeless = { .bytes = UINT64_MAX };
    static const struct xlx_lazy_prefetch all = { UINT64_MAX, 60000 };
    struct world *w = *state;
    struct xlx__gfn_range *set = calloc(1, sizeof(*set));
    *set = (struct xlx__gfn_range){ 700, 708 };
    xlx__backfill_set_recorded(xlx__pager_backfill(w->pager), set, 1);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    sized_take_check(prefetch, w, &timeless,
                     offsetof(struct xlx_lazy_prefetch, ms), sizeof(timeless));
    assert_int_equal(pager_world_counter(w, XLX__PREFETCH_PAGES), 0);
    assert_int_equal(prefetch(w, &all, sizeof(all)), 0);
    assert_int_equal(pager_world_counter(w, XLX__PREFETCH_PAGES), 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_report_writes_all),
        TEST(news_is_written_at_once),
        TEST(nothing_is_reported_after_the_end),
        TEST(a_domain_that_is_gone_has_no_status),
        TEST(who_asks_is_told_the_counters_of_now),
        TEST(a_restore_that_is_served_ends_complete),
        TEST(a_change_of_state_is_logged_once),
        TEST(who_serves_takes_changes_and_answers),
        TEST(a_prefetch_has_the_callers_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
