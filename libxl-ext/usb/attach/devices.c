/* SPDX-License-Identifier: LGPL-2.1-only */
#include "libxl_ext_usb.h"

#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "usb/admission/refuse.h"
#include "usb/device/selector.h"

static void describe(const struct xlx__usbdev *dev,
                     const struct xlx__refusal *refusal,
                     struct xlx_usb_device *out)
{
    *out = (struct xlx_usb_device){
        .bus = dev->bus,
        .address = dev->address,
        .mbits = dev->mbits,
        .vendor = dev->vendor,
        .product = dev->product,
        .hub = dev->hub,
        .assignable = !refusal->err,
        .forceable = refusal->forceable,
    };
    memcpy(out->busid, dev->busid, sizeof(out->busid));
    memcpy(out->name, dev->name, sizeof(out->name));
    memcpy(out->serial, dev->serial, sizeof(out->serial));
    memcpy(out->reason, refusal->text, sizeof(out->reason));
    if (refusal->owner) {
        out->assigned = true;
        out->domid = refusal->owner->domid;
        out->place = refusal->owner->place;
    }
}

static int describe_all(xlx_ctx *ctx, const struct xlx__refuse *facts,
                        const struct xlx__usbdev *devs, int nr,
                        struct xlx_usb_device *out)
{
    int rc = 0;
    for (int i = 0; !rc && i < nr; i++) {
        struct xlx__refusal refusal;
        rc = xlx__refuse(ctx, facts, &devs[i], false, &refusal);
        if (!rc)
            describe(&devs[i], &refusal, &out[i]);
    }
    return rc;
}

int xlx_usb_devices(xlx_ctx *ctx, struct xlx_usb_device **list_r)
{
    XLX__AUTO_FREE struct xlx__usbdev *devs = NULL;
    XLX__AUTO_FREE struct xlx_usb_device *list = NULL;
    struct xlx__refuse facts;
    int rc, nr = xlx__usbdev_list(ctx, &devs);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    if (nr < 0 || (rc = xlx__refuse_open(ctx, &facts)))
        return nr < 0 ? nr : rc;
    rc = describe_all(ctx, &facts, devs, nr, list);
    xlx__refuse_close(&facts);
    if (rc)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

int xlx_usb_select(xlx_ctx *ctx, const char *device,
                   char busid_r[XLX_USB_BUSID_MAX])
{
    struct xlx__usbdev dev;
    int rc = xlx__select(ctx, device, &dev);
    if (!rc)
        memcpy(busid_r, dev.busid, XLX_USB_BUSID_MAX);
    return rc;
}
