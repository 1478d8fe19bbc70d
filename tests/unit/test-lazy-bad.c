/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Pages of the image that cannot be read: all others come, the guest runs, and
 * stands still only when it touches one of them.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/pager_world.h"

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

static int end_of(pthread_t thread)
{
    void *rc;
    pthread_join(thread, &rc);
    return (int)(intptr_t)rc;
}

static void assert_completes(struct world *w, pthread_t thread)
{
    assert_int_equal(end_of(thread), 0);
    assert_int_equal(w->fake->paused, 0);
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++) {
        if (!was_held_back(gfn))
            continue;
        assert_true(is_as_in_image(w, gfn));
        assert_int_equal(w->fake->loads[gfn], 1);
    }
}

static void wait_until_done(struct world *w, uint64_t pages)
{
    while (pager_world_done(w) < pages)
        usleep(1000);
}

static void retry(struct world *w)
{
    const struct xlx_lazy_change change = { .retry = true };
    xlx__pager_change(w->pager, &change);
}

/* --- the set -------------------------------------------------------------- */

static struct xlx__pages *some_pages(void)
{
    struct xlx__pages *pages = xlx__pages_new(4096);
    assert_non_null(pages);
    xlx__pages_hold_back(pages, 0, 4096);
    return pages;
}

static void the_list_has_runs_and_the_number_has_all(void **state)
{
    static const uint64_t gfns[] = { 700, 9, 1024, 10, 1023, 8, 511, 512, 700 };
    struct xlx__pages *pages = some_pages();
    struct xlx__bad bad = { 0 };
    struct xlx_image_range list[4];
    size_t nr;
    (void)state;
    assert_int_equal(xlx__bad_list(&bad, pages, list, 4, &nr), 0);
    assert_int_equal(nr, 0);
    for (size_t i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++)
        assert_true(xlx__bad_add(&bad, gfns[i], -EIO, 0));
    assert_int_equal(xlx__bad_list(&bad, pages, list, 4, &nr), 8);
    assert_int_equal(nr, 4);
    static const struct xlx_image_range all[] = {
        { 8, 3 }, { 511, 2 }, { 700, 1 }, { 1023, 2 }
    };
    assert_memory_equal(list, all, sizeof(all));

    assert_int_equal(xlx__bad_list(&bad, pages, list, 3, &nr), 8);
    assert_int_equal(nr, 3);
    assert_memory_equal(list, all, sizeof(*all) * 3);

    /* One is present by now, one is being loaded. */
    xlx__pages_drop(pages, 9);
    xlx__pages_claim(pages, 700);
    assert_int_equal(xlx__bad_list(&bad, pages, list, 4, &nr), 7);
    assert_int_equal(list[0].nr, 1);
    assert_int_equal(list[1].gfn, 10);
    xlx__bad_free(&bad);
    xlx__pages_free(pages);
}

static void each_block_has_its_time(void **state)
{
    struct xlx__pages *pages = some_pages();
    struct xlx__bad bad = { 0 };
    struct xlx__gfn_range run;
    bool wait = true;
    (void)state;
    assert_false(xlx__bad_take(&bad, pages, 0, 0, &run, &wait));
    assert_false(wait);
    xlx__bad_add(&bad, 40, -EIO, 100);
    xlx__bad_add(&bad, 600, -EIO, 200);
    xlx__bad_add(&bad, 44, -EIO, 50);
    assert_false(xlx__bad_take(&bad, pages, 99, 300, &run, &wait));
    assert_true(wait);
    assert_true(xlx__bad_take(&bad, pages, 200, 300, &run, &wait));
    assert_int_equal(run.start, 40);
    assert_int_equal(run.end, 45);
    assert_true(xlx__bad_take(&bad, pages, 200, 300, &run, &wait));
    assert_int_equal(run.start, 600);
    assert_int_equal(run.end, 601);
    assert_false(xlx__bad_take(&bad, pages, 299, 400, &run, &wait));
    xlx__bad_retry(&bad);
    assert_true(xlx__bad_take(&bad, pages, 299, 400, &run, &wait));

    xlx__pages_drop(pages, 40);
    xlx__pages_drop(pages, 44);
    xlx__pages_drop(pages, 600);
    assert_false(xlx__bad_take(&bad, pages, 999, 999, &run, &wait));
    assert_false(wait);
    assert_int_equal(bad.nr, 0);
    xlx__bad_free(&bad);
    xlx__pages_free(pages);
}

/* --- the pager ------------------------------------------------------------ */

