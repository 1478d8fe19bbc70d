/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any attributes of a USB device in sysfs, many of which the device chooses: a
 * line each, and its descriptors behind them. What is read is within what there
 * can be. libFuzzer's entry; tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fakes/sysfs_mem.h"
#include "fuzz/must.h"
#include "usb/device/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SYSFS_LINES 16

struct attributes {
    char *line[SYSFS_LINES]; /* NULL behind the last one */
    const unsigned char *rest;
    size_t nr_rest;
};

/* The text has a NUL behind its end. */
static void split_attributes(char *text, size_t size, struct attributes *a)
{
    char *end = text + size;
    for (int i = 0; i < SYSFS_LINES && text < end; i++) {
        a->line[i] = text;
        char *newline = memchr(text, '\n', (size_t)(end - text));
        if (newline)
            *newline = '\0';
        text = newline ? newline + 1 : end;
    }
    a->rest = (unsigned char *)text;
    a->nr_rest = (size_t)(end - text);
}

/* The fake takes six digits, or none; the name is a folder's in the device's.
 */
static void plug_interface(struct sysfs_intf *intf, const char *name,
                           const char *class)
{
    if (!name || strncmp(name, "1-2:", 4) || strchr(name, '/'))
        return;
    intf->name = name;
    if (class && strlen(class) == 6)
        intf->class = class;
}

static void plug_device(struct sysfs_mem *sysfs, const struct attributes *a)
{
    struct sysfs_dev dev = {
        .busid = "1-2",
        .bus = a->line[0],
        .address = a->line[1],
        .class = a->line[2],
        .vendor = a->line[3],
        .product_id = a->line[4],
        .speed = a->line[5],
        .maker = a->line[6],
        .product = a->line[7],
        .serial = a->line[8],
        .descriptors = a->nr_rest ? a->rest : NULL,
        .nr_descriptors = a->nr_rest,
    };
    plug_interface(&dev.intf[0], a->line[9], a->line[10]);
    if (dev.intf[0].name)
        plug_interface(&dev.intf[1], a->line[11], a->line[12]);
    sysfs_mem_plug(sysfs, &dev);
    if (a->line[13])
        sysfs_mem_put_link(sysfs, "bus/usb/devices/1-2", a->line[13]);
    if (a->line[14])
        sysfs_mem_put(sysfs, "bus/usb/devices/1-2/authorized", a->line[14]);
    if (a->line[15])
        sysfs_mem_put(sysfs, "bus/usb/devices/1-2/bcdDevice", a->line[15]);
}

static void check_device(const struct xlx__usbdev *dev)
{
    MUST(!strcmp(dev->busid, "1-2"));
    MUST(memchr(dev->name, 0, sizeof(dev->name)));
    MUST(memchr(dev->serial, 0, sizeof(dev->serial)));
    MUST(memchr(dev->controller, 0, sizeof(dev->controller)));
    MUST(dev->bus <= UINT16_MAX);
    MUST(dev->nr_intfs <= 2);
    MUST(dev->nr_kinds <= XLX__USB_INTFS_MAX);
    MUST(!dev->more_kinds || dev->nr_kinds == XLX__USB_INTFS_MAX);
    for (unsigned i = 1; i < dev->nr_intfs; i++)
        MUST(dev->intf[i - 1].number <= dev->intf[i].number);
}

static void check_reading(xlx_ctx *ctx)
{
    struct xlx__usbdev dev, *list;
    int rc = xlx__usbdev_read(ctx, "1-2", &dev);
    MUST(rc == 0 || rc == -ENODEV);
    if (!rc) {
        check_device(&dev);
        MUST(!xlx__usbdev_read_needs(ctx, &dev));
        MUST(!dev.pv_unfit || *dev.pv_unfit);
    }
    int nr = xlx__usbdev_list(ctx, &list);
    MUST(nr == (rc ? 0 : 1));
    if (nr)
        MUST(!list->unread && xlx__usbdev_same(list, &dev));
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sysfs_mem *sysfs = sysfs_mem_new(NULL);
    struct attributes a = { 0 };
    xlx_ctx *ctx;
    char *text = calloc(1, size + 1);
    MUST(text && !xlx_ctx_new(&ctx));
    if (size)
        memcpy(text, data, size);
    ctx->sysfs = sysfs_mem_seam(sysfs);
    split_attributes(text, size, &a);
    plug_device(sysfs, &a);
    check_reading(ctx);
    xlx_ctx_free(ctx);
    free(text);
    return 0;
}
