/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/backfill.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "lazy/fill_run.h"

#define REPORT_EVERY_US 200000u

#define LATER_US 1000u

/* For pages whose time may have come, or which another thread has loaded. */
#define LOOK_AGAIN_MS 50u

/* A guess, 1 GiB/s, that decides on the order of loads only. */
#define PAGES_PER_MS 262u

/* Faults that the policy was not told of yet; older ones are forgotten. */
#define FAULTS 16u

/* What the policy said and nobody took yet. */
struct next {
    bool some;
    enum xlx__policy_step step;
    struct xlx__gfn_range run;
};

struct xlx__backfill {
    struct xlx__guest *guest;
    struct xlx__pages *pages;
    struct xlx__loader *loader;
    struct xlx__recorder *recorder;
    struct xlx__throttle *throttle; /* owned, as is trouble */
    struct xlx__trouble *trouble;
    const struct xlx__gfn_range *held;
    size_t nr_held;
    struct xlx__gfn_range *recorded; /* owned; first touched first */
    size_t nr_recorded;

    pthread_t thread[XLX__FILL_THREADS];
    int threads; /* as many are started: 1 to XLX__FILL_THREADS */
    int started;
    _Atomic int running;
    _Atomic bool failed; /* a load of the prefetch */
    _Atomic bool filled; /* it is through */
    uint64_t begun;      /* xlx__now_us() */
    /* Written by the fault thread, which never waits for the backfill. */
    _Atomic uint64_t fault[FAULTS];
    _Atomic uint64_t nr_faults;

    pthread_mutex_t lock; /* of all below */
    struct xlx__policy
        *policy; /* owned; made at the start when there is none */
    struct next next;
    bool prefetching;    /* before the domain runs: the recorded set only */
    uint64_t pages_left; /* of the prefetch */
    uint64_t until;      /* its end, xlx__now_us() */
    uint64_t told;       /* faults that the policy knows of */
    uint64_t reported;   /* xlx__now_us() */
};

struct xlx__backfill *xlx__backfill_new(struct xlx__guest *guest,
                                        struct xlx__loader *loader,
                                        struct xlx__recorder *recorder,
                                        const struct xlx__gfn_range *held,
                                        size_t nr_held)
{
    struct xlx__backfill *fill = calloc(1, sizeof(*fill));
    if (!fill)
        return NULL;
    fill->guest = guest;
    fill->pages = xlx__shared_pages(guest->shared);
    fill->loader = loader;
    fill->recorder = recorder;
    fill->held = held;
    fill->nr_held = nr_held;
    fill->threads = XLX__FILL_THREADS;
    pthread_mutex_init(&fill->lock, NULL);
    fill->throttle = xlx__throttle_new(guest);
    fill->trouble = xlx__trouble_new(guest);
    if (fill->throttle && fill->trouble)
        return fill;
    xlx__backfill_free(fill);
    return NULL;
}

void xlx__backfill_free(struct xlx__backfill *fill)
{
    if (!fill)
        return;
    if (fill->policy)
        fill->policy->ops->free(fill->policy);
    free(fill->recorded);
    xlx__throttle_free(fill->throttle);
    xlx__trouble_free(fill->trouble);
    pthread_mutex_destroy(&fill->lock);
    free(fill);
}

/* Its policy may be half changed: the next one starts afresh. */
void xlx__backfill_reset(struct xlx__backfill *fill)
{
    pthread_mutex_init(&fill->lock, NULL);
    xlx__throttle_reset(fill->throttle);
    xlx__trouble_reset(fill->trouble);
    fill->started = 0;
    atomic_store(&fill->running, 0);
    atomic_store(&fill->failed, false);
    atomic_store(&fill->filled, false);
    atomic_store(&fill->nr_faults, 0);
    fill->policy = NULL;
    fill->next = (struct next){ 0 };
    fill->prefetching = false;
    fill->told = 0;
}

void xlx__backfill_set_recorded(struct xlx__backfill *fill,
                                struct xlx__gfn_range *recorded, size_t nr)
{
    free(fill->recorded);
    fill->recorded = recorded;
    fill->nr_recorded = nr;
}

const struct xlx__gfn_range *
xlx__backfill_recorded(const struct xlx__backfill *fill, size_t *nr_r)
{
    *nr_r = fill->nr_recorded;
    return fill->recorded;
}

