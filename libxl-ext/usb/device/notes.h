/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is written down about a device that was given away, beyond what
 * usb/device/device.h has.
 */
#ifndef XLX_USB_NOTES_H
#define XLX_USB_NOTES_H

#include "usb/device/device.h"
#include "xen/xenstore.h"

/* 1, and the driver written down for an interface, "" when it had none; 0, and
 * "": nothing is written down for it, as it was not there then. */
int xlx__usbdev_noted_driver(xlx_ctx *ctx, const char *busid, const char *intf,
                             char driver_r[XLX__USB_NODE_MAX]);

#endif
