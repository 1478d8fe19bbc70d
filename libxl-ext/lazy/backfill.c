/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The backfill threads: everything that nobody asked for yet, in the order that
 * the policy chooses (lazy/policy.h). Two of them, so that one reads while the
 * other loads; each takes the next run.
 */
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "lazy/pager.h"

#define REPORT_EVERY_US 200000u

#define LATER_US 1000u

/* For pages whose time may have come, or which somebody has brought. */
#define LOOK_AGAIN_MS 50u

/* Faults and whatever runs the guest go first; but a host that is busy without
 * end still fills. */
#define FILL_NICE 5

/* A guess, 1 GiB/s, that decides on the order of loads only. */
#define PAGES_PER_MS 262u

/* --- what comes next ------------------------------------------------------ */

void xlx__pager_fill_fault(struct xlx__pager *pager, uint64_t gfn)
{
    struct xlx__fill *fill = &pager->fill;
    uint64_t nr = atomic_load(&fill->nr_faults);
    atomic_store(&fill->fault[nr % XLX__FILL_FAULTS], gfn);
    atomic_store(&fill->nr_faults, nr + 1);
}

/* With the lock held. One that is overwritten meanwhile is a newer fault. */
static void tell_of_faults(struct xlx__fill *fill)
{
    uint64_t nr = atomic_load(&fill->nr_faults);
    if (nr - fill->told > XLX__FILL_FAULTS)
        fill->told = nr - XLX__FILL_FAULTS;
    for (; fill->told < nr; fill->told++)
        fill->policy->ops->fault(
            fill->policy,
            atomic_load(&fill->fault[fill->told % XLX__FILL_FAULTS]));
}

/* With the lock held. */
static bool prefetch_is_over(const struct xlx__fill *fill)
{
    return fill->next.step != XLX__POLICY_RECORD || !fill->pages_left ||
           xlx__now_us() >= fill->until;
}