void xlx__backfill_set_policy(struct xlx__backfill *fill,
                              struct xlx__policy *policy, int threads)
{
    fill->policy = policy;
    fill->threads = threads;
}

struct xlx__throttle *xlx__backfill_throttle(const struct xlx__backfill *fill)
{
    return fill->throttle;
}

struct xlx__trouble *xlx__backfill_trouble(const struct xlx__backfill *fill)
{
    return fill->trouble;
}

bool xlx__backfill_is_through(const struct xlx__backfill *fill)
{
    return atomic_load(&fill->filled);
}

/* --- what comes next ------------------------------------------------------ */

void xlx__backfill_fault(struct xlx__backfill *fill, uint64_t gfn)
{
    uint64_t nr = atomic_load(&fill->nr_faults);
    atomic_store(&fill->fault[nr % FAULTS], gfn);
    atomic_store(&fill->nr_faults, nr + 1);
}

/* With the lock held. One that is overwritten meanwhile is a newer fault. */
static void tell_of_faults(struct xlx__backfill *fill)
{
    uint64_t nr = atomic_load(&fill->nr_faults);
    if (nr - fill->told > FAULTS)
        fill->told = nr - FAULTS;
    for (; fill->told < nr; fill->told++)
        fill->policy->ops->fault(
            fill->policy, atomic_load(&fill->fault[fill->told % FAULTS]));
}

/* With the lock held. */
static bool prefetch_is_over(const struct xlx__backfill *fill)
{
    return fill->next.step != XLX__POLICY_RECORD || !fill->pages_left ||
           xlx__now_us() >= fill->until;
}

/* With the lock held. Takes the next run, or as much as a prefetch may. */
static enum xlx__policy_step take_run(struct xlx__backfill *fill,
                                      struct xlx__gfn_range *run_r)
{
    struct next *next = &fill->next;
    if (!next->some)
        next->step =
            fill->policy->ops->next(fill->policy, fill->pages, &next->run);
    next->some = next->step != XLX__POLICY_LATER;
    if (fill->prefetching && prefetch_is_over(fill))
        return XLX__POLICY_END;
    if (next->step > XLX__POLICY_RECORD &&
        xlx__recorder_holds_back(fill->recorder))
        return XLX__POLICY_LATER;
    *run_r = next->run;
    if (fill->prefetching) {
        if (run_r->end - run_r->start > fill->pages_left)
            run_r->end = run_r->start + fill->pages_left;
        fill->pages_left -= run_r->end - run_r->start;
        next->run.start = run_r->end;
    }
    next->some = fill->prefetching && next->run.start < next->run.end;
    return next->step;
}

static enum xlx__policy_step next_run(struct xlx__backfill *fill,
                                      struct xlx__gfn_range *run_r)
{
    pthread_mutex_lock(&fill->lock);
    tell_of_faults(fill);
    enum xlx__policy_step step = take_run(fill, run_r);
    pthread_mutex_unlock(&fill->lock);
    return step;
}

/*
 * When the policy has nothing more: pages that were kept aside, when their time
 * has come again.
 */
static enum xlx__policy_step next_bad(struct xlx__backfill *fill,
                                      struct xlx__gfn_range *run_r)
{
    bool wait;
    if (xlx__trouble_take(fill->trouble, run_r, &wait)) {
        xlx__shared_count(fill->guest->shared, XLX__RETRIES, 1);
        return XLX__POLICY_REST;
    }
    if (!wait)
        return XLX__POLICY_END;
    xlx__guest_nap(fill->guest, LOOK_AGAIN_MS);
    return XLX__POLICY_LATER;
}

/* --- the threads ---------------------------------------------------------- */

static void report_fill(struct xlx__backfill *fill)
{
    uint64_t now = xlx__now_us();
    xlx__shared_set(fill->guest->shared, XLX__FILL_US, now - fill->begun);
    pthread_mutex_lock(&fill->lock);
    bool due = now - fill->reported >= REPORT_EVERY_US;
    if (due)
        fill->reported = now;
    pthread_mutex_unlock(&fill->lock);
    if (due)
        xlx__guest_changed(fill->guest);
}

