/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/place.h"

/* Mbit/s */
#define FULL_SPEED 12u
#define HIGH_SPEED 480u

/* QEMU's EHCI has no companion for slower devices; PVUSB's "2.0" is a number
 * only, and takes them. */
const char *xlx__place_unfit(const struct xlx__snapshot *hc,
                             const struct xlx__usbdev *dev)
{
    bool emulated = hc->type == XLX_USB_DEVICEMODEL;
    if (hc->backend_domid)
        return "its backend runs in another domain";
    if (emulated && hc->version < 3 && dev->mbits > HIGH_SPEED)
        return "it is USB 2.0 and the device runs at SuperSpeed: use one with "
               "version=3";
    if (!emulated && dev->pv_unfit)
        return dev->pv_unfit;
    if (hc->version < 2 && dev->mbits > FULL_SPEED)
        return "it is USB 1.1 and the device runs at high speed: use one with "
               "version=2";
    if (emulated && hc->version == 2 && dev->mbits && dev->mbits < HIGH_SPEED)
        return "it is an EHCI, which has high speed only, and the device is "
               "slower: use one with version=1 or version=3";
    return NULL;
}

static uint32_t first_free(const struct xlx__snapshot *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (!hc->port[i].busid[0])
            return hc->port[i].number;
    return 0;
}

static bool is_empty(const struct xlx__snapshot *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (hc->port[i].busid[0])
            return false;
    return true;
}

/* Without a wish. */
static bool is_for(const struct xlx__snapshot *hc, bool reserved,
                   const struct xlx__usbdev *dev)
{
    if (xlx__place_unfit(hc, dev) || !first_free(hc))
        return false;
    if (hc->type == XLX_USB_DEVICEMODEL)
        return true;
    return dev->isochronous ? is_empty(hc) : !reserved;
}

static int choose_port(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx__snapshot *hc, uint32_t want,
                       uint32_t *port_r)
{
    if (want == XLX_USB_ANY) {
        *port_r = first_free(hc);
        return *port_r ? 0
                       : xlx__fail(ctx, ENOSPC,
                                   "domain %u: controller %u: all %u ports "
                                   "are taken",
                                   domid, hc->devid, hc->nr_ports);
    }
    if (want < 1 || want > hc->nr_ports)
        return xlx__fail(ctx, EINVAL,
                         "domain %u: controller %u: no port %u: it has ports 1 "
                         "to %u",
                         domid, hc->devid, want, hc->nr_ports);
    if (hc->port[want - 1].busid[0])
        return xlx__fail(ctx, EBUSY,
                         "domain %u: controller %u: port %u is taken: detach "
                         "what is there first",
                         domid, hc->devid, want);
    *port_r = want;
    return 0;
}

static int choose_in(xlx_ctx *ctx, uint32_t domid,
                     const struct xlx__snapshot *hc,
                     const struct xlx__usbdev *dev,
                     const struct xlx_usb_place *want,
                     struct xlx_usb_place *place_r)
{
    const char *unfit = xlx__place_unfit(hc, dev);
    if (unfit)
        return xlx__fail(ctx, ENOTSUP, "usb %s: controller %u of domain %u: %s",
                         dev->busid, hc->devid, domid, unfit);
    uint32_t port;
    int rc = choose_port(ctx, domid, hc, want->port, &port);
    if (!rc)
        *place_r = (struct xlx_usb_place){ hc->devid, port };
    return rc;
}

int xlx__place_choose(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx__snapshot *list, const bool *reserved,
                      int nr, const struct xlx__usbdev *dev,
                      const struct xlx_usb_place *want,
                      struct xlx_usb_place *place_r)
{
    if (want->hc == XLX_USB_ANY && want->port != XLX_USB_ANY)
        return xlx__fail(ctx, EINVAL,
                         "domain %u: port %u: name its controller too", domid,
                         want->port);
    for (int i = 0; i < nr; i++) {
        if (want->hc == list[i].devid)
            return choose_in(ctx, domid, &list[i], dev, want, place_r);
        if (want->hc == XLX_USB_ANY &&
            is_for(&list[i], reserved && reserved[i], dev))
            return choose_in(ctx, domid, &list[i], dev, want, place_r);
    }
    if (want->hc != XLX_USB_ANY)
        return xlx__fail(ctx, ENODEV,
                         "domain %u: no USB controller %u: see usb-list", domid,
                         want->hc);
    *place_r = (struct xlx_usb_place){ XLX_USB_ANY, 1 };
    return 0;
}
