/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the backfill loads next. A policy is told of faults and asked for runs;
 * it does no I/O, takes no lock and looks at no clock, so that the same faults
 * and page states always give the same runs. Its caller serializes the calls.
 */
#ifndef XLX_LAZY_POLICY_H
#define XLX_LAZY_POLICY_H

#include "image/resident.h"
#include "lazy/pages.h"

/* Pages of the largest run, and its alignment where possible: 2 MiB. */
#define XLX__POLICY_RUN_MAX 512u

/* Where guests touch ahead of the backfill it comes in smaller pieces: who
 * touches one of its pages waits for all. */
#define XLX__POLICY_PIECE 64u

enum xlx__policy_step {
    XLX__POLICY_END,    /* nothing is left to be loaded */
    XLX__POLICY_RECORD, /* a run of the recorded working set */
    XLX__POLICY_AROUND, /* around a fault */
    XLX__POLICY_REST,
    XLX__POLICY_LATER, /* nothing now; ask again */
};

struct xlx__policy;

struct xlx__policy_ops {
    /* A guest touched a page that was away, or on its way. */
    void (*fault)(struct xlx__policy *policy, uint64_t gfn);

    /*
     * The next run to load: not empty, at most XLX__POLICY_RUN_MAX pages, all
     * ABSENT at this moment. Left alone when there is none (END, LATER).
     */
    enum xlx__policy_step (*next)(struct xlx__policy *policy,
                                  const struct xlx__pages *pages,
                                  struct xlx__gfn_range *run_r);

    void (*free)(struct xlx__policy *policy);
};

/* The base of every implementation. */
struct xlx__policy {
    const struct xlx__policy_ops *ops;
};

/*
 * Ours: the recorded working set first, then around recent faults in windows
 * that grow where the guest continues beside them and shrink where it does not,
 * then the rest in ascending order, by aligned 2 MiB blocks.
 *
 * `held` is all there is to load: sorted, not overlapping, and outlives the
 * policy. `recorded` (copied; NULL and 0 for none) is in the order of first
 * touches and need not be part of `held`: pages that are not ABSENT are passed
 * over. About `ahead` pages of it are loaded before the guest runs, in
 * whichever order is fastest. NULL without memory.
 */
struct xlx__policy *xlx__policy_new(const struct xlx__gfn_range *held,
                                    size_t nr_held,
                                    const struct xlx__gfn_range *recorded,
                                    size_t nr_recorded, uint64_t ahead);

#endif
