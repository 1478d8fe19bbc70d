/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * USB devices of this host: what sysfs says about one, and which driver has
 * its interfaces.
 */
#ifndef XLX_USB_DEVICE_DEVICE_H
#define XLX_USB_DEVICE_DEVICE_H

#include "core/ctx.h"
#include "core/names.h"
#include "libxl_ext_usb.h"

#define XLX__USB_INTFS_MAX 32
#define XLX__USB_NODE_MAX 64 /* an interface or a driver in sysfs */

/* An interface: its number and class, as USB's class codes have it. */
struct xlx__usbintf {
    uint8_t number, class, subclass, protocol;
};

struct xlx__usbdev {
    char busid[XLX_USB_BUSID_MAX];
    char controller[XLX_USB_CONTROLLER_MAX]; /* as struct xlx_usb_identity's */
    bool hub;
    int unread;        /* 0, or the errno of sysfs: only `busid` is known */
    bool unauthorized; /* this host keeps it unused: nothing can configure it */
    uint32_t bus, address; /* as lsusb has them; address changes at a replug */
    uint32_t mbits; /* 1 (low speed: 1.5), 12, 480, 5000, ...; 0 unknown */
    uint16_t vendor, product, release; /* release: bcdDevice */
    uint8_t class, subclass, protocol; /* 0: see the interfaces */
    char name[XLX_USB_NAME_MAX];       /* any bytes */
    char serial[XLX_USB_SERIAL_MAX];   /* any bytes, "" for none */
    /* Those of the active configuration, sorted; a driver's own are not read.
     * Interfaces beyond the maximum make it `more_intfs`. */
    struct xlx__usbintf intf[XLX__USB_INTFS_MAX];
    unsigned nr_intfs;
    bool more_intfs;
    /* What its interfaces are in any configuration and setting, by its
     * descriptors, each once in a configuration; as many as fit. */
    struct xlx__usbintf kind[XLX__USB_INTFS_MAX];
    unsigned nr_kinds;
    bool more_kinds;
    /* After xlx__usbdev_read_needs(). */
    const char *pv_unfit; /* why PVUSB cannot carry it, or NULL */
    bool isochronous;     /* it has endpoints of that kind */
};

/* -ENODEV, without a report, when no such device is plugged in. All of it is of
 * one device, also when another one takes its place meanwhile. */
int xlx__usbdev_read(xlx_ctx *ctx, const char *busid,
                     struct xlx__usbdev *dev_r);

/* Reads nr_kinds and kind of a device that was read. No descriptors: none. */
int xlx__usbdev_read_kinds(xlx_ctx *ctx, struct xlx__usbdev *dev);

/* The host controller of a place that may be empty; "" when it is not known. */
int xlx__usbdev_read_controller(xlx_ctx *ctx, const char *busid,
                                char controller_r[XLX_USB_CONTROLLER_MAX]);

/* A bus, as it is numbered since this host was started. */
struct xlx__usbbus {
    uint32_t number;
    char controller[XLX_USB_CONTROLLER_MAX]; /* "" when it is not known */
};

/* All of this host; *list_r for free(). Returns how many. */
int xlx__usbbus_list(xlx_ctx *ctx, struct xlx__usbbus **list_r);

/* Whether both are of one device that stayed plugged in: the address alone is
 * used again after 127 others. Pure. */
bool xlx__usbdev_same(const struct xlx__usbdev *a, const struct xlx__usbdev *b);

/* Reads a device again that was read before. -ENODEV, reported, when it is not
 * plugged in any more, or was again. */
int xlx__usbdev_read_again(xlx_ctx *ctx, struct xlx__usbdev *dev);

/*
 * Reads the device's descriptors for what a controller must be able to do; what
 * will not work in a guest is warned about. 0, also when it is not plugged in
 * any more, or -errno.
 */
int xlx__usbdev_read_needs(xlx_ctx *ctx, struct xlx__usbdev *dev);

/*
 * All devices of this host but root hubs, sorted by bus and ports; one that is
 * unplugged meanwhile is left out, one that cannot be read is `unread`, with a
 * warning. *list_r for free(). Returns how many.
 */
int xlx__usbdev_list(xlx_ctx *ctx, struct xlx__usbdev **list_r);

/* The interfaces of a device, "1-2:1.0"; `intfs` starts empty. -ENODEV, without
 * a report, when it is not plugged in. */
