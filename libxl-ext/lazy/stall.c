/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/stall.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LOOK_MS 100u

#define WHAT_HANGS "read of the save file"

struct xlx__stalls {
    struct xlx__guest *guest;
    pthread_t thread; /* looks for hangs */
    bool watching;
    _Atomic bool end_watch;
    pthread_mutex_t lock; /* of all below */
    unsigned hang_ms;
    struct xlx__load_slot *first;
    unsigned stalled; /* loads that fail or hang: the domain is paused */
    char reason[160];
};

struct xlx__stalls *xlx__stalls_new(struct xlx__guest *guest)
{
    struct xlx__stalls *stalls = calloc(1, sizeof(*stalls));
    if (!stalls)
        return NULL;
    stalls->guest = guest;
    stalls->hang_ms = XLX__HANG_MS;
    pthread_mutex_init(&stalls->lock, NULL);
    return stalls;
}

void xlx__stalls_free(struct xlx__stalls *stalls)
{
    if (!stalls)
        return;
    pthread_mutex_destroy(&stalls->lock);
    free(stalls);
}

void xlx__stalls_reset(struct xlx__stalls *stalls)
{
    pthread_mutex_init(&stalls->lock, NULL);
    stalls->watching = false;
    stalls->first = NULL;
    stalls->stalled = 0;
}

void xlx__stalls_set_hang_ms(struct xlx__stalls *stalls, unsigned ms)
{
    pthread_mutex_lock(&stalls->lock);
    stalls->hang_ms = ms;
    pthread_mutex_unlock(&stalls->lock);
}

/* --- a load's life -------------------------------------------------------- */

void xlx__stalls_enter(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       bool waited)
{
    pthread_mutex_lock(&stalls->lock);
    *load = (struct xlx__load_slot){ .next = stalls->first,
                                     .link = &stalls->first,
                                     .waited = waited };
    if (load->next)
        load->next->link = &load->next;
    stalls->first = load;
    pthread_mutex_unlock(&stalls->lock);
}

void xlx__stalls_begin(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       uint64_t gfn)
{
    pthread_mutex_lock(&stalls->lock);
    load->begun = xlx__now_us();
    load->gfn = gfn;
    pthread_mutex_unlock(&stalls->lock);
}

/* With the lock held. True when this is the first that stalls. */
static bool add_stall(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                      const char *what, const char *why)
{
    if (load->stalled)
        return false;
    load->stalled = true;
    if (stalls->stalled++)
        return false;
    snprintf(stalls->reason, sizeof(stalls->reason), "gfn 0x%lx: %s: %s",
             (unsigned long)load->gfn, what, why);
    xlx__guest_pause(stalls->guest);
    return true;
}

void xlx__stalls_stall(struct xlx__stalls *stalls, struct xlx__load_slot *load,
                       const char *what, const char *why)
{
    pthread_mutex_lock(&stalls->lock);
    bool first = add_stall(stalls, load, what, why);
    load->begun = 0;
    pthread_mutex_unlock(&stalls->lock);
    if (first)
        xlx__guest_changed(stalls->guest);
}

void xlx__stalls_leave(struct xlx__stalls *stalls, struct xlx__load_slot *load)
{
    bool last = false;
    pthread_mutex_lock(&stalls->lock);
    if (load->stalled && load->waited) {
        last = --stalls->stalled == 0;
        if (last)
            xlx__guest_unpause(stalls->guest);
    }
    *load->link = load->next;
    if (load->next)
        load->next->link = load->link;
    pthread_mutex_unlock(&stalls->lock);
    if (last)
        xlx__guest_changed(stalls->guest);
}

/* --- the thread that looks for hangs -------------------------------------- */

/* With the lock held. */
static void say_no_answer(const struct xlx__stalls *stalls, char *why,
                          size_t len)
{
    snprintf(why, len, "no answer for %u s", stalls->hang_ms / 1000);
}

static bool hangs(const struct xlx__stalls *stalls,
                  const struct xlx__load_slot *load, uint64_t now)
{
    uint64_t limit = (uint64_t)stalls->hang_ms * 1000;
    return load->begun && now >= load->begun && now - load->begun >= limit;
}

static void look_for_hangs(struct xlx__stalls *stalls)
{
    uint64_t now = xlx__now_us();
    bool stalled = false, said = false;
    char why[48];
    pthread_mutex_lock(&stalls->lock);
    say_no_answer(stalls, why, sizeof(why));
    for (struct xlx__load_slot *l = stalls->first; l; l = l->next) {
        if (!hangs(stalls, l, now))
            continue;
        if (l->waited) {
            stalled |= add_stall(stalls, l, WHAT_HANGS, why);
        } else {
            said |= !l->stalled;
            l->stalled = true;
        }
    }
    pthread_mutex_unlock(&stalls->lock);
    if (stalled || said)
        xlx__guest_changed(stalls->guest);
    if (said)
        xlx__warn(stalls->guest->ctx,
                  "domain %u: the backfill makes no progress: %s",
                  stalls->guest->paging->domid, why);
}

/* It does nothing else and waits for nobody, so that whatever hangs, it does
 * not: not for a client of the control socket, not for xenstored, not for a
 * disk. */
static void *watch(void *arg)
{
    struct xlx__stalls *stalls = arg;
    while (!atomic_load(&stalls->end_watch)) {
        look_for_hangs(stalls);
        xlx__guest_nap(stalls->guest, LOOK_MS);
    }
    return NULL;
}

void xlx__stalls_watch(struct xlx__stalls *stalls)
{
    atomic_store(&stalls->end_watch, false);
    int rc = pthread_create(&stalls->thread, NULL, watch, stalls);
    stalls->watching = !rc;
    if (rc)
        xlx__warn(stalls->guest->ctx,
                  "domain %u: a hang of the storage will not be detected: %s",
                  stalls->guest->paging->domid, strerror(rc));
}

void xlx__stalls_end_watch(struct xlx__stalls *stalls)
{
    if (!stalls->watching)
        return;
    atomic_store(&stalls->end_watch, true);
    xlx__guest_wake(stalls->guest);
    pthread_join(stalls->thread, NULL);
    stalls->watching = false;
}

/* --- what there is to report ---------------------------------------------- */

unsigned xlx__stalls_reason(struct xlx__stalls *stalls, char *text, size_t len)
{
    pthread_mutex_lock(&stalls->lock);
    unsigned stalled = stalls->stalled;
    snprintf(text, len, "%s", stalled ? stalls->reason : "");
    pthread_mutex_unlock(&stalls->lock);
    return stalled;
}

bool xlx__stalls_hang(struct xlx__stalls *stalls, char *text, size_t len)
{
    char why[48];
    pthread_mutex_lock(&stalls->lock);
    const struct xlx__load_slot *l = stalls->first;
    while (l && (l->waited || !l->stalled))
        l = l->next;
    say_no_answer(stalls, why, sizeof(why));
    if (l)
        snprintf(text, len, "gfn 0x%lx: " WHAT_HANGS ": %s",
                 (unsigned long)l->gfn, why);
    pthread_mutex_unlock(&stalls->lock);
    return l;
}
