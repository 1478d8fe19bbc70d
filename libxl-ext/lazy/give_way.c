/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/give_way.h"

#include <unistd.h>

#include "host/runnable.h"

void xlx__give_way_init(struct xlx__give_way *g, xlx_ctx *ctx,
                        struct xlx__contention *contention)
{
    *g = (struct xlx__give_way){ .ctx = ctx, .contention = contention };
    atomic_store(&g->share, XLX__SHARE_ALL);
}

static uint32_t processors(void)
{
    long nr = sysconf(_SC_NPROCESSORS_ONLN);
    return nr > 0 ? (uint32_t)nr : 1;
}

/* 0 or -errno. */
static int look_at_host(struct xlx__give_way *g,
                        const struct xlx__give_way_pager *pager,
                        struct xlx__share_look *look_r)
{
    struct xlx__contention_now now;
    int rc = g->contention->ops->look(g->contention, &now);
    if (!rc)
        rc = xlx__runnable(g->ctx, &look_r->runnable);
    if (rc)
        return rc;
    look_r->idle_us = now.idle_us;
    look_r->waiting = pager->faulting ? 0 : now.waiting;
    look_r->paused = now.paused;
    look_r->page_wait_us = pager->page_wait_us;
    look_r->threads = pager->threads;
    look_r->fills = pager->fills;
    look_r->processors = processors();
    return 0;
}

void xlx__give_way_look(struct xlx__give_way *g, uint64_t now_us,
                        const struct xlx__give_way_pager *pager)
{
    struct xlx__share_look seen = { .now_us = now_us };
    if (g->contention && !look_at_host(g, pager, &seen)) {
        atomic_store(&g->share, xlx__share_next(&g->decided, &seen));
        return;
    }
    g->decided = (struct xlx__share){ 0 };
    atomic_store(&g->share, XLX__SHARE_ALL);
}

uint64_t xlx__give_way_rest(const struct xlx__give_way *g, uint64_t worked_us,
                            uint64_t took_us)
{
    return xlx__share_rest(atomic_load(&g->share), worked_us, took_us);
}
