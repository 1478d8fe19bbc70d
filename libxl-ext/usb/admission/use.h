/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What this host itself uses a USB device for: why it would miss the device,
 * or worse, if a guest had it.
 */
#ifndef XLX_USB_ADMISSION_USE_H
#define XLX_USB_ADMISSION_USE_H

#include "usb/device/device.h"

/* Why this host needs a device; in the order of the checks. */
enum xlx__usb_use {
    XLX__USE_NONE,
    XLX__USE_MOUNTED,
    XLX__USE_SWAP,
    XLX__USE_RAID,          /* md */
    XLX__USE_MAPPED,        /* dm: lvm, crypt, multipath */
    XLX__USE_HELD,          /* another holder, or an open loop or bcache */
    XLX__USE_GUEST,         /* a guest has it as a disk */
    XLX__USE_EXCLUSIVE,     /* somebody has its disk open exclusively */
    XLX__USE_ROOT,          /* backs the root file system, directly or below
                             * md, dm or a partition */
    XLX__USE_NETWORK,       /* the host's network goes over it */
    XLX__USE_LAST_KEYBOARD, /* no other keyboard is left */
    XLX__USE_VIRTUAL,       /* sits behind vhci_hcd (usbip), xen-hcd or
                             * dummy_hcd */
};

struct xlx__usb_use_found {
    enum xlx__usb_use use;
    /* Which part, for people: "sdb1 on /mnt/stick", "swap on sdb3", "md0",
     * "vg-home on /home", "eth1 below xenbr0", a keyboard's name, "vhci_hcd.0".
     * Any bytes. */
    char what[128];
};

/*
 * Looks what this host uses the device for; the gravest is reported: ROOT
 * before SWAP, MOUNTED, GUEST, RAID, MAPPED, HELD, then NETWORK,
 * LAST_KEYBOARD, VIRTUAL.
 * Nothing found: use is XLX__USE_NONE. 0 or -errno, reported.
 *
 * Mounts are those of this process's mount namespace. Use by programs that
 * open the device itself leaves no trace here.
 */
int xlx__usb_use(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                 struct xlx__usb_use_found *found_r);

/*
 * EXCLUSIVE or NONE: whether one of the device's disks is open exclusively, as
 * ZFS, a file system's journal, mkfs or another mount namespace have it. For a
 * moment they are open exclusively themselves, so this is for who is about to
 * take the device, not for a list.
 */
int xlx__usb_use_exclusive(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                           struct xlx__usb_use_found *found_r);

/* --- its parts; sysfs is open, `found` starts as XLX__USE_NONE ------------ */

/* ROOT to GUEST. */
int xlx__usb_use_disk(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                      struct xlx__usb_use_found *found);

/* A disk that a guest has from this host, whichever backend serves it. */
struct xlx__guest_disk {
    char dev[32]; /* "8:17" */
    uint32_t domid;
};

/* *list_r for free(). Returns how many; those that are no block devices are
 * left out. */
int xlx__guest_disks(xlx_ctx *ctx, struct xlx__guest_disk **list_r);

/* NETWORK. */
int xlx__usb_use_network(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         struct xlx__usb_use_found *found);

/* LAST_KEYBOARD. */
int xlx__usb_use_keyboard(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                          struct xlx__usb_use_found *found);

/*
 * Whether what the link `target` of a folder in /sys/class leads to belongs
 * to the device: "../../devices/.../usb1/1-2/1-2:1.0/..." does to 1-2.
 */
bool xlx__usb_use_below(const char *target, const char *busid);

/* The next part of a path such as "a/b/c", and its length; `*path` moves behind
 * it, and is NULL behind the last one. */
const char *xlx__usb_use_part(const char **path, size_t *len_r);

#endif
