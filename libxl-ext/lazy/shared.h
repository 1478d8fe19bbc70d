/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a pager leaves to its successor when it is killed: memory that it shares
 * with the process that makes the successor.
 *
 * Whoever is killed, wherever, leaves it whole: each value is written by itself
 * and takes no lock. All calls may be made from any thread.
 */
#ifndef XLX_LAZY_SHARED_H
#define XLX_LAZY_SHARED_H

#include "lazy/pages.h"
#include "lazy/touches.h"
#include "libxl_ext_lazy.h"

/* Times in microseconds. */
enum xlx__counter {
    XLX__FAULTS,      /* requests of vCPUs and other domains */
    XLX__FAULT_PAGES, /* pages loaded for them */
    XLX__FAULT_US,    /* time from taking to answering them */
    XLX__FAULT_US_MAX,
    XLX__FILL_PAGES,     /* pages the backfill loaded */
    XLX__FILL_US,        /* time it took, waits for faults included */
    XLX__PREFETCH_PAGES, /* pages loaded before the domain ran */
    XLX__GAVE_WAY,       /* times that the backfill waited for a fault */
    XLX__DROPPED,        /* pages the guest gave away */
    XLX__RETRIES,        /* failed loads that were tried again */
    XLX__PAGES_2M,       /* gfns backed by 2 MiB pages at the end */
    XLX__MARK_US,        /* how long the start took */
    XLX__SUCCESSORS,     /* pagers that took over */
    XLX__COUNTERS
};

struct xlx__shared;

/* For gfns [0, end). NULL without memory. */
struct xlx__shared *xlx__shared_new(uint64_t end);
void xlx__shared_free(struct xlx__shared *shared);

/* The state of every page, and what was recorded; both owned by `shared`. */
struct xlx__pages *xlx__shared_pages(const struct xlx__shared *shared);
struct xlx__touches *xlx__shared_touches(const struct xlx__shared *shared);

/* Whether every page that was withheld is present, or was given away. */
bool xlx__shared_has_all(const struct xlx__shared *shared);

/* --- counters ------------------------------------------------------------- */

void xlx__shared_count(struct xlx__shared *shared, enum xlx__counter counter,
                       uint64_t n);
void xlx__shared_set(struct xlx__shared *shared, enum xlx__counter counter,
                     uint64_t value);
uint64_t xlx__shared_counter(const struct xlx__shared *shared,
                             enum xlx__counter counter);

/* All of them, and what the operator wants, for a status. */
void xlx__shared_status(const struct xlx__shared *shared,
                        struct xlx_lazy_status *status);

/* --- where the pager is --------------------------------------------------- */

/* Paging is on and all is marked. */
void xlx__shared_set_started(struct xlx__shared *shared);
bool xlx__shared_started(const struct xlx__shared *shared);

/* When the first pager that recorded began to, xlx__now_us(): at `now` where
 * none has. */
uint64_t xlx__shared_record_begun(struct xlx__shared *shared, uint64_t now);

/*
 * Pauses of the domain that the pager has to end. One is in doubt while it is
 * made or ended: who is killed then leaves open whether the domain is paused.
 */
void xlx__shared_doubt_pause(struct xlx__shared *shared, bool in_doubt);
bool xlx__shared_pause_is_in_doubt(const struct xlx__shared *shared);
void xlx__shared_add_pauses(struct xlx__shared *shared, int nr);
int xlx__shared_pauses(const struct xlx__shared *shared);

/* --- what the operator wants of the backfill ------------------------------ */

/* All of `change` but the retry, which nothing has to survive. */
void xlx__shared_change(struct xlx__shared *shared,
                        const struct xlx_lazy_change *change);

/* Bytes a second, 0 for no limit; whether it is paused. */
uint64_t xlx__shared_bwlimit(const struct xlx__shared *shared);
bool xlx__shared_fill_paused(const struct xlx__shared *shared);

/* To be finished: limit and pause are gone over. */
bool xlx__shared_finish(const struct xlx__shared *shared);

#endif
