/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The backfill threads: everything that nobody asked for yet, in ascending
 * order, by aligned 2 MiB blocks, so that Xen can back a block by one page. Two
 * of them, so that one reads while the other loads; each takes the next block.
 */
#include <time.h>

#include "lazy/pager.h"

#define REPORT_EVERY_US 200000u

/* A fault is served in well under this; then backfill goes on regardless, so
 * that a guest that faults without end still gets filled. */
#define GIVE_WAY_US 50u
#define GIVE_WAY_TIMES 40

static void give_way_to_faults(struct xlx__pager *pager)
{
    const struct timespec ts = { .tv_nsec = GIVE_WAY_US * 1000 };
    for (int i = 0; i < GIVE_WAY_TIMES && atomic_load(&pager->faulting); i++)
        nanosleep(&ts, NULL);
}

/* Loads what is absent in one block. False when the domain is gone. */
static bool fill_block(struct xlx__pager *pager, uint64_t start, uint64_t end,
                       void *buffer)
{
    uint64_t gfn, nr;
    while ((nr = xlx__pages_claim_run(pager->pages, start, end - start,
                                      &gfn))) {
        if (!xlx__pager_load(pager, gfn, (uint32_t)nr, buffer))
            return false;
        atomic_fetch_add(&pager->stats.fill_pages, nr);
        start = gfn + nr;
        if (start == end)
            break;
    }
    return true;
}

/* Takes the next block: what was held back of it. False behind the last. */
static bool next_block(struct xlx__pager *pager, uint64_t *start_r,
                       uint64_t *end_r)
{
    struct xlx__fill *fill = &pager->fill;
    pthread_mutex_lock(&pager->lock);
    bool some = fill->range < pager->nr_held;
    if (some) {
        const struct xlx__gfn_range *range = &pager->held[fill->range];
        uint64_t start = fill->gfn > range->start ? fill->gfn : range->start;
        uint64_t end = start - start % XLX__PAGING_RUN_MAX +
                       XLX__PAGING_RUN_MAX;
        if (end >= range->end) {
            end = range->end;
            fill->range++;
        }
        fill->gfn = end;
        *start_r = start;
        *end_r = end;
    }
    pthread_mutex_unlock(&pager->lock);
    return some;
}

static void tick(struct xlx__pager *pager)
{
    struct xlx__fill *fill = &pager->fill;
    uint64_t now = xlx__now_us();
    atomic_store(&pager->stats.fill_us, now - fill->begun);
    pthread_mutex_lock(&pager->lock);
    bool due = now - fill->reported >= REPORT_EVERY_US;
    if (due)
        fill->reported = now;
    pthread_mutex_unlock(&pager->lock);
    if (due)
        xlx__pager_report(pager, XLX_LAZY_FILLING, NULL);
}

static bool fill_all(struct xlx__pager *pager, void *buffer)
{
    uint64_t start, end;
    while (next_block(pager, &start, &end)) {
        give_way_to_faults(pager);
        if (atomic_load(&pager->stop) ||
            !fill_block(pager, start, end, buffer))
            return false;
        tick(pager);
    }
    return true;
}

static void *backfill(void *arg)
{
    struct xlx__pager *pager = arg;
    const struct xlx__paging_ops *ops = pager->paging->ops;
    void *buffer = ops->buffer_alloc(pager->paging, XLX__PAGING_RUN_MAX);

    if (!buffer || !fill_all(pager, buffer))
        atomic_store(&pager->stop, true);
    if (atomic_fetch_sub(&pager->fill.running, 1) == 1 &&
        !atomic_load(&pager->stop))
        atomic_store(&pager->filled, true);
    ops->buffer_free(pager->paging, buffer, XLX__PAGING_RUN_MAX);
    return NULL;
}

int xlx__pager_fill_start(struct xlx__pager *pager)
{
    struct xlx__fill *fill = &pager->fill;
    fill->begun = fill->reported = xlx__now_us();
    atomic_store(&fill->running, XLX__FILL_THREADS);
    for (int i = 0; i < XLX__FILL_THREADS; i++) {
        int rc = pthread_create(&fill->thread[i], NULL, backfill, pager);
        if (rc) {
            atomic_store(&pager->stop, true);
            return -rc;
        }
        fill->started++;
    }
    return 0;
}

void xlx__pager_fill_join(struct xlx__pager *pager)
{
    for (int i = 0; i < pager->fill.started; i++)
        pthread_join(pager->fill.thread[i], NULL);
    pager->fill.started = 0;
}