/* With the lock held. Takes the next run, or as much as a prefetch may. */
static enum xlx__policy_step take(struct xlx__pager *pager,
                                  struct xlx__gfn_range *run_r)
{
    struct xlx__fill *fill = &pager->fill;
    struct xlx__fill_next *next = &fill->next;
    if (!next->some)
        next->step = fill->policy->ops->next(fill->policy, pager->pages,
                                             &next->run);
    next->some = next->step != XLX__POLICY_LATER;
    if (fill->prefetching && prefetch_is_over(fill))
        return XLX__POLICY_END;
    if (next->step > XLX__POLICY_RECORD && xlx__recorder_holds_back(pager->recorder))
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

static enum xlx__policy_step next_run(struct xlx__pager *pager,
                                      struct xlx__gfn_range *run_r)
{
    pthread_mutex_lock(&pager->lock);
    tell_of_faults(&pager->fill);
    enum xlx__policy_step step = take(pager, run_r);
    pthread_mutex_unlock(&pager->lock);
    return step;
}

/*
 * When the policy has nothing more: pages that were kept aside, when their time
 * has come again.
 */
static enum xlx__policy_step next_bad(struct xlx__pager *pager,
                                      struct xlx__gfn_range *run_r)
{
    uint64_t now = xlx__now_us();
    bool wait;
    pthread_mutex_lock(&pager->lock);
    bool taken =
        xlx__bad_take(&pager->fill.bad, pager->pages, now,
                      now + XLX__BACKOFF_LAST_MS * 1000, run_r, &wait);
    pthread_mutex_unlock(&pager->lock);
    if (taken) {
        xlx__shared_count(pager->guest.shared, XLX__RETRIES, 1);
        return XLX__POLICY_REST;
    }
    if (!wait)
        return XLX__POLICY_END;
    xlx__guest_nap(&pager->guest, LOOK_AGAIN_MS);
    return XLX__POLICY_LATER;
}

/* --- the threads ---------------------------------------------------------- */

static void tick(struct xlx__pager *pager)
{
    struct xlx__fill *fill = &pager->fill;
    uint64_t now = xlx__now_us();
    xlx__shared_set(pager->guest.shared, XLX__FILL_US, now - fill->begun);
    pthread_mutex_lock(&pager->lock);
    bool due = now - fill->reported >= REPORT_EVERY_US;
    if (due)
        fill->reported = now;
    pthread_mutex_unlock(&pager->lock);
    if (due)
        xlx__guest_changed(&pager->guest);
}

static bool fill_all(struct xlx__filler *f)
{
    const struct timespec later = { .tv_nsec = LATER_US * 1000 };
    struct xlx__pager *pager = f->pager;
    struct xlx__gfn_range run;
    while (!xlx__guest_stopped(&pager->guest)) {
        enum xlx__policy_step step = next_run(pager, &run);
        if (step == XLX__POLICY_END && !pager->fill.prefetching)
            step = next_bad(pager, &run);
        if (step == XLX__POLICY_END || xlx__shared_has_all(pager->guest.shared))
            return true;
        if (step != XLX__POLICY_LATER)
            xlx__pager_throttle(pager, run.end - run.start);
        if (step == XLX__POLICY_LATER)
            nanosleep(&later, NULL);
        else if (!xlx__fill_run(f, &run))
            return false;
        tick(pager);
    }
    return false;
}

static void *backfill(void *arg)
{
    struct xlx__pager *pager = arg;
    const struct xlx__paging_ops *ops = pager->guest.paging->ops;
    struct xlx__filler f = { .pager = pager,
                             .backoff_ms = XLX__BACKOFF_FIRST_MS };

    f.buffer = ops->buffer_alloc(pager->guest.paging, XLX__PAGING_RUN_MAX);
    /* Only a preference, as that of the fault thread. */
    if (!pager->fill.prefetching)
        setpriority(PRIO_PROCESS, 0, FILL_NICE);
    if (!f.buffer || !fill_all(&f)) {
        if (pager->fill.prefetching)
            atomic_store(&pager->fill.failed, true);
        else
            xlx__guest_stop(&pager->guest);
    }
    if (atomic_fetch_sub(&pager->fill.running, 1) == 1 &&
        !pager->fill.prefetching && !xlx__guest_stopped(&pager->guest))
        atomic_store(&pager->filled, true);
    ops->buffer_free(pager->guest.paging, f.buffer, XLX__PAGING_RUN_MAX);
    return NULL;
}

/* Pages that the prefetch may get to. */
static uint64_t ahead(const struct xlx__fill *fill)
{
    if (!fill->prefetching)
        return 0;
    uint64_t now = xlx__now_us();
    uint64_t in_time = fill->until > now ? (fill->until - now) * PAGES_PER_MS /
                                               1000
                                         : 0;
    return in_time < fill->pages_left ? in_time : fill->pages_left;
}

/* A prefetch can be done without; the threads that it has end by themselves. */
static int not_started(struct xlx__pager *pager, int rc)
{
    if (!pager->fill.prefetching)
        xlx__guest_stop(&pager->guest);
    return rc;
}

int xlx__pager_fill_start(struct xlx__pager *pager)
{
    struct xlx__fill *fill = &pager->fill;
    if (!fill->policy)
        fill->policy = xlx__policy_new(pager->held, pager->nr_held,
                                       pager->recorded, pager->nr_recorded,
                                       ahead(fill));
    if (!fill->policy)
        return not_started(pager, -ENOMEM);
    fill->begun = fill->reported = xlx__now_us();
    if (!fill->prefetching)
        xlx__recorder_begin(pager->recorder);
    atomic_store(&fill->running, fill->threads);
    for (int i = 0; i < fill->threads; i++) {
        int rc = pthread_create(&fill->thread[i], NULL, backfill, pager);
        if (rc)
            return not_started(pager, -rc);
        fill->started++;
    }
    return 0;
}

void xlx__pager_fill_join(struct xlx__pager *pager)
{
    for (int i = 0; i < pager->fill.started; i++)
        pthread_join(pager->fill.thread[i], NULL);
    pager->fill.started = 0;
}

int xlx__pager_prefetch(struct xlx__pager *pager, uint64_t max_pages,
                        uint64_t max_us)
{
    struct xlx__fill *fill = &pager->fill;
    fill->prefetching = true;
    fill->pages_left = max_pages;
    fill->until = xlx__now_us() + max_us;
    atomic_store(&fill->failed, false);
    xlx__stalls_watch(xlx__loader_stalls(pager->loader));
    int rc = xlx__pager_fill_start(pager);
    xlx__pager_fill_join(pager);
    xlx__stalls_end_watch(xlx__loader_stalls(pager->loader));
    fill->prefetching = false;
    return !rc && atomic_load(&fill->failed) ? -EIO : rc;
}

void xlx__pager_fill_free(struct xlx__pager *pager)
{
    if (pager->fill.policy)
        pager->fill.policy->ops->free(pager->fill.policy);
    pager->fill.policy = NULL;
    xlx__bad_free(&pager->fill.bad);
}
