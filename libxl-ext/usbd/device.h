/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: taking a USB device of this host and giving it back. Below it usbfs
 * (device.c) or a table (tests/fakes/usbd_devices.c).
 */
#ifndef XLX_USBD_DEVICE_H
#define XLX_USBD_DEVICE_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usbd/port_status.h"

#define XLX__USBD_NO_CONFIG (-1)

/* What to take: a device as sysfs has it. */
struct xlx__usbd_wish {
    char busid[XLX_USB_BUSID_MAX];
    uint32_t bus, address, mbits;
    /* Its bConfigurationValue, 0 for a device that is not configured. */
    uint8_t config;
    /* Another one to set first, 0 to 255; or XLX__USBD_NO_CONFIG. */
    int new_config;
    /* Something may be half done in it: reset it first. */
    bool reset;
};

/* A device in our hands. */
struct xlx__usbd_claim {
    int fd; /* open, claimed, privileges dropped; -1: none */
    uint32_t bus, address;
};

struct xlx__usbd_devices;

/*
 * One thread at a time. All slots return 0 or -errno; -ENODEV: the device is
 * not there, or is another one. None logs. They may take seconds.
 */
struct xlx__usbd_devices_ops {
    /*
     * Opens the device, sees that it is the one that sysfs named, resets it or
     * sets its configuration when asked to, takes all interfaces of the
     * configuration from their drivers, and gives up what else the open file
     * may do: whoever gets it can use the device as it is, and no more. On
     * failure the device has its drivers again, and `why_r` the reason
     * (XLX__USBD_WHY_MAX bytes).
     */
    int (*claim)(struct xlx__usbd_devices *d, const struct xlx__usbd_wish *wish,
                 struct xlx__usbd_claim *claim_r, char *why_r);
    /* Closes it, without calling the drivers: it is taken again, or gone. */
    void (*drop)(struct xlx__usbd_devices *d, struct xlx__usbd_claim *claim);
    /* Resets the device when asked to, closes it, and calls the kernel's
     * drivers back. A claim without a descriptor stands for one that went with
     * its process. -ENODEV: there is nothing to give back. */
    int (*give_back)(struct xlx__usbd_devices *d, struct xlx__usbd_claim *claim,
                     bool reset);
};

struct xlx__usbd_devices {
    struct xlx__seam seam;
    const struct xlx__usbd_devices_ops *ops;
};

/* The real one; the context has to outlive it. */
int xlx__usbd_devices_host(xlx_ctx *ctx, struct xlx__usbd_devices **d_r);

enum xlx__usbd_holder {
    XLX__USBD_NOBODY,    /* or it cannot be found */
    XLX__USBD_A_BACKEND, /* of some guest: ours, or a QEMU; maybe others too */
    XLX__USBD_ANOTHER,   /* only processes that are none */
};

/*
 * Who has the file of the device open: " by process usbmuxd (pid 77)", or ""
 * for nobody, into `who_r` (XLX__USBD_WHY_MAX bytes). Processes are looked for
 * in `proc`; we are not among them. A backend is known by its program's name.
 */
enum xlx__usbd_holder xlx__usbd_who_has(const char *proc, uint32_t bus,
                                        uint32_t address, char *who_r);

#endif
