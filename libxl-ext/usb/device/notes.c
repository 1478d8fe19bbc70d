/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is written down when a device is given away, in xenstore: to whom, its
 * address, and the driver that each interface had.
 */
#include "usb/device/notes.h"

#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "usb/device/busid.h"

#define MEMORY "/libxl-ext/usb"
#define NAME_SIZE XLX__USB_NODE_MAX

struct memo {
    const char *busid;
    uint32_t domid, address;
    struct xlx__names intfs, drivers;
};

static int write_memo(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct memo *memo = arg;
    char dev[NAME_SIZE], intf[NAME_SIZE];
    xlx__busid_encode(memo->busid, dev);
    int rc = xlx__xs_rm(ctx, t, 0, MEMORY "/%s", dev);
    if (!rc)
        rc = xlx__xs_write_u32(ctx, t, memo->domid, MEMORY "/%s/domid", dev);
    if (!rc)
        rc =
            xlx__xs_write_u32(ctx, t, memo->address, MEMORY "/%s/address", dev);
    for (size_t i = 0; !rc && i < memo->intfs.nr; i++) {
        xlx__busid_encode(memo->intfs.v[i], intf);
        rc = xlx__xs_write(ctx, t, memo->drivers.v[i], MEMORY "/%s/driver/%s",
                           dev, intf);
    }
    return rc;
}

static int rm_memo(xlx_ctx *ctx, uint32_t t, void *arg)
{
    return xlx__xs_rm(ctx, t, 2, MEMORY "/%s", (const char *)arg);
}

int xlx__usbdev_note_address(xlx_ctx *ctx, const struct xlx__usbdev *dev)
{
    char node[NAME_SIZE];
    xlx__busid_encode(dev->busid, node);
    int rc =
        xlx__xs_write_u32(ctx, XLX__XS_NO_TX, dev->bus, MEMORY "/%s/bus", node);
    return rc ? rc
              : xlx__xs_write_u32(ctx, XLX__XS_NO_TX, dev->address,
                                  MEMORY "/%s/address", node);
}

int xlx__usbdev_noted_address(xlx_ctx *ctx, const char *busid, uint32_t *bus_r,
                              uint32_t *address_r)
{
    char node[NAME_SIZE];
    xlx__busid_encode(busid, node);
    int rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 1, UINT8_MAX, bus_r,
                              MEMORY "/%s/bus", node);
    if (!rc)
        rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 1, UINT8_MAX, address_r,
                              MEMORY "/%s/address", node);
    if (rc == -ENOENT || rc == -EINVAL)
        return 0;
    return rc ? rc : 1;
}

int xlx__usbdev_forget(xlx_ctx *ctx, const char *busid)
{
    char dev[NAME_SIZE];
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, dev);
    return xlx__xs_transact(ctx, rm_memo, dev);
}

struct gone {
    char dev[NAME_SIZE];
    uint32_t domid, address;
};

/* No such node, or one that is no number, is not what is looked for. */
static int memo_is(xlx_ctx *ctx, uint32_t t, const char *dev, const char *what,
                   uint32_t value)
{
    uint32_t now;
    int rc = xlx__xs_read_u32(ctx, t, 0, UINT32_MAX, &now, MEMORY "/%s/%s", dev,
                              what);
    if (rc)
        return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
    return now == value;
}

static int rm_memo_of_gone(xlx_ctx *ctx, uint32_t t, void *arg)
{
    struct gone *g = arg;
    int rc = memo_is(ctx, t, g->dev, "domid", g->domid);
    if (rc > 0)
        rc = memo_is(ctx, t, g->dev, "address", g->address);
    return rc > 0 ? rm_memo(ctx, t, g->dev) : rc;
}

int xlx__usbdev_forget_gone(xlx_ctx *ctx, const char *busid, uint32_t domid,
                            uint32_t address)
{
    struct gone g = { .domid = domid, .address = address };
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, g.dev);
    return xlx__xs_transact(ctx, rm_memo_of_gone, &g);
}

int xlx__usbdev_is_remembered(xlx_ctx *ctx, const char *busid)
{
    char dev[NAME_SIZE];
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, dev);
    return xlx__xs_exists(ctx, XLX__XS_NO_TX, MEMORY "/%s/domid", dev);
}

/* Those whose guest is wanted: 1, 0 or -errno. */
typedef int wanted_fn(xlx_ctx *ctx, uint32_t domid, uint32_t arg);

static int remembered(xlx_ctx *ctx, wanted_fn *wanted, uint32_t arg,
                      struct xlx__names *busids)
{
    XLX__AUTO_NAMES struct xlx__names all = { 0 };
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &all, MEMORY);
    for (size_t i = 0; rc >= 0 && i < all.nr; i++) {
        char busid[NAME_SIZE];
        uint32_t owner;
        if (strlen(all.v[i]) >= XLX_USB_BUSID_MAX)
            continue;
        rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT32_MAX, &owner,
                              MEMORY "/%s/domid", all.v[i]);
        if (!rc)
            rc = wanted(ctx, owner, arg);
        if (rc == -ENOENT || rc == -EINVAL)
            rc = 0;
        if (rc <= 0)
            continue;
        xlx__busid_decode(all.v[i], busid);
        if ((rc = xlx__names_add(busids, busid)))
            xlx__fail(ctx, ENOMEM, "usb: no memory");
    }
    return rc < 0 ? rc : 0;
}

