/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Loads that fail or do not end: the domain is paused for all of them together,
 * and it is said once.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lazy/pager.h"

struct xlx__loading *xlx__loading_enter(struct xlx__pager *pager, bool waited)
{
    int i = 0;
    pthread_mutex_lock(&pager->lock);
    while (i < XLX__LOADING_MAX - 1 && pager->loading[i].used)
        i++;
    pager->loading[i].used = true;
    pager->loading[i].waited |= waited; /* the last slot may be shared */
    pthread_mutex_unlock(&pager->lock);
    return &pager->loading[i];
}

void xlx__loading_begin(struct xlx__pager *pager, struct xlx__loading *loading,
                        uint64_t gfn)
{
    pthread_mutex_lock(&pager->lock);
    loading->begun = xlx__now_us();
    loading->gfn = gfn;
    pthread_mutex_unlock(&pager->lock);
}

/* With the lock held. True when this is the first that stalls. */
static bool add_stall(struct xlx__pager *pager, struct xlx__loading *loading,
                      uint64_t gfn, const char *what, const char *why)
{
    if (loading->stalled)
        return false;
    loading->stalled = true;
    if (pager->stalled++)
        return false;
    snprintf(pager->stall_reason, sizeof(pager->stall_reason),
             "gfn 0x%lx: %s: %s", (unsigned long)gfn, what, why);
    xlx__guest_pause(&pager->guest);
    return true;
}

void xlx__loading_stall(struct xlx__pager *pager, struct xlx__loading *loading,
                        uint64_t gfn, const char *what, const char *why)
{
    pthread_mutex_lock(&pager->lock);
    bool first = add_stall(pager, loading, gfn, what, why);
    loading->begun = 0;
    pthread_mutex_unlock(&pager->lock);
    if (first)
        xlx__guest_changed(&pager->guest);
}

void xlx__loading_leave(struct xlx__pager *pager, struct xlx__loading *loading)
{
    bool last = false;
    pthread_mutex_lock(&pager->lock);
    if (loading->stalled && loading->waited) {
        last = --pager->stalled == 0;
        if (last)
            xlx__guest_unpause(&pager->guest);
    } else if (loading->stalled) {
        *pager->fill.trouble = '\0';
    }
    *loading = (struct xlx__loading){ 0 };
    pthread_mutex_unlock(&pager->lock);
    if (last)
        xlx__guest_changed(&pager->guest);
}

/* With the lock held. True when it was not said before. A run that the other
 * thread has got done meanwhile took the words back. */
static bool say_hang(struct xlx__pager *pager, struct xlx__loading *loading,
                     const char *why)
{
    char *text = pager->fill.trouble;
    bool first = !loading->stalled;
    loading->stalled = true;
    if (!*text)
        snprintf(text, sizeof(pager->fill.trouble),
                 "gfn 0x%lx: read of the image: %s",
                 (unsigned long)loading->gfn, why);
    return first;
}

void xlx__pager_look_for_hangs(struct xlx__pager *pager)
{
    uint64_t now = xlx__now_us(), limit = (uint64_t)pager->hang_ms * 1000;
    bool stalled = false, said = false;
    char why[48];
    snprintf(why, sizeof(why), "no answer for %u s", pager->hang_ms / 1000);
    pthread_mutex_lock(&pager->lock);
    for (int i = 0; i < XLX__LOADING_MAX; i++) {
        struct xlx__loading *l = &pager->loading[i];
        if (!l->begun || now < l->begun || now - l->begun < limit)
            continue;
        if (l->waited)
            stalled |= add_stall(pager, l, l->gfn, "read of the image", why);
        else
            said |= say_hang(pager, l, why);
    }
    pthread_mutex_unlock(&pager->lock);
    if (stalled || said)
        xlx__guest_changed(&pager->guest);
    if (said)
        xlx__warn(pager->guest.ctx, "domain %u: the backfill does not get on: %s",
                  pager->guest.paging->domid, why);
}
