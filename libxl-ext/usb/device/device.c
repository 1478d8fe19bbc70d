/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/device/device.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "usb/device/busid.h"

#define DEVICES "bus/usb/devices"
#define PATH_SIZE 160
#define CLASS_HUB 0x09
#define READS_MAX 3
#define SUPER_SPEED 5000u /* Mbit/s */

/* Without a report -ENOENT for an attribute that is not there, -ENODEV for a
 * device that goes while it is read. */
static int read_attr(xlx_ctx *ctx, const char *busid, const char *attr,
                     char *buf, size_t size)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), DEVICES "/%s/%s", busid, attr);
    int rc = ctx->sysfs->ops->read(ctx->sysfs, path, buf, size);
    if (rc && rc != -ENOENT && rc != -ENODEV)
        return xlx__fail_errno(ctx, -rc, "usb %s: cannot read %s", busid, attr);
    return rc;
}

/* An attribute of exactly `digits` hexadecimal digits; 0 when it is not. */
static int read_hex(xlx_ctx *ctx, const char *busid, const char *attr,
                    size_t digits, uint16_t *value_r)
{
    char text[16];
    *value_r = 0;
    int rc = read_attr(ctx, busid, attr, text, sizeof(text));
    if (rc || strlen(text) != digits)
        return rc == -ENOENT ? 0 : rc;
    uint32_t value;
    if (!xlx__parse_hex(text, digits, &value))
        *value_r = (uint16_t)value;
    return 0;
}

static int read_hex8(xlx_ctx *ctx, const char *busid, const char *attr,
                     uint8_t *value_r)
{
    uint16_t value;
    int rc = read_hex(ctx, busid, attr, 2, &value);
    *value_r = (uint8_t)value;
    return rc;
}

/* A decimal number; 0 when it is none. */
static int read_number(xlx_ctx *ctx, const char *busid, const char *attr,
                       uint32_t *value_r)
{
    char text[16];
    *value_r = 0;
    int rc = read_attr(ctx, busid, attr, text, sizeof(text));
    if (!rc)
        xlx__parse_u32(text, 0, UINT32_MAX, value_r);
    return rc == -ENOENT ? 0 : rc;
}

static int read_speed(xlx_ctx *ctx, const char *busid, uint32_t *mbits_r)
{
    char text[16];
    *mbits_r = 0;
    int rc = read_attr(ctx, busid, "speed", text, sizeof(text));
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    text[strcspn(text, ".")] = '\0'; /* low speed is "1.5" */
    xlx__parse_u32(text, 0, UINT32_MAX, mbits_r);
    return 0;
}

/* As USBGuard has it. A kernel that does not know of that has no such file. */
static int read_authorized(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    char text[4];
    int rc = read_attr(ctx, dev->busid, "authorized", text, sizeof(text));
    dev->unauthorized = !rc && !strcmp(text, "0");
    return rc == -ENOENT ? 0 : rc;
}

/* "Maker Product"; a device need have neither. */
static int read_name(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    char maker[XLX_USB_NAME_MAX] = "", product[XLX_USB_NAME_MAX] = "";
    int rc = read_attr(ctx, dev->busid, "manufacturer", maker, sizeof(maker));
    if (!rc || rc == -ENOENT)
        rc = read_attr(ctx, dev->busid, "product", product, sizeof(product));
    if (rc && rc != -ENOENT)
        return rc;
    size_t n = strlen(maker);
    snprintf(dev->name, sizeof(dev->name), "%s", maker);
    if (n && *product && n + 1 < sizeof(dev->name))
        dev->name[n++] = ' ';
    snprintf(dev->name + n, sizeof(dev->name) - n, "%s", product);
    return 0;
}

static int read_serial(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    int rc =
        read_attr(ctx, dev->busid, "serial", dev->serial, sizeof(dev->serial));
    return rc == -ENOENT ? 0 : rc;
}

/* "../../../devices/pci0000:00/0000:00:14.0/usb1/1-2": what is between. */
static void take_controller(const char *target, struct xlx__usbdev *dev)
{
    const char *begin = strstr(target, "devices/"),
               *end = strstr(target, "/usb");
    if (!begin || !end)
        return;
    begin += strlen("devices/");
    int n = snprintf(dev->controller, sizeof(dev->controller), "%.*s/usb%d",
                     (int)(end > begin ? end - begin : 0), begin,
                     dev->mbits >= SUPER_SPEED ? 3 : 2);
    /* A part of one would be another's. */
    if (end <= begin || n >= (int)sizeof(dev->controller))
        dev->controller[0] = '\0';
}

static int read_controller(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    char path[PATH_SIZE], target[PATH_MAX];
    snprintf(path, sizeof(path), DEVICES "/%s", dev->busid);
    int rc = xlx__sysfs_target_any(ctx, path, target, sizeof(target));
    if (!rc)
        take_controller(target, dev);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    const struct xlx__usbintf *x = a, *y = b;
    return x->number - y->number;
}

