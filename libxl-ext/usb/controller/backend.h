/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The process behind qusb controllers: a domain's own device model where it
 * offers qusb, else a QEMU of ours, run by xl-ext-usb-backend.
 */
#ifndef XLX_USB_CONTROLLER_BACKEND_H
#define XLX_USB_CONTROLLER_BACKEND_H

#include "core/ctx.h"

/*
 * A QEMU from 10.0 on takes the controllers that are there when it starts. One
 * that appears later ends it: "Device 'xen-backend' does not support
 * hotplugging". So a controller comes about in this order: check, make room,
 * write its nodes, start.
 */

/*
 * Sees that a process serves qusb for the domain, or that ours can be started.
 * Changes nothing.
 *
 * -ECONNRESET  ours is about to start another QEMU, for which it needs the
 * domain's lock: let go of that, xlx__backend_wait(), and try again
 * -ENOTSUP  a guest whose device model does not offer qusb
 * -ENOENT   QEMU or our program is not installed
 */
int xlx__backend_check(xlx_ctx *ctx, uint32_t domid);

/*
 * Sees that nobody comes to harm when nodes of a controller are written. A QEMU
 * of ours that would is ended, to be started again after; *ended_r says so.
 *
 * -ENOTSUP  the guest's own device model would end of it, or does not say
 * whether it would
 * -EBUSY    ours would, and has devices
 */
int xlx__backend_make_room(xlx_ctx *ctx, uint32_t domid, int64_t until,
                           bool *ended_r);

/*
 * Starts ours when no process serves qusb; *started_r says whether it did. It
 * carries over what an earlier one had. -EIO, -ETIMEDOUT: it did not come up,
 * with what it said.
 */
int xlx__backend_start(xlx_ctx *ctx, uint32_t domid, int64_t until,
                       bool *started_r);

/* Waits, without the domain's lock, until a process serves qusb. */
int xlx__backend_wait(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* Ends our process for the domain, if there is one. */
int xlx__backend_stop(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* As xlx__backend_stop(), unless a qusb controller is left. */
int xlx__backend_stop_unused(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* Whether QEMU announces that it serves qusb: 1, 0 or -errno. */
int xlx__backend_announced(xlx_ctx *ctx, uint32_t domid);

/* Removes what a QEMU announced that is no more. */
int xlx__backend_unannounce(xlx_ctx *ctx, uint32_t domid);

/* Composes the path of our process's pidfile or QMP socket (PATH_MAX bytes);
 * `suffix` is "pid" or "qmp". */
int xlx__backend_path(xlx_ctx *ctx, uint32_t domid, const char *suffix,
                      char *path_r);

#endif
