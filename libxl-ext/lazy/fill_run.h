/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One run of the backfill: read whole, or page by page where that fails, and
 * loaded. Nobody waits for it, so it pauses nobody, and claims nothing while it
 * reads or waits: a fault on one of its pages has its own try.
 */
#ifndef XLX_LAZY_FILL_RUN_H
#define XLX_LAZY_FILL_RUN_H

#include "lazy/loader.h"
#include "lazy/throttle.h"
#include "lazy/trouble.h"

/* What a thread of the backfill has. */
struct xlx__filler {
    struct xlx__guest *guest;
    struct xlx__loader *loader;
    struct xlx__throttle *throttle;
    struct xlx__trouble *trouble;
    bool prefetching;    /* before the domain runs: nothing is tried again */
    char *buffer;        /* XLX__PAGING_RUN_MAX pages */
    unsigned backoff_ms; /* where nothing can be read; at first the shortest */
    /* Of fill_run.c alone. */
    bool unread[XLX__PAGING_RUN_MAX]; /* of the run: not in the buffer */
    bool zeros;                       /* the run is, and not in the buffer */
    bool no_zeros;                    /* the hypervisor needs them there */
    const char *what;                 /* it does */
};

/*
 * Loads what is absent of a run; pages that cannot be read are kept aside.
 * False when the domain is gone; in a prefetch, when anything failed.
 */
bool xlx__fill_run(struct xlx__filler *f, const struct xlx__gfn_range *run);

#endif
