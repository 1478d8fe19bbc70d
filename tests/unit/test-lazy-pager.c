/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager against a fake domain: whatever happens, each page is what the
 * image holds or what the guest wrote, and nobody waits for ever.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "fakes/pager_world.h"

static void assert_all_present(struct world *w)
{
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++) {
        if (was_held_back(gfn)) {
            assert_int_equal(w->fake->type[gfn], FAKE_RAM);
            assert_true(is_as_in_image(w, gfn));
            assert_int_equal(w->fake->loads[gfn], 1);
        } else {
            assert_int_equal(w->fake->type[gfn], FAKE_HOLE);
            assert_int_equal(w->fake->loads[gfn], 0);
        }
    }
}

static void assert_paging_is_over(struct world *w)
{
    assert_false(w->fake->enabled);
    assert_int_equal(w->fake->claimed, 0);
    assert_int_equal(w->fake->paused, 0);
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

static int end_of(pthread_t thread)
{
    void *rc;
    pthread_join(thread, &rc);
    return (int)(intptr_t)rc;
}

/* --- the good cases ------------------------------------------------------- */

static void a_paused_guest_is_filled(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(w->fake->paged_pages, HELD);
    assert_int_equal(w->fake->claimed, LOW_PAGES + HIGH_PAGES);
    assert_int_equal(xlx__pager_run(w->pager), 0);

    assert_all_present(w);
    assert_paging_is_over(w);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), HELD);
    assert_int_equal(pager_world_counter(w, XLX__FAULTS), 0);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_COMPLETE), 1);
}

/* While the stock helper and libxl are at work. */
static void what_is_filled_before_the_guest_runs_is_there(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    xlx__pager_fill(w->pager);
    while (pager_world_counter(w, XLX__FILL_PAGES) < HELD)
        usleep(100);
    assert_true(w->fake->enabled);
    xlx__pager_fill(w->pager); /* once is enough */
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
    assert_paging_is_over(w);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_COMPLETE), 1);
}

/* The restore failed meanwhile. */
static void a_fill_is_ended_with_the_restore(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change slow = { .set_bwlimit = true, .bwlimit = 1 };
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    xlx__pager_change(w->pager, &slow);
    xlx__pager_fill(w->pager);
    while (!pager_world_counter(w, XLX__FILL_PAGES))
        usleep(100);
    xlx__pager_cancel(w->pager);
    assert_paging_is_over(w);
    assert_true(pager_world_counter(w, XLX__FILL_PAGES) < HELD);
}

/* It would bring what is to be recorded. */
static void nothing_is_filled_before_a_guest_that_is_recorded(void **state)
{
    struct world *w = *state;
    xlx__recorder_set(xlx__pager_recorder(w->pager), 1, 1);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    xlx__pager_fill(w->pager);
    usleep(20000);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
}

struct vcpu {
    struct world *w;
    unsigned id;
    pthread_t thread;
    unsigned wrong; /* pages; join() asserts that there are none */
};

static void *touch_everything(void *arg)
{
    struct vcpu *v = arg;
    unsigned gfn = v->id * 37;
    for (unsigned i = 0; i < LOW_PAGES; i++) {
        gfn = (gfn + 101) % LOW_PAGES; /* 101 and 1200 share no factor */
        if (was_held_back(gfn) && paging_fake_touch(v->w->fake, v->id, gfn))
            v->wrong += !is_as_in_image(v->w, gfn);
    }
    return NULL;
}

static void join(struct vcpu *v)
{
    pthread_join(v->thread, NULL);
    assert_int_equal(v->wrong, 0);
}

static bool has_requests(struct paging_fake *f)
{
    paging_fake_lock(f);
    bool some = f->req_prod != 0;
    paging_fake_unlock(f);
    return some;
}

static void vcpus_that_touch_all_get_the_right_pages(void **state)
{
    struct world *w = *state;
    struct vcpu vcpu[4];
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    for (unsigned i = 0; i < 4; i++) {
        vcpu[i] = (struct vcpu){ .w = w, .id = i };
        pthread_create(&vcpu[i].thread, NULL, touch_everything, &vcpu[i]);
    }
    /* Faults wait in the ring from before the pager serves. */
    while (!has_requests(w->fake))
        usleep(100);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    for (unsigned i = 0; i < 4; i++)
        join(&vcpu[i]);

    assert_all_present(w);
    assert_paging_is_over(w);
    assert_true(pager_world_counter(w, XLX__FAULTS) > 0);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES) +
                         pager_world_counter(w, XLX__FAULT_PAGES),
                     HELD);
}

