/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Ending what a killed command left behind.
 */
#ifndef XLX_USB_ATTACH_REPAIR_H
#define XLX_USB_ATTACH_REPAIR_H

#include "core/ctx.h"
#include "core/names.h"
#include "libxl_ext_usb.h"

/*
 * Ends what a killed command left behind for the device, whose lock the caller
 * holds: one that was written down for a guest and is on no port gets its
 * drivers back and is forgotten. 1 when there was such a thing, 0 or -errno;
 * -ETIMEDOUT somebody has claimed it still at `until`.
 */
int xlx__usb_repair(xlx_ctx *ctx, const char *busid, int64_t until);

/* The same for all that was written down for a domain, whose lock the caller
 * holds. 0 or -errno. */
int xlx__usb_repair_domain(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* What was written down for any guest and is on no port; `busids` starts
 * empty. */
int xlx__usb_unowned(xlx_ctx *ctx, struct xlx__names *busids);

/* As xlx__usb_repair(), with the locks; one that is in another command's hands
 * is left to that. Waits no longer than XLX__FOLLOW_MS. */
int xlx__usb_repair_unowned(xlx_ctx *ctx, const char *busid);

#endif
