/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/throttle.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "lazy/give_way.h"
#include "libxl_ext_image.h"

/* A fault is served in well under this, and not given way to for longer than
 * so many times of it. */
#define GIVE_WAY_US 50u
#define GIVE_WAY_TIMES 40

struct xlx__throttle {
    struct xlx__guest *guest;
    /* Written by the fault thread, which never waits for the backfill. */
    _Atomic bool serving;
    _Atomic uint32_t fills;
    struct xlx__give_way way; /* of the thread that is looking */
    pthread_mutex_t lock;     /* of all below */
    bool looking;
    uint64_t looked;  /* xlx__now_us() */
    unsigned changes; /* of what the operator wants */
    uint64_t pace_us; /* under a limit: when the next block may go */
};

struct xlx__throttle *xlx__throttle_new(struct xlx__guest *guest)
{
    struct xlx__throttle *throttle = calloc(1, sizeof(*throttle));
    if (!throttle)
        return NULL;
    throttle->guest = guest;
    atomic_store(&throttle->fills, 1);
    xlx__give_way_init(&throttle->way, guest->ctx, NULL);
    pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void xlx__throttle_free(struct xlx__throttle *throttle)
{
    if (!throttle)
        return;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}

void xlx__throttle_reset(struct xlx__throttle *throttle)
{
    pthread_mutex_init(&throttle->lock, NULL);
    throttle->pace_us = 0;
    throttle->looking = false;
    xlx__give_way_init(&throttle->way, throttle->guest->ctx,
                       throttle->way.contention);
    atomic_store(&throttle->serving, false);
}

/* Nobody has anything to wait for: faults may have loaded the last page. */
static bool is_nothing_left(const struct xlx__throttle *throttle)
{
    return xlx__guest_stopped(throttle->guest) ||
           xlx__shared_has_all(throttle->guest->shared);
}

/* --- faults --------------------------------------------------------------- */

void xlx__throttle_set_serving(struct xlx__throttle *throttle, bool serving)
{
    atomic_store(&throttle->serving, serving);
}

void xlx__throttle_give_way(const struct xlx__throttle *throttle)
{
    const struct timespec ts = { .tv_nsec = GIVE_WAY_US * 1000 };
    if (atomic_load(&throttle->serving))
        xlx__shared_count(throttle->guest->shared, XLX__GAVE_WAY, 1);
    for (int i = 0; i < GIVE_WAY_TIMES && atomic_load(&throttle->serving); i++)
        nanosleep(&ts, NULL);
}

/* --- processors ----------------------------------------------------------- */

void xlx__throttle_set_contention(struct xlx__throttle *throttle,
                                  struct xlx__contention *contention)
{
    xlx__give_way_init(&throttle->way, throttle->guest->ctx, contention);
}

void xlx__throttle_set_fills(struct xlx__throttle *throttle, uint32_t fills)
{
    atomic_store(&throttle->fills, fills);
}

/* Whether this thread is the one that looks now. */
static bool take_look(struct xlx__throttle *throttle, uint64_t now)
{
    pthread_mutex_lock(&throttle->lock);
    bool taken =
        !throttle->looking && now - throttle->looked >= XLX__GIVE_WAY_US;
    if (taken) {
        throttle->looking = true;
        throttle->looked = now;
    }
    pthread_mutex_unlock(&throttle->lock);
    return taken;
}

static void look_when_due(struct xlx__throttle *throttle, uint32_t threads)
{
    const struct xlx__give_way_pager pager = {
        .page_wait_us =
            xlx__shared_counter(throttle->guest->shared, XLX__FAULT_US),
        .faulting = atomic_load(&throttle->serving),
        .threads = threads,
        .fills = atomic_load(&throttle->fills),
    };
    uint64_t now = xlx__now_us();
    if (!take_look(throttle, now))
        return;
    xlx__give_way_look(&throttle->way, now, &pager);
    pthread_mutex_lock(&throttle->lock);
    throttle->looking = false;
    pthread_mutex_unlock(&throttle->lock);
}

void xlx__throttle_rest(struct xlx__throttle *throttle, uint64_t worked_us,
                        uint64_t took_us, uint32_t threads)
{
    look_when_due(throttle, threads);
    uint64_t us = xlx__give_way_rest(&throttle->way, worked_us, took_us);
    uint64_t now;
    if (!us)
        return;
    for (uint64_t until = xlx__now_us() + us; (now = xlx__now_us()) < until;) {
        if (is_nothing_left(throttle) ||
            xlx__shared_finish(throttle->guest->shared))
            return;
        uint64_t ms = (until - now) / 1000 + 1;
        xlx__guest_nap(throttle->guest, ms < 100 ? (unsigned)ms : 100);
    }
}

/* --- the operator --------------------------------------------------------- */

uint64_t xlx__pace(uint64_t *next_us, uint64_t now_us, uint64_t bytes,
                   uint64_t rate)
{
    uint64_t at = *next_us > now_us ? *next_us : now_us;
    *next_us = at + (uint64_t)((__uint128_t)bytes * 1000000 / rate);
    return at - now_us;
}

/* When `pages` may be loaded, xlx__now_us(), under the limit of now. */
static uint64_t turn_of(struct xlx__throttle *throttle, uint64_t pages,
                        unsigned *changes_r)
{
    uint64_t rate = xlx__shared_bwlimit(throttle->guest->shared),
             now = xlx__now_us();
    uint64_t wait = 0;
    pthread_mutex_lock(&throttle->lock);
    *changes_r = throttle->changes;
    if (rate && !xlx__shared_finish(throttle->guest->shared))
        wait = xlx__pace(&throttle->pace_us, now, pages * XLX_PAGE_SIZE, rate);
    pthread_mutex_unlock(&throttle->lock);
    return now + wait;
}

static bool has_changed(struct xlx__throttle *throttle, unsigned changes)
{
    pthread_mutex_lock(&throttle->lock);
    bool changed = throttle->changes != changes;
    pthread_mutex_unlock(&throttle->lock);
    return changed;
}

/* True when the turn has come, false when the settings changed before. */
static bool wait_for_turn(struct xlx__throttle *throttle, uint64_t at,
                          unsigned changes)
{
    for (;;) {
        uint64_t now = xlx__now_us();
        if (now >= at || is_nothing_left(throttle))
            return true;
        if (has_changed(throttle, changes))
            return false;
        uint64_t ms = (at - now) / 1000 + 1;
        xlx__guest_nap(throttle->guest, ms < 100 ? (unsigned)ms : 100);
    }
}

void xlx__throttle_wait(struct xlx__throttle *throttle, uint64_t pages)
{
    unsigned changes;
    for (;;) {
        while (xlx__shared_fill_paused(throttle->guest->shared) &&
               !is_nothing_left(throttle))
            xlx__guest_nap(throttle->guest, 100);
        uint64_t at = turn_of(throttle, pages, &changes);
        if (wait_for_turn(throttle, at, changes) &&
            (!xlx__shared_fill_paused(throttle->guest->shared) ||
             is_nothing_left(throttle)))
            return;
    }
}

void xlx__throttle_change(struct xlx__throttle *throttle,
                          const struct xlx_lazy_change *change)
{
    xlx__shared_change(throttle->guest->shared, change);
    pthread_mutex_lock(&throttle->lock);
    if (change->set_bwlimit || change->fill) {
        throttle->changes++;
        throttle->pace_us = 0;
    }
    pthread_mutex_unlock(&throttle->lock);
    xlx__guest_wake(throttle->guest);
}
