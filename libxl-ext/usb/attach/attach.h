/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Attaching and detaching what was looked at before the locks were taken.
 */
#ifndef XLX_USB_ATTACH_ATTACH_H
#define XLX_USB_ATTACH_ATTACH_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/device/device.h"

/* As xlx_usb_attach(). -ENODEV also when another device is in its place by now:
 * it is read and judged again under its lock. */
int xlx__usb_attach_dev(xlx_ctx *ctx, uint32_t domid,
                        const struct xlx__usbdev *dev,
                        const struct xlx_usb_place *place, unsigned flags,
                        int timeout_ms, struct xlx_usb_place *got_r);

/*
 * All of an attach that can be done while another guest still has the device:
 * judges it, and sees that there is a connected controller for it, which is
 * made where there is none. *place_r is that, to be attached to; *made_r: it is
 * new.
 */
int xlx__usb_attach_prepare(xlx_ctx *ctx, uint32_t domid,
                            const struct xlx__usbdev *dev,
                            const struct xlx_usb_place *want, unsigned flags,
                            int timeout_ms, struct xlx_usb_place *place_r,
                            bool *made_r);

/* As xlx_usb_detach(). -EBUSY also when the guest has been given that place's
 * device again, with another address than `address` (0: none was written down).
 */
int xlx__usb_detach_given(xlx_ctx *ctx, uint32_t domid,
                          const struct xlx_usb_place *place, const char *busid,
                          uint32_t address, int timeout_ms);

#endif
