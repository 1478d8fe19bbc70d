/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Withheld pages that could not be read, or had a wrong checksum. The backfill
 * keeps them aside, loads all others, and tries them again now and then. A page
 * that was loaded meanwhile, for a fault, is no longer counted.
 *
 * Whoever owns a set has a lock for it.
 */
#ifndef XLX_LAZY_BAD_H
#define XLX_LAZY_BAD_H

#include "image/resident.h"
#include "lazy/pages.h"

struct xlx__bad_block;

/* All zeros: none. */
struct xlx__bad {
    struct xlx__bad_block *block; /* sorted */
    size_t nr;
    int err; /* why the latest could not be read, -errno; 0: none was */
};

void xlx__bad_free(struct xlx__bad *bad);

/* Keeps `gfn` aside for the reason `err` until `again`, in microseconds. One
 * that is in there already may be added. False without memory. */
bool xlx__bad_add(struct xlx__bad *bad, uint64_t gfn, int err, uint64_t again);

/*
 * A run, within an aligned 2 MiB block, that has all bad pages of that block,
 * and may have others; its time has come at `now`, and does not again before
 * `again`. They stay in there until they are present. False when there is none:
 * *wait_r tells whether there are others.
 */
bool xlx__bad_take(struct xlx__bad *bad, const struct xlx__pages *pages,
                   uint64_t now, uint64_t again, struct xlx__gfn_range *run_r,
                   bool *wait_r);

/* The time of all has come. */
void xlx__bad_retry(struct xlx__bad *bad);

/* Their number; the first `max` runs of them in list[0..*nr_r). */
uint64_t xlx__bad_list(const struct xlx__bad *bad,
                       const struct xlx__pages *pages,
                       struct xlx_image_range *list, size_t max, size_t *nr_r);

#endif
