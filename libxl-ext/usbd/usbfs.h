/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: transfers of a device through usbfs, on a descriptor that the broker
 * opened (linux/usbdevice_fs.h). Below it the kernel, or a device in memory
 * (tests/fakes/usbd_pair.c).
 *
 * Not libusb: it puts one number in place of usbfs's different errors, where
 * the guest's driver wants to know which; a confined process would have to be
 * allowed its timers, and this is all that it would spare.
 */
#ifndef XLX_USBD_USBFS_H
#define XLX_USBD_USBFS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/usbdevice_fs.h>

struct xlx__usbfs;

/* One thread. All slots return 0 (or what is said) or -errno; none logs. */
struct xlx__usbfs_ops {
    /* The transfer and its buffer stay where they are until reaped. */
    int (*submit)(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb *urb);
    /* One that is done: 1; none yet: 0; -ENODEV: pulled out, none left. */
    int (*reap)(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb **urb_r);
    /* Ends a transfer; it is to be reaped all the same. -EINVAL: done already.
     */
    int (*discard)(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb *urb);
    int (*set_interface)(struct xlx__usbfs *fs, int dev, uint32_t intf,
                         uint32_t alt);
    int (*clear_halt)(struct xlx__usbfs *fs, int dev, uint32_t endpoint);
    /* Resets the device's port: its configuration stays, its settings are the
     * first ones. `intfs` has a bit for each interface that is claimed. */
    int (*reset)(struct xlx__usbfs *fs, int dev, uint32_t intfs);
    /* The descriptors (usbd/descriptors.h); returns how many bytes. */
    int (*descriptors)(struct xlx__usbfs *fs, int dev, uint8_t *buf,
                       size_t size);
    void (*close)(struct xlx__usbfs *fs, int dev);
};

struct xlx__usbfs {
    const struct xlx__usbfs_ops *ops;
};

/* The real one; nothing to free. */
struct xlx__usbfs *xlx__usbfs_host(void);

#endif
