/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How fast the backfill may go: as the operator says, never in the way of a
 * fault, and as far as the guest does not wait for the processors that it keeps
 * busy (lazy/give_way.h). What the operator wants survives a kill
 * (lazy/shared.h).
 *
 * All calls may be made from any thread.
 */
#ifndef XLX_LAZY_THROTTLE_H
#define XLX_LAZY_THROTTLE_H

#include "lazy/guest.h"
#include "xen/contention.h"

struct xlx__throttle;

/* `guest` outlives it. NULL without memory. */
struct xlx__throttle *xlx__throttle_new(struct xlx__guest *guest);
void xlx__throttle_free(struct xlx__throttle *throttle);

/* After the process whose threads used it has died: as new. */
void xlx__throttle_reset(struct xlx__throttle *throttle);

/* Does what the operator wants, but for the retry. Who waits looks again. */
void xlx__throttle_change(struct xlx__throttle *throttle,
                          const struct xlx_lazy_change *change);

/* Returns when `pages` more may be loaded, when nothing is loaded any more, or
 * when all is present. */
void xlx__throttle_wait(struct xlx__throttle *throttle, uint64_t pages);

/* Faults are being served, or no more: never blocks. give_way() returns when
 * none is, or after a while, so that a guest that faults without end still gets
 * filled. */
void xlx__throttle_set_serving(struct xlx__throttle *throttle, bool serving);
void xlx__throttle_give_way(const struct xlx__throttle *throttle);

/* Where it is looked whether the processors are short, which outlives the
 * throttle; NULL: nowhere. Before there are threads. */
void xlx__throttle_set_contention(struct xlx__throttle *throttle,
                                  struct xlx__contention *contention);

/* How many backfills this host has, this one among them; 1 at first. */
void xlx__throttle_set_fills(struct xlx__throttle *throttle, uint32_t fills);

/*
 * Of one of the `threads` of the backfill, which has used a processor for
 * `worked_us` in a time of `took_us`: rests for as long as it takes to be in
 * nobody's way. Not when the backfill is to be finished.
 */
void xlx__throttle_rest(struct xlx__throttle *throttle, uint64_t worked_us,
                        uint64_t took_us, uint32_t threads);

/*
 * How long, in microseconds, to wait with `bytes` so that `rate` bytes a second
 * are not exceeded; *next_us is what this needs to know the next time. Time
 * that was not used is not saved up. Pure.
 */
uint64_t xlx__pace(uint64_t *next_us, uint64_t now_us, uint64_t bytes,
                   uint64_t rate);

#endif
