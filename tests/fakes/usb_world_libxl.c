/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The part of a usb_world that libxl and the device model of domain 6 are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fakes/usb_world.h"

struct libxl_fake {
    struct xlx__libxl base;
    struct usb_world *world;
};

static struct usb_world *world_of_libxl(struct xlx__libxl *libxl)
{
    return ((struct libxl_fake *)libxl)->world;
}

static int refuse(struct xlx__libxl *libxl, const char *why)
{
    snprintf(libxl->why, sizeof(libxl->why), "%s", why);
    return -EIO;
}

static void put_hc(struct usb_world *w, uint32_t devid, const char *key,
                   const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), "/libxl/6/device/vusb/%u%s", devid, key);
    xs_mem_put(w->xs, path, value);
}

static void put_port(struct usb_world *w, uint32_t devid, uint32_t port,
                     const char *value)
{
    char key[32];
    snprintf(key, sizeof(key), "/port/%u", port);
    put_hc(w, devid, key, value);
}

static int fake_hc_add(struct xlx__libxl *libxl, uint32_t domid,
                       uint32_t version, uint32_t nr_ports, uint32_t *devid_r)
{
    struct usb_world *w = world_of_libxl(libxl);
    char text[16];
    uint32_t devid = *devid_r == XLX_USB_ANY ? 0 : *devid_r;
    libxl->why[0] = '\0';
    if (nth_fails(&w->nth))
        return refuse(libxl, "Bus 'pci.0' is full");
    if (domid != 6 || (version == 2 && nr_ports != 6) ||
        (version == 1 && nr_ports != 2) || version > 3)
        return -EINVAL;
    while (w->qemu_hc[devid])
        devid++;
    if (w->qemu_going[devid] > 0) {
        w->qemu_going[devid]--;
        refuse(libxl, "Duplicate device ID 'xenusb-0'");
        return -EEXIST;
    }
    w->qemu_hc[devid] = true;
    w->qemu_made++;
    put_hc(w, devid, "/type", "devicemodel");
    snprintf(text, sizeof(text), "%u", version);
    put_hc(w, devid, "/usb-ver", text);
    snprintf(text, sizeof(text), "%u", nr_ports);
    put_hc(w, devid, "/num-ports", text);
    put_hc(w, devid, "/port", "");
    for (uint32_t p = 1; p <= nr_ports; p++)
        put_port(w, devid, p, "");
    *devid_r = devid;
    return 0;
}

static int fake_hc_remove(struct xlx__libxl *libxl, uint32_t domid,
                          uint32_t devid)
{
    struct usb_world *w = world_of_libxl(libxl);
    bool left = false;
    (void)domid;
    libxl->why[0] = '\0';
    if (nth_fails(&w->nth) || devid >= WORLD_DEVIDS || !w->qemu_hc[devid] ||
        w->qemu_keeps)
        return refuse(libxl, "Device 'xenusb-0' not found");
    w->qemu_hc[devid] = false;
    w->qemu_going[devid] = w->qemu_lingers;
    put_hc(w, devid, "", NULL);
    for (int d = 0; d < WORLD_DEVIDS; d++)
        left |= w->qemu_hc[d];
    if (!left) /* libxl__xs_path_cleanup() */
        xs_mem_put(w->xs, "/libxl/6/device/vusb", NULL);
    return 0;
}

static struct xlx__libxl_dev *in_qemu(struct usb_world *w,
                                      const struct xlx__libxl_dev *dev)
{
    for (int i = 0; i < WORLD_TAKEN; i++)
        if (w->qemu_dev[i].bus == dev->bus &&
            w->qemu_dev[i].address == dev->address)
            return &w->qemu_dev[i];
    return NULL;
}

static int fake_dev_add(struct xlx__libxl *libxl, uint32_t domid,
                        const struct xlx__libxl_dev *dev)
{
    static const struct xlx__libxl_dev none = { 0 };
    struct usb_world *w = world_of_libxl(libxl);
    bool fails = nth_fails(&w->nth); /* another one may be there by now */
    const struct sysfs_dev *host =
        sysfs_mem_at(w->sysfs, dev->bus, dev->address);
    char port[96];
    (void)domid;
    libxl->why[0] = '\0';
    if (fails || !host || in_qemu(w, dev))
        return refuse(libxl, "USB device is not assignable.");
    if (!w->qemu_hc[dev->devid])
        return refuse(libxl, "Bus 'xenusb-0.0' not found");
    *in_qemu(w, &none) = *dev;
    put_port(w, dev->devid, dev->port, host->busid);
    snprintf(port, sizeof(port), "/libxl/6/device/vusb/%u/port/%u", dev->devid,
             dev->port);
    if (!w->no_frontend)
        usb_world_take(w, host->busid, port);
    return 0;
}

/* As libxl: the port first, and back when the device model refuses. */
static int fake_dev_remove(struct xlx__libxl *libxl, uint32_t domid,
                           const struct xlx__libxl_dev *dev)
{
    struct usb_world *w = world_of_libxl(libxl);
    struct xlx__libxl_dev *entry = in_qemu(w, dev);
    char port[96];
    (void)domid;
    libxl->why[0] = '\0';
    if (nth_fails(&w->nth) || !entry)
        return refuse(libxl, "Device 'xenusb-1-3' not found");
    snprintf(port, sizeof(port), "/libxl/6/device/vusb/%u/port/%u", dev->devid,
             dev->port);
    int slot = usb_world_taken(w, port);
    put_port(w, dev->devid, dev->port, "");
    *entry = (struct xlx__libxl_dev){ 0 };
    if (slot >= 0 && !w->no_release)
        usb_world_give_back(w, slot, true);
    return 0;
}

static void libxl_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__libxl_ops libxl_ops = {
    .hc_add = fake_hc_add,
    .hc_remove = fake_hc_remove,
    .dev_add = fake_dev_add,
    .dev_remove = fake_dev_remove,
};

struct xlx__libxl *usb_world_libxl(struct usb_world *w)
{
    struct libxl_fake *l = calloc(1, sizeof(*l));
    l->base.seam.close = libxl_close;
    l->base.ops = &libxl_ops;
    l->world = w;
    return &l->base;
}

/* Through all controllers. */
static uint32_t port_number(const struct xlx__libxl_dev *dev)
{
    return dev->devid * XLX_USB_PORTS_MAX + dev->port;
}

void usb_world_dump_qemu(struct usb_world *w, FILE *out)
{
    for (int d = 0; d < WORLD_DEVIDS; d++)
        if (w->qemu_hc[d])
            fprintf(out, "qemu: controller %d\n", d);
    for (uint32_t p = 0; p <= WORLD_DEVIDS * XLX_USB_PORTS_MAX; p++)
        for (int i = 0; i < WORLD_TAKEN; i++)
            if (w->qemu_dev[i].bus && p == port_number(&w->qemu_dev[i]))
                fprintf(out, "qemu: %u.%u on %u\n", w->qemu_dev[i].bus,
                        w->qemu_dev[i].address, p);
}
