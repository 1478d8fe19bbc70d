/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the calls that change something have in common: the checks that need no
 * lock, and the locks.
 */
#ifndef XLX_USB_ATTACH_LOCKS_H
#define XLX_USB_ATTACH_LOCKS_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/controller/hc.h"

/* The domain is there and is not this host. */
int xlx__usb_check_domain(xlx_ctx *ctx, uint32_t domid);

/* Returns the descriptor of the lock. Order: the domain's, then a device's. */
int xlx__usb_lock_domain(xlx_ctx *ctx, uint32_t domid, int64_t until);
int xlx__usb_lock_device(xlx_ctx *ctx, const char *busid, int64_t until);

/* The controller is one whose ports this library writes. */
int xlx__usb_check_hc(xlx_ctx *ctx, const struct xlx__hc *hc);

#endif
