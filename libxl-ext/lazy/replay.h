/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The order in which a recorded working set is loaded.
 */
#ifndef XLX_LAZY_REPLAY_H
#define XLX_LAZY_REPLAY_H

#include "image/resident.h"

/*
 * Groups of at least this many pages are loaded in the order of their first
 * touches; inside a group by gfn, so that neighbours come with one read.
 */
#define XLX__REPLAY_GROUP 1024u

/*
 * An aligned block of 512 gfns of which so many pages are recorded is loaded as
 * a whole, at its first touch: that costs about as much as ten single pages
 * (docs/measured.md), and it stays one 2 MiB page.
 */
#define XLX__REPLAY_BLOCK 512u
#define XLX__REPLAY_BLOCK_PAGES 10u

/*
 * Makes such an order of `recorded`, which is in the order of first touches, as
 * far as it is below `limit`, which is not far beyond the guest's last gfn. The
 * first `ahead` pages are one group: nobody runs that could touch some earlier.
 * *order_r is the caller's to free(), NULL when there is nothing. Empty ranges
 * are left out. 0 or -ENOMEM.
 */
int xlx__replay_order(const struct xlx__gfn_range *recorded, size_t nr,
                      uint64_t limit, uint64_t ahead,
                      struct xlx__gfn_range **order_r, size_t *nr_r);

#endif
