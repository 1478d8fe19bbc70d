/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/usbback.h"

#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "xen/xenstore.h"

#define DRIVERS "bus/usb/drivers"
#define NAME "usbback"
#define NOTES "/libxl/usbback" /* libxl's, as are the paths below it */
#define IDS_MAX 4096           /* sysfs gives a page at most */
#define PATH_SIZE 128

int xlx__usbback_loaded(xlx_ctx *ctx)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    int rc = xlx__sysfs_open(ctx);
    if (rc)
        return rc;
    rc = ctx->sysfs->ops->list(ctx->sysfs, DRIVERS "/" NAME, &names);
    if (rc && rc != -ENOENT)
        return xlx__fail_errno(ctx, -rc, "driver " NAME ": cannot look for it");
    return !rc;
}

/* --- what it has ---------------------------------------------------------- */

/* "1-2.3:5:0:1": busid, domain, controller, port. */
static bool read_id(char *line, struct xlx__usbback_id *id)
{
    const char *busid = strsep(&line, ":"), *domid = strsep(&line, ":");
    const char *hc = strsep(&line, ":"), *port = line;
    if (!port || strlen(busid) >= sizeof(id->busid))
        return false;
    strcpy(id->busid, busid);
    return !xlx__parse_u32(domid, 0, UINT16_MAX, &id->domid) &&
           !xlx__parse_u32(hc, 0, UINT16_MAX, &id->place.hc) &&
           !xlx__parse_u32(port, 1, XLX_USB_PORTS_MAX, &id->place.port);
}

static bool same_place(const struct xlx__usbback_id *a,
                       const struct xlx__usbback_id *b)
{
    return a->domid == b->domid && a->place.hc == b->place.hc &&
           a->place.port == b->place.port;
}

int xlx__usbback_find(xlx_ctx *ctx, const struct xlx__usbback_id *want,
                      struct xlx__usbback_id *found_r)
{
    char text[IDS_MAX + 1];
    char *rest = text;
    int rc = ctx->sysfs->ops->read(ctx->sysfs, DRIVERS "/" NAME "/port_ids",
                                   text, sizeof(text));
    if (rc)
        return rc == -ENOENT ? rc
                             : xlx__fail_errno(ctx, -rc,
                                               "driver " NAME ": cannot read "
                                               "what it has");
    for (char *line; (line = strsep(&rest, "\n"));)
        if (read_id(line, found_r) &&
            (!strcmp(found_r->busid, want->busid) || same_place(found_r, want)))
            return 1;
    return 0;
}

int xlx__usbback_claimed(xlx_ctx *ctx, const char *busid)
{
    return xlx__usbdev_all_have(ctx, busid, NAME);
}

/* --- binding -------------------------------------------------------------- */

static int write_to(xlx_ctx *ctx, const char *driver, const char *what,
                    const char *intf)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), DRIVERS "/%s/%s", driver, what);
    int rc = ctx->sysfs->ops->write(ctx->sysfs, path, intf);
    return rc ? xlx__fail_errno(ctx, -rc, "usb %s: cannot %s %s driver %s",
                                intf, what, *what == 'b' ? "it to" : "it from",
                                driver)
              : 0;
}

static int note(xlx_ctx *ctx, const char *busid, const char *intf,
                const char *driver)
{
    char dev[XLX__USB_NODE_MAX], node[XLX__USB_NODE_MAX];
    char path[PATH_SIZE];
    xlx__busid_encode(busid, dev);
    xlx__busid_encode(intf, node);
    snprintf(path, sizeof(path), "/sys/" DRIVERS "/%s", driver);
    return xlx__xs_write(ctx, XLX__XS_NO_TX, path, NOTES "/%s/%s/driver_path",
                         dev, node);
}

static int bind_one(xlx_ctx *ctx, const char *busid, const char *intf)
{
    char driver[XLX__USB_NODE_MAX];
    int rc = xlx__usbintf_driver(ctx, intf, driver);
    if (rc || !strcmp(driver, NAME))
        return rc;
    if (*driver) {
        rc = note(ctx, busid, intf, driver);
        if (!rc)
            rc = write_to(ctx, driver, "unbind", intf);
    }
    return rc ? rc : write_to(ctx, NAME, "bind", intf);
}

int xlx__usbback_bind(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    int rc = xlx__usbdev_intfs(ctx, busid, &intfs);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile", busid);
    for (size_t i = 0; !rc && i < intfs.nr; i++)
        rc = bind_one(ctx, busid, intfs.v[i]);
    return rc;
}

int xlx__usbback_unbind(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_NAMES struct xlx__names intfs = { 0 };
    if (!xlx__busid_valid(busid))
        return 0;
    int rc = xlx__usbdev_intfs(ctx, busid, &intfs);
    for (size_t i = 0; !rc && i < intfs.nr; i++) {
        char driver[XLX__USB_NODE_MAX];
        rc = xlx__usbintf_driver(ctx, intfs.v[i], driver);
        if (!rc && !strcmp(driver, NAME))
            rc = write_to(ctx, NAME, "unbind", intfs.v[i]);
    }
    return rc == -ENODEV ? 0 : rc;
}

int xlx__usbback_forget(xlx_ctx *ctx, const char *busid)
{
    char dev[XLX__USB_NODE_MAX];
    if (!xlx__busid_valid(busid))
        return 0;
    xlx__busid_encode(busid, dev);
    return xlx__xs_rm(ctx, XLX__XS_NO_TX, 1, NOTES "/%s", dev);
}
