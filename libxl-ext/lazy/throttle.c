/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How fast the backfill may go: as the operator says, and never the faults.
 */
#include "lazy/pager.h"

uint64_t xlx__pace(uint64_t *next_us, uint64_t now_us, uint64_t bytes,
                   uint64_t rate)
{
    uint64_t at = *next_us > now_us ? *next_us : now_us;
    *next_us = at + (uint64_t)((__uint128_t)bytes * 1000000 / rate);
    return at - now_us;
}

/* Nobody has anything to wait for: faults may have brought the last page. */
static bool is_over(struct xlx__pager *pager)
{
    return xlx__guest_stopped(&pager->guest) || xlx__shared_has_all(pager->guest.shared);
}

/* When `pages` may be loaded, xlx__now_us(), under the limit of now. */
static uint64_t turn_of(struct xlx__pager *pager, uint64_t pages,
                        unsigned *changes_r)
{
    uint64_t rate = xlx__shared_bwlimit(pager->guest.shared), now = xlx__now_us();
    uint64_t wait = 0;
    pthread_mutex_lock(&pager->lock);
    *changes_r = pager->changes;
    if (rate && !xlx__shared_finish(pager->guest.shared))
        wait = xlx__pace(&pager->pace_us, now, pages * XLX_PAGE_SIZE, rate);
    pthread_mutex_unlock(&pager->lock);
    return now + wait;
}

static bool has_changed(struct xlx__pager *pager, unsigned changes)
{
    pthread_mutex_lock(&pager->lock);
    bool changed = pager->changes != changes;
    pthread_mutex_unlock(&pager->lock);
    return changed;
}

/* True when the turn has come, false when the settings changed before. */
static bool wait_for_turn(struct xlx__pager *pager, uint64_t at,
                          unsigned changes)
{
    for (;;) {
        uint64_t now = xlx__now_us();
        if (now >= at || is_over(pager))
            return true;
        if (has_changed(pager, changes))
            return false;
        uint64_t ms = (at - now) / 1000 + 1;
        xlx__guest_nap(&pager->guest, ms < 100 ? (unsigned)ms : 100);
    }
}

void xlx__pager_throttle(struct xlx__pager *pager, uint64_t pages)
{
    unsigned changes;
    for (;;) {
        while (xlx__shared_fill_paused(pager->guest.shared) && !is_over(pager))
            xlx__guest_nap(&pager->guest, 100);
        uint64_t at = turn_of(pager, pages, &changes);
        if (wait_for_turn(pager, at, changes) &&
            (!xlx__shared_fill_paused(pager->guest.shared) || is_over(pager)))
            return;
    }
}

void xlx__pager_change(struct xlx__pager *pager,
                       const struct xlx_lazy_change *change)
{
    xlx__shared_change(pager->guest.shared, change);
    pthread_mutex_lock(&pager->lock);
    if (change->set_bwlimit || change->fill) {
        pager->changes++;
        pager->pace_us = 0;
    }
    if (change->retry)
        xlx__pager_fill_retry(pager);
    pthread_mutex_unlock(&pager->lock);
    xlx__guest_wake(&pager->guest); /* above all for retry: no wait after this */
}
