/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the backfill has trouble with: pages that cannot be read, which it keeps
 * aside and tries again now and then (lazy/bad.h), and why it makes no
 * progress. Nobody waits for it, so it pauses nobody: it says so.
 *
 * All calls may be made from any thread.
 */
#ifndef XLX_LAZY_TROUBLE_H
#define XLX_LAZY_TROUBLE_H

#include "lazy/bad.h"
#include "lazy/guest.h"

struct xlx__trouble;

/* `guest` outlives it. NULL without memory. */
struct xlx__trouble *xlx__trouble_new(struct xlx__guest *guest);
void xlx__trouble_free(struct xlx__trouble *trouble);

/* After the process whose threads used it has died: as new. What they had is
 * not freed, as it may be half changed. */
void xlx__trouble_reset(struct xlx__trouble *trouble);

/* --- pages kept aside ----------------------------------------------------- */

/* Keeps `gfn`, which could not be read for the reason `rc`, aside for a while.
 * The first is logged. False without memory. */
bool xlx__trouble_keep_aside(struct xlx__trouble *trouble, uint64_t gfn,
                             int rc);

/* As xlx__bad_take(): a run whose time has come now. */
bool xlx__trouble_take(struct xlx__trouble *trouble,
                       struct xlx__gfn_range *run_r, bool *wait_r);

/* The time of all has come. */
void xlx__trouble_retry(struct xlx__trouble *trouble);

/* Their number and the first runs of them, for a status. */
void xlx__trouble_status(struct xlx__trouble *trouble,
                         struct xlx_lazy_status *status);

/* --- what there is to say ------------------------------------------------- */

/* What is done to the run at `gfn` keeps failing; and does not any more. The
 * first time is logged and reported. */
void xlx__trouble_say(struct xlx__trouble *trouble, uint64_t gfn,
                      const char *what, int rc);
void xlx__trouble_end(struct xlx__trouble *trouble);

/* Why the backfill makes no progress, and how many pages it cannot read. False,
 * and `text` is left alone, when there is nothing to say. */
bool xlx__trouble_text(struct xlx__trouble *trouble, char *text, size_t len);
bool xlx__trouble_bad_text(struct xlx__trouble *trouble, char *text,
                           size_t len);

#endif
