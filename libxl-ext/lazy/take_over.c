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
    struct xlx__pager_kept *kept = pager->kept;
    atomic_store(&kept->pausing, true);
    int rc = pager->paging->ops->pause(pager->paging);
    if (!rc)
        atomic_fetch_add(&kept->pauses, 1);
    atomic_store(&kept->pausing, false);
    return rc;
}

void xlx__pager_unpause(struct xlx__pager *pager)
{
    struct xlx__pager_kept *kept = pager->kept;
    atomic_store(&kept->pausing, true);
    atomic_fetch_sub(&kept->pauses, 1);
    pager->paging->ops->unpause(pager->paging);
    atomic_store(&kept->pausing, false);
}

static void settle_doubt(struct xlx__pager_kept *kept)
{
    if (atomic_load(&kept->pausing))
        atomic_fetch_add(&kept->pauses, 1);
    atomic_store(&kept->pausing, false);
}

static void end_pauses(struct xlx__pager *pager)
{
    struct xlx__paging_info info;
    while (atomic_load(&pager->kept->pauses) > 0) {
        if (pager->paging->ops->info(pager->paging, &info) || !info.paused) {
            atomic_store(&pager->kept->pauses, 0);
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
    settle_doubt(pager->kept);
    int rc = xlx__pager_pause(pager);
    if (rc)
        return rc;
    rc = ops->take_over(pager->paging, ring_gfn);
    if (rc) {
        xlx__pager_unpause(pager);
        return rc;
    }
    end_pauses(pager);
    atomic_fetch_add(&pager->kept->successors, 1);
    return 0;
}