/* `name` is "1-2:1.0"; reads "1-2/1-2:1.0/bInterfaceClass" and so on. */
static int read_intf(xlx_ctx *ctx, const char *busid, const char *name,
                     struct xlx__usbdev *dev)
{
    char path[2 * XLX_USB_BUSID_MAX + 16];
    struct xlx__usbintf *intf = &dev->intf[dev->nr_intfs];
    if (dev->nr_intfs == XLX__USB_INTFS_MAX) {
        dev->more_intfs = true;
        return 0;
    }
    int rc;
    snprintf(path, sizeof(path), "%s/%s", busid, name);
    if ((rc = read_hex8(ctx, path, "bInterfaceNumber", &intf->number)) ||
        (rc = read_hex8(ctx, path, "bInterfaceClass", &intf->class)) ||
        (rc = read_hex8(ctx, path, "bInterfaceSubClass", &intf->subclass)) ||
        (rc = read_hex8(ctx, path, "bInterfaceProtocol", &intf->protocol)))
        return rc;
    dev->nr_intfs++;
    return 0;
}

static int read_intfs(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    char path[PATH_SIZE];
    size_t n = strlen(dev->busid);
    snprintf(path, sizeof(path), DEVICES "/%s", dev->busid);
    int rc = ctx->sysfs->ops->list(ctx->sysfs, path, &names);
    if (rc)
        return rc == -ENOENT ? -ENODEV
                             : xlx__fail_errno(ctx, -rc,
                                               "usb %s: cannot list its "
                                               "interfaces",
                                               dev->busid);
    for (size_t i = 0; !rc && i < names.nr; i++)
        if (!strncmp(names.v[i], dev->busid, n) && names.v[i][n] == ':' &&
            strlen(names.v[i]) < XLX_USB_BUSID_MAX + 8)
            rc = read_intf(ctx, dev->busid, names.v[i], dev);
    qsort(dev->intf, dev->nr_intfs, sizeof(dev->intf[0]), by_number);
    return rc;
}

static int read_once(xlx_ctx *ctx, const char *busid, struct xlx__usbdev *dev_r)
{
    struct xlx__usbdev dev = { 0 };
    char text[8];
    int rc = read_attr(ctx, busid, "busnum", text, sizeof(text));
    if (rc)
        return rc == -ENOENT ? -ENODEV : rc;
    xlx__parse_u32(text, 1, UINT16_MAX, &dev.bus);
    snprintf(dev.busid, sizeof(dev.busid), "%s", busid);
    if ((rc = read_number(ctx, busid, "devnum", &dev.address)) ||
        (rc = read_hex8(ctx, busid, "bDeviceClass", &dev.class)) ||
        (rc = read_hex8(ctx, busid, "bDeviceSubClass", &dev.subclass)) ||
        (rc = read_hex8(ctx, busid, "bDeviceProtocol", &dev.protocol)) ||
        (rc = read_hex(ctx, busid, "idVendor", 4, &dev.vendor)) ||
        (rc = read_hex(ctx, busid, "idProduct", 4, &dev.product)) ||
        (rc = read_hex(ctx, busid, "bcdDevice", 4, &dev.release)) ||
        (rc = read_speed(ctx, busid, &dev.mbits)) ||
        (rc = read_controller(ctx, &dev)) ||
        (rc = read_authorized(ctx, &dev)) || (rc = read_name(ctx, &dev)) ||
        (rc = read_serial(ctx, &dev)) || (rc = read_intfs(ctx, &dev)) ||
        (rc = xlx__usbdev_read_kinds(ctx, &dev)))
        return rc;
    dev.hub = dev.class == CLASS_HUB;
    *dev_r = dev;
    return 0;
}

/* All ports of a bus are its root hub's. */
int xlx__usbdev_read_controller(xlx_ctx *ctx, const char *busid,
                                char controller_r[XLX_USB_CONTROLLER_MAX])
{
    struct xlx__usbdev hub = { 0 };
    snprintf(hub.busid, sizeof(hub.busid), "usb%.*s", (int)strcspn(busid, "-"),
             busid);
    int rc = xlx__sysfs_open(ctx);
    if (!rc)
        rc = read_speed(ctx, hub.busid, &hub.mbits);
    if (!rc)
        rc = read_controller(ctx, &hub);
    memcpy(controller_r, hub.controller, XLX_USB_CONTROLLER_MAX);
    return rc;
}

static int read_bus(xlx_ctx *ctx, const char *name, struct xlx__usbbus *bus_r)
{
    char first[XLX_USB_BUSID_MAX];
    snprintf(first, sizeof(first), "%.10s-1", name + strlen("usb"));
    int rc =
        xlx__parse_u32(name + strlen("usb"), 1, UINT16_MAX, &bus_r->number);
    return rc ? rc : xlx__usbdev_read_controller(ctx, first, bus_r->controller);
}

