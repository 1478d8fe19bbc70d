/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A pager that dies in any of its calls to Xen, before or behind the call's
 * effect, and its successor in another: the guest never notices.
 */
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "fakes/pager_world.h"

#define RING 1
#define HANGS_S 100 /* a pager that would go on for an hour */
#define HOUR_US 3600000000ull

/* The pager's process: the first one starts, each other one takes over. */
static int be_pager(struct world *w, bool first)
{
    int rc;
    if (first) {
        rc = xlx__pager_start(w->pager, RING);
    } else {
        rc = xlx__pager_take_over(w->pager, RING);
        if (!rc && !xlx__shared_started(xlx__pager_shared(w->pager)))
            return 2;
    }
    return rc || xlx__pager_run(w->pager) ? 1 : 0;
}

/* The same for one that records for so long, as those before it did. */
static uint64_t record_us;

static int be_recorder(struct world *w, bool first)
{
    (void)first;
    if (xlx__pager_take_over(w->pager, RING))
        return 1;
    xlx__recorder_set(xlx__pager_recorder(w->pager), record_us, record_us);
    return xlx__pager_run(w->pager) ? 1 : 0;
}

/* Its exit status. It dies in its call number n; 0: it does not. */
static int run_process(struct world *w, int (*be)(struct world *, bool),
                       bool first, int n, bool after)
{
    int status;
    w->fake->all_calls = 0;
    w->fake->die_at = n;
    w->fake->die_after = after;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(HANGS_S);
        _exit(be(w, first));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_pager(struct world *w, bool first, int n, bool after)
{
    return run_process(w, be_pager, first, n, after);
}

struct vcpu {
    struct world *w;
    unsigned id;
    pthread_t thread;
};

/* Every third page is read by each vCPU; each writes some of its own. */
static void *use_memory(void *arg)
{
    struct vcpu *v = arg;
    struct paging_fake *f = v->w->fake;
    for (uint64_t gfn = 20 + v->id; gfn < LOW_PAGES; gfn += 3) {
        if (!paging_fake_touch(f, v->id, gfn))
            break;
        if (gfn % 60 == v->id)
            memset(f->memory + gfn * XLX_PAGE_SIZE, 0x5a, XLX_PAGE_SIZE);
    }
    return NULL;
}

static bool was_written(uint64_t gfn)
{
    for (unsigned id = 0; id < 2; id++)
        if (gfn >= 20 + id && gfn < LOW_PAGES && (gfn - 20 - id) % 3 == 0 &&
            gfn % 60 == id)
            return true;
    return false;
}

static bool is_written(struct world *w, uint64_t gfn)
{
    for (size_t i = 0; i < XLX_PAGE_SIZE; i++)
        if (w->fake->memory[gfn * XLX_PAGE_SIZE + i] != 0x5a)
            return false;
    return true;
}

static void assert_memory_is_right(struct world *w)
{
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++) {
        if (!was_held_back(gfn))
            continue;
        assert_int_equal(w->fake->type[gfn], FAKE_RAM);
        assert_true(was_written(gfn) ? is_written(w, gfn)
                                     : is_as_in_image(w, gfn));
    }
    assert_false(w->fake->enabled);
    assert_int_equal(w->fake->claimed, 0);
    assert_int_equal(w->fake->paused, 0);
    assert_int_equal(w->fake->req_prod, w->fake->rsp_cons);
    assert_int_equal(pager_world_done(w), HELD);
}

static void start_vcpus(struct world *w, struct vcpu *v)
{
    for (unsigned i = 0; i < 2; i++) {
        v[i] = (struct vcpu){ .w = w, .id = i };
        assert_int_equal(pthread_create(&v[i].thread, NULL, use_memory, &v[i]),
                         0);
    }
}

