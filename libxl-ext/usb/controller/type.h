/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The three kinds of controllers behind one table: who does the work, how a
 * controller comes and goes, and how a device gets to one of its ports.
 *
 *   type_qusb.c         our backend, in libxl's layout of type qusb or pv
 *   type_pv.c           the kernel's usbback, which interfaces are bound to
 *   type_devicemodel.c  the guest's own device model, through libxenlight
 */
#ifndef XLX_USB_CONTROLLER_TYPE_H
#define XLX_USB_CONTROLLER_TYPE_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/controller/hc.h"

/* One device on its way to a port or from it. */
struct xlx__move {
    const struct xlx__hc *hc;
    uint32_t port;
    const char *busid;
    int64_t until;
};

/*
 * All slots return 0 (or what is said) or -errno, reported. The caller holds
 * the domain's lock, and the device's where there is one.
 */
struct xlx__type {
    /* Sees that what serves such controllers of the domain is there, or can be
     * started. Changes nothing. -ENOTSUP: not for this guest, or not on this
     * host. */
    int (*check)(xlx_ctx *ctx, uint32_t domid);
    /* When the controller is made: starts what serves it, unless it is there.
     * NULL: it is. */
    int (*start)(xlx_ctx *ctx, uint32_t domid, int64_t until, bool *started_r);
    /* Ends it, unless a controller needs it. NULL where start is. */
    int (*stop_unused)(xlx_ctx *ctx, uint32_t domid, int64_t until);

    /* Makes the controller; in and out as xlx__hc_make() has it. Whole or
     * undone. */
    int (*make)(xlx_ctx *ctx, struct xlx__hc *hc);
    /* Waits until devices can be given to it. */
    int (*connect)(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until);
    /* 1: it is there and connected. 0: not, or not any more. */
    int (*connected)(xlx_ctx *ctx, const struct xlx__hc *hc);
    /* Closes and removes it; its ports are empty. A guest that does not answer
     * loses it all the same. */
    int (*remove)(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until);

    /* Gives the device to the empty port. Whole or undone; the drivers were
     * written down before. Not done before `claimed` says so. */
    int (*plug)(xlx_ctx *ctx, const struct xlx__move *m);
    /* 1: the backend has the device. Without a report -ENODEV: it is not
     * plugged in any more; -ECONNRESET: the backend is no more. */
    int (*claimed)(xlx_ctx *ctx, const struct xlx__move *m);
    /* 1: the backend, and nobody else, has all interfaces of a device that was
     * plugged. 0: it has not, or not any more. Without a report -EAGAIN: it is
     * in the midst of something, as of setting a configuration, look again;
     * -ENODEV: it is not plugged in any more. */
    int (*holds)(xlx_ctx *ctx, const struct xlx__move *m);
    /* Empties the port and makes the backend release it. Whole or undone, but a
     * device that is not plugged in any more leaves the port in any case. */
    int (*unplug)(xlx_ctx *ctx, const struct xlx__move *m);
    /* After unplug: waits until the backend has released it and checks that the
     * drivers are back. */
    int (*give_back)(xlx_ctx *ctx, const struct xlx__move *m);
};

extern const struct xlx__type xlx__type_qusb, xlx__type_vusb, xlx__type_pv,
    xlx__type_devicemodel;

/* Not for XLX_USB_AUTO. */
const struct xlx__type *xlx__type_of(const struct xlx__hc *hc);

/*
 * What XLX_USB_AUTO is for a guest: devicemodel for an HVM guest; else pv where
 * the kernel has the driver or a QEMU of the guest's own would take qusb; else
 * qusb.
 */
int xlx__type_auto(xlx_ctx *ctx, uint32_t domid, enum xlx_usb_type *type_r);

/*
 * Fills in the version and ports of hc->type, where 0 is what suits most, and
 * who serves it. -EINVAL, reported, for what no controller of that type can
 * have.
 */
int xlx__type_config(xlx_ctx *ctx, uint32_t version, uint32_t ports,
                     struct xlx__hc *hc);

#endif
