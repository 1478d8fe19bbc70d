/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: libxenlight, for USB controllers that a guest's own device model
 * emulates. Below it libxl (libxl_usb.c, the only file that includes libxl.h)
 * or a device model in memory (tests/fakes/usb_world.c).
 *
 * libxl talks to the device model, writes the controller and its ports to
 * /libxl/DOM/device/vusb and keeps them in the domain's configuration.
 */
#ifndef XLX_XEN_LIBXL_USB_H
#define XLX_XEN_LIBXL_USB_H

#include <stdbool.h>

#include "core/ctx.h"

#define XLX__LIBXL_WHY_MAX 256

struct xlx__libxl;

/* A device by the numbers libxl knows it by. */
struct xlx__libxl_dev {
    uint32_t devid, port;  /* where in the guest */
    uint32_t bus, address; /* where on this host, each 1 to 255 */
};

/*
 * One thread at a time. Each call returns when the device model has answered,
 * or after libxl's own time (10 s). 0, or -errno: -EINVAL, -ETIMEDOUT,
 * -ENOMEM, -EEXIST of hc_add, or -EIO for what libxl has no better word for.
 * None logs; after a failure `why` has libxl's own words for it, or "".
 */
struct xlx__libxl_ops {
    /* *devid_r: in, the number it is to have, or XLX_USB_ANY; out, the one it
     * got. -EEXIST: the device model still has the former controller of that
     * number. hc_remove() only asks for its end, which comes when the guest has
     * let go of the PCI device (QEMU's DEVICE_DELETED); a guest may never. */
    int (*hc_add)(struct xlx__libxl *libxl, uint32_t domid, uint32_t version,
                  uint32_t nr_ports, uint32_t *devid_r);
    int (*hc_remove)(struct xlx__libxl *libxl, uint32_t domid, uint32_t devid);
    /* Controller and port exist and the port is empty: libxl would make what
     * is missing, in xenstore alone. */
    int (*dev_add)(struct xlx__libxl *libxl, uint32_t domid,
                   const struct xlx__libxl_dev *dev);
    /* The numbers are those it was added with; the device need not be plugged
     * in any more. */
    int (*dev_remove)(struct xlx__libxl *libxl, uint32_t domid,
                      const struct xlx__libxl_dev *dev);
};

struct xlx__libxl {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__libxl_ops *ops;
    char why[XLX__LIBXL_WHY_MAX]; /* of the last call; printable */
};

/* Whether QEMU says that the ID of the controller to be added is taken. */
bool xlx__libxl_says_taken(const char *why);

/*
 * Opens libxl. While a call lasts, libxl may put a SIGCHLD handler of its own
 * in place if it has to start a program; none of the calls here does.
 */
int xlx__libxl_real(xlx_ctx *ctx, struct xlx__libxl **libxl_r);

/* Opens the context's libxl when it is not yet. */
int xlx__libxl_open(xlx_ctx *ctx);

#endif
