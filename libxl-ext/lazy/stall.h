/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Loads that fail or do not end: the domain is paused for all of them together,
 * and it is said once. The loader has one set of them (lazy/loader.h).
 *
 * A load has a slot from its begin to its end, which is its thread's own. All
 * calls may be made from any thread.
 */
#ifndef XLX_LAZY_STALL_H
#define XLX_LAZY_STALL_H

#include "lazy/guest.h"

/* How long one attempt may take before that counts as a failure. */
#define XLX__HANG_MS 10000u

/* One load that is under way. Of stall.c alone. */
struct xlx__load_slot {
    struct xlx__load_slot *next, **link; /* the one before points here */
    bool waited;    /* for by the domain, or it may be at any moment */
    bool stalled;   /* counted; not waited for: it was said */
    uint64_t begun; /* this attempt, xlx__now_us(); 0 between two */
    uint64_t gfn;
};

struct xlx__stalls;

/* `guest` outlives them. NULL without memory. */
struct xlx__stalls *xlx__stalls_new(struct xlx__guest *guest);
void xlx__stalls_free(struct xlx__stalls *stalls);

/* After the process whose threads had loads under way has died: none is. */
void xlx__stalls_reset(struct xlx__stalls *stalls);

void xlx__stalls_set_hang_ms(struct xlx__stalls *stalls, unsigned ms);

/*
 * A load's life: enter, begin every attempt, leave. stall() pauses the domain
 * and says why, once for all loads that fail at a time; leave() of the last of
 * them ends that.
 */
void xlx__stalls_enter(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       bool waited);
void xlx__stalls_begin(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       uint64_t gfn);
void xlx__stalls_stall(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       const char *what, const char *why);
void xlx__stalls_leave(struct xlx__stalls *stalls, struct xlx__load_slot *load);

/*
 * Has a thread look, all the time, for attempts that do not end: it stalls
 * them, and of those that nobody waits for it says so. That it cannot be is
 * logged.
 */
void xlx__stalls_watch(struct xlx__stalls *stalls);
void xlx__stalls_end_watch(struct xlx__stalls *stalls);

/* How many loads the domain is paused for, and why: 0 and "" when it is not. */
unsigned xlx__stalls_reason(struct xlx__stalls *stalls, char *text, size_t len);

/* True, and which, when a read hangs that nobody waits for. */
bool xlx__stalls_hang(struct xlx__stalls *stalls, char *text, size_t len);

#endif
