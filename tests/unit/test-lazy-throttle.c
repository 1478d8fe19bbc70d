/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the operator wants of the backfill, and what happens when loads hang.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/pager_world.h"
#include "image/internal.h"

static void the_pace_is_the_rate(void **state)
{
    uint64_t next = 0;
    (void)state;
    assert_int_equal(xlx__pace(&next, 1000, 500, 1000), 0);
    assert_int_equal(next, 501000);
    assert_int_equal(xlx__pace(&next, 1000, 500, 1000), 500000);
    assert_int_equal(xlx__pace(&next, 501000, 500, 1000), 500000);
    /* Nothing is saved up. */
    assert_int_equal(xlx__pace(&next, 9000000, 1, 1000), 0);
    assert_int_equal(xlx__pace(&next, 9000000, 1, 1000), 1000);
    /* The largest there are. */
    next = 0;
    xlx__pace(&next, 0, UINT64_C(1) << 43, UINT64_C(1) << 40);
    assert_int_equal(next, 8000000);
}

static void *run(void *arg)
{
    struct world *w = arg;
    return (void *)(intptr_t)xlx__pager_run(w->pager);
}

static pthread_t start_and_run(struct world *w)
{
    pthread_t thread;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, run, w), 0);
    return thread;
}

static void assert_completes(struct world *w, pthread_t thread)
{
    void *rc;
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, 0);
    assert_int_equal(w->fake->paused, 0);
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++)
        if (was_held_back(gfn))
            assert_true(is_as_in_image(w, gfn));
}

static void set_fill(struct world *w, enum xlx_lazy_fill fill)
{
    const struct xlx_lazy_change change = { .fill = fill };
    xlx__pager_change(w->pager, &change);
}

static void a_paused_fill_still_serves_faults(void **state)
{
    struct world *w = *state;
    set_fill(w, XLX_LAZY_FILL_PAUSE);
    pthread_t thread = start_and_run(w);
    for (uint64_t gfn = 20; gfn < 40; gfn++)
        assert_true(paging_fake_touch(w->fake, 0, gfn));
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), 0);
    set_fill(w, XLX_LAZY_FILL_RESUME);
    assert_completes(w, thread);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES) + 20, HELD);
}

static void touch_all(struct world *w)
{
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++)
        if (was_held_back(gfn))
            assert_true(paging_fake_touch(w->fake, 0, gfn));
}

static void a_paused_fill_that_faults_emptied_completes(void **state)
{
    struct world *w = *state;
    set_fill(w, XLX_LAZY_FILL_PAUSE);
    pthread_t thread = start_and_run(w);
    touch_all(w);
    assert_completes(w, thread);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), 0);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_COMPLETE), 1);
}

static void a_limited_fill_that_faults_emptied_completes(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_change change = { .set_bwlimit = true, .bwlimit = 1 };
    xlx__pager_change(w->pager, &change);
    pthread_t thread = start_and_run(w);
    touch_all(w);
    assert_completes(w, thread);
}

static void finish_goes_over_pause_and_limit(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change change = { .fill = XLX_LAZY_FILL_PAUSE,
                                            .set_bwlimit = true,
                                            .bwlimit = 1 };
    xlx__pager_change(w->pager, &change);
    pthread_t thread = start_and_run(w);
    assert_true(paging_fake_touch(w->fake, 0, 20));
    set_fill(w, XLX_LAZY_FILL_FINISH);
    assert_completes(w, thread);
}

/* One byte a second: without a change it would take weeks. */
static void a_limit_holds_until_it_is_lifted(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_change change = { .set_bwlimit = true, .bwlimit = 1 };
    xlx__pager_change(w->pager, &change);
    pthread_t thread = start_and_run(w);
    for (uint64_t gfn = LOW_PAGES - 20; gfn < LOW_PAGES; gfn++)
        assert_true(paging_fake_touch(w->fake, 0, gfn));
    assert_true(pager_world_counter(w, XLX__FILL_PAGES) < HELD / 2 + 1);
    change.bwlimit = 0;
    xlx__pager_change(w->pager, &change);
    assert_completes(w, thread);
}

static void a_paused_fill_ends_with_the_domain(void **state)
{
    struct world *w = *state;
    void *rc;
    set_fill(w, XLX_LAZY_FILL_PAUSE);
    pthread_t thread = start_and_run(w);
    paging_fake_kill(w->fake);
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, -ESRCH);
}

