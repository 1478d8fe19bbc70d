/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whole hubs that are assigned, as the places behind them: pure.
 */
#ifndef XLX_USB_ASSIGN_HUBS_H
#define XLX_USB_ASSIGN_HUBS_H

#include "usb/assign/guests.h"
#include "usb/device/device.h"

/*
 * Puts a wish for its place, for each device that is plugged in behind a hub,
 * in the place of the wish for the hub; where nothing is, that stays. A device
 * goes with the nearest hub, of the first guest by order; not when its place is
 * assigned by itself, or the guest is to have it by what it is.
 *
 * Returns how many found no room among their guest's wishes, or -ENOMEM without
 * a report.
 */
int xlx__hubs_expand(struct xlx__guest *guests, int nr,
                     const struct xlx__usbdev *devs, int nr_devs);

#endif
