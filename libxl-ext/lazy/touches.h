/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a guest touched before it was there, in this order: recorded by one
 * restore, loaded first by the next. In memory that forked processes share, and
 * whole wherever the one that records is killed.
 */
#ifndef XLX_LAZY_TOUCHES_H
#define XLX_LAZY_TOUCHES_H

#include "image/resident.h"

/* Touches beyond these are not recorded: 1 GiB of pages, 2 MiB of memory. */
#define XLX__TOUCHES_MAX (1u << 18)

struct xlx__touches;

/* NULL without memory. */
struct xlx__touches *xlx__touches_new(void);
void xlx__touches_free(struct xlx__touches *touches);

/* Takes no lock and no memory; one thread of one process at a time. */
void xlx__touches_add(struct xlx__touches *touches, uint64_t gfn);

size_t xlx__touches_count(const struct xlx__touches *touches);

/*
 * Runs of neighbours in the order of the first touch of each, no gfn twice.
 * *runs_r is the caller's to free(), NULL when there are none. 0 or -ENOMEM.
 */
int xlx__touches_runs(const struct xlx__touches *touches,
                      struct xlx__gfn_range **runs_r, size_t *nr_r);

#endif