static void what_the_guest_wrote_stays(void **state)
{
    struct world *w = *state;
    pthread_t thread = start_and_run(w);
    assert_true(paging_fake_touch(w->fake, 0, LOW_PAGES - 1));
    memset(w->fake->memory + (LOW_PAGES - 1) * XLX_PAGE_SIZE, 0x5a, 64);
    assert_int_equal(end_of(thread), 0);
    assert_int_equal(w->fake->memory[(LOW_PAGES - 1) * XLX_PAGE_SIZE], 0x5a);
    assert_int_equal(w->fake->loads[LOW_PAGES - 1], 1);
}

static void a_page_given_away_stays_away(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    paging_fake_drop(w->fake, 600);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_int_equal(w->fake->type[600], FAKE_HOLE);
    assert_int_equal(pager_world_counter(w, XLX__DROPPED), 1);
    assert_int_equal(pager_world_done(w), HELD);
    assert_paging_is_over(w);
}

static void a_page_given_away_with_the_ring_full_is_loaded_in_vain(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    for (uint64_t gfn = 600; gfn <= 600 + FAKE_RING_SLOTS; gfn++)
        paging_fake_drop(w->fake, gfn);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_int_equal(pager_world_counter(w, XLX__DROPPED), FAKE_RING_SLOTS);
    assert_int_equal(w->fake->type[600 + FAKE_RING_SLOTS], FAKE_HOLE);
    assert_int_equal(w->fake->loads[600 + FAKE_RING_SLOTS], 1);
    assert_int_equal(pager_world_done(w), HELD);
    assert_paging_is_over(w);
}

/* --- the recorded working set --------------------------------------------- */

#define RECORDED 16 /* too few of any block for all of it */

static void set_recorded(struct world *w)
{
    static const struct xlx__gfn_range set[] = {
        { HIGH_GFN + 10, HIGH_GFN + 18 }, { 700, 708 }
    };
    struct xlx__gfn_range *copy = calloc(2, sizeof(*set));
    memcpy(copy, set, sizeof(set));
    xlx__backfill_set_recorded(xlx__pager_backfill(w->pager), copy, 2);
}

static void record(struct world *w, uint64_t quiet_us, uint64_t max_us)
{
    xlx__recorder_set(xlx__pager_recorder(w->pager), quiet_us, max_us);
}

static unsigned loaded(struct world *w, uint64_t gfn, uint64_t end)
{
    unsigned n = 0;
    for (; gfn < end; gfn++)
        n += w->fake->loads[gfn];
    return n;
}

static void a_prefetch_loads_the_record_and_nothing_else(void **state)
{
    struct world *w = *state;
    set_recorded(w);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000), 0);
    assert_int_equal(pager_world_counter(w, XLX__PREFETCH_PAGES), RECORDED);
    assert_int_equal(loaded(w, 0, NR_GFNS), RECORDED);
    assert_int_equal(loaded(w, 700, 708), 8);
    assert_false(xlx__backfill_is_through(xlx__pager_backfill(w->pager)));

    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), HELD - RECORDED);
}

static void a_prefetch_ends_at_its_size_and_at_its_time(void **state)
{
    struct world *w = *state;
    set_recorded(w);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx__pager_prefetch(w->pager, RECORDED, 0), 0);
    assert_int_equal(loaded(w, 0, NR_GFNS), 0);
    assert_int_equal(xlx__pager_prefetch(w->pager, 0, 60000000), 0);
    assert_int_equal(loaded(w, 0, NR_GFNS), 0);
    assert_int_equal(xlx__pager_prefetch(w->pager, 11, 60000000), 0);
    assert_int_equal(loaded(w, 0, NR_GFNS), 11);

    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
}

static void a_prefetch_without_a_record_loads_nothing(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000), 0);
    assert_int_equal(loaded(w, 0, NR_GFNS), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
}

static void a_prefetch_for_a_destroyed_guest_ends(void **state)
{
    struct world *w = *state;
    set_recorded(w);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    paging_fake_kill(w->fake);
    xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000);
    assert_int_equal(xlx__pager_run(w->pager), -ESRCH);
}

