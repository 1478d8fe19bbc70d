/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The process behind PVUSB controllers, xl-ext-usb-backend: one a guest,
 * started for its first controller (docs/usb.md). It lives on its own: the
 * parts of it that can fail are started again by the one that cannot.
 */
#ifndef XLX_USB_CONTROLLER_BACKEND_H
#define XLX_USB_CONTROLLER_BACKEND_H

#include "core/ctx.h"

/* Sees that it runs for the domain, or can be started. Changes nothing.
 * -ENOENT: it is not installed. */
int xlx__backend_check(xlx_ctx *ctx, uint32_t domid);

/*
 * Whether a QEMU of the guest's own (an HVM guest's device model; one that
 * serves disks, a frame buffer or 9pfs to another) would take a controller of
 * libxl's type qusb: 1, 0 or -errno. One from version 10.0 on ends of it,
 * whoever made the controller.
 */
int xlx__backend_has_rival(xlx_ctx *ctx, uint32_t domid);

/* Starts it when it does not run; *started_r says whether it did. It continues
 * with what one that was killed had. -EIO, -ETIMEDOUT: it did not come up, with
 * what it said. */
int xlx__backend_start(xlx_ctx *ctx, uint32_t domid, int64_t until,
                       bool *started_r);

/* Ends it, if it runs: the host has its devices back. */
int xlx__backend_stop(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* As xlx__backend_stop(), unless a controller is left that it serves. */
int xlx__backend_stop_unused(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* Where it does not run: removes what one that was killed said of the device.
 * The next one would continue with that, and it is somebody else's by then. */
int xlx__backend_forget(xlx_ctx *ctx, uint32_t domid, const char *busid);

/* Whether it runs: 1, 0 or -errno. */
int xlx__backend_alive(xlx_ctx *ctx, uint32_t domid);

/* Whether it has ended without cleaning up: 1, 0 or -errno. */
int xlx__backend_killed(xlx_ctx *ctx, uint32_t domid);

#endif
