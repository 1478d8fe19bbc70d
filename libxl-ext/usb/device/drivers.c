/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which driver has the interfaces of a device, written down before a device is
 * given away and looked after when it comes back. Our backend calls the drivers
 * back itself, and so does a device model that ends in order; usbback does not,
 * nor does anybody who was killed, and the kernel's choice need not be the
 * driver that was there before.
 */
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usbd/device.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define MEMORY "/libxl-ext/usb"
#define NAME_SIZE XLX__USB_NODE_MAX
#define PATH_SIZE 128

/* A backend lets go of an interface just before it calls the driver back, and may
 * reset the device in between: this long we leave it to do so. */
#define GRACE_MS 1000
#define POLL_MS 10

static const char devices[] = "bus/usb/devices";

/* The interfaces of a device lie in its folder: "1-2/1-2:1.0". */
int xlx__usbdev_intfs(xlx_ctx *ctx, const char *busid, struct xlx__names *intfs)
{
    XLX__AUTO_NAMES struct xlx__names all = { 0 };
    char path[PATH_SIZE];
    size_t n = strlen(busid);
    int rc = xlx__sysfs_open(ctx);
    if (rc)
        return rc;
    snprintf(path, sizeof(path), "%s/%s", devices, busid);
    rc = ctx->sysfs->ops->list(ctx->sysfs, path, &all);
    if (rc == -ENOENT || rc == -ENODEV)
        return -ENODEV;
    for (size_t i = 0; !rc && i < all.nr; i++)
        if (!strncmp(all.v[i], busid, n) && all.v[i][n] == ':' &&
            strlen(all.v[i]) < NAME_SIZE)
            rc = xlx__names_add(intfs, all.v[i]);
    return rc ? xlx__fail_errno(ctx, -rc, "usb %s: cannot list interfaces",
                                busid)
              : 0;
}

int xlx__usbintf_driver(xlx_ctx *ctx, const char *intf,
                        char driver_r[NAME_SIZE])
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s/driver", devices, intf);
    int rc = ctx->sysfs->ops->link(ctx->sysfs, path, driver_r, NAME_SIZE);
    if (rc == -ENOENT) {
        driver_r[0] = '\0';
        return 0;
    }
    return rc ? xlx__fail_errno(ctx, -rc, "usb %s: cannot read driver", intf)
              : 0;
}

int xlx__usbdev_claimed(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    int rc = xlx__usbdev_intfs(ctx, busid, &intfs);
    for (size_t i = 0; !rc && i < intfs.nr; i++) {
        char driver[NAME_SIZE];
        rc = xlx__usbintf_driver(ctx, intfs.v[i], driver);
        if (!rc && (!strcmp(driver, "usbfs") || !strcmp(driver, "usbback")))
            return 1;
    }
    return rc;
}

int xlx__usbdev_all_have(xlx_ctx *ctx, const char *busid, const char *driver)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    int rc = xlx__usbdev_intfs(ctx, busid, &intfs);
    for (size_t i = 0; !rc && i < intfs.nr; i++) {
        char now[NAME_SIZE];
        rc = xlx__usbintf_driver(ctx, intfs.v[i], now);
        if (!rc && strcmp(now, driver))
            return 0;
    }
    return rc ? rc : intfs.nr > 0;
}

int xlx__usbdev_drivers(xlx_ctx *ctx, const char *busid,
                        struct xlx__names *drivers)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    int rc = xlx__usbdev_intfs(ctx, busid, &intfs);
    for (size_t i = 0; !rc && i < intfs.nr; i++) {
        char driver[NAME_SIZE], text[2 * NAME_SIZE + 8];
        rc = xlx__usbintf_driver(ctx, intfs.v[i], driver);
        if (rc || !*driver)
            continue;
        snprintf(text, sizeof(text), "%s from %s", intfs.v[i], driver);
        if ((rc = xlx__names_add(drivers, text)))
            xlx__fail(ctx, ENOMEM, "usb: no memory");
    }
    return rc == -ENODEV ? xlx__fail(ctx, ENODEV, "usb %s: was unplugged",
                                     busid)
                         : rc;
}

