/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdio.h>
#include <stdlib.h>

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

static void judge(xlx_ctx *ctx, struct xlx__usbdev *dev,
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

int xlx__usbdev_read_needs(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    struct xlx__usbd_descriptors d;
    XLX__AUTO_FREE uint8_t *bytes = malloc(XLX__USBD_DESCRIPTORS_MAX);
    if (!bytes)
        return xlx__fail(ctx, ENOMEM, "usb %s: no memory", dev->busid);
    int rc = read_descriptors(ctx, dev, bytes, &d);
    if (!rc)
        judge(ctx, dev, &d);
    return rc;
}
