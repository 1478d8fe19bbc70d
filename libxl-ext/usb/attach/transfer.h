/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Moving one device to a port or from it.
 */
#ifndef XLX_USB_ATTACH_TRANSFER_H
#define XLX_USB_ATTACH_TRANSFER_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/controller/hc.h"
#include "usb/device/device.h"

/*
 * Writes the device's drivers down and the device into an empty port of a
 * connected controller, and waits until backend and guest have it. Whole or
 * undone. A port names a place: that the device is still the one that was read
 * is seen right before and right after. -ENODEV: it is not.
 */
int xlx__usb_plug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                  const struct xlx__usbdev *dev, int64_t until);

/*
 * Empties the port and waits until the device has its drivers again. Whole or
 * undone; a port whose device was pulled out, or is another one by now, stays
 * empty.
 */
int xlx__usb_unplug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                    const char *busid, int64_t until);

#endif