/* The fill holds back while touches are recorded, and ends all the same. */
static void touches_are_recorded_before_the_fill_hides_them(void **state)
{
    struct world *w = *state;
    struct xlx__gfn_range *runs;
    size_t nr;
    record(w, UINT64_MAX / 4, UINT64_MAX / 4);
    pthread_t thread = start_and_run(w);
    assert_true(paging_fake_touch(w->fake, 0, 1100));
    assert_true(paging_fake_touch(w->fake, 0, 20));
    assert_true(paging_fake_touch(w->fake, 0, 1101));
    assert_int_equal(w->fake->loads[21], 0);
    paging_fake_kill(w->fake);
    assert_int_equal(end_of(thread), -ESRCH);
    assert_int_equal(pager_world_counter(w, XLX__FILL_PAGES), 0);
    assert_int_equal(pager_world_runs(w, &runs, &nr), 0);
    assert_int_equal(nr, 2);
    assert_int_equal(runs[0].start, 1100);
    assert_int_equal(runs[0].end, 1102);
    assert_int_equal(runs[1].start, 20);
    free(runs);
}

static void a_recording_ends_when_the_guest_is_quiet(void **state)
{
    struct world *w = *state;
    record(w, 5000, XLX__RECORD_MAX_US);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
}

static void a_recording_ends_when_the_fill_is_to_be_finished(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change what = { .fill = XLX_LAZY_FILL_FINISH };
    record(w, UINT64_MAX / 4, UINT64_MAX / 4);
    pthread_t thread = start_and_run(w);
    xlx__pager_change(w->pager, &what);
    assert_int_equal(end_of(thread), 0);
    assert_all_present(w);
}

static void a_recording_does_not_hold_the_recorded_set_back(void **state)
{
    struct world *w = *state;
    set_recorded(w);
    record(w, UINT64_MAX / 4, UINT64_MAX / 4);
    pthread_t thread = start_and_run(w);
    while (pager_world_counter(w, XLX__FILL_PAGES) < RECORDED)
        usleep(1000);
    paging_fake_kill(w->fake);
    assert_int_equal(end_of(thread), -ESRCH);
    assert_int_equal(loaded(w, 0, NR_GFNS), RECORDED);
}

/* --- failures ------------------------------------------------------------- */

/* enable, claim, and one mark for each of the three runs that are held back */
#define START_CALLS 5

static void a_start_that_fails_is_undone(void **state)
{
    struct world *w = *state;
    for (int n = 1; n <= START_CALLS; n++) {
        w->fake->calls = 0;
        w->fake->fail_at = n;
        w->fake->fail_err = ENOMEM;
        assert_int_equal(xlx__pager_start(w->pager, 1), -ENOMEM);
        assert_false(w->fake->enabled);
        assert_int_equal(w->fake->claimed, 0);
        for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++)
            w->fake->type[gfn] = FAKE_HOLE; /* as an eager restore would */
        w->fake->paged_pages = 0;
    }
    w->fake->calls = 0;
    w->fake->fail_at = START_CALLS + 1;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
}

static void a_load_that_fails_is_tried_again(void **state)
{
    struct world *w = *state;
    w->fake->fail_loads_only = true;
    w->fake->fail_at = 1;
    w->fake->fail_times = 3;
    w->fake->fail_err = ENOMEM;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
    assert_int_equal(pager_world_counter(w, XLX__RETRIES), 3);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_STALLED), 0);
    assert_int_equal(w->fake->pauses, 1); /* that of the end */
}

static void loads_that_keep_failing_pause_the_guest(void **state)
{
    struct world *w = *state;
    w->fake->fail_loads_only = true;
    w->fake->fail_at = 1;
    w->fake->fail_times = 1000000;
    w->fake->fail_err = ENOMEM;
    struct vcpu vcpu = { .w = w };
    pthread_t thread = start_and_run(w);
    pthread_create(&vcpu.thread, NULL, touch_everything, &vcpu);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    paging_fake_lock(w->fake);
    assert_true(w->fake->paused > 0);
    w->fake->fail_at = 0; /* there is memory again */
    paging_fake_unlock(w->fake);
    join(&vcpu);

    assert_int_equal(end_of(thread), 0);
    assert_all_present(w);
    assert_paging_is_over(w);
    assert_non_null(strstr(w->reason, "Cannot allocate memory"));
}

static void
a_file_that_became_shorter_stalls_and_never_gives_zeros(void **state)
{
    struct world *w = *state;
    assert_int_equal(ftruncate(w->fd, 900 * XLX_PAGE_SIZE), 0);
    struct vcpu vcpu = { .w = w };
    pthread_t thread = start_and_run(w);
    pthread_create(&vcpu.thread, NULL, touch_everything, &vcpu);
    while (!pager_world_seen(w, XLX_LAZY_STALLED))
        usleep(1000);
    assert_int_equal(w->fake->type[HIGH_GFN], FAKE_PAGED);
    paging_fake_kill(w->fake);
    assert_int_equal(end_of(thread), -ESRCH);
    join(&vcpu);
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++)
        if (w->fake->type[gfn] == FAKE_RAM)
            assert_true(is_as_in_image(w, gfn));
    assert_int_equal(pager_world_seen(w, XLX_LAZY_GONE), 1);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_COMPLETE), 0);
}

