/* SPDX-License-Identifier: LGPL-2.1-only */
/* Which driver has the interfaces of a device now. */
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "host/sysfs.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"

#define NAME_SIZE XLX__USB_NODE_MAX
#define PATH_SIZE 128

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
    return rc == -ENODEV
               ? xlx__fail(ctx, ENODEV, "usb %s: was unplugged", busid)
               : rc;
}
