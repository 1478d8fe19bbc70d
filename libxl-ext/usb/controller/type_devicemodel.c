/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The device model of an HVM guest emulates the controller, which needs no
 * driver of ours in the guest. libxl keeps its nodes and talks to QEMU; what is
 * left to us is to see that QEMU has really taken the device, for it accepts
 * one that it cannot open.
 */
#include "usb/controller/type.h"

#include <stdio.h>

#include "core/clock.h"
#include "usb/deadline.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usbd/device.h"
#include "xen/domain.h"
#include "xen/libxl_usb.h"

/* So many PCI devices have room on the device model's only bus. */
#define DEVIDS_TRIED 32u
#define LOOK_MS 100

static int devicemodel_check(xlx_ctx *ctx, uint32_t domid)
{
    enum xlx__dom_type type;
    int rc = xlx__dom_type(ctx, domid, &type);
    if (!rc && type != XLX__DOM_HVM)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: USB controller: type devicemodel: not "
                         "an HVM guest, so it has no device model: use "
                         "type=qusb",
                         domid);
    return rc;
}

/* `err` is what libxl returned, 0 or -errno. */
static int report_libxl_failure(xlx_ctx *ctx, int err, const char *what)
{
    const char *why = ctx->libxl->why;
    return err ? xlx__fail(ctx, -err, "%s: %s", what,
                           *why ? why : "libxl gives no reason")
               : 0;
}

/* --- controllers ---------------------------------------------------------- */

static int add_as(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t *devid_r)
{
    return ctx->libxl->ops->hc_add(ctx->libxl, hc->domid, hc->version,
                                   hc->nr_ports, devid_r);
}

/* A number that is free in xenstore may be one that the device model still has,
 * and keeps for as long as the guest does not release it: another one will do.
 * */
static int add_any(xlx_ctx *ctx, const struct xlx__hc *hc, const char *what,
                   uint32_t *devid_r)
{
    int rc = add_as(ctx, hc, devid_r);
    for (uint32_t devid = 0; rc == -EEXIST && devid < DEVIDS_TRIED; devid++) {
        int there = xlx__hc_exists(ctx, hc->domid, devid);
        if (there < 0)
            return there;
        *devid_r = devid;
        if (!there)
            rc = add_as(ctx, hc, devid_r);
    }
    return report_libxl_failure(ctx, rc, what);
}

/* No other one will do: the guest lets go of it, or does not answer. */
static int add_this(xlx_ctx *ctx, const struct xlx__hc *hc, const char *what,
                    uint32_t *devid_r)
{
    int64_t until = xlx__now_ms() + XLX__END_MS;
    int rc;
    while ((rc = add_as(ctx, hc, devid_r)) == -EEXIST && xlx__now_ms() < until)
        xlx__sleep_ms(LOOK_MS);
    return report_libxl_failure(ctx, rc, what);
}

static int devicemodel_make(xlx_ctx *ctx, struct xlx__hc *hc)
{
    char what[64];
    uint32_t devid = hc->devid;
    int rc = xlx__libxl_open(ctx);
    if (rc)
        return rc;
    snprintf(what, sizeof(what), "domain %u: cannot make a USB controller",
             hc->domid);
    rc = devid == XLX_USB_ANY ? add_any(ctx, hc, what, &devid)
                              : add_this(ctx, hc, what, &devid);
    if (rc)
        return rc;
    /* What libxl wrote says where the ports are. */
    rc = xlx__hc_read(ctx, hc->domid, devid, hc);
    if (rc)
        ctx->libxl->ops->hc_remove(ctx->libxl, hc->domid, devid);
    return rc;
}

static int is_there(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    struct xlx__hc now;
    int rc = xlx__hc_find(ctx, hc->domid, hc->devid, &now);
    return rc > 0 ? now.type == XLX_USB_DEVICEMODEL : rc;
}

/* QEMU has it when libxl has made it. */
static int devicemodel_connect(xlx_ctx *ctx, const struct xlx__hc *hc,
                               int64_t until)
{
    (void)ctx;
    (void)hc;
    (void)until;
    return 0;
}

static int remove_hc(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until)
{
    char what[80];
    (void)until;
    int rc = xlx__libxl_open(ctx);
    if (rc)
        return rc;
    snprintf(what, sizeof(what), "domain %u: cannot remove USB controller %u",
             hc->domid, hc->devid);
    return report_libxl_failure(
        ctx, ctx->libxl->ops->hc_remove(ctx->libxl, hc->domid, hc->devid),
        what);
}

/* --- devices -------------------------------------------------------------- */

static int report_device(xlx_ctx *ctx, int err, const struct xlx__move *m)
{
    char what[96];
    snprintf(what, sizeof(what), "usb %.31s: domain %u's device model",
             m->busid, m->hc->domid);
    return report_libxl_failure(ctx, err, what);
}

