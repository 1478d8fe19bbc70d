/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/type.h"

#include "core/array.h"
#include "usb/controller/backend.h"
#include "usb/controller/usbback.h"
#include "xen/domain.h"

const struct xlx__type *xlx__type_of(const struct xlx__hc *hc)
{
    if (hc->type == XLX_USB_DEVICEMODEL)
        return &xlx__type_devicemodel;
    if (hc->type == XLX_USB_QUSB)
        return &xlx__type_qusb;
    return hc->by_kernel ? &xlx__type_pv : &xlx__type_vusb;
}

int xlx__type_auto(xlx_ctx *ctx, uint32_t domid, enum xlx_usb_type *type_r)
{
    enum xlx__dom_type dom;
    int rc = xlx__dom_type(ctx, domid, &dom);
    if (rc)
        return rc;
    if (dom == XLX__DOM_HVM) {
        *type_r = XLX_USB_DEVICEMODEL;
        return 0;
    }
    rc = xlx__usbback_loaded(ctx);
    if (!rc)
        rc = xlx__backend_has_rival(ctx, domid);
    if (rc >= 0)
        *type_r = rc ? XLX_USB_PV : XLX_USB_QUSB;
    return rc < 0 ? rc : 0;
}

/* --- versions and ports --------------------------------------------------- */

/* The first row of a type is what suits most. An emulated xHCI takes devices
 * of every speed, an EHCI alone only those of high speed. */
static const struct limit {
    enum xlx_usb_type type;
    uint32_t version, min, max, usual;
} limits[] = {
    { XLX_USB_QUSB, 2, 1, XLX_USB_PORTS_MAX, 8 },
    { XLX_USB_QUSB, 1, 1, XLX_USB_PORTS_MAX, 8 },
    { XLX_USB_PV, 2, 1, XLX_USB_PORTS_MAX, 8 },
    { XLX_USB_PV, 1, 1, XLX_USB_PORTS_MAX, 8 },
    { XLX_USB_DEVICEMODEL, 3, 1, 15, 8 },
    { XLX_USB_DEVICEMODEL, 2, 6, 6, 6 },
    { XLX_USB_DEVICEMODEL, 1, 2, 2, 2 },
};

static const struct limit *find_limit(enum xlx_usb_type type, uint32_t version)
{
    for (size_t i = 0; i < XLX__NR(limits); i++)
        if (limits[i].type == type &&
            (!version || limits[i].version == version))
            return &limits[i];
    return NULL;
}

static int bad_version(xlx_ctx *ctx, enum xlx_usb_type type, uint32_t version)
{
    if (type == XLX_USB_DEVICEMODEL)
        return xlx__fail(ctx, EINVAL,
                         "USB controller: version %u: a device model has 1, 2 "
                         "and 3",
                         version);
    return xlx__fail(ctx, EINVAL,
                     "USB controller: version %u: PVUSB has 1 (USB 1.1) and 2 "
                     "(USB 2.0)",
                     version);
}

int xlx__type_config(xlx_ctx *ctx, uint32_t version, uint32_t ports,
                     struct xlx__hc *hc)
{
    const struct limit *limit = find_limit(hc->type, version);
    if (!limit)
        return bad_version(ctx, hc->type, version);
    if (ports && limit->min == limit->max && ports != limit->min)
        return xlx__fail(ctx, EINVAL,
                         "USB controller: %u ports: a device model's of "
                         "version %u has %u",
                         ports, limit->version, limit->min);
    if (ports > limit->max)
        return xlx__fail(ctx, EINVAL, "USB controller: %u ports: %u to %u",
                         ports, limit->min, limit->max);
    int rc = hc->type == XLX_USB_PV ? xlx__usbback_loaded(ctx) : 0;
    if (rc < 0)
        return rc;
    hc->by_kernel = rc > 0;
    hc->version = limit->version;
    hc->nr_ports = ports ? ports : limit->usual;
    return 0;
}