/* --- memory --------------------------------------------------------------- */

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
        rc = xlx__xs_write_u32(ctx, t, memo->address, MEMORY "/%s/address",
                               dev);
    for (size_t i = 0; !rc && i < memo->intfs.nr; i++) {
        xlx__busid_encode(memo->intfs.v[i], intf);
        rc = xlx__xs_write(ctx, t, memo->drivers.v[i],
                           MEMORY "/%s/driver/%s", dev, intf);
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
    int rc = xlx__xs_write_u32(ctx, XLX__XS_NO_TX, dev->bus, MEMORY "/%s/bus",
                               node);
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
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc ? rc : 1;
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
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc ? rc : 1;
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

/* 1, and the driver written down for an interface, "" when it had none; 0, and
 * "": nothing is written down for it, as it was not there then. */
static int remembered_driver(xlx_ctx *ctx, const char *busid, const char *intf,
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
 * one has had since its configuration was changed is not known to have no driver.
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
            noted = remembered_driver(ctx, memo->busid, intfs.v[i], driver);
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
    int rc = xlx__busid_valid(busid) ? xlx__usbdev_read(ctx, busid, dev_r)
                                     : -ENODEV;
    if (!rc)
        rc = xlx__usbdev_remembered_address(ctx, busid, domid, &address);
    return !rc && address && address != dev_r->address ? -ENODEV : rc;
}

/* --- giving back ---------------------------------------------------------- */

/* All processes are looked at for it. */
#define LOOK_WHO_MS 500

struct claim {
    const char *busid;
    int64_t look_who; /* not before */
};

/* A program of this host that came after the backend has all the time it wants.
 * 1: such a one has the device. */
static int is_left(xlx_ctx *ctx, struct claim *c)
{
    char who[XLX__USBD_WHY_MAX];
    struct xlx__usbdev dev;
    if (xlx__now_ms() < c->look_who)
        return 0;
    c->look_who = xlx__now_ms() + LOOK_WHO_MS;
    int rc = xlx__usbdev_read(ctx, c->busid, &dev);
    if (rc || xlx__usbd_who_has(xlx_ctx_path(ctx, XLX_PATH_PROC), dev.bus,
                                dev.address, who) != XLX__USBD_ANOTHER)
        return rc;
    xlx__warn(ctx, "usb %s: in use%s, and left there", c->busid, who);
    return 1;
}

enum { RELEASED = 1, LEFT };

static int look_released(xlx_ctx *ctx, void *arg)
{
    struct claim *c = arg;
    int rc = xlx__usbdev_claimed(ctx, c->busid);
    if (rc == 0)
        return RELEASED;
    if (rc == 1)
        rc = is_left(ctx, c);
    return rc == 1 ? LEFT : rc;
}

struct back {
    const char *busid;
    int grace_ms; /* how long the backend may take to do it itself */
    struct xlx__names intfs; /* in the order in which they come back */
};

enum is_back {
    MISSING,  /* it should have `want_r`, and has none */
    UNKNOWN,  /* it has none, and what it should have nobody wrote down */
    HAD_NONE, /* and has none */
    IS_BACK,  /* it has a driver */
};

/* One of these, or -errno; `want_r` is "" but for MISSING and IS_BACK. */
static int is_back(xlx_ctx *ctx, const struct back *back, const char *intf,
                   char want_r[NAME_SIZE])
{
    char driver[NAME_SIZE];
    int noted = remembered_driver(ctx, back->busid, intf, want_r);
    int rc = noted < 0 ? noted : xlx__usbintf_driver(ctx, intf, driver);
    if (rc)
        return rc;
    if (*driver)
        return IS_BACK;
    if (!noted)
        return UNKNOWN;
    return *want_r ? MISSING : HAD_NONE;
}

/* Who calls the drivers back does so for all interfaces: where one has a driver,
 * nobody wants those that have none and of which nothing is known. */
static int look_all_back(xlx_ctx *ctx, void *arg)
{
    struct back *back = arg;
    char want[NAME_SIZE];
    bool called = false, unknown = false;
    for (size_t i = 0; i < back->intfs.nr; i++) {
        int rc = is_back(ctx, back, back->intfs.v[i], want);
        if (rc <= MISSING)
            return rc;
        called |= rc == IS_BACK;
        unknown |= rc == UNKNOWN;
    }
    return called || !unknown;
}

static int call_back(xlx_ctx *ctx, const struct back *back, const char *intf)
{
    char want[NAME_SIZE], path[PATH_SIZE];
    int rc = is_back(ctx, back, intf, want);
    if (rc < 0 || rc > UNKNOWN)
        return rc < 0 ? rc : 0;
    rc = 0;
    if (*want) {
        snprintf(path, sizeof(path), "bus/usb/drivers/%s/bind", want);
        rc = ctx->sysfs->ops->write(ctx->sysfs, path, intf);
    }
    /* The driver was unloaded meanwhile, or never known. */
    if (!*want || rc)
        rc = ctx->sysfs->ops->write(ctx->sysfs, "bus/usb/drivers_probe", intf);
    int now = is_back(ctx, back, intf, want);
    if (now == MISSING)
        xlx__warn(ctx, "usb %s: its driver %s does not take it back%s%s", intf,
                  want, rc ? ": " : "", rc ? strerror(-rc) : "");
    return now < 0 ? now : 0;
}

/* A driver of several interfaces has the controlling one, takes the others along
 * and refuses these alone: CDC's, audio's and video's. */
static bool is_control(const struct xlx__usbintf *intf)
{
    enum { AUDIO = 0x01, CDC = 0x02, VIDEO = 0x0e, CONTROL = 0x01 };
    return intf->class == CDC ||
           ((intf->class == AUDIO || intf->class == VIDEO) &&
            intf->subclass == CONTROL);
}

/* "1-2:1.10": the controlling ones first, then by number; sysfs has no order. */
static unsigned rank(const struct xlx__usbdev *dev, const char *name)
{
    uint32_t number = 0;
    const char *dot = strrchr(name, '.');
    if (dot)
        xlx__parse_u32(dot + 1, 0, UINT8_MAX, &number);
    for (unsigned i = 0; i < dev->nr_intfs; i++)
        if (dev->intf[i].number == number && is_control(&dev->intf[i]))
            return number;
    return UINT8_MAX + 1 + number;
}

static int list_in_order(xlx_ctx *ctx, struct back *back)
{
    struct xlx__usbdev dev;
    struct xlx__names *names = &back->intfs;
    int rc = xlx__usbdev_read(ctx, back->busid, &dev);
    if (!rc)
        rc = xlx__usbdev_intfs(ctx, back->busid, names);
    for (size_t i = 1; !rc && i < names->nr; i++)
        for (size_t n = i; n && rank(&dev, names->v[n]) <
                                    rank(&dev, names->v[n - 1]);
             n--) {
            char *name = names->v[n];
            names->v[n] = names->v[n - 1];
            names->v[n - 1] = name;
        }
    return rc;
}

/* Of the one that was given away, not another that is there now. False: it went
 * with that. */
static bool reset_given(xlx_ctx *ctx, const char *busid)
{
    struct xlx__usbdev dev;
    uint32_t domid, address;
    if (xlx__usbdev_given_to(ctx, busid, &domid) != 1 ||
        xlx__usbdev_remembered_address(ctx, busid, domid, &address) ||
        xlx__usbdev_read(ctx, busid, &dev) || dev.address != address)
        return true;
    return xlx__usbdev_reset(ctx, busid);
}

static int restore_all(xlx_ctx *ctx, struct back *back)
{
    int rc = xlx__xs_wait_for(ctx, NULL, 0, POLL_MS,
                              xlx__now_ms() + back->grace_ms, look_all_back,
                              back);
    if (rc < 0 && rc != -ETIMEDOUT)
        return rc;
    /* One that does so and has not was killed at work. */
    if (rc < 0 && back->grace_ms && !reset_given(ctx, back->busid))
        return 0;
    rc = 0;
    for (size_t i = 0; !rc && i < back->intfs.nr; i++)
        rc = call_back(ctx, back, back->intfs.v[i]);
    return rc;
}

/* 1: what is there now has another address than what was given away. The kernel
 * has found its drivers, or a program of this host has claimed it. */
static int is_another(xlx_ctx *ctx, const char *busid)
{
    struct xlx__usbdev dev;
    uint32_t domid;
    int rc = xlx__usbdev_given_to(ctx, busid, &domid);
    if (rc <= 0)
        return rc;
    rc = xlx__usbdev_read_given(ctx, busid, domid, &dev);
    return rc == -ENODEV ? 1 : rc;
}

static int restore(xlx_ctx *ctx, const char *busid, int grace_ms, int64_t until)
{
    struct back back = { .busid = busid, .grace_ms = grace_ms };
    struct claim claim = { .busid = busid };
    int rc = xlx__busid_valid(busid) ? is_another(ctx, busid) : 1;
    if (rc)
        return rc < 0 ? rc : 0;
    rc = xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, until, look_released, &claim);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "usb %s: the backend does not release it", busid);
    if (rc == LEFT)
        return 0;
    rc = rc < 0 ? rc : list_in_order(ctx, &back);
    if (!rc)
        rc = restore_all(ctx, &back);
    xlx__names_free(&back.intfs);
    /* Unplugged meanwhile. */
    return rc == -ENODEV ? 0 : rc;
}

int xlx__usbdev_restore(xlx_ctx *ctx, const char *busid, int64_t until)
{
    return restore(ctx, busid, GRACE_MS, until);
}

int xlx__usbdev_rebind(xlx_ctx *ctx, const char *busid, int64_t until)
{
    return restore(ctx, busid, 0, until);
}