static int check_numbers(xlx_ctx *ctx, const struct xlx__usbdev *dev)
{
    if (dev->bus < 1 || dev->bus > UINT8_MAX || dev->address < 1 ||
        dev->address > UINT8_MAX)
        return xlx__fail(ctx, ENOTSUP,
                         "usb %s: bus %u device %u: libxl takes 1 to 255",
                         dev->busid, dev->bus, dev->address);
    return 0;
}

static int add_by_libxl(xlx_ctx *ctx, const struct xlx__move *m,
                        const struct xlx__usbdev *dev)
{
    const struct xlx__libxl_dev to = { m->hc->devid, m->port, dev->bus,
                                       dev->address };
    int rc = xlx__libxl_open(ctx);
    return rc ? rc
              : report_device(
                    ctx,
                    ctx->libxl->ops->dev_add(ctx->libxl, m->hc->domid, &to), m);
}

/* By the numbers of the device that was judged: QEMU opens no other one. */
static int devicemodel_plug(xlx_ctx *ctx, const struct xlx__move *m)
{
    struct xlx__usbdev dev;
    int rc = xlx__hc_check_port(ctx, XLX__XS_NO_TX, m->hc, m->port, "");
    if (!rc)
        rc = xlx__usbdev_read_given(ctx, m->busid, m->hc->domid, &dev);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile",
                         m->busid);
    if (!rc)
        rc = check_numbers(ctx, &dev);
    if (!rc)
        rc = xlx__usbdev_note_address(ctx, &dev);
    return rc ? rc : add_by_libxl(ctx, m, &dev);
}

/* The numbers the device was added with: noted by us, or, for one that another
 * tool added, those it has. 1: found; 0: it is not plugged in. */
static int find_numbers(xlx_ctx *ctx, const struct xlx__move *m,
                        struct xlx__libxl_dev *from)
{
    struct xlx__usbdev dev;
    if (!xlx__busid_valid(m->busid))
        return 0;
    int rc =
        xlx__usbdev_noted_address(ctx, m->busid, &from->bus, &from->address);
    if (rc)
        return rc;
    rc = xlx__usbdev_read(ctx, m->busid, &dev);
    if (rc)
        return rc == -ENODEV ? 0 : rc;
    from->bus = dev.bus;
    from->address = dev.address;
    rc = check_numbers(ctx, &dev);
    return rc ? rc : 1;
}

/* QEMU may keep an entry for a device whose numbers nobody knows any more. */
static int empty_port(xlx_ctx *ctx, const struct xlx__move *m)
{
    char now[XLX_USB_BUSID_MAX];
    int rc = xlx__hc_port(ctx, XLX__XS_NO_TX, m->hc, m->port, now);
    return rc || !*now ? rc : xlx__hc_set_port(ctx, m->hc, m->port, now, "");
}

static int devicemodel_unplug(xlx_ctx *ctx, const struct xlx__move *m)
{
    struct xlx__libxl_dev from = { .devid = m->hc->devid, .port = m->port };
    struct xlx__usbdev dev;
    int rc = xlx__hc_check_port(ctx, XLX__XS_NO_TX, m->hc, m->port, m->busid);
    if (!rc)
        rc = xlx__libxl_open(ctx);
    if (!rc)
        rc = find_numbers(ctx, m, &from);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return empty_port(ctx, m);
    rc = ctx->libxl->ops->dev_remove(ctx->libxl, m->hc->domid, &from);
    /* What is not plugged in does not keep its port. */
    if (rc && xlx__usbdev_read(ctx, m->busid, &dev) == -ENODEV)
        return empty_port(ctx, m);
    return report_device(ctx, rc, m);
}

static int devicemodel_claimed(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__usbdev_claimed(ctx, m->busid);
}

/* The file tells: QEMU has it open for as long as it has the device. */
static int devicemodel_holds(xlx_ctx *ctx, const struct xlx__move *m)
{
    char who[XLX__USBD_WHY_MAX];
    struct xlx__usbdev dev;
    int rc = xlx__usbdev_read(ctx, m->busid, &dev);
    if (rc)
        return rc;
    if (xlx__usbd_who_has(xlx_ctx_path(ctx, XLX_PATH_PROC), dev.bus,
                          dev.address, who) == XLX__USBD_ANOTHER)
        return 0;
    rc = xlx__usbdev_all_have(ctx, m->busid, "usbfs");
    return rc == 0 ? -EAGAIN : rc;
}

static int devicemodel_give_back(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__usbdev_restore(ctx, m->busid, m->until);
}

const struct xlx__type xlx__type_devicemodel = {
    .check = devicemodel_check,
    .make = devicemodel_make,
    .connect = devicemodel_connect,
    .connected = is_there,
    .remove = remove_hc,
    .plug = devicemodel_plug,
    .claimed = devicemodel_claimed,
    .holds = devicemodel_holds,
    .unplug = devicemodel_unplug,
    .give_back = devicemodel_give_back,
};
