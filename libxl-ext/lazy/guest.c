/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/guest.h"

#include <stdatomic.h>
#include <time.h>

static void init_locks(struct xlx__guest *guest)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&guest->lock, NULL);
    pthread_cond_init(&guest->wake, &attr);
    pthread_condattr_destroy(&attr);
}

void xlx__guest_init(struct xlx__guest *guest, xlx_ctx *ctx,
                     struct xlx__shared *shared)
{
    *guest = (struct xlx__guest){ .ctx = ctx, .shared = shared };
    init_locks(guest);
}

void xlx__guest_destroy(struct xlx__guest *guest)
{
    pthread_cond_destroy(&guest->wake);
    pthread_mutex_destroy(&guest->lock);
}

/* A thread that is in no process of ours may have held the lock. */
void xlx__guest_reset(struct xlx__guest *guest)
{
    init_locks(guest);
    atomic_store(&guest->stop, false);
}

void xlx__guest_stop(struct xlx__guest *guest)
{
    atomic_store(&guest->stop, true);
}

bool xlx__guest_stopped(const struct xlx__guest *guest)
{
    return atomic_load(&guest->stop);
}

bool xlx__guest_gone(struct xlx__guest *guest)
{
    struct xlx__paging_info info;
    if (!xlx__guest_stopped(guest) &&
        !guest->paging->ops->info(guest->paging, &info) && info.dying)
        xlx__guest_stop(guest);
    return xlx__guest_stopped(guest);
}

void xlx__guest_changed(struct xlx__guest *guest)
{
    if (guest->changed)
        guest->changed(guest->user);
}

/* --- pauses --------------------------------------------------------------- */

/*
 * Between the call and the count there is a moment in which a kill leaves it
 * open whether the domain is paused. The successor takes it as paused: ending a
 * pause too many does nothing unless somebody else paused the domain just then.
 */
int xlx__guest_pause(struct xlx__guest *guest)
{
    pthread_mutex_lock(&guest->lock);
    xlx__shared_doubt_pause(guest->shared, true);
    int rc = guest->paging->ops->pause(guest->paging);
    if (!rc)
        xlx__shared_add_pauses(guest->shared, 1);
    xlx__shared_doubt_pause(guest->shared, false);
    pthread_mutex_unlock(&guest->lock);
    return rc;
}

void xlx__guest_unpause(struct xlx__guest *guest)
{
    pthread_mutex_lock(&guest->lock);
    xlx__shared_doubt_pause(guest->shared, true);
    xlx__shared_add_pauses(guest->shared, -1);
    guest->paging->ops->unpause(guest->paging);
    xlx__shared_doubt_pause(guest->shared, false);
    pthread_mutex_unlock(&guest->lock);
}

void xlx__guest_settle_doubt(struct xlx__guest *guest)
{
    if (xlx__shared_pause_is_in_doubt(guest->shared))
        xlx__shared_add_pauses(guest->shared, 1);
    xlx__shared_doubt_pause(guest->shared, false);
}

void xlx__guest_end_pauses(struct xlx__guest *guest)
{
    struct xlx__paging_info info;
    int left;
    while ((left = xlx__shared_pauses(guest->shared)) > 0) {
        if (guest->paging->ops->info(guest->paging, &info) || !info.paused) {
            xlx__shared_add_pauses(guest->shared, -left);
            return;
        }
        xlx__guest_unpause(guest);
    }
}

/* --- naps ----------------------------------------------------------------- */

void xlx__guest_nap(struct xlx__guest *guest, unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&guest->lock);
    pthread_cond_timedwait(&guest->wake, &guest->lock, &until);
    pthread_mutex_unlock(&guest->lock);
}

void xlx__guest_back_off(struct xlx__guest *guest, unsigned *ms)
{
    xlx__guest_nap(guest, *ms);
    *ms = *ms * 2 < XLX__BACKOFF_LAST_MS ? *ms * 2 : XLX__BACKOFF_LAST_MS;
}

void xlx__guest_wake(struct xlx__guest *guest)
{
    pthread_mutex_lock(&guest->lock);
    pthread_cond_broadcast(&guest->wake);
    pthread_mutex_unlock(&guest->lock);
}
