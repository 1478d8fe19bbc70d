/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/device.h"

#include <stdio.h>
#include <string.h>

#include "core/parse.h"
#include "host/sysfs.h"

#define PATH_SIZE 128
#define CLASS_HUB 0x09

/* -ENOENT, without a report, for an attribute that is not there. */
static int read_attr(xlx_ctx *ctx, const char *busid, const char *attr,
                     char *buf, size_t size)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "bus/usb/devices/%s/%s", busid, attr);
    int rc = ctx->sysfs->ops->read(ctx->sysfs, path, buf, size);
    if (rc && rc != -ENOENT)
        return xlx__fail_errno(ctx, -rc, "usb %s: cannot read %s", busid, attr);
    return rc;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                 : -1;
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
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (hex_digit(text[i]) < 0)
            return 0;
        value = value * 16 + (unsigned)hex_digit(text[i]);
    }
    *value_r = (uint16_t)value;
    return 0;
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

int xlx__usbdev_read(xlx_ctx *ctx, const char *busid, struct xlx__usbdev *dev_r)
{
    struct xlx__usbdev dev = { 0 };
    uint16_t class;
    char text[8];
    int rc = xlx__sysfs_open(ctx);
    if (rc)
        return rc;
    rc = read_attr(ctx, busid, "busnum", text, sizeof(text));
    if (rc)
        return rc == -ENOENT ? -ENODEV : rc;
    snprintf(dev.busid, sizeof(dev.busid), "%s", busid);
    if ((rc = read_hex(ctx, busid, "bDeviceClass", 2, &class)) ||
        (rc = read_hex(ctx, busid, "idVendor", 4, &dev.vendor)) ||
        (rc = read_hex(ctx, busid, "idProduct", 4, &dev.product)) ||
        (rc = read_speed(ctx, busid, &dev.mbits)) ||
        (rc = read_name(ctx, &dev)))
        return rc;
    dev.hub = class == CLASS_HUB;
    *dev_r = dev;
    return 0;
}
