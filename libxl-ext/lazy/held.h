/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which gfns a lazy restore withholds: those of the image that are not in the
 * resident ranges. Pure.
 */
#ifndef XLX_LAZY_HELD_H
#define XLX_LAZY_HELD_H

#include "image/resident.h"

/*
 * Subtracts the resident ranges from the runs (both sorted, not overlapping);
 * neighbours are merged. *held_r is the caller's to free(), NULL when nothing
 * is left. 0 or -ENOMEM.
 */
int xlx__held_back(const struct xlx_image_run *runs, size_t nr_runs,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__gfn_range **held_r, size_t *nr_r);

#endif
