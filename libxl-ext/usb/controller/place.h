/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which controller and port a device goes to: pure.
 */
#ifndef XLX_USB_CONTROLLER_PLACE_H
#define XLX_USB_CONTROLLER_PLACE_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/controller/list.h"
#include "usb/device/device.h"

/* Why a controller cannot have a device, NULL when it can. */
const char *xlx__place_unfit(const struct xlx__snapshot *hc,
                             const struct xlx__usbdev *dev);

/*
 * Chooses among the domain's controllers. A device with isochronous endpoints
 * has one of its own, unless it is told otherwise: it has requests on their way
 * all the time, and PVUSB's controllers have room for sixteen. `reserved` tells
 * for each in the list whether it has such a device; NULL: none. *place_r has
 * both numbers, or XLX_USB_ANY as controller when one has to be made. Errors,
 * reported, as xlx_usb_attach() has them.
 */
int xlx__place_choose(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx__snapshot *list, const bool *reserved,
                      int nr, const struct xlx__usbdev *dev,
                      const struct xlx_usb_place *want,
                      struct xlx_usb_place *place_r);

#endif
