/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The ring: requests of vCPUs and other domains are taken from it and answered,
 * until all pages are present; then paging ends. All of it is the fault
 * thread's, which does nothing else.
 */
#ifndef XLX_LAZY_RING_H
#define XLX_LAZY_RING_H

#include "lazy/backfill.h"
#include "lazy/loader.h"
#include "lazy/recorder.h"

/* Whom it asks; set by its owner, before it serves. */
struct xlx__ring {
    struct xlx__guest *guest;
    struct xlx__loader *loader;
    struct xlx__recorder *recorder;
    struct xlx__backfill *backfill;
    void *buffer; /* one page, of buffer_alloc() */
};

/* Serves until the backfill is through and the ring has been quiet. 0; -ESRCH
 * the domain is gone; another -errno when it cannot continue. */
int xlx__ring_serve(struct xlx__ring *ring);

/*
 * Disables paging, while no vCPU runs, when nothing is paged out any more, and
 * answers what has arrived meanwhile. 0; -ESRCH; -EIO a page is still paged
 * out, or another -errno: paging stays enabled.
 */
int xlx__ring_end(struct xlx__ring *ring);

#endif
