/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A device that comes back gets its drivers. Our backend calls them itself, and
 * so does a device model that ends in order; usbback does not, nor does anybody
 * who was killed, and the kernel's choice need not be the driver that was there
 * before.
 */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "usb/device/busid.h"
#include "usb/device/notes.h"
#include "usbd/device.h"
#include "xen/domain.h"

#define PATH_SIZE 128
#define NAME_SIZE XLX__USB_NODE_MAX

/* A backend lets go of an interface just before it calls the driver back, and
 * may reset the device in between: this long we leave it to do so. */
#define GRACE_MS 1000
#define POLL_MS 10

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
    int grace_ms;            /* how long the backend may take to do it itself */
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
    int noted = xlx__usbdev_noted_driver(ctx, back->busid, intf, want_r);
    int rc = noted < 0 ? noted : xlx__usbintf_driver(ctx, intf, driver);
    if (rc)
        return rc;
    if (*driver)
        return IS_BACK;
    if (!noted)
        return UNKNOWN;
    return *want_r ? MISSING : HAD_NONE;
}

/* Who calls the drivers back does so for all interfaces: where one has a
 * driver, nobody wants those that have none and of which nothing is known. */
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

/* A driver of several interfaces has the controlling one, takes the others
 * along and refuses these alone: CDC's, audio's and video's. */
static bool is_control(const struct xlx__usbintf *intf)
{
    enum { AUDIO = 0x01, CDC = 0x02, VIDEO = 0x0e, CONTROL = 0x01 };
    return intf->class == CDC ||
           ((intf->class == AUDIO || intf->class == VIDEO) &&
            intf->subclass == CONTROL);
}

/* "1-2:1.10": the controlling ones first, then by number; sysfs has no order.
 */
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
        for (size_t n = i;
             n && rank(&dev, names->v[n]) < rank(&dev, names->v[n - 1]); n--) {
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
    int rc =
        xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, xlx__now_ms() + back->grace_ms,
                         look_all_back, back);
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
