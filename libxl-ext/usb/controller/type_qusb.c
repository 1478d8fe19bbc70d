/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Our backend serves the controller (docs/usb.md). It watches the ports in
 * xenstore, takes the device that is written there, gives it back when the port
 * is emptied, and writes its state to a node of its own.
 *
 * In libxl's layout of type qusb, which the distribution's commands know. A
 * QEMU of the guest's own watches that layout as well, and would take what is
 * meant for us, or end of it; then libxl's layout of type pv does, which only
 * the kernel driver usbback watches, where there is one.
 */
#include "usb/controller/type.h"

#include <string.h>

#include "usb/controller/backend.h"
#include "usb/device/device.h"
#include "usbd/port_status.h"

#define LOOK_MS 10

static int check_qusb(xlx_ctx *ctx, uint32_t domid)
{
    int rc = xlx__backend_has_rival(ctx, domid);
    if (rc > 0)
        return xlx__fail(
            ctx, ENOTSUP,
            "domain %u: USB controller: type qusb: the guest's own "
            "QEMU would take it too: use type=pv",
            domid);
    return rc ? rc : xlx__backend_check(ctx, domid);
}

/* One layout a guest is enough: ours looks after one of them. */
static int check_vusb(xlx_ctx *ctx, uint32_t domid)
{
    int rc = xlx__backend_has_rival(ctx, domid);
    if (rc == 0)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: USB controller: type pv: this host's "
                         "kernel has no driver usbback: use type=qusb",
                         domid);
    return rc < 0 ? rc : xlx__backend_check(ctx, domid);
}

/* One that was killed answers nobody: the guest would not close it. */
static int remove_hc(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until)
{
    bool started;
    xlx__tolerate(ctx, 1);
    int rc = xlx__backend_start(ctx, hc->domid, until, &started);
    xlx__tolerate(ctx, -1);
    if (rc)
        xlx__warn(ctx,
                  "domain %u: USB controller %u: no backend serves it: "
                  "%s",
                  hc->domid, hc->devid, xlx_ctx_error(ctx));
    return xlx__hc_close_and_remove(ctx, hc, until);
}

static int qusb_plug(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__hc_set_port(ctx, m->hc, m->port, "", m->busid);
}

/* The backend empties it as well, when the device is pulled out. */
static int qusb_unplug(xlx_ctx *ctx, const struct xlx__move *m)
{
    char now[XLX_USB_BUSID_MAX];
    int rc = xlx__hc_port(ctx, XLX__XS_NO_TX, m->hc, m->port, now);
    if (rc || !*now)
        return rc;
    return xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
}

static int read_status(xlx_ctx *ctx, const struct xlx__move *m,
                       struct xlx__usbd_status *s_r)
{
    return xlx__usbd_status_read(ctx, m->hc->domid, m->hc->devid, m->port, s_r);
}

static int qusb_claimed(xlx_ctx *ctx, const struct xlx__move *m)
{
    struct xlx__usbd_status s;
    char now[XLX_USB_BUSID_MAX];
    int rc = read_status(ctx, m, &s);
    if (rc > 0 && !strcmp(s.busid, m->busid)) {
        if (s.what == XLX__USBD_FAILED_PORT)
            return xlx__fail(ctx, EIO,
                             "usb %s: cannot be given to domain %u: "
                             "%s",
                             m->busid, m->hc->domid, s.why);
        if (s.what == XLX__USBD_CONFIGURED_PORT)
            return 1;
    }
    if (rc >= 0)
        rc = xlx__hc_port(ctx, XLX__XS_NO_TX, m->hc, m->port, now);
    /* Emptied by the backend: it was pulled out. */
    if (!rc && strcmp(now, m->busid))
        return -ENODEV;
    if (!rc)
        rc = xlx__backend_alive(ctx, m->hc->domid);
    if (rc == 0)
        return -ECONNRESET;
    return rc > 0 ? 0 : rc;
}

/* What it says of the port counts: to set a configuration, or to start again,
 * it lets go of the interfaces for a while. */
static int qusb_holds(xlx_ctx *ctx, const struct xlx__move *m)
{
    struct xlx__usbd_status s;
    int rc = read_status(ctx, m, &s);
    if (rc > 0 &&
        (strcmp(s.busid, m->busid) || s.what == XLX__USBD_FAILED_PORT))
        return 0;
    if (rc > 0)
        rc = xlx__backend_alive(ctx, m->hc->domid);
    if (rc <= 0)
        return rc;
    rc = xlx__usbdev_all_have(ctx, m->busid, "usbfs");
    return rc == 0 ? -EAGAIN : rc;
}

static int look_released(xlx_ctx *ctx, void *arg)
{
    struct xlx__usbd_status s;
    struct xlx__usbdev dev;
    const struct xlx__move *m = arg;
    int rc = read_status(ctx, m, &s);
    if (rc > 0 && strcmp(s.busid, m->busid))
        return 1; /* another one is there by now */
    /* What is not plugged in is nobody's. */
    if (rc > 0 && xlx__usbdev_read(ctx, m->busid, &dev) == -ENODEV)
        return 1;
    if (rc > 0)
        rc = xlx__backend_alive(ctx, m->hc->domid);
    if (rc == 0)
        return 1;
    return rc > 0 ? 0 : rc;
}

static int qusb_give_back(xlx_ctx *ctx, const struct xlx__move *m)
{
    int rc = xlx__xs_wait_for(ctx, NULL, 0, LOOK_MS, m->until, look_released,
                              (void *)m);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "usb %s: the USB backend of domain %u does not "
                         "release it: see its log",
                         m->busid, m->hc->domid);
    rc = rc < 0 ? rc : xlx__usbdev_restore(ctx, m->busid, m->until);
    return rc ? rc : xlx__backend_forget(ctx, m->hc->domid, m->busid);
}

#define OURS                                                                \
    .start = xlx__backend_start, .stop_unused = xlx__backend_stop_unused,   \
    .make = xlx__hc_make, .connect = xlx__hc_connect,                       \
    .connected = xlx__hc_connected, .remove = remove_hc, .plug = qusb_plug, \
    .claimed = qusb_claimed, .holds = qusb_holds, .unplug = qusb_unplug,    \
    .give_back = qusb_give_back

const struct xlx__type xlx__type_qusb = { .check = check_qusb, OURS };
const struct xlx__type xlx__type_vusb = { .check = check_vusb, OURS };
