/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The state of every page that a lazy restore withholds, two bits each.
 *
 *   ABSENT --claim--> LOADING --settle--> PRESENT
 *      ^                 |
 *      +----release------+                any but PRESENT --drop--> DROPPED
 *
 * Whoever claims a page loads it: no page is loaded twice. All calls may be
 * made from any thread.
 */
#ifndef XLX_LAZY_PAGES_H
#define XLX_LAZY_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xlx__page_state {
    XLX__PAGE_NONE,    /* never withheld: not ours */
    XLX__PAGE_ABSENT,  /* in the image only */
    XLX__PAGE_LOADING, /* a thread loads it */
    XLX__PAGE_DONE,    /* present, or dropped by the guest */
};

struct xlx__pages;

/* For gfns [0, end), all NONE, in memory that forked processes share. NULL
 * without memory. */
struct xlx__pages *xlx__pages_new(uint64_t end);
void xlx__pages_free(struct xlx__pages *pages);

/* Makes NONE pages [gfn, gfn + nr) ABSENT, before another thread has `pages`.
 */
void xlx__pages_hold_back(struct xlx__pages *pages, uint64_t gfn, uint64_t nr);

/* How many pages were withheld, and how many of them are DONE. */
uint64_t xlx__pages_total(const struct xlx__pages *pages);
uint64_t xlx__pages_done(const struct xlx__pages *pages);

/* NONE beyond the end. */
enum xlx__page_state xlx__pages_state(const struct xlx__pages *pages,
                                      uint64_t gfn);

/*
 * Takes the page to load it. Returns the state it had: ABSENT when the caller
 * has it now, anything else when there is nothing for the caller to do.
 */
enum xlx__page_state xlx__pages_claim(struct xlx__pages *pages, uint64_t gfn);

/*
 * Claims the ABSENT pages of [gfn, gfn + nr) from the first one on until one
 * that is not ABSENT. *first_r is the first claimed gfn; returns their number,
 * 0 when none is left in the range.
 */
uint64_t xlx__pages_claim_run(struct xlx__pages *pages, uint64_t gfn,
                              uint64_t nr, uint64_t *first_r);

/*
 * The first ABSENT pages of [gfn, gfn + nr), at most `max` of them: *first_r is
 * the first, the result their number, 0 when there is none. Claims nothing:
 * another thread may take them at any moment.
 */
uint64_t xlx__pages_find_absent(const struct xlx__pages *pages, uint64_t gfn,
                                uint64_t nr, uint64_t max, uint64_t *first_r);

/* Ends the load of claimed pages: they are present (done), or absent again. */
void xlx__pages_settle(struct xlx__pages *pages, uint64_t gfn, uint64_t nr);
void xlx__pages_release(struct xlx__pages *pages, uint64_t gfn, uint64_t nr);

/*
 * After the process whose threads had claimed pages has died: all LOADING pages
 * are ABSENT, and the count of DONE ones is right again. Nobody else may use
 * `pages` meanwhile.
 */
void xlx__pages_release_all(struct xlx__pages *pages);

/*
 * The guest gave the gfn away. A page that somebody loads is left to the
 * loader: Xen ignores a load of a gfn that is no longer paged.
 */
void xlx__pages_drop(struct xlx__pages *pages, uint64_t gfn);

#endif
