/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The recorder: keeps the touch log, the pages that the guest waits for in this
 * order, and decides how long the backfill is suspended, because pages that the
 * backfill loads first would be missing in the log.
 *
 * What is recorded is in memory that survives a kill (lazy/shared.h).
 */
#ifndef XLX_LAZY_RECORDER_H
#define XLX_LAZY_RECORDER_H

#include "lazy/shared.h"

/* Until the guest has not waited for a page this long, or for so long in all.
 */
#define XLX__RECORD_QUIET_US 1000000u
#define XLX__RECORD_MAX_US 10000000u

struct xlx__recorder;

/* Records nothing yet. `shared` outlives it. NULL without memory. */
struct xlx__recorder *xlx__recorder_new(struct xlx__shared *shared);
void xlx__recorder_free(struct xlx__recorder *recorder);

/* After the pager that recorded has died: as new. */
void xlx__recorder_reset(struct xlx__recorder *recorder);

/* Before there are threads: records from now on, by the times above. */
void xlx__recorder_set(struct xlx__recorder *recorder, uint64_t quiet_us,
                       uint64_t max_us);
bool xlx__recorder_is_set(const struct xlx__recorder *recorder);

/* The guest runs, and the backfill begins. A successor continues the time
 * that the first pager began. */
void xlx__recorder_begin(struct xlx__recorder *recorder);

/* The guest waits for `gfn`. Before the answer: a request without one is found
 * by the next pager. Of the fault thread; never blocks. */
void xlx__recorder_touch(struct xlx__recorder *recorder, uint64_t gfn);

/* Whether the backfill is suspended. From any thread. */
bool xlx__recorder_holds_back(const struct xlx__recorder *recorder);

/* What all pagers of this guest recorded; as xlx__touches_runs(). */
int xlx__recorder_runs(const struct xlx__recorder *recorder,
                       struct xlx__gfn_range **runs_r, size_t *nr_r);
size_t xlx__recorder_count(const struct xlx__recorder *recorder);

#endif
