/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager: loads the withheld pages of one domain from its image, those that
 * a vCPU waits for first.
 *
 * Its rooms, each with a struct and a lock of its own, and a file that calls
 * only those above it:
 *
 *   shared     what survives a kill: page states, touches, counters, settings
 *   guest      its paging, whether it is there, its pauses; naps
 *   loader     reads, verifies, loads; stall: loads that fail or hang
 *   recorder   what the guest waits for, and for how long that is recorded
 *   backfill   its threads; throttle: how fast; trouble: what it cannot read;
 *              fill_run: one run; policy: which is next
 *   ring       the fault thread's work
 *   pager      the life of all: start, take over, run, report
 *
 * The fault thread (the one that calls xlx__pager_run) answers the ring and
 * does nothing else. The backfill gives way while a fault is being served. All
 * load only pages that they claimed (lazy/pages.h).
 *
 * What happens when a load fails is part of the contract in
 * docs/lazy-restore.md. For a fault it is tried again, the domain is paused
 * when that lasts, and it continues by itself once a load succeeds. The
 * backfill has nobody waiting: it keeps pages that cannot be read aside
 * (lazy/bad.h), holds no claim while it waits, and pauses nobody. Data is never
 * replaced by zeros.
 */
#ifndef XLX_LAZY_PAGER_H
#define XLX_LAZY_PAGER_H

#include "lazy/backfill.h"
#include "lazy/loader.h"
#include "lazy/recorder.h"

struct xlx__pager;

/*
 * Called with every change of state, from whichever thread made it, and about
 * five times a second while filling.
 */
typedef void xlx__pager_report_fn(void *user, struct xlx__pager *pager,
                                  enum xlx_lazy_state state,
                                  const char *reason);

/*
 * Makes a pager for `domid`: everything in `image` outside the resident ranges
 * is withheld. `image` and `paging` outlive the pager; `paging` may be NULL
 * and set later, in the process that starts the pager or takes over.
 */
int xlx__pager_new(xlx_ctx *ctx, struct xlx__paging *paging,
                   const xlx_image *image,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__pager **pager_r);
void xlx__pager_free(struct xlx__pager *pager);
void xlx__pager_set_paging(struct xlx__pager *pager,
                           struct xlx__paging *paging);
void xlx__pager_set_report(struct xlx__pager *pager,
                           xlx__pager_report_fn *report, void *user);

/* What survives a kill, who loads pages, who records, and who fills; all owned
 * by the pager. */
struct xlx__shared *xlx__pager_shared(const struct xlx__pager *pager);
struct xlx__loader *xlx__pager_loader(const struct xlx__pager *pager);
struct xlx__recorder *xlx__pager_recorder(const struct xlx__pager *pager);
struct xlx__backfill *xlx__pager_backfill(const struct xlx__pager *pager);

/* Of a page that somebody waits for: how long it may fail, and how long one
 * attempt may take, before the domain is paused. */
void xlx__pager_set_patience(struct xlx__pager *pager, unsigned patience_ms,
                             unsigned hang_ms);

/*
 * Turns paging on, sets memory aside for all pages of the image and marks the
 * held-back ones. The domain has not run yet. All undone when it fails.
 */
int xlx__pager_start(struct xlx__pager *pager, uint64_t ring_gfn);

/* As xlx__backfill_prefetch(), with storage that hangs noticed. */
int xlx__pager_prefetch(struct xlx__pager *pager, uint64_t max_pages,
                        uint64_t max_us);

/*
 * Starts the backfill while the domain does not run yet, unless the recorder
 * suspends it. xlx__pager_run() continues it, and returns the error if it could
 * not be started; xlx__pager_cancel() ends it.
 */
void xlx__pager_fill(struct xlx__pager *pager);

/*
 * In another process than the one that started, which has died: continues where
 * that one stopped. Nothing it loaded or the guest wrote is lost, nobody waits
 * for an answer that will not come, and the domain is not paused for its sake
 * any more. 0; -EBUSY as take_over() of paging.h; -ESRCH the domain is gone.
 */
int xlx__pager_take_over(struct xlx__pager *pager, uint64_t ring_gfn);

/* Ends paging of a domain that never ran and will be restored otherwise. */
void xlx__pager_cancel(struct xlx__pager *pager);

/*
 * Serves faults and fills until all pages are present, then ends paging.
 * 0; -ESRCH the domain was destroyed meanwhile; another -errno if it cannot
 * continue, the domain paused.
 */
int xlx__pager_run(struct xlx__pager *pager);

/* Does what the operator wants, from any thread. */
void xlx__pager_change(struct xlx__pager *pager,
                       const struct xlx_lazy_change *change);

/* Reports where it is: filling, and with what trouble, or stalled and why. */
void xlx__pager_progress(struct xlx__pager *pager);

void xlx__pager_report(struct xlx__pager *pager, enum xlx_lazy_state state,
                       const char *reason);

#endif
