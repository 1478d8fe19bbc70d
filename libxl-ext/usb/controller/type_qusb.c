/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A QEMU process on the host serves the controller. It watches the ports in
 * xenstore, claims what is written there when the guest configures it, and
 * gives the drivers back when the port is emptied.
 */
#include "usb/controller/type.h"

#include "usb/controller/backend.h"
#include "usb/device/device.h"

static int plug(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__hc_set_port(ctx, m->hc, m->port, "", m->busid);
}

static int unplug(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
}

/* Who supervises a backend that died takes its announcement away. */
static int claimed(xlx_ctx *ctx, const struct xlx__move *m)
{
    int rc = xlx__usbdev_claimed(ctx, m->busid);
    if (rc)
        return rc;
    rc = xlx__backend_announced(ctx, m->hc->domid);
    return rc > 0 ? 0 : rc < 0 ? rc : -ECONNRESET;
}

const struct xlx__type xlx__type_qusb = {
    .check = xlx__backend_check,
    .make_room = xlx__backend_make_room,
    .start = xlx__backend_start,
    .stop_unused = xlx__backend_stop_unused,
    .make = xlx__hc_make,
    .connect = xlx__hc_connect,
    .connected = xlx__hc_connected,
    .remove = xlx__hc_close_and_remove,
    .plug = plug,
    .claimed = claimed,
    .unplug = unplug,
    .give_back = xlx__usbdev_restore,
};