static void a_load_that_hangs_pauses_the_guest_until_it_returns(void **state)
{
    struct world *w = *state;
    xlx__pager_set_patience(w->pager, 50, 20);
    w->fake->hang_loads = true;
    pthread_t thread = start_and_run(w);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    paging_fake_lock(w->fake);
    assert_int_equal(w->fake->paused, 1);
    w->fake->hang_loads = false;
    paging_fake_unlock(w->fake);
    assert_completes(w, thread);
    assert_non_null(strstr(w->reason, "no answer for"));
}

/* Reads of the image that do not return. */
static struct xlx__storage_ops hanging;
static int (*read_file)(struct xlx__storage *, void *, size_t, uint64_t);
static _Atomic bool hang_reads;

static int hang_or_read(struct xlx__storage *storage, void *buf, size_t len,
                        uint64_t offset)
{
    while (hang_reads)
        usleep(1000);
    return read_file(storage, buf, len, offset);
}

static bool has_said(struct world *w, const char *text)
{
    pthread_mutex_lock(&w->lock);
    bool said = strstr(w->reason, text);
    pthread_mutex_unlock(&w->lock);
    return said;
}

static void *touch_last(void *arg)
{
    struct world *w = arg;
    paging_fake_touch(w->fake, 0, HIGH_GFN + HIGH_PAGES - 1);
    return NULL;
}

/* The backfill's: said. One that the guest waits for: it is paused. */
static void a_read_that_hangs_pauses_only_who_waits_for_it(void **state)
{
    struct world *w = *state;
    pthread_t vcpu;
    hanging = *w->image->storage->ops;
    read_file = hanging.pread;
    hanging.pread = hang_or_read;
    w->image->storage->ops = &hanging;
    xlx__pager_set_patience(w->pager, 50, 20);
    hang_reads = true;
    pthread_t thread = start_and_run(w);
    while (!has_said(w, "no answer for"))
        usleep(1000);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_STALLED), 0);
    assert_int_equal(w->fake->pauses, 0);

    pthread_create(&vcpu, NULL, touch_last, w);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    assert_int_equal(w->fake->pauses, 1);
    hang_reads = false;
    assert_completes(w, thread);
    pthread_join(vcpu, NULL);
    char text[160];
    assert_false(
        xlx__trouble_text(xlx__backfill_trouble(xlx__pager_backfill(w->pager)),
                          text, sizeof(text)));
    assert_false(xlx__stalls_hang(
        xlx__loader_stalls(xlx__pager_loader(w->pager)), text, sizeof(text)));
}

static void *prefetch(void *arg)
{
    struct world *w = arg;
    xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000);
    return NULL;
}

static void a_load_that_hangs_before_the_domain_runs_is_noticed(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    struct xlx__gfn_range *recorded = calloc(1, sizeof(*recorded));
    *recorded = (struct xlx__gfn_range){ 700, 709 };
    xlx__backfill_set_recorded(xlx__pager_backfill(w->pager), recorded, 1);
    xlx__pager_set_patience(w->pager, 50, 20);
    w->fake->hang_loads = true;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, prefetch, w), 0);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    paging_fake_lock(w->fake);
    w->fake->hang_loads = false;
    paging_fake_unlock(w->fake);
    pthread_join(thread, NULL);
    assert_int_equal(w->fake->paused, 0);
    assert_int_equal(pager_world_counter(w, XLX__PREFETCH_PAGES), 9);
    assert_int_equal(xlx__pager_run(w->pager), 0);
}

/* All threads hang at once: one pause, one report. */
static void a_failure_is_said_once(void **state)
{
    struct world *w = *state;
    xlx__pager_set_patience(w->pager, 50, 20);
    w->fake->hang_loads = true;
    pthread_t thread = start_and_run(w);
    char why[160];
    while (xlx__stalls_reason(xlx__loader_stalls(xlx__pager_loader(w->pager)),
                              why, sizeof(why)) < XLX__FILL_THREADS)
        usleep(1000);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_STALLED), 1);
    paging_fake_lock(w->fake);
    assert_int_equal(w->fake->pauses, 1);
    w->fake->hang_loads = false;
    paging_fake_unlock(w->fake);
    assert_completes(w, thread);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, pager_world_setup, pager_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pace_is_the_rate),
        TEST(a_paused_fill_still_serves_faults),
        TEST(a_paused_fill_that_faults_emptied_completes),
        TEST(a_limited_fill_that_faults_emptied_completes),
        TEST(finish_goes_over_pause_and_limit),
        TEST(a_limit_holds_until_it_is_lifted),
        TEST(a_paused_fill_ends_with_the_domain),
        TEST(a_load_that_hangs_pauses_the_guest_until_it_returns),
        TEST(a_read_that_hangs_pauses_only_who_waits_for_it),
        TEST(a_load_that_hangs_before_the_domain_runs_is_noticed),
        TEST(a_failure_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
