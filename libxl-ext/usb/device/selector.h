/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How a user names a device: by its place (1-2.3), by bus and address as lsusb
 * has them (1.4), by vendor and product (046d:c52b), or by those and the
 * serial number (046d:c52b:0123).
 */
#ifndef XLX_USB_DEVICE_SELECTOR_H
#define XLX_USB_DEVICE_SELECTOR_H

#include "core/ctx.h"
#include "usb/device/device.h"

enum xlx__selector_kind {
    XLX__SELECT_PLACE,
    XLX__SELECT_ADDRESS,
    XLX__SELECT_ID,
};

struct xlx__selector {
    enum xlx__selector_kind kind;
    char busid[XLX_USB_BUSID_MAX];
    uint32_t bus, address;
    uint16_t vendor, product;
    const char *serial; /* in the text that was parsed; NULL for any */
};

/*
 * Pure. Reports what is no selector: -EINVAL, or -ENOTSUP for a root hub.
 */
int xlx__selector_parse(xlx_ctx *ctx, const char *text,
                        struct xlx__selector *sel_r);

/* Pure. */
bool xlx__selector_matches(const struct xlx__selector *sel,
                           const struct xlx__usbdev *dev);

/*
 * The one device of this host that the text names.
 *
 * -EINVAL, -ENOTSUP  as xlx__selector_parse()
 * -ENODEV            none matches
 * -ENOTUNIQ          several do; the text of the error lists them
 */
int xlx__select(xlx_ctx *ctx, const char *text, struct xlx__usbdev *dev_r);

/*
 * As xlx__select(), among devices that were read already (`nr` of `list`).
 * *index_r says which.
 */
int xlx__select_among(xlx_ctx *ctx, const char *text,
                      const struct xlx__usbdev *list, int nr, int *index_r);

#endif