static void a_destroyed_guest_ends_the_pager(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    paging_fake_kill(w->fake);
    assert_int_equal(xlx__pager_run(w->pager), -ESRCH);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_GONE), 1);
}

static bool tried_in_vain(struct paging_fake *f, int times)
{
    paging_fake_lock(f);
    bool tried = f->enabled && f->pauses >= times;
    paging_fake_unlock(f);
    return tried;
}

/* Between seeing the page absent and asking for it the vCPU lost its turn. */
static void a_request_that_comes_when_all_is_there_is_answered(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    w->fake->late_gfn = 700;
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
    assert_paging_is_over(w);
    assert_int_equal(w->fake->req_prod, 1);
    assert_false(w->fake->waiting[0]);
    assert_int_equal(pager_world_counter(w, XLX__FAULTS), 1);
}

/* Their page is there, but they have not looked yet. */
static void vcpus_asleep_in_xen_run_before_the_end(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    w->fake->sleepers = 3;
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_all_present(w);
    assert_paging_is_over(w);
    assert_int_equal(w->fake->pauses, 2);
}

static void vcpus_asleep_in_a_paused_domain_are_waited_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    w->fake->sleepers = 1;
    w->fake->paused = 1;
    w->fake->paused_waits = 200;
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_paging_is_over(w);
    assert_int_equal(w->fake->pauses, 2); /* none of ours meanwhile */
}

static void vcpus_that_never_run_keep_paging_on(void **state)
{
    struct world *w = *state;
    w->fake->sleepers = w->fake->stuck = 1;
    pthread_t thread = start_and_run(w);
    while (!tried_in_vain(w->fake, 50))
        usleep(1000);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_FAILED), 0);
    paging_fake_kill(w->fake);
    assert_int_equal(end_of(thread), -ESRCH);
    assert_int_equal(w->fake->paused, 0);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_GONE), 1);
}

static void pages_that_nobody_holds_keep_paging_on(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    w->fake->type[1500] = FAKE_PAGED; /* not in the image */
    w->fake->paged_pages++;
    assert_int_equal(xlx__pager_run(w->pager), -EIO);
    assert_true(w->fake->enabled);
    assert_int_equal(w->fake->paused, 1);
    assert_int_equal(pager_world_seen(w, XLX_LAZY_FAILED), 1);
    assert_non_null(strstr(w->reason, "1 as paged out"));
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, pager_world_setup, pager_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_paused_guest_is_filled),
        TEST(what_is_filled_before_the_guest_runs_is_there),
        TEST(a_fill_is_ended_with_the_restore),
        TEST(nothing_is_filled_before_a_guest_that_is_recorded),
        TEST(vcpus_that_touch_all_get_the_right_pages),
        TEST(what_the_guest_wrote_stays),
        TEST(a_page_given_away_stays_away),
        TEST(a_page_given_away_with_the_ring_full_is_loaded_in_vain),
        TEST(a_prefetch_loads_the_record_and_nothing_else),
        TEST(a_prefetch_ends_at_its_size_and_at_its_time),
        TEST(a_prefetch_without_a_record_loads_nothing),
        TEST(a_prefetch_for_a_destroyed_guest_ends),
        TEST(touches_are_recorded_before_the_fill_hides_them),
        TEST(a_recording_ends_when_the_guest_is_quiet),
        TEST(a_recording_ends_when_the_fill_is_to_be_finished),
        TEST(a_recording_does_not_hold_the_recorded_set_back),
        TEST(a_start_that_fails_is_undone),
        TEST(a_load_that_fails_is_tried_again),
        TEST(loads_that_keep_failing_pause_the_guest),
        TEST(a_file_that_became_shorter_stalls_and_never_gives_zeros),
        TEST(a_destroyed_guest_ends_the_pager),
        TEST(a_request_that_comes_when_all_is_there_is_answered),
        TEST(vcpus_asleep_in_xen_run_before_the_end),
        TEST(vcpus_asleep_in_a_paused_domain_are_waited_for),
        TEST(vcpus_that_never_run_keep_paging_on),
        TEST(pages_that_nobody_holds_keep_paging_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