/* Two, and in different runs, so that each thread meets one. */
static void bad_pages_hold_nothing_else_up(void **state)
{
    struct world *w = *state;
    struct xlx_lazy_status s = { 0 };
    pager_world_use_checksums(w);
    pager_world_spoil(w, 300);
    pager_world_spoil(w, 700);
    pthread_t thread = start_and_run(w);
    wait_until_done(w, HELD - 2);
    xlx__trouble_status(xlx__backfill_trouble(xlx__pager_backfill(w->pager)),
                        &s);
    assert_int_equal(s.bad_pages, 2);
    assert_int_equal(s.nr_bad, 2);
    assert_int_equal(s.bad[0].gfn, 300);
    assert_int_equal(s.bad[1].gfn, 700);
    xlx__pager_progress(w->pager);
    assert_string_equal(w->reason, "2 pages cannot be read, gfn 0x12c the "
                                   "first: its checksum is wrong");

    assert_true(paging_fake_touch(w->fake, 0, 301)); /* the guest runs */
    assert_int_equal(pager_world_seen(w, XLX_LAZY_STALLED), 0);
    assert_int_equal(w->fake->pauses, 0);
    assert_int_equal(w->fake->type[300], FAKE_PAGED);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_COMPLETE), 0);

    pager_world_mend(w, 300);
    pager_world_mend(w, 700);
    retry(w);
    assert_completes(w, thread);
    xlx__trouble_status(xlx__backfill_trouble(xlx__pager_backfill(w->pager)),
                        &s);
    assert_int_equal(s.bad_pages, 0);
}

static void bad_pages_are_tried_again_untold(void **state)
{
    struct world *w = *state;
    pager_world_use_checksums(w);
    pager_world_spoil(w, 300);
    pthread_t thread = start_and_run(w);
    wait_until_done(w, HELD - 1);
    pager_world_mend(w, 300);
    assert_completes(w, thread);
}

static void *touch_300(void *arg)
{
    struct world *w = arg;
    return (void *)(intptr_t)paging_fake_touch(w->fake, 1, 300);
}

static void a_touch_of_a_bad_page_pauses_the_guest(void **state)
{
    struct world *w = *state;
    pthread_t vcpu;
    pager_world_use_checksums(w);
    pager_world_spoil(w, 300);
    pthread_t thread = start_and_run(w);
    wait_until_done(w, HELD - 1);
    assert_int_equal(w->fake->pauses, 0);
    pthread_create(&vcpu, NULL, touch_300, w);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    assert_non_null(strstr(w->reason, "gfn 0x12c: "));
    assert_non_null(strstr(w->reason, "checksum is wrong"));
    paging_fake_lock(w->fake);
    assert_int_equal(w->fake->paused, 1);
    paging_fake_unlock(w->fake);
    pager_world_mend(w, 300);
    retry(w);
    assert_completes(w, thread);
    pthread_join(vcpu, NULL);
}

/* All of a run: the disk is away, and comes back. */
static void a_file_that_is_cut_short_and_back_completes(void **state)
{
    struct world *w = *state;
    size_t nr;
    off_t size = lseek(w->fd, 0, SEEK_END);
    const struct xlx_image_run *run = xlx_image_runs(w->image, &nr);
    off_t at = (off_t)run[nr - 1].offset;
    char *tail = malloc((size_t)(size - at));
    assert_int_equal(pread(w->fd, tail, (size_t)(size - at), at), size - at);
    assert_int_equal(ftruncate(w->fd, at), 0);
    pthread_t thread = start_and_run(w);
    wait_until_done(w, HELD - HIGH_PAGES);
    assert_int_equal(w->fake->pauses, 0);
    assert_int_equal(pwrite(w->fd, tail, (size_t)(size - at), at), size - at);
    free(tail);
    retry(w);
    assert_completes(w, thread);
}

static void a_guest_that_is_destroyed_ends_the_tries(void **state)
{
    struct world *w = *state;
    pager_world_use_checksums(w);
    pager_world_spoil(w, 300);
    pthread_t thread = start_and_run(w);
    wait_until_done(w, HELD - 1);
    paging_fake_kill(w->fake);
    assert_int_equal(end_of(thread), -ESRCH);
}

/* Not of a page, and nobody waits: said, and nobody is paused. */
static void loads_of_the_backfill_that_fail_pause_nobody(void **state)
{
    struct world *w = *state;
    w->fake->fail_loads_only = true;
    w->fake->fail_at = 1;
    w->fake->fail_times = 1000000;
    w->fake->fail_err = ENOMEM;
    pthread_t thread = start_and_run(w);
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool said = *w->reason;
        pthread_mutex_unlock(&w->lock);
        if (said)
            break;
        usleep(1000);
    }
    assert_int_equal(w->fake->pauses, 0);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_STALLED), 0);
    assert_non_null(strstr(w->reason, "load into the guest: Cannot allocate"));
    paging_fake_lock(w->fake);
    w->fake->fail_at = 0;
    memset(w->fake->loads, 0, NR_GFNS * sizeof(*w->fake->loads));
    paging_fake_unlock(w->fake);
    assert_completes(w, thread);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, pager_world_setup, pager_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_has_runs_and_the_number_has_all),
        cmocka_unit_test(each_block_has_its_time),
        TEST(bad_pages_hold_nothing_else_up),
        TEST(bad_pages_are_tried_again_untold),
        TEST(a_touch_of_a_bad_page_pauses_the_guest),
        TEST(a_file_that_is_cut_short_and_back_completes),
        TEST(a_guest_that_is_destroyed_ends_the_tries),
        TEST(loads_of_the_backfill_that_fail_pause_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
