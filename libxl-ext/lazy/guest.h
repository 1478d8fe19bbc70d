/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The guest as every part of the pager sees it: how it is paged, whether it is
 * still there, the pauses that are made for it and survive a kill, and naps
 * that end when something has changed for it.
 *
 * All calls may be made from any thread unless they say otherwise.
 */
#ifndef XLX_LAZY_GUEST_H
#define XLX_LAZY_GUEST_H

#include <pthread.h>

#include "lazy/shared.h"
#include "xen/paging.h"

/* Between two attempts, in milliseconds: the first time, and at most. */
#define XLX__BACKOFF_FIRST_MS 5u
#define XLX__BACKOFF_LAST_MS 500u

typedef void xlx__changed_fn(void *user);

struct xlx__guest {
    /* Set before there are threads, and read by all. */
    xlx_ctx *ctx;
    struct xlx__paging *paging; /* NULL: not opened yet */
    struct xlx__shared *shared;
    xlx__changed_fn *changed; /* what there is to report */
    void *user;
    /* Of guest.c alone. */
    _Atomic bool stop;
    pthread_mutex_t lock; /* of pauses and naps */
    pthread_cond_t wake;
};

/* `shared` outlives the guest. */
void xlx__guest_init(struct xlx__guest *guest, xlx_ctx *ctx,
                     struct xlx__shared *shared);
void xlx__guest_destroy(struct xlx__guest *guest);

/* After the process whose threads used it has died: as new, but for what is in
 * `shared`. */
void xlx__guest_reset(struct xlx__guest *guest);

/* Nothing is loaded any more: the domain is gone, or the pager has failed. */
void xlx__guest_stop(struct xlx__guest *guest);
bool xlx__guest_stopped(const struct xlx__guest *guest);

/* Asks Xen. True when the domain is being destroyed or gone; also stops. */
bool xlx__guest_gone(struct xlx__guest *guest);

/* Has the owner report what has changed. Takes no lock of the guest's. */
void xlx__guest_changed(struct xlx__guest *guest);

/* --- pauses --------------------------------------------------------------- */

/* Pauses the domain, so that a successor knows about it; and ends that. */
int xlx__guest_pause(struct xlx__guest *guest);
void xlx__guest_unpause(struct xlx__guest *guest);

/*
 * Of a successor, before it pauses the domain for the first time: a pause that
 * is in doubt counts as one. And when it has taken over: ends those of the
 * pager that died, and its own.
 */
void xlx__guest_settle_doubt(struct xlx__guest *guest);
void xlx__guest_end_pauses(struct xlx__guest *guest);

/* --- naps ----------------------------------------------------------------- */

/* Waits so long, or until wake(), which ends all naps. back_off() waits *ms and
 * doubles it, up to XLX__BACKOFF_LAST_MS. */
void xlx__guest_nap(struct xlx__guest *guest, unsigned ms);
void xlx__guest_back_off(struct xlx__guest *guest, unsigned *ms);
void xlx__guest_wake(struct xlx__guest *guest);

#endif