int xlx__usbdev_intfs(xlx_ctx *ctx, const char *busid,
                      struct xlx__names *intfs);

/* The driver of an interface, "" when it has none. */
int xlx__usbintf_driver(xlx_ctx *ctx, const char *intf,
                        char driver_r[XLX__USB_NODE_MAX]);

/*
 * Ends whatever a backend that was killed left half done in the device, a
 * disk's command for example: resets its port. A reset that fails is only
 * warned about. False: it is not there any more, or is another one.
 */
bool xlx__usbdev_reset(xlx_ctx *ctx, const char *busid);

/*
 * Whether a backend or another process has an interface of the device: its
 * driver is usbfs or usbback. 1 or 0; -ENODEV, without a report, when it is not
 * plugged in.
 */
int xlx__usbdev_claimed(xlx_ctx *ctx, const char *busid);

/* Whether all interfaces of the active configuration have that driver, and
 * there is one: 1 or 0; -ENODEV as above. */
int xlx__usbdev_all_have(xlx_ctx *ctx, const char *busid, const char *driver);

/* "1-2:1.0 from usbhid" for each interface that has a driver; `drivers` starts
 * empty. */
int xlx__usbdev_drivers(xlx_ctx *ctx, const char *busid,
                        struct xlx__names *drivers);

/*
 * Writes down in xenstore that `domid` gets the device, the address it had when
 * it was read, and which driver each of its interfaces has now:
 * /libxl-ext/usb/<busid>.
 */
int xlx__usbdev_remember(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         uint32_t domid);

/*
 * Adds to that by which numbers the device is known to the device model it
 * goes to; they change when it is replugged, and are what it is removed by.
 * `noted` returns 1 when they are there, 0 when not.
 */
int xlx__usbdev_note_address(xlx_ctx *ctx, const struct xlx__usbdev *dev);
int xlx__usbdev_noted_address(xlx_ctx *ctx, const char *busid, uint32_t *bus_r,
                              uint32_t *address_r);

/* The address the device had when it was given to `domid`: another one now
 * means that it was plugged in again. 0 when that was not written down. */
int xlx__usbdev_remembered_address(xlx_ctx *ctx, const char *busid,
                                   uint32_t domid, uint32_t *address_r);

/* Reads the device if it is the one that `domid` was given, as far as that was
 * written down. -ENODEV, without a report, when it is not. */
int xlx__usbdev_read_given(xlx_ctx *ctx, const char *busid, uint32_t domid,
                           struct xlx__usbdev *dev_r);

/* Removes what was written down; nothing there is a success, as is what is no
 * busid. */
int xlx__usbdev_forget(xlx_ctx *ctx, const char *busid);

/* The same, but only when what was written down is that `domid` had it and at
 * this address: whoever has it since has another one. */
int xlx__usbdev_forget_gone(xlx_ctx *ctx, const char *busid, uint32_t domid,
                            uint32_t address);

/* Whether something is written down for the device: 1, 0 or -errno. */
int xlx__usbdev_is_remembered(xlx_ctx *ctx, const char *busid);

/* The busids that were written down for any guest; `busids` starts empty. */
int xlx__usbdev_all_remembered(xlx_ctx *ctx, struct xlx__names *busids);

/* Whom it was written down for: 1, 0 for nobody, or -errno. */
int xlx__usbdev_given_to(xlx_ctx *ctx, const char *busid, uint32_t *domid_r);

/* The busids that were written down for `domid`; `busids` starts empty. */
int xlx__usbdev_remembered(xlx_ctx *ctx, uint32_t domid,
                           struct xlx__names *busids);

/*
 * Waits until no process claims the device, then sees that each interface has
 * the driver written down for it, or, with nothing written down, whichever the
 * kernel finds. A device that is not plugged in has nothing to restore; one
 * that is plugged in there since, or that a program of this host has claimed
 * after its backend, is left alone.
 *
 * -ETIMEDOUT  still claimed at `until`; a driver that does not take its
 * interface back is only warned about.
 */
int xlx__usbdev_restore(xlx_ctx *ctx, const char *busid, int64_t until);

/* The same at once, after a backend that gives no driver back itself. */
int xlx__usbdev_rebind(xlx_ctx *ctx, const char *busid, int64_t until);

#endif
