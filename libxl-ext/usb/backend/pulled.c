/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/backend/pulled.h"

#include <stdlib.h>

#include "core/clean.h"
#include "core/clock.h"
#include "usb/attach/audit.h"
#include "usb/attach/locks.h"
#include "usb/attach/transfer.h"
#include "usb/deadline.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"

/* An address that was not written down speaks against nothing. */
int xlx__usb_is_pulled(xlx_ctx *ctx, uint32_t domid, const char *busid)
{
    struct xlx__usbdev dev;
    uint32_t address;
    if (!xlx__busid_valid(busid))
        return 0;
    int rc = xlx__usbdev_read(ctx, busid, &dev);
    if (rc)
        return rc == -ENODEV ? 1 : rc;
    rc = xlx__usbdev_remembered_address(ctx, busid, domid, &address);
    return rc ? rc : address && address != dev.address;
}

/* 1: the port was emptied. */
static int free_port(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                     int64_t until)
{
    char busid[XLX_USB_BUSID_MAX];
    int rc = xlx__hc_port(ctx, XLX__XS_NO_TX, hc, port, busid);
    if (!rc)
        rc = xlx__usb_is_pulled(ctx, hc->domid, busid);
    if (rc <= 0)
        return rc;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_device(ctx, busid, until);
    if (lock < 0)
        return lock;
    rc = xlx__usb_unplug(ctx, hc, port, busid, xlx__now_ms() + XLX__UNDO_MS);
    xlx__usb_audit(ctx, rc,
                   "usb %s: pulled out: detach from domain %u, controller %u "
                   "port %u",
                   busid, hc->domid, hc->devid, port);
    return rc ? rc : 1;
}

int xlx__usb_free_pulled(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    XLX__AUTO_FREE struct xlx__hc *hcs = NULL;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_domain(ctx, domid, until);
    if (lock < 0)
        return lock;
    int freed = 0, failed = 0, nr = xlx__hc_list(ctx, domid, &hcs);
    for (int i = 0; i < nr; i++) {
        if (hcs[i].type != XLX_USB_QUSB || hcs[i].backend_domid)
            continue;
        for (uint32_t port = 1; port <= hcs[i].nr_ports; port++) {
            int rc = free_port(ctx, &hcs[i], port, until);
            freed += rc > 0;
            failed = rc < 0 ? rc : failed;
        }
    }
    return nr < 0 ? nr : failed ? failed : freed;
}