/* A domain that is prefetched for does not run yet. */
static bool fill_and_rest(struct xlx__backfill *fill, struct xlx__filler *f,
                          const struct xlx__gfn_range *run)
{
    uint64_t begun = xlx__now_us(), used = xlx__thread_us();
    bool filled = xlx__fill_run(f, run);
    if (filled && !fill->prefetching)
        xlx__throttle_rest(fill->throttle, xlx__thread_us() - used,
                           xlx__now_us() - begun, (uint32_t)fill->threads);
    return filled;
}

static bool fill_all(struct xlx__backfill *fill, struct xlx__filler *f)
{
    const struct timespec later = { .tv_nsec = LATER_US * 1000 };
    struct xlx__gfn_range run;
    while (!xlx__guest_stopped(fill->guest)) {
        enum xlx__policy_step step = next_run(fill, &run);
        if (step == XLX__POLICY_END && !fill->prefetching)
            step = next_bad(fill, &run);
        if (step == XLX__POLICY_END || xlx__shared_has_all(fill->guest->shared))
            return true;
        if (step != XLX__POLICY_LATER)
            xlx__throttle_wait(fill->throttle, run.end - run.start);
        if (step == XLX__POLICY_LATER)
            nanosleep(&later, NULL);
        else if (!fill_and_rest(fill, f, &run))
            return false;
        report_fill(fill);
    }
    return false;
}

static void *backfill(void *arg)
{
    struct xlx__backfill *fill = arg;
    const struct xlx__paging_ops *ops = fill->guest->paging->ops;
    struct xlx__filler f = { .guest = fill->guest,
                             .loader = fill->loader,
                             .throttle = fill->throttle,
                             .trouble = fill->trouble,
                             .prefetching = fill->prefetching,
                             .backoff_ms = XLX__BACKOFF_FIRST_MS };

    f.buffer = ops->buffer_alloc(fill->guest->paging, XLX__PAGING_RUN_MAX);
    if (!f.buffer || !fill_all(fill, &f)) {
        if (fill->prefetching)
            atomic_store(&fill->failed, true);
        else
            xlx__guest_stop(fill->guest);
    }
    if (atomic_fetch_sub(&fill->running, 1) == 1 && !fill->prefetching &&
        !xlx__guest_stopped(fill->guest))
        atomic_store(&fill->filled, true);
    ops->buffer_free(fill->guest->paging, f.buffer, XLX__PAGING_RUN_MAX);
    return NULL;
}

/* Pages that the prefetch may get to. */
static uint64_t ahead(const struct xlx__backfill *fill)
{
    if (!fill->prefetching)
        return 0;
    uint64_t now = xlx__now_us();
    uint64_t in_time =
        fill->until > now ? (fill->until - now) * PAGES_PER_MS / 1000 : 0;
    return in_time < fill->pages_left ? in_time : fill->pages_left;
}

/* A prefetch can be done without; the threads that it has end by themselves. */
static int not_started(struct xlx__backfill *fill, int rc)
{
    if (!fill->prefetching)
        xlx__guest_stop(fill->guest);
    return rc;
}

int xlx__backfill_start(struct xlx__backfill *fill)
{
    if (!fill->policy)
        fill->policy =
            xlx__policy_new(fill->held, fill->nr_held, fill->recorded,
                            fill->nr_recorded, ahead(fill));
    if (!fill->policy)
        return not_started(fill, -ENOMEM);
    fill->begun = fill->reported = xlx__now_us();
    if (!fill->prefetching)
        xlx__recorder_begin(fill->recorder);
    atomic_store(&fill->running, fill->threads);
    for (int i = 0; i < fill->threads; i++) {
        int rc = pthread_create(&fill->thread[i], NULL, backfill, fill);
        if (rc)
            return not_started(fill, -rc);
        fill->started++;
    }
    return 0;
}

void xlx__backfill_join(struct xlx__backfill *fill)
{
    for (int i = 0; i < fill->started; i++)
        pthread_join(fill->thread[i], NULL);
    fill->started = 0;
}

int xlx__backfill_prefetch(struct xlx__backfill *fill, uint64_t max_pages,
                           uint64_t max_us)
{
    fill->prefetching = true;
    fill->pages_left = max_pages;
    fill->until = xlx__now_us() + max_us;
    atomic_store(&fill->failed, false);
    int rc = xlx__backfill_start(fill);
    xlx__backfill_join(fill);
    fill->prefetching = false;
    return !rc && atomic_load(&fill->failed) ? -EIO : rc;
}
