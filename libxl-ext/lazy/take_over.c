/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What makes it safe to kill a pager at any point: what it owes to the domain
 * is written down where its successor finds it.
 *
 * Pages: done is noted after Xen has the page. One that was loaded and not
 * noted is loaded again, which Xen ignores.
 * Requests: those without an answer are still in the ring.
 * Touches: recorded before the request is answered.
 * Pauses: counted (lazy/guest.h).
 */
#include "lazy/pager.h"

/* The threads of the dead pager are in no process of ours. */
static void forget_threads(struct xlx__pager *pager)
{
    xlx__guest_reset(&pager->guest);
    xlx__loader_reset(pager->loader);
    xlx__recorder_reset(pager->recorder);
    xlx__backfill_reset(pager->backfill);
}

int xlx__pager_take_over(struct xlx__pager *pager, uint64_t ring_gfn)
{
    const struct xlx__paging_ops *ops = pager->guest.paging->ops;
    forget_threads(pager);
    if (xlx__guest_gone(&pager->guest))
        return -ESRCH;
    xlx__pages_release_all(xlx__shared_pages(pager->shared));
    xlx__guest_settle_doubt(&pager->guest);
    int rc = xlx__guest_pause(&pager->guest);
    if (rc)
        return rc;
    rc = ops->take_over(pager->guest.paging, ring_gfn);
    if (rc) {
        xlx__guest_unpause(&pager->guest);
        return rc;
    }
    xlx__guest_end_pauses(&pager->guest);
    xlx__shared_count(pager->shared, XLX__SUCCESSORS, 1);
    return 0;
}
