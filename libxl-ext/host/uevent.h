/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: what the kernel says when a USB device comes or goes.
 */
#ifndef XLX_HOST_UEVENT_H
#define XLX_HOST_UEVENT_H

#include "core/ctx.h"

#define XLX__UEVENT_NAME_MAX 32
#define XLX__UEVENT_TEXT_MAX 8192

/* One of a whole USB device. */
struct xlx__uevent {
    char action[XLX__UEVENT_NAME_MAX]; /* "add", "remove", "bind", ... */
    char busid[XLX__UEVENT_NAME_MAX];  /* the name below bus/usb/devices */
};

struct xlx__uevents;

/* One thread at a time; no slot logs or waits. */
struct xlx__uevents_ops {
    /* 1: *event_r is the next one; 0: there is none; -ENOBUFS: some were lost:
     * look at everything; -errno. */
    int (*next)(struct xlx__uevents *uevents, struct xlx__uevent *event_r);
    /* Readable when next() has something to read. */
    int (*fd)(struct xlx__uevents *uevents);
};

struct xlx__uevents {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__uevents_ops *ops;
};

/* The kernel's netlink socket. */
int xlx__uevents_kernel(xlx_ctx *ctx, struct xlx__uevents **uevents_r);

/* Makes the context's one when it is not yet. */
int xlx__uevents_open(xlx_ctx *ctx);

/*
 * Pure: "ACTION@DEVPATH", then KEY=VALUE, each with a NUL behind it. False when
 * it is not about a whole USB device.
 */
bool xlx__uevent_parse(const char *text, size_t len,
                       struct xlx__uevent *event_r);

#endif
