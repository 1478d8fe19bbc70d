/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The thread that looks for loads that do not end. It does nothing else and
 * waits for nobody, so that whatever hangs, it does not: not for a client of
 * the control socket, not for xenstored, not for a disk.
 */
#include <string.h>

#include "lazy/pager.h"

#define LOOK_MS 100u

static void *watch(void *arg)
{
    struct xlx__pager *pager = arg;
    while (!atomic_load(&pager->watch.end)) {
        xlx__pager_look_for_hangs(pager);
        xlx__guest_nap(&pager->guest, LOOK_MS);
    }
    return NULL;
}

void xlx__pager_watch_start(struct xlx__pager *pager)
{
    atomic_store(&pager->watch.end, false);
    int rc = pthread_create(&pager->watch.thread, NULL, watch, pager);
    pager->watch.started = !rc;
    if (rc)
        xlx__warn(pager->guest.ctx,
                  "domain %u: storage that hangs will not be noticed: %s",
                  pager->guest.paging->domid, strerror(rc));
}

void xlx__pager_watch_stop(struct xlx__pager *pager)
{
    if (!pager->watch.started)
        return;
    atomic_store(&pager->watch.end, true);
    xlx__guest_wake(&pager->guest);
    pthread_join(pager->watch.thread, NULL);
    pager->watch.started = false;
}
