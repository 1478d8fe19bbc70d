/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The backfill threads: everything that nobody asked for yet, in the order that
 * the policy chooses (lazy/policy.h). Two of them, so that one reads while the
 * other loads; each takes the next run.
 *
 * They are suspended while the recorder records, go as fast as the throttle
 * lets them, and keep pages that cannot be read aside (lazy/trouble.h). They
 * hold no acquired page while they wait, and pause nobody.
 */
#ifndef XLX_LAZY_BACKFILL_H
#define XLX_LAZY_BACKFILL_H

#include "lazy/loader.h"
#include "lazy/policy.h"
#include "lazy/recorder.h"
#include "lazy/throttle.h"
#include "lazy/trouble.h"

#define XLX__FILL_THREADS 2

struct xlx__backfill;

/* All of these outlive it; `held` is all there is to load. NULL without
 * memory. */
struct xlx__backfill *xlx__backfill_new(struct xlx__guest *guest,
                                        struct xlx__loader *loader,
                                        struct xlx__recorder *recorder,
                                        const struct xlx__gfn_range *held,
                                        size_t nr_held);
void xlx__backfill_free(struct xlx__backfill *fill);

/* After the process whose threads it had has died: as new, but for the recorded
 * set. */
void xlx__backfill_reset(struct xlx__backfill *fill);

/* --- before there are threads --------------------------------------------- */

/* The working set of an earlier restore, in the order of first touches: free()d
 * by the backfill. */
void xlx__backfill_set_recorded(struct xlx__backfill *fill,
                                struct xlx__gfn_range *recorded, size_t nr);
const struct xlx__gfn_range *
xlx__backfill_recorded(const struct xlx__backfill *fill, size_t *nr_r);

/* Another policy than ours, owned by the backfill from now on (NULL: ours), and
 * 1 to XLX__FILL_THREADS threads. */
void xlx__backfill_set_policy(struct xlx__backfill *fill,
                              struct xlx__policy *policy, int threads);

/* --- while it runs -------------------------------------------------------- */

/*
 * Loads what is in the recorded set, before the domain runs: in its order, at
 * most so many pages, for about so long. What is left comes first in the
 * backfill. Ends early when a load fails: the backfill tries it again.
 * 0; -EIO; -ENOMEM.
 */
int xlx__backfill_prefetch(struct xlx__backfill *fill, uint64_t max_pages,
                           uint64_t max_us);

/* Starts the threads. 0 or -errno: then nothing is loaded any more; join even
 * so. */
int xlx__backfill_start(struct xlx__backfill *fill);
void xlx__backfill_join(struct xlx__backfill *fill);

/* All is present. From any thread. */
bool xlx__backfill_is_through(const struct xlx__backfill *fill);

/* Where the guest is. Of the fault thread; never blocks. */
void xlx__backfill_fault(struct xlx__backfill *fill, uint64_t gfn);

/* Both owned by the backfill. */
struct xlx__throttle *xlx__backfill_throttle(const struct xlx__backfill *fill);
struct xlx__trouble *xlx__backfill_trouble(const struct xlx__backfill *fill);

#endif
