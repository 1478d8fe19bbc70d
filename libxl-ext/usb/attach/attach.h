/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Attaching a device that was read before it was chosen.
 */
#ifndef XLX_USB_ATTACH_ATTACH_H
#define XLX_USB_ATTACH_ATTACH_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/device/device.h"

/* As xlx_usb_attach(). -ENODEV also when another device is in its place by now:
 * it is read and judged anew under its lock. */
int xlx__usb_attach_dev(xlx_ctx *ctx, uint32_t domid,
                        const struct xlx__usbdev *dev,
                        const struct xlx_usb_place *place, unsigned flags,
                        int timeout_ms, struct xlx_usb_place *got_r);

#endif
