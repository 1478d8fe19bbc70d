/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/backend/park.h"

#include <stdlib.h>

#include "core/clean.h"
#include "core/clock.h"
#include "usb/admission/refuse.h"
#include "usb/attach/locks.h"
#include "usb/attach/transfer.h"
#include "usb/backend/pulled.h"
#include "usb/deadline.h"
#include "usb/device/device.h"

static bool is_ours_to_park(const struct xlx__hc *hc)
{
    return hc->type == XLX_USB_QUSB && !hc->backend_domid;
}

static int park_one(xlx_ctx *ctx, const struct xlx__hc *hc,
                    struct xlx__parked *p)
{
    int rc = 0;
    p->hc = *hc;
    for (uint32_t port = 1; !rc && port <= hc->nr_ports; port++)
        rc = xlx__hc_port(ctx, XLX__XS_NO_TX, hc, port, p->busid[port - 1]);
    if (!rc)
        rc = xlx__hc_close_orphan(ctx, hc, xlx__now_ms() + XLX__ORPHAN_MS);
    return rc ? rc : xlx__hc_remove(ctx, hc);
}

/* A guest that finds the nodes of a controller there again, before it has looked
 * that they were gone, takes it for the old one, which it has closed. */
static int make_again(xlx_ctx *ctx, struct xlx__parked *list, int nr)
{
    int rc = 0;
    if (nr)
        xlx__sleep_ms(XLX__NOTICE_MS);
    for (int i = 0; !rc && i < nr; i++)
        rc = xlx__hc_make(ctx, &list[i].hc);
    return rc;
}

int xlx__park(xlx_ctx *ctx, uint32_t domid, struct xlx__parked **list_r)
{
    XLX__AUTO_FREE struct xlx__hc *hcs = NULL;
    XLX__AUTO_FREE struct xlx__parked *list = NULL;
    int nr = 0, all = xlx__hc_list(ctx, domid, &hcs);
    if (all > 0 && !(list = calloc((size_t)all, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    for (int i = 0; i < all; i++) {
        int rc = is_ours_to_park(&hcs[i]) ? xlx__hc_rewind(ctx, &hcs[i]) : 1;
        if (!rc)
            rc = park_one(ctx, &hcs[i], &list[nr++]);
        if (rc < 0)
            return rc;
    }
    int rc = all < 0 ? all : make_again(ctx, list, nr);
    if (rc)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

void xlx__close_all(xlx_ctx *ctx, uint32_t domid)
{
    XLX__AUTO_FREE struct xlx__hc *hcs = NULL;
    int nr = xlx__hc_list(ctx, domid, &hcs);
    for (int i = 0; i < nr; i++)
        if (is_ours_to_park(&hcs[i]) &&
            !xlx__hc_close_orphan(ctx, &hcs[i],
                                  xlx__now_ms() + XLX__ORPHAN_MS))
            xlx__hc_remove(ctx, &hcs[i]);
}

static void give_back(xlx_ctx *ctx, const char *busid)
{
    if (!xlx__usbdev_restore(ctx, busid, xlx__now_ms() + XLX__UNDO_MS))
        xlx__usbdev_forget(ctx, busid);
}

/* Nobody else was given the device since. */
static bool is_ours(xlx_ctx *ctx, uint32_t domid, const char *busid)
{
    uint32_t owner;
    return xlx__usbdev_given_to(ctx, busid, &owner) == 1 && owner == domid;
}

/* The device that was there, not in use by this host again, and ready for
 * another backend. */
static bool make_ready(xlx_ctx *ctx, uint32_t domid, const char *busid)
{
    struct xlx__usbdev dev;
    int rc = xlx__usb_is_pulled(ctx, domid, busid);
    if (!rc && !(rc = xlx__usbdev_read(ctx, busid, &dev)))
        rc = xlx__refuse_device(ctx, &dev, true);
    if (rc < 0 && rc != -ENODEV) {
        xlx__warn(ctx, "%s", xlx_ctx_error(ctx));
        return false;
    }
    return !rc && xlx__usbdev_reset(ctx, busid);
}

static void unpark_device(xlx_ctx *ctx, const struct xlx__hc *hc, bool made,
                          uint32_t port, const char *busid)
{
    XLX__AUTO_CLOSE int lock =
        xlx__usb_lock_device(ctx, busid, xlx__now_ms() + XLX__ANSWER_MS);
    if (lock >= 0 && is_ours(ctx, hc->domid, busid)) {
        if (made && make_ready(ctx, hc->domid, busid)) {
            if (!xlx__usb_plug(ctx, hc, port, busid,
                               xlx__now_ms() + XLX__ANSWER_MS))
                return;
        } else {
            give_back(ctx, busid);
        }
    }
    xlx__warn(ctx, "usb %s: did not come back to domain %u", busid, hc->domid);
}

/* One that was destroyed meanwhile, as between two starts of QEMU, stays so. */
static void unpark_one(xlx_ctx *ctx, const struct xlx__parked *p)
{
    const struct xlx__hc *hc = &p->hc;
    int rc = xlx__hc_exists(ctx, hc->domid, hc->devid);
    bool there = rc > 0;
    if (there)
        rc = xlx__hc_connect(ctx, hc, xlx__now_ms() + XLX__ANSWER_MS);
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (p->busid[i][0])
            unpark_device(ctx, hc, there && !rc, i + 1, p->busid[i]);
    if (there && rc) {
        xlx__warn(ctx, "domain %u: USB controller %u did not come back",
                  hc->domid, hc->devid);
        xlx__hc_close_and_remove(ctx, hc, xlx__now_ms() + XLX__UNDO_MS);
    }
}

void xlx__unpark(xlx_ctx *ctx, const struct xlx__parked *list, int nr)
{
    for (int i = 0; i < nr; i++)
        unpark_one(ctx, &list[i]);
}

void xlx__give_all_back(xlx_ctx *ctx, uint32_t domid)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    xlx__usbdev_remembered(ctx, domid, &busids);
    for (size_t i = 0; i < busids.nr; i++)
        give_back(ctx, busids.v[i]);
}
