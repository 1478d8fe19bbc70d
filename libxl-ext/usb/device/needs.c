/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "host/sysfs.h"
#include "usb/device/device.h"
#include "usbd/descriptors.h"

#define SUPER_SPEED 5000u /* Mbit/s */

static int read_descriptors(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                            uint8_t *bytes, struct xlx__usbd_descriptors *d_r)
{
    char path[XLX_USB_BUSID_MAX + 40];
    snprintf(path, sizeof(path), "bus/usb/devices/%s/descriptors", dev->busid);
    int n = ctx->sysfs->ops->read_bytes(ctx->sysfs, path, bytes,
                                        XLX__USBD_DESCRIPTORS_MAX);
    *d_r = (struct xlx__usbd_descriptors){ bytes, n > 0 ? (size_t)n : 0 };
    if (n >= 0 || n == -ENOENT || n == -ENODEV)
        return 0;
    return xlx__fail_errno(ctx, -n, "usb %s: cannot read its descriptors",
                           dev->busid);
}

static void judge_descriptors(xlx_ctx *ctx, struct xlx__usbdev *dev,
                              const struct xlx__usbd_descriptors *d)
{
    struct xlx__usbd_needs needs;
    if (!d->length) {
        if (dev->mbits >= SUPER_SPEED)
            dev->pv_unfit = "it runs at SuperSpeed, and the kernel does not "
                            "show its descriptors";
        return;
    }
    xlx__usbd_needs(d, &needs);
    dev->isochronous = needs.isochronous;
    dev->pv_unfit = xlx__usbd_unfit(d, dev->mbits);
    const char *restriction = xlx__usbd_restriction(d);
    if (restriction && !dev->pv_unfit)
        xlx__info(ctx, "usb %s: in a guest by PVUSB, %s", dev->busid,
                  restriction);
}

/* --- what it can be ------------------------------------------------------ */

/* USB 2.0, 9.6 */
enum { CONFIG = 0x02, INTERFACE = 0x04, INTERFACE_SIZE = 9 };

/* `from`: the first kind of this configuration. */
static void add_kind(struct xlx__usbdev *dev, unsigned from,
                     const uint8_t *interface)
{
    const struct xlx__usbintf kind = { .number = interface[2],
                                       .class = interface[5],
                                       .subclass = interface[6],
                                       .protocol = interface[7] };
    for (unsigned i = from; i < dev->nr_kinds; i++)
        if (!memcmp(&dev->kind[i], &kind, sizeof(kind)))
            return;
    if (dev->nr_kinds < XLX__USB_INTFS_MAX)
        dev->kind[dev->nr_kinds++] = kind;
    else
        dev->more_kinds = true;
}

/* Each descriptor begins with its length and its type. */
static void take_kinds(struct xlx__usbdev *dev,
                       const struct xlx__usbd_descriptors *d)
{
    unsigned from = 0;
    dev->nr_kinds = 0;
    dev->more_kinds = false;
    for (size_t at = 0; at + 2 <= d->length && d->bytes[at] >= 2;
         at += d->bytes[at]) {
        const uint8_t *p = d->bytes + at;
        if (p[1] == CONFIG)
            from = dev->nr_kinds;
        if (p[1] == INTERFACE && p[0] >= INTERFACE_SIZE &&
            at + INTERFACE_SIZE <= d->length)
            add_kind(dev, from, p);
    }
}

int xlx__usbdev_read_kinds(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    struct xlx__usbd_descriptors d;
    XLX__AUTO_FREE uint8_t *bytes = malloc(XLX__USBD_DESCRIPTORS_MAX);
    if (!bytes)
        return xlx__fail(ctx, ENOMEM, "usb %s: no memory", dev->busid);
    int rc = read_descriptors(ctx, dev, bytes, &d);
    if (!rc)
        take_kinds(dev, &d);
    return rc;
}

/* --- what it needs ------------------------------------------------------- */

int xlx__usbdev_read_needs(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    struct xlx__usbd_descriptors d;
    XLX__AUTO_FREE uint8_t *bytes = malloc(XLX__USBD_DESCRIPTORS_MAX);
    if (!bytes)
        return xlx__fail(ctx, ENOMEM, "usb %s: no memory", dev->busid);
    int rc = read_descriptors(ctx, dev, bytes, &d);
    if (!rc)
        judge_descriptors(ctx, dev, &d);
    return rc;
}