/* The pager dies in call n of its run, its successor in call n of its own. */
static int kill_twice(int n, bool after)
{
    void *state;
    struct vcpu v[2];
    pager_world_setup(&state);
    struct world *w = state;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    start_vcpus(w, v);
    int deaths = 0, status = FAKE_DEATH;
    for (; deaths < 3 && status == FAKE_DEATH; deaths++)
        status = run_pager(w, false, deaths < 2 ? n : 0, after);
    assert_int_equal(status, 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(v[i].thread, NULL);
    assert_memory_is_right(w);
    assert_int_equal(xlx__shared_pauses(xlx__pager_shared(w->pager)), 0);
    pager_world_teardown(&state);
    return deaths - 1;
}

/* Where it takes over, where it begins, and somewhere in the middle. */
static void the_guest_survives_a_death_in_any_call(void **state)
{
    int killed = 0;
    (void)state;
    for (int n = 1; n <= 40; n++)
        killed += kill_twice(n, n % 2);
    for (int n = 1; n <= 12; n++)
        killed += kill_twice(n, !(n % 2));
    assert_true(killed >= 20);
}

/* Each a run of its own. */
static const uint64_t touched[] = { 1100, 20, 700, 300, 2050, 500 };
#define NR_TOUCHED (sizeof(touched) / sizeof(touched[0]))

static void *touch_some(void *arg)
{
    struct world *w = arg;
    const struct xlx_lazy_change change = { .fill = XLX_LAZY_FILL_FINISH };
    for (size_t i = 0; i < NR_TOUCHED; i++)
        paging_fake_touch(w->fake, 0, touched[i]);
    xlx__shared_change(xlx__pager_shared(w->pager), &change);
    return NULL;
}

static void assert_all_recorded(const struct world *w)
{
    struct xlx__gfn_range *runs;
    size_t nr;
    assert_int_equal(pager_world_runs(w, &runs, &nr), 0);
    assert_int_equal(nr, NR_TOUCHED);
    for (size_t i = 0; i < nr; i++) {
        assert_int_equal(runs[i].start, touched[i]);
        assert_int_equal(runs[i].end, touched[i] + 1);
    }
    free(runs);
}

/* As kill_twice(), with nothing but faults until all are served. */
static int kill_recorders(int n, bool after)
{
    void *state;
    pthread_t vcpu;
    pager_world_setup(&state);
    struct world *w = state;
    record_us = UINT64_MAX / 4;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    assert_int_equal(pthread_create(&vcpu, NULL, touch_some, w), 0);
    int deaths = 0, status = FAKE_DEATH;
    for (; deaths < 3 && status == FAKE_DEATH; deaths++)
        status = run_process(w, be_recorder, false, deaths < 2 ? n : 0, after);
    assert_int_equal(status, 0);
    pthread_join(vcpu, NULL);
    assert_all_recorded(w);
    pager_world_teardown(&state);
    return deaths - 1;
}

static void what_was_recorded_survives_a_death_in_any_call(void **state)
{
    int killed = 0;
    (void)state;
    for (int n = 1; n <= 40; n++)
        killed += kill_recorders(n, false) + kill_recorders(n, true);
    assert_true(killed >= 40);
}

/* Or a guest whose pager dies often would wait for its fill that often. */
static void the_time_to_record_does_not_begin_anew(void **state)
{
    struct world *w = *state;
    record_us = HOUR_US;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    xlx__shared_record_begun(xlx__pager_shared(w->pager),
                             xlx__now_us() - HOUR_US);
    assert_int_equal(run_process(w, be_recorder, false, 0, false), 0);
}

/* Without vCPUs, so that the last calls are always the same ones. */
static void it_survives_a_death_at_the_end(void **state)
{
    struct world *w;
    (void)state;
    for (int back = 0; back < 12; back++) {
        void *own;
        pager_world_setup(&own);
        w = own;
        assert_int_equal(xlx__pager_start(w->pager, RING), 0);
        int status = run_pager(w, false, 0, false);
        int calls = w->fake->all_calls;
        assert_int_equal(status, 0);
        pager_world_teardown(&own);

        pager_world_setup(&own);
        w = own;
        assert_int_equal(xlx__pager_start(w->pager, RING), 0);
        status = run_pager(w, false, calls - back, back % 2);
        assert_true(status == FAKE_DEATH || status == 0);
        if (status)
            assert_int_equal(run_pager(w, false, 0, false), 0);
        assert_int_equal(w->fake->paused, 0);
        assert_false(w->fake->enabled);
        assert_int_equal(w->fake->paged_pages, 0);
        pager_world_teardown(&own);
    }
}

/* enable, claim, three marks */
static void a_death_while_it_starts_is_known(void **state)
{
    struct world *w = *state;
    assert_int_equal(run_pager(w, true, 4, true), FAKE_DEATH);
    assert_int_equal(run_pager(w, false, 0, false), 2);
    assert_true(w->fake->enabled);
    assert_int_equal(w->fake->paused, 0);
}

static void *touch_one(void *arg)
{
    struct world *w = arg;
    paging_fake_touch(w->fake, 0, LOW_PAGES - 1);
    return NULL;
}

static void a_stalled_pager_that_dies_leaves_no_pause(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    w->fake->fail_loads_only = true;
    w->fake->fail_at = 1;
    w->fake->fail_times = 1000000;
    w->fake->fail_err = EIO;
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_pager(w, false));
    pthread_t vcpu;
    pthread_create(&vcpu, NULL, touch_one, w);
    while (*(volatile int *)&w->fake->pauses < 2) /* take over, stall */
        usleep(1000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(w->fake->paused, 1);

    w->fake->fail_at = 0;
    assert_int_equal(run_pager(w, false, 0, false), 0);
    pthread_join(vcpu, NULL);
    assert_int_equal(w->fake->paused, 0);
}

static void nobody_takes_over_a_domain_that_is_gone(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    paging_fake_kill(w->fake);
    assert_int_equal(xlx__pager_take_over(w->pager, RING), -ESRCH);
    assert_int_equal(w->fake->pauses, 0);
}

static void a_take_over_that_fails_leaves_the_domain_as_it_was(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, RING), 0);
    w->fake->fail_at = w->fake->calls + 1;
    w->fake->fail_err = EBUSY;
    assert_int_equal(xlx__pager_take_over(w->pager, RING), -EBUSY);
    assert_int_equal(w->fake->paused, 0);
    assert_int_equal(xlx__shared_pauses(xlx__pager_shared(w->pager)), 0);
    assert_int_equal(pager_world_counter(w, XLX__SUCCESSORS), 0);
    assert_int_equal(xlx__pager_take_over(w->pager, RING), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_int_equal(w->fake->paused, 0);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, pager_world_setup, pager_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guest_survives_a_death_in_any_call),
        cmocka_unit_test(what_was_recorded_survives_a_death_in_any_call),
        TEST(the_time_to_record_does_not_begin_anew),
        cmocka_unit_test(it_survives_a_death_at_the_end),
        TEST(a_death_while_it_starts_is_known),
        TEST(a_stalled_pager_that_dies_leaves_no_pause),
        TEST(nobody_takes_over_a_domain_that_is_gone),
        TEST(a_take_over_that_fails_leaves_the_domain_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
