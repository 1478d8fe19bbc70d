/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which guest that runs is meant by what is written down: by UUID, which a
 * reboot and a restore keep, else by name, which an `xl create` keeps.
 */
#ifndef XLX_USB_ASSIGN_GUESTS_H
#define XLX_USB_ASSIGN_GUESTS_H

#include "usb/assign/intent.h"
#include "xen/domain.h"

struct xlx__guest {
    uint32_t domid; /* 0: does not run */
    bool busy;      /* a command is at work for it: leave it alone */
    struct xlx__intent intent;
};

/*
 * Pure: fills in the domids. An intent that was found by name, or whose guest
 * has another name by now, takes over UUID and name; `old_r` (nr of them, or
 * NULL) has the UUID it had, "" where nothing changed.
 */
void xlx__guests_pair(struct xlx__guest *guests, int nr,
                      const struct xlx__dom *doms, int nr_doms,
                      char (*old_r)[XLX_UUID_MAX]);

/*
 * All that is written down, sorted by name, with the guests that run; what has
 * another UUID or name by now is written again. *list_r for free(). `bad` as in
 * xlx__intent_load_all(). With the intents' lock. Returns how many.
 */
int xlx__guests_load(xlx_ctx *ctx, struct xlx__guest **list_r,
                     void (*bad)(void *user, const char *uuid), void *user);

/* The guest with that name, domid or UUID: its index, or -1. */
int xlx__guests_find(const struct xlx__guest *guests, int nr, const char *text);

#endif
