/* SPDX-License-Identifier: LGPL-2.1-only */
#include "libxl_ext_usb.h"

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/undo.h"
#include "usb/attach/audit.h"
#include "usb/attach/locks.h"
#include "usb/attach/repair.h"
#include "usb/attach/transfer.h"
#include "usb/controller/hc.h"
#include "usb/controller/type.h"
#include "usb/deadline.h"

struct destroy {
    struct xlx__hc hc;
    int64_t until;
    /* What was unplugged, by port - 1; without a busid: nothing. */
    struct xlx__usbdev dev[XLX_USB_PORTS_MAX];
    bool closing;
};

static int unplug_port(xlx_ctx *ctx, struct destroy *d, uint32_t port)
{
    char busid[XLX_USB_BUSID_MAX];
    struct xlx__usbdev dev;
    int rc = xlx__hc_port(ctx, XLX__XS_NO_TX, &d->hc, port, busid);
    if (rc || !busid[0])
        return rc;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_device(ctx, busid, d->until);
    if (lock < 0)
        return lock;
    int given = xlx__usbdev_read_given(ctx, busid, d->hc.domid, &dev);
    rc = given && given != -ENODEV
             ? given
             : xlx__usb_unplug(ctx, &d->hc, port, busid, d->until);
    if (!rc && !given)
        d->dev[port - 1] = dev;
    return rc;
}

static int unplug_all(xlx_ctx *ctx, void *job)
{
    struct destroy *d = job;
    int rc = 0;
    for (uint32_t port = 1; !rc && port <= d->hc.nr_ports; port++)
        rc = unplug_port(ctx, d, port);
    return rc;
}

static void undo_unplug_all(xlx_ctx *ctx, void *job)
{
    struct destroy *d = job;
    for (uint32_t port = 1; port <= d->hc.nr_ports; port++)
        if (d->dev[port - 1].busid[0])
            xlx__usb_plug(ctx, &d->hc, port, &d->dev[port - 1],
                          xlx__now_ms() + XLX__UNDO_MS);
}

static int close_and_remove(xlx_ctx *ctx, void *job)
{
    struct destroy *d = job;
    d->closing = true;
    return xlx__type_of(&d->hc)->remove(ctx, &d->hc, d->until);
}

/* A closed controller does not open again: the same one is made again. */
static void make_again(xlx_ctx *ctx, void *job)
{
    struct destroy *d = job;
    const struct xlx__type *type = xlx__type_of(&d->hc);
    if (!d->closing || type->connected(ctx, &d->hc) > 0)
        return;
    type->remove(ctx, &d->hc, xlx__now_ms() + XLX__UNDO_MS);
    if (!type->make(ctx, &d->hc))
        type->connect(ctx, &d->hc, xlx__now_ms() + XLX__UNDO_MS);
}

/* The controller is gone; a backend that stays is not worth a failure. */
static void stop_unused(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    const struct xlx__type *type = xlx__type_of(hc);
    if (!type->stop_unused)
        return;
    xlx__tolerate(ctx, 1);
    int rc = type->stop_unused(ctx, hc->domid, xlx__now_ms() + XLX__UNDO_MS);
    xlx__tolerate(ctx, -1);
    if (rc)
        xlx__warn(ctx, "domain %u: the USB backend process keeps running: %s",
                  hc->domid, xlx_ctx_error(ctx));
}

static int destroy(xlx_ctx *ctx, struct destroy *d)
{
    static const struct xlx__step steps[] = {
        { unplug_all, undo_unplug_all },
        { close_and_remove, make_again },
    };
    int rc = xlx__plan_run(ctx, steps, XLX__NR(steps), d);
    xlx__usb_audit(ctx, rc, "usb: remove controller %u of domain %u",
                   d->hc.devid, d->hc.domid);
    return rc;
}

int xlx_usb_hc_destroy(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                       int timeout_ms)
{
    struct destroy d = { .until = xlx__now_ms() + timeout_ms };
    int rc = xlx__usb_check_domain(ctx, domid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_domain(ctx, domid, d.until);
    if (lock < 0)
        return lock;
    rc = xlx__usb_repair_domain(ctx, domid, d.until);
    if (!rc)
        rc = xlx__hc_read(ctx, domid, devid, &d.hc);
    if (!rc)
        rc = xlx__usb_check_hc(ctx, &d.hc);
    if (!rc)
        rc = destroy(ctx, &d);
    /* One that was killed may have started a backend, or not got to end it. */
    if (rc == -ENODEV)
        d.hc = (struct xlx__hc){ .domid = domid, .type = XLX_USB_QUSB };
    if (!rc || rc == -ENODEV)
        stop_unused(ctx, &d.hc);
    return rc;
}
