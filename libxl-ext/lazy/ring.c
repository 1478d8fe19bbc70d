/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/ring.h"

#include "core/clock.h"

/* How often the fault thread looks whether all is present, and asks Xen whether
 * there is still a domain. */
#define IDLE_MS 20
#define GONE_US 200000u

/* With an older series vCPUs sleep in Xen for a slot in the ring, get it as
 * soon as it is drained, and then have to run: for so long, twice as long after
 * each try in vain. */
#define RUN_MS 1
#define RUN_MAX_MS 100

/* --- requests ------------------------------------------------------------- */

static void count_fault(struct xlx__ring *ring, uint64_t us)
{
    xlx__shared_count(ring->guest->shared, XLX__FAULTS, 1);
    xlx__shared_count(ring->guest->shared, XLX__FAULT_US, us);
    if (us > xlx__shared_counter(ring->guest->shared, XLX__FAULT_US_MAX))
        xlx__shared_set(ring->guest->shared, XLX__FAULT_US_MAX, us);
}

static bool serve(struct xlx__ring *ring, const struct xlx__paging_request *req)
{
    uint64_t begun = xlx__now_us();
    if (req->drop) {
        xlx__pages_drop(xlx__shared_pages(ring->guest->shared), req->gfn);
        xlx__shared_count(ring->guest->shared, XLX__DROPPED, 1);
    } else if (!xlx__loader_bring(ring->loader, req->gfn, ring->buffer)) {
        return false;
    }
    /* Before the answer: a request without one is found by the next pager. */
    if (!req->drop)
        xlx__recorder_touch(ring->recorder, req->gfn);
    ring->guest->paging->ops->respond(ring->guest->paging, req);
    if (!req->drop) {
        count_fault(ring, xlx__now_us() - begun);
        xlx__backfill_fault(ring->backfill, req->gfn);
    }
    return true;
}

/* Answers all that is in the ring now. Returns how many, or -errno. */
static int drain(struct xlx__ring *ring)
{
    const struct xlx__paging_ops *ops = ring->guest->paging->ops;
    struct xlx__throttle *throttle = xlx__backfill_throttle(ring->backfill);
    struct xlx__paging_request req;
    int served = 0;

    xlx__throttle_set_serving(throttle, true);
    while (ops->next(ring->guest->paging, &req)) {
        if (!serve(ring, &req)) {
            served = -ESRCH;
            break;
        }
        /* At once: the vCPU need not wait for the faults behind its own. */
        int rc = ops->notify(ring->guest->paging);
        if (rc) {
            served = rc;
            break;
        }
        served++;
    }
    xlx__throttle_set_serving(throttle, false);
    return served;
}

/* Each question is a hypercall. */
static bool guest_is_gone(struct xlx__ring *ring, uint64_t *asked)
{
    uint64_t now = xlx__now_us();
    if (now - *asked < GONE_US)
        return xlx__guest_stopped(ring->guest);
    *asked = now;
    return xlx__guest_gone(ring->guest);
}

int xlx__ring_serve(struct xlx__ring *ring)
{
    uint64_t asked = 0;
    for (;;) {
        int ready =
            ring->guest->paging->ops->wait(ring->guest->paging, IDLE_MS);
        int served = drain(ring);
        int failed = ready < 0 ? ready : served;
        if (failed < 0)
            return xlx__guest_gone(ring->guest) ? -ESRCH : failed;
        if (served > 0 || ready > 0)
            continue;
        if (guest_is_gone(ring, &asked))
            return -ESRCH;
        if (xlx__backfill_is_through(ring->backfill))
            return 0;
    }
}

/* --- the end -------------------------------------------------------------- */

static int look_at_domain(struct xlx__ring *ring,
                          struct xlx__paging_info *info_r)
{
    int rc = ring->guest->paging->ops->info(ring->guest->paging, info_r);
    if (rc)
        return xlx__fail_errno(ring->guest->ctx, -rc, "domain %u",
                               ring->guest->paging->domid);
    return info_r->dying ? -ESRCH : 0;
}

static int check_nothing_is_out(struct xlx__ring *ring)
{
    struct xlx__paging_info info;
    int rc = look_at_domain(ring, &info);
    if (rc)
        return rc;
    if (info.paged_pages == 0)
        return 0;
    return xlx__fail(ring->guest->ctx, EIO,
                     "domain %u: all pages are loaded, but Xen counts %lu as "
                     "paged out: paging stays enabled",
                     ring->guest->paging->domid,
                     (unsigned long)info.paged_pages);
}

/*
 * Ends paging while no vCPU runs: one that is between seeing an absent page and
 * posting its request would never get an answer.
 */
static int try_to_end_paging(struct xlx__ring *ring)
{
    int rc = xlx__guest_pause(ring->guest);
    if (rc)
        return rc;
    rc = drain(ring);
    if (rc >= 0)
        rc = ring->guest->paging->ops->disable(ring->guest->paging);
    xlx__guest_unpause(ring->guest);
    return rc;
}

/* Lets vCPUs run that may sleep in Xen. They cannot while somebody else has the
 * domain paused, which is left as it is. */
static int let_run(struct xlx__ring *ring, int ms)
{
    struct xlx__paging_info info;
    int rc;
    do {
        rc = look_at_domain(ring, &info);
        if (rc)
            return rc;
        rc = ring->guest->paging->ops->wait(ring->guest->paging,
                                            info.paused ? RUN_MAX_MS : ms);
    } while (!rc && info.paused);
    return rc < 0 ? rc : 0;
}

/* As nothing is paged out any more, it does no harm, however long it takes. */
int xlx__ring_end(struct xlx__ring *ring)
{
    int ms = RUN_MS, rc = check_nothing_is_out(ring);
    if (rc)
        return rc;
    while ((rc = try_to_end_paging(ring)) == -EBUSY) {
        rc = let_run(ring, ms);
        if (rc)
            break;
        ms = ms * 2 > RUN_MAX_MS ? RUN_MAX_MS : ms * 2;
    }
    ring->guest->paging->ops->claim(ring->guest->paging, 0);
    return rc;
}
