/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * When a thread of the backfill rests, and what ends that.
 */
#include "test.h"

#include <pthread.h>
#include <unistd.h>

#include "core/clock.h"
#include "fakes/contention_fake.h"
#include "fakes/pager_world.h"
#include "lazy/give_way.h"

/* Who is to rest for having worked so long has the test cut off. */
#define FOR_EVER UINT64_C(1000000000000)

struct place {
    char dir[32], file[64];
    xlx_ctx *ctx;
    struct xlx__shared *shared;
    struct xlx__guest guest;
    struct xlx__throttle *throttle;
    struct contention_fake xen;
};

/* Nothing but the backfill runs in this domain. */
static void make_proc(struct place *p, xlx_ctx *ctx)
{
    strcpy(p->dir, "/tmp/xlx-rest-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof(p->file), "%s/loadavg", p->dir);
    FILE *f = fopen(p->file, "w");
    assert_non_null(f);
    assert_true(fputs("0.00 0.00 0.00 1/100 1\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(xlx_ctx_set_path(ctx, XLX_PATH_PROC, p->dir), 0);
}

static void remove_proc(struct place *p)
{
    unlink(p->file);
    rmdir(p->dir);
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(xlx_ctx_new(&p->ctx), 0);
    make_proc(p, p->ctx);
    p->shared = xlx__shared_new(10);
    assert_non_null(p->shared);
    xlx__pages_hold_back(xlx__shared_pages(p->shared), 0, 10);
    xlx__guest_init(&p->guest, p->ctx, p->shared);
    p->throttle = xlx__throttle_new(&p->guest);
    assert_non_null(p->throttle);
    contention_fake_init(&p->xen);
    p->xen.vcpu[0] = FAKE_VCPU_RUNNING;
    xlx__throttle_set_contention(p->throttle, &p->xen.base);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    xlx__throttle_free(p->throttle);
    xlx__guest_destroy(&p->guest);
    xlx__shared_free(p->shared);
    remove_proc(p);
    xlx_ctx_free(p->ctx);
    free(p);
    return 0;
}

/* Until there may be another look. */
static void let_time_pass(void)
{
    usleep(XLX__GIVE_WAY_US + 1000);
}

/* How long it rested. */
static uint64_t rest(struct place *p, uint64_t worked_us)
{
    uint64_t begun = xlx__now_us();
    xlx__throttle_rest(p->throttle, worked_us, worked_us, 2);
    return xlx__now_us() - begun;
}

/* From the next rest on. */
static void have_the_guest_wait(struct place *p)
{
    rest(p, 1);
    p->xen.vcpu[0] = FAKE_VCPU_WAITING;
    let_time_pass();
}

static void a_guest_that_waits_for_nothing_lets_it_work(void **state)
{
    struct place *p = *state;
    rest(p, FOR_EVER);
    let_time_pass();
    rest(p, FOR_EVER);
    assert_int_equal(p->xen.looks, 2);
}

static void a_guest_that_waits_makes_it_rest(void **state)
{
    struct place *p = *state;
    have_the_guest_wait(p);
    assert_true(rest(p, 20000) >= 20000);
    assert_int_equal(p->xen.looks, 2);
}

static void two_looks_are_some_time_apart(void **state)
{
    struct place *p = *state;
    uint64_t begun = xlx__now_us();
    rest(p, 1);
    rest(p, 1);
    if (xlx__now_us() - begun < XLX__GIVE_WAY_US)
        assert_int_equal(p->xen.looks, 1);
}

static void while_a_fault_is_served_it_works(void **state)
{
    struct place *p = *state;
    have_the_guest_wait(p);
    xlx__throttle_set_serving(p->throttle, true);
    rest(p, FOR_EVER);
}

static void what_faults_took_is_known(void **state)
{
    struct place *p = *state;
    have_the_guest_wait(p);
    xlx__shared_count(p->shared, XLX__FAULT_US, FOR_EVER);
    rest(p, FOR_EVER);
}

static void more_backfills_rest_longer(void **state)
{
    struct place *p = *state;
    rest(p, 1);
    xlx__throttle_set_fills(p->throttle, 1000000);
    let_time_pass();
    /* One part in a hundred is left. */
    assert_true(rest(p, 1000) >= 99000);
}

static void *rest_for_ever(void *arg)
{
    rest(arg, FOR_EVER);
    return NULL;
}

static pthread_t start_to_rest(struct place *p)
{
    pthread_t thread;
    have_the_guest_wait(p);
    assert_int_equal(pthread_create(&thread, NULL, rest_for_ever, p), 0);
    usleep(20000); /* it sleeps by then, or never does: both are right */
    return thread;
}

static void who_is_to_finish_does_not_rest(void **state)
{
    struct place *p = *state;
    const struct xlx_lazy_change change = { .fill = XLX_LAZY_FILL_FINISH };
    pthread_t thread = start_to_rest(p);
    xlx__throttle_change(p->throttle, &change);
    pthread_join(thread, NULL);
}

static void the_end_ends_the_rest(void **state)
{
    struct place *p = *state;
    pthread_t thread = start_to_rest(p);
    xlx__guest_stop(&p->guest);
    pthread_join(thread, NULL);
}

static void when_all_is_there_nobody_rests(void **state)
{
    struct place *p = *state;
    pthread_t thread = start_to_rest(p);
    for (uint64_t gfn = 0; gfn < 10; gfn++)
        xlx__pages_drop(xlx__shared_pages(p->shared), gfn);
    pthread_join(thread, NULL);
}

/* The one that takes over has no threads yet, and looks for itself. */
static void a_successor_begins_anew(void **state)
{
    struct place *p = *state;
    have_the_guest_wait(p);
    rest(p, 1);
    xlx__throttle_reset(p->throttle);
    let_time_pass();
    rest(p, FOR_EVER);
    assert_int_equal(p->xen.looks, 3);
}

/* --- the backfill --------------------------------------------------------- */

static void watch_the_pager(struct world *w, struct place *p)
{
    make_proc(p, w->ctx);
    contention_fake_init(&p->xen);
    xlx__throttle_set_contention(
        xlx__backfill_throttle(xlx__pager_backfill(w->pager)), &p->xen.base);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
}

static void the_backfill_looks(void **state)
{
    struct world *w = *state;
    struct place p;
    watch_the_pager(w, &p);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_true(p.xen.looks >= 1);
    remove_proc(&p);
}

/* Nobody runs who could wait. */
static void a_prefetch_does_not(void **state)
{
    struct world *w = *state;
    struct place p;
    struct xlx__gfn_range *recorded = malloc(sizeof(*recorded));
    assert_non_null(recorded);
    *recorded = (struct xlx__gfn_range){ 20, 29 };
    xlx__backfill_set_recorded(xlx__pager_backfill(w->pager), recorded, 1);
    watch_the_pager(w, &p);
    assert_int_equal(xlx__pager_prefetch(w->pager, 100, FOR_EVER), 0);
    assert_int_equal(pager_world_counter(w, XLX__PREFETCH_PAGES), 9);
    assert_int_equal(p.xen.looks, 0);
    remove_proc(&p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guest_that_waits_for_nothing_lets_it_work),
        TEST(a_guest_that_waits_makes_it_rest),
        TEST(two_looks_are_some_time_apart),
        TEST(while_a_fault_is_served_it_works),
        TEST(what_faults_took_is_known),
        TEST(more_backfills_rest_longer),
        TEST(who_is_to_finish_does_not_rest),
        TEST(the_end_ends_the_rest),
        TEST(when_all_is_there_nobody_rests),
        TEST(a_successor_begins_anew),
        cmocka_unit_test_setup_teardown(the_backfill_looks, pager_world_setup,
                                        pager_world_teardown),
        cmocka_unit_test_setup_teardown(a_prefetch_does_not, pager_world_setup,
                                        pager_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
