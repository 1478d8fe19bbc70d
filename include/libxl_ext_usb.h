/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * PVUSB: virtual USB controllers of a guest, and devices of this host attached
 * to their ports.
 *
 * State is kept where libxl keeps it, in xenstore, so that this library and
 * the distribution's xl see and undo each other's work. A device is named by
 * its busid, the place where it is plugged in ("1-2.3", as in
 * /sys/bus/usb/devices). docs/usb.md has the layout.
 *
 * Calls that change something take a lock per guest (and per device), either
 * do the whole or leave everything as it was, and end by `timeout_ms`, plus the
 * time to undo: they wait until guest and backend have answered.
 */
#ifndef LIBXL_EXT_USB_H
#define LIBXL_EXT_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XLX_USB_BUSID_MAX 32 /* with the NUL */
#define XLX_USB_NAME_MAX 128
#define XLX_USB_PORTS_MAX 31
#define XLX_USB_ANY UINT32_MAX /* a controller or port: the first free one */

/* Who does the work behind a controller. */
enum xlx_usb_type {
    XLX_USB_AUTO,        /* whichever fits the guest */
    XLX_USB_QUSB,        /* a QEMU process on the host, to a PV frontend */
    XLX_USB_PV,          /* a kernel driver on the host, to a PV frontend */
    XLX_USB_DEVICEMODEL, /* emulated by the guest's own device model */
};

/* One port; a port without a device has an empty busid. */
struct xlx_usb_port {
    uint32_t number; /* from 1 */
    char busid[XLX_USB_BUSID_MAX];
    bool present; /* the device is plugged into this host; else stale */
    uint16_t vendor, product;
    /* Maker and product as the device says, any bytes, NUL-terminated. */
    char name[XLX_USB_NAME_MAX];
};

struct xlx_usb_hc {
    uint32_t devid;
    enum xlx_usb_type type;
    uint32_t backend_domid;
    uint32_t state;   /* the backend's XenbusState; 4 is connected, 0 none */
    uint32_t version; /* 1 or 2; 3 only with the type devicemodel */
    uint32_t nr_ports;
    struct xlx_usb_port port[XLX_USB_PORTS_MAX];
};

/* What a new controller is to be. All zero: what suits most. */
struct xlx_usb_hc_config {
    enum xlx_usb_type type; /* XLX_USB_AUTO or XLX_USB_QUSB */
    uint32_t version;       /* 1, 2, or 0 for 2 */
    uint32_t ports;         /* 1 to XLX_USB_PORTS_MAX, or 0 for 8 */
};

/* A place in a guest. */
struct xlx_usb_place {
    uint32_t hc;   /* the controller's devid, or XLX_USB_ANY */
    uint32_t port; /* from 1, or XLX_USB_ANY */
};

/* "auto", "qusb", "pv" or "devicemodel". Never NULL. */
const char *xlx_usb_type_name(enum xlx_usb_type type);

/*
 * The guest's controllers, sorted by devid, whoever made them. *list_r is to be
 * freed with free(); it is NULL when there are none.
 * Returns how many; -ESRCH no such domain.
 */
int xlx_usb_list(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r);

/*
 * Makes a controller and waits until the guest's driver has connected. Starts
 * a backend process when the guest has none.
 *
 * -ESRCH      no such domain
 * -EINVAL     a config that no controller can have
 * -ENOTSUP    not this kind of guest or controller
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_hc_create(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_hc_config *config, int timeout_ms,
                      uint32_t *devid_r);

/*
 * Detaches the controller's devices, closes and removes it; ends the backend
 * process when that was the last controller that needed it. A guest that does
 * not answer in time loses the controller all the same.
 *
 * -ESRCH no such domain; -ENODEV no such controller; -ENOTSUP a controller
 * whose type only the distribution's xl can handle; -ETIMEDOUT the backend
 * does not let go of a device.
 */
int xlx_usb_hc_destroy(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                       int timeout_ms);

/*
 * Attaches the device `busid` at `place`, making a controller when place->hc
 * is XLX_USB_ANY and none has a free port for it. Success means that the
 * backend has the device and the guest is told. *got_r is where it went.
 *
 * -ESRCH      no such domain
 * -EINVAL     no busid, no such port, a port without a controller
 * -ENODEV     no such device, no such controller
 * -ENOTSUP    a hub, or a device or guest this way does not work for
 * -EBUSY      assigned already, or the port is
 * -ENOSPC     no free port
 * -ETIMEDOUT  guest or backend did not answer
 */
int xlx_usb_attach(xlx_ctx *ctx, uint32_t domid, const char *busid,
                   const struct xlx_usb_place *place, int timeout_ms,
                   struct xlx_usb_place *got_r);

/*
 * Where the guest has the device. -ESRCH no such domain; -EINVAL no busid;
 * -ENODEV not attached to this guest.
 */
int xlx_usb_find(xlx_ctx *ctx, uint32_t domid, const char *busid,
                 struct xlx_usb_place *place_r);

/*
 * Takes the device at `place` from the guest and gives it back to the driver
 * it had on this host. `busid_r` (XLX_USB_BUSID_MAX bytes, or NULL) says which
 * it was.
 *
 * -ESRCH no such domain; -ENODEV no such controller or no device there;
 * -EINVAL no such port; -ETIMEDOUT the backend does not let go of it, and the
 * port keeps it.
 */
int xlx_usb_detach(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_usb_place *place, int timeout_ms,
                   char *busid_r);

/* Told once: "ready", or why there is no backend. */
typedef void xlx_usb_ready_fn(void *user, const char *line);

/*
 * Runs and watches a domain's backend process until the domain ends or SIGTERM
 * comes; starts it again when it dies. For xl-ext-usb-backend, a process of its
 * own that the calls above start: blocks signals, keeps a pidfile locked.
 *
 * 0 when it ended in order; -EBUSY another process does this for the domain;
 * -ECHILD the backend does not run, or died too often.
 */
int xlx_usb_backend_run(xlx_ctx *ctx, uint32_t domid, xlx_usb_ready_fn *ready,
                        void *user);

#ifdef __cplusplus
}
#endif

#endif
