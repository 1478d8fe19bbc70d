/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Ports whose device was pulled out. The backend would give the guest whatever
 * is plugged in there next, and QEMU ends when the guest uses what is gone: the
 * sooner such a port is empty, the better.
 */
#ifndef XLX_USB_BACKEND_PULLED_H
#define XLX_USB_BACKEND_PULLED_H

#include "core/ctx.h"

/*
 * Whether the device that the domain was given is not plugged in any more, or
 * another one, or the same one anew, in its place: 1, 0 or -errno.
 */
int xlx__usb_is_pulled(xlx_ctx *ctx, uint32_t domid, const char *busid);

/*
 * Empties the ports of the domain's qusb controllers whose device was pulled
 * out. Returns how many; -EBUSY when at `until` a command for the domain or a
 * device is still at work: look again.
 */
int xlx__usb_free_pulled(xlx_ctx *ctx, uint32_t domid, int64_t until);

#endif
