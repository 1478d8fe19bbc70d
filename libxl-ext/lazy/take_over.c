/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What makes it safe to kill a pager at any point: what it owes to the domain
 * is written down where its successor finds it.
 *
 * Pages: done is noted after Xen has the page. One that was loaded and not
 * noted is loaded again, which Xen ignores.
 * Requests: those without an answer are still in the ring.
 * Touches: recorded before the request is answered.
 * Pauses: counted, see below.
 */
#include <string.h>

#include "lazy/pager.h"

/*
 * Between the call and the count there is a moment in which a kill leaves it
 * open whether the domain is paused. The successor takes it as paused: ending a
 * pause too many does nothing unless somebody else paused the domain just then.
 */
int xlx__pager_pause(struct xlx__pager *pager)
{
    xlx__shared_doubt_pause(pager->shared, true);
    int rc = pager->paging->ops->pause(pager->paging);
    if (!rc)
        xlx__shared_add_pauses(pager->shared, 1);
    xlx__shared_doubt_pause(pager->shared, false);
    return rc;
}

void xlx__pager_unpause(struct xlx__pager *pager)
{
    xlx__shared_doubt_pause(pager->shared, true);
    xlx__shared_add_pauses(pager->shared, -1);
    pager->paging->ops->unpause(pager->paging);
    xlx__shared_doubt_pause(pager->shared, false);
}

static void settle_doubt(struct xlx__shared *shared)
{
    if (xlx__shared_pause_is_in_doubt(shared))
        xlx__shared_add_pauses(shared, 1);
    xlx__shared_doubt_pause(shared, false);
}

static void end_pauses(struct xlx__pager *pager)
{
    struct xlx__paging_info info;
    int left;
    while ((left = xlx__shared_pauses(pager->shared)) > 0) {
        if (pager->paging->ops->info(pager->paging, &info) || !info.paused) {
            xlx__shared_add_pauses(pager->shared, -left);
            return;
        }
        xlx__pager_unpause(pager);
    }
}

/* The threads of the dead pager are in no process of ours. */
static void forget_threads(struct xlx__pager *pager)
{
    xlx__pager_init_locks(pager);
    memset(pager->loading, 0, sizeof(pager->loading));
    /* Its policy may be half changed: the next one starts afresh. */
    pager->fill = (struct xlx__fill){ .threads = pager->fill.threads };
    pager->stalled = 0;
    pager->watch.started = false;
    pager->recording = false;
    atomic_store(&pager->stop, false);
    atomic_store(&pager->filled, false);
    atomic_store(&pager->faulting, 0);
}

int xlx__pager_take_over(struct xlx__pager *pager, uint64_t ring_gfn)
{
    const struct xlx__paging_ops *ops = pager->paging->ops;
    forget_threads(pager);
    if (xlx__pager_gone(pager))
        return -ESRCH;
    xlx__pages_release_all(pager->pages);
    settle_doubt(pager->shared);
    int rc = xlx__pager_pause(pager);
    if (rc)
        return rc;
    rc = ops->take_over(pager->paging, ring_gfn);
    if (rc) {
        xlx__pager_unpause(pager);
        return rc;
    }
    end_pauses(pager);
    xlx__shared_count(pager->shared, XLX__SUCCESSORS, 1);
    return 0;
}