static int is_domain(xlx_ctx *ctx, uint32_t domid, uint32_t arg)
{
    (void)ctx;
    return domid == arg;
}

static int is_any(xlx_ctx *ctx, uint32_t domid, uint32_t arg)
{
    (void)ctx;
    (void)domid;
    (void)arg;
    return 1;
}

int xlx__usbdev_remembered(xlx_ctx *ctx, uint32_t domid,
                           struct xlx__names *busids)
{
    return remembered(ctx, is_domain, domid, busids);
}

int xlx__usbdev_given_to(xlx_ctx *ctx, const char *busid, uint32_t *domid_r)
{
    char dev[NAME_SIZE];
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, dev);
    int rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT16_MAX, domid_r,
                              MEMORY "/%s/domid", dev);
    if (rc == -ENOENT || rc == -EINVAL)
        return 0;
    return rc ? rc : 1;
}

int xlx__usbdev_all_remembered(xlx_ctx *ctx, struct xlx__names *busids)
{
    return remembered(ctx, is_any, 0, busids);
}

int xlx__usbdev_remembered_address(xlx_ctx *ctx, const char *busid,
                                   uint32_t domid, uint32_t *address_r)
{
    char dev[NAME_SIZE];
    uint32_t owner;
    *address_r = 0;
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, dev);
    int rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT32_MAX, &owner,
                              MEMORY "/%s/domid", dev);
    if (!rc && owner == domid)
        rc = xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, UINT32_MAX, address_r,
                              MEMORY "/%s/address", dev);
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

int xlx__usbdev_noted_driver(xlx_ctx *ctx, const char *busid, const char *intf,
                             char driver_r[NAME_SIZE])
{
    XLX__AUTO_FREE char *text = NULL;
    char dev[NAME_SIZE], node[NAME_SIZE];
    xlx__busid_encode(busid, dev);
    xlx__busid_encode(intf, node);
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, MEMORY "/%s/driver/%s",
                          dev, node);
    snprintf(driver_r, NAME_SIZE, "%s", rc ? "" : text);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    return 1;
}

static int add_driver(xlx_ctx *ctx, struct memo *memo, const char *intf,
                      const char *driver)
{
    if (xlx__names_add(&memo->intfs, intf) ||
        xlx__names_add(&memo->drivers, driver))
        return xlx__fail(ctx, ENOMEM, "usb %s: no memory", memo->busid);
    return 0;
}

/* Whether anything was written down for the device. */
static int has_memo(xlx_ctx *ctx, const char *busid)
{
    char dev[NAME_SIZE];
    xlx__busid_encode(busid, dev);
    return xlx__xs_exists(ctx, XLX__XS_NO_TX, MEMORY "/%s", dev);
}

/*
 * A driver that is missing now but written down stays so: a device whose
 * backend was killed is given away again before it was given back. What such a
 * one has had since its configuration was changed is not known to have no
 * driver.
 */
static int read_drivers(xlx_ctx *ctx, struct memo *memo)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    int rc = xlx__usbdev_intfs(ctx, memo->busid, &intfs);
    if (rc == -ENODEV)
        xlx__fail(ctx, ENODEV, "usb %s: no such device on this host",
                  memo->busid);
    int again = rc ? rc : has_memo(ctx, memo->busid);
    rc = again < 0 ? again : 0;
    for (size_t i = 0; !rc && i < intfs.nr; i++) {
        char driver[NAME_SIZE];
        int noted = 0;
        rc = xlx__usbintf_driver(ctx, intfs.v[i], driver);
        if (!rc && !*driver)
            noted =
                xlx__usbdev_noted_driver(ctx, memo->busid, intfs.v[i], driver);
        rc = noted < 0 ? noted : rc;
        if (!rc && (*driver || noted || !again))
            rc = add_driver(ctx, memo, intfs.v[i], driver);
    }
    return rc;
}

int xlx__usbdev_remember(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         uint32_t domid)
{
    struct memo memo = { .busid = dev->busid,
                         .domid = domid,
                         .address = dev->address };
    int rc = read_drivers(ctx, &memo);
    if (!rc)
        rc = xlx__xs_transact(ctx, write_memo, &memo);
    xlx__names_free(&memo.intfs);
    xlx__names_free(&memo.drivers);
    return rc;
}

int xlx__usbdev_read_given(xlx_ctx *ctx, const char *busid, uint32_t domid,
                           struct xlx__usbdev *dev_r)
{
    uint32_t address = 0;
    int rc =
        xlx__busid_valid(busid) ? xlx__usbdev_read(ctx, busid, dev_r) : -ENODEV;
    if (!rc)
        rc = xlx__usbdev_remembered_address(ctx, busid, domid, &address);
    return !rc && address && address != dev_r->address ? -ENODEV : rc;
}