int xlx__usbbus_list(xlx_ctx *ctx, struct xlx__usbbus **list_r)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    XLX__AUTO_FREE struct xlx__usbbus *list = NULL;
    int nr = 0, rc = xlx__sysfs_open(ctx);
    if (!rc)
        rc = xlx__sysfs_list_any(ctx, DEVICES, &names);
    if (!rc && !(list = calloc(names.nr + 1, sizeof(*list))))
        rc = xlx__fail(ctx, ENOMEM, "usb: no memory");
    for (size_t i = 0; !rc && i < names.nr; i++) {
        if (!xlx__busid_is_root_hub(names.v[i]))
            continue;
        rc = read_bus(ctx, names.v[i], &list[nr]);
        /* It goes with its controller. */
        nr += !rc;
        rc = rc == -ENODEV ? 0 : rc;
    }
    if (rc)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

/* Another device may be plugged in between two attributes. The address, which
 * was read first, is another one then. One that has an address still is only
 * being configured, and its interfaces are others by now. */
int xlx__usbdev_read(xlx_ctx *ctx, const char *busid, struct xlx__usbdev *dev_r)
{
    struct xlx__usbdev dev;
    uint32_t address = 0;
    int rc = xlx__sysfs_open(ctx);
    if (rc)
        return rc;
    for (int i = 0; i < READS_MAX; i++) {
        rc = read_once(ctx, busid, &dev);
        int now = rc && rc != -ENODEV
                      ? rc
                      : read_number(ctx, busid, "devnum", &address);
        if (now)
            return now;
        if (!rc && address == dev.address) {
            *dev_r = dev;
            return 0;
        }
        if (!address)
            return -ENODEV;
    }
    return -ENODEV;
}

bool xlx__usbdev_same(const struct xlx__usbdev *a, const struct xlx__usbdev *b)
{
    return !strcmp(a->busid, b->busid) && a->bus == b->bus &&
           a->address == b->address && a->vendor == b->vendor &&
           a->product == b->product && a->release == b->release &&
           !strcmp(a->serial, b->serial);
}

int xlx__usbdev_read_again(xlx_ctx *ctx, struct xlx__usbdev *dev)
{
    struct xlx__usbdev now;
    int rc = xlx__usbdev_read(ctx, dev->busid, &now);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile",
                         dev->busid);
    if (!rc && !xlx__usbdev_same(dev, &now))
        return xlx__fail(ctx, ENODEV,
                         "usb %s: another device was plugged in there "
                         "meanwhile, or this one again",
                         dev->busid);
    if (!rc)
        *dev = now;
    return rc;
}

bool xlx__usbdev_reset(xlx_ctx *ctx, const char *busid)
{
    struct xlx__usbdev dev;
    int rc = xlx__usbdev_read(ctx, busid, &dev);
    if (!rc)
        rc = ctx->sysfs->ops->usb_reset(ctx->sysfs, dev.bus, dev.address);
    if (rc && rc != -ENODEV)
        xlx__warn(ctx, "usb %s: cannot reset it: %s", busid, strerror(-rc));
    return rc != -ENODEV;
}

/* --- all of them ---------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct xlx__usbdev *x = a, *y = b;
    return strverscmp(x->busid, y->busid);
}

/* 1; 0: it is not there any more; -ENOMEM. */
static int read_listed(xlx_ctx *ctx, const char *busid,
                       struct xlx__usbdev *dev_r)
{
    xlx__tolerate(ctx, 1);
    int rc = xlx__usbdev_read(ctx, busid, dev_r);
    xlx__tolerate(ctx, -1);
    if (rc == 0 || rc == -ENODEV)
        return rc == 0;
    if (rc == -ENOMEM) /* was not logged */
        return xlx__fail(ctx, ENOMEM, "usb %s: no memory", busid);
    xlx__warn(ctx, "usb %s: is left alone: %s", busid, xlx_ctx_error(ctx));
    *dev_r = (struct xlx__usbdev){ .unread = -rc };
    snprintf(dev_r->busid, sizeof(dev_r->busid), "%s", busid);
    return 1;
}

int xlx__usbdev_list(xlx_ctx *ctx, struct xlx__usbdev **list_r)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    XLX__AUTO_FREE struct xlx__usbdev *list = NULL;
    int nr = 0, rc = xlx__sysfs_open(ctx);
    if (rc)
        return rc;
    /* A host without USB has no such folder. */
    rc = ctx->sysfs->ops->list(ctx->sysfs, DEVICES, &names);
    if (rc && rc != -ENOENT)
        return xlx__fail_errno(ctx, -rc, "usb: cannot list the devices");
    if (names.nr && !(list = calloc(names.nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    for (size_t i = 0; i < names.nr; i++) {
        if (!xlx__busid_valid(names.v[i]))
            continue;
        rc = read_listed(ctx, names.v[i], &list[nr]);
        if (rc < 0)
            return rc;
        nr += rc;
    }
    if (nr)
        qsort(list, (size_t)nr, sizeof(*list), by_place);
    *list_r = xlx__steal(list);
    return nr;
}
