/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The share of the time that a backfill has, kept up to date: looks at the host
 * and the guest and decides by lazy/share.h. What cannot be looked at is in
 * nobody's way.
 */
#ifndef XLX_LAZY_GIVE_WAY_H
#define XLX_LAZY_GIVE_WAY_H

#include <stdatomic.h>

#include "core/ctx.h"
#include "lazy/share.h"
#include "xen/contention.h"

/* Between two looks. */
#define XLX__GIVE_WAY_US 100000u

/* What the pager knows, and the host cannot tell. */
struct xlx__give_way_pager {
    uint64_t page_wait_us; /* what faults took so far, all together */
    bool faulting;         /* one is being served: then it is a page that those
                              who wait are waiting for */
    uint32_t threads;      /* of the backfill, at least 1 */
    uint32_t fills;        /* backfills of this host, this one among them */
};

struct xlx__give_way {
    xlx_ctx *ctx;
    struct xlx__contention *contention; /* NULL: the share is always all */
    struct xlx__share decided;
    _Atomic uint32_t share; /* read by the backfill's threads */
};

/* `contention` is borrowed, and may be NULL. */
void xlx__give_way_init(struct xlx__give_way *g, xlx_ctx *ctx,
                        struct xlx__contention *contention);

/* Looks, and sets the share. Of one thread, each XLX__GIVE_WAY_US. */
void xlx__give_way_look(struct xlx__give_way *g, uint64_t now_us,
                        const struct xlx__give_way_pager *pager);

/* How long, in microseconds, a thread of the backfill has to rest, as
 * xlx__share_rest(). Any thread. */
uint64_t xlx__give_way_rest(const struct xlx__give_way *g, uint64_t worked_us,
                            uint64_t took_us);

#endif
