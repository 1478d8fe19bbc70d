/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Ending what a killed command left behind.
 */
#ifndef XLX_USB_ATTACH_REPAIR_H
#define XLX_USB_ATTACH_REPAIR_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"

/*
 * Ends what a killed command left behind for the device, whose lock the caller
 * holds: one that was written down for a guest and is on no port gets its
 * drivers back and is forgotten. 1 when there was such a thing, 0 or -errno.
 */
int xlx__usb_repair(xlx_ctx *ctx, const char *busid);

/* The same for all that was written down for a domain, whose lock the caller
 * holds. 0 or -errno. */
int xlx__usb_repair_domain(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* The same for all devices; one that is in another command's hands is left to
 * that. Returns how many. */
int xlx__usb_repair_all(xlx_ctx *ctx);

#endif
