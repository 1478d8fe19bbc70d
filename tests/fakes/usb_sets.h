/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Descriptors of USB devices as they are sold, as usbfs has them: what unit
 * tests and fuzzers read.
 */
#ifndef FAKES_USB_SETS_H
#define FAKES_USB_SETS_H

#include "usbd/descriptors.h"

struct usb_set {
    const char *name;
    uint32_t mbits;
    struct xlx__usbd_descriptors d;
};

/* The last one has no name. */
extern const struct usb_set usb_sets[];

/* The one of this name, which there is. */
const struct usb_set *usb_set(const char *name);

#endif
