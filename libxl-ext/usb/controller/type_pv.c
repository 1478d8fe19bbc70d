/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The kernel driver usbback serves the controller. It takes a device from its
 * drivers only when told to, interface by interface, and knows which by the
 * ports: so a port is written before its device is bound, and emptied after it
 * was unbound, as libxl does.
 */
#include "usb/controller/type.h"

#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/clock.h"
#include "core/undo.h"
#include "usb/controller/usbback.h"
#include "usb/deadline.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"

#define POLL_MS 10

static int pv_check(xlx_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    (void)domid;
    return 0;
}

/* --- plugging ------------------------------------------------------------- */

static struct xlx__usbback_id id_of(const struct xlx__move *m)
{
    struct xlx__usbback_id id = { .domid = m->hc->domid,
                                  .place = { m->hc->devid, m->port } };
    snprintf(id.busid, sizeof(id.busid), "%s", m->busid);
    return id;
}

/* 1: usbback has the device for this port, 0: not yet. */
static int look_known(xlx_ctx *ctx, void *arg)
{
    const struct xlx__move *m = arg;
    struct xlx__usbback_id want = id_of(m), got;
    int rc = xlx__usbback_find(ctx, &want, &got);
    if (rc <= 0)
        return rc == -ENOENT ? 1 : rc;
    if (!strcmp(got.busid, want.busid) && got.domid == want.domid &&
        got.place.hc == want.place.hc && got.place.port == want.place.port)
        return 1;
    return xlx__fail(ctx, EBUSY,
                     "usb %s: usbback has %s for domain %u, controller %u port "
                     "%u",
                     m->busid, xlx__busid_valid(got.busid) ? got.busid : "it",
                     got.domid, got.place.hc, got.place.port);
}

static int check_ids(xlx_ctx *ctx, void *job)
{
    int rc = look_known(ctx, job);
    return rc < 0 ? rc : 0;
}

static int fill_port(xlx_ctx *ctx, void *job)
{
    const struct xlx__move *m = job;
    return xlx__hc_set_port(ctx, m->hc, m->port, "", m->busid);
}

static void empty_again(xlx_ctx *ctx, void *job)
{
    const struct xlx__move *m = job;
    char now[XLX_USB_BUSID_MAX];
    if (!xlx__hc_port(ctx, XLX__XS_NO_TX, m->hc, m->port, now) &&
        !strcmp(now, m->busid))
        xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
}

static int wait_known(xlx_ctx *ctx, void *job)
{
    const struct xlx__move *m = job;
    int rc = xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, m->until, look_known, job);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "usb %s: usbback ignores port %u of domain %u's "
                         "controller %u: see the kernel log",
                         m->busid, m->port, m->hc->domid, m->hc->devid);
    return rc < 0 ? rc : 0;
}

static int bind(xlx_ctx *ctx, void *job)
{
    return xlx__usbback_bind(ctx, ((const struct xlx__move *)job)->busid);
}

static void unbind_again(xlx_ctx *ctx, void *job)
{
    xlx__usbback_unbind(ctx, ((const struct xlx__move *)job)->busid);
}

static int pv_give_back(xlx_ctx *ctx, const struct xlx__move *m)
{
    int rc = xlx__usbdev_rebind(ctx, m->busid, m->until);
    return rc ? rc : xlx__usbback_forget(ctx, m->busid);
}

/* First in the list, so last when it is taken back. */
static void rebind(xlx_ctx *ctx, void *job)
{
    struct xlx__move again = *(const struct xlx__move *)job;
    again.until = xlx__now_ms() + XLX__UNDO_MS;
    pv_give_back(ctx, &again);
}

static int pv_plug(xlx_ctx *ctx, const struct xlx__move *m)
{
    static const struct xlx__step steps[] = {
        { check_ids, rebind },
        { fill_port, empty_again },
        { wait_known, NULL },
        { bind, unbind_again },
    };
    return xlx__plan_run(ctx, steps, XLX__NR(steps), (void *)m);
}

/* --- unplugging ----------------------------------------------------------- */

static int unbind(xlx_ctx *ctx, void *job)
{
    return xlx__usbback_unbind(ctx, ((const struct xlx__move *)job)->busid);
}

static void bind_again(xlx_ctx *ctx, void *job)
{
    bind(ctx, job);
}

/* The undo of unbinding comes after it, and needs it. */
static void fill_again(xlx_ctx *ctx, void *job)
{
    struct xlx__move again = *(const struct xlx__move *)job;
    char now[XLX_USB_BUSID_MAX];
    again.until = xlx__now_ms() + XLX__UNDO_MS;
    if (!xlx__hc_port(ctx, XLX__XS_NO_TX, again.hc, again.port, now) && !*now &&
        !fill_port(ctx, &again))
        wait_known(ctx, &again);
}

static int empty_port(xlx_ctx *ctx, void *job)
{
    const struct xlx__move *m = job;
    return xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
}

static int look_dropped(xlx_ctx *ctx, void *arg)
{
    struct xlx__usbback_id want = id_of(arg), got;
    int rc = xlx__usbback_find(ctx, &want, &got);
    if (rc == 0 || rc == -ENOENT)
        return 1;
    return rc < 0 ? rc : 0;
}

/* Until then the same device cannot go anywhere else. */
static int wait_dropped(xlx_ctx *ctx, void *job)
{
    const struct xlx__move *m = job;
    int rc =
        xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, m->until, look_dropped, job);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "usb %s: usbback does not release it: see the "
                         "kernel log",
                         m->busid);
    return rc < 0 ? rc : 0;
}

static int pv_unplug(xlx_ctx *ctx, const struct xlx__move *m)
{
    static const struct xlx__step steps[] = {
        { unbind, bind_again },
        { empty_port, fill_again },
        { wait_dropped, NULL },
    };
    return xlx__plan_run(ctx, steps, XLX__NR(steps), (void *)m);
}

static int pv_claimed(xlx_ctx *ctx, const struct xlx__move *m)
{
    return xlx__usbback_claimed(ctx, m->busid);
}

static int pv_holds(xlx_ctx *ctx, const struct xlx__move *m)
{
    int rc = pv_claimed(ctx, m);
    return rc == 0 ? -EAGAIN : rc;
}

const struct xlx__type xlx__type_pv = {
    .check = pv_check,
    .make = xlx__hc_make,
    .connect = xlx__hc_connect,
    .connected = xlx__hc_connected,
    .remove = xlx__hc_close_and_remove,
    .plug = pv_plug,
    .claimed = pv_claimed,
    .holds = pv_holds,
    .unplug = pv_unplug,
    .give_back = pv_give_back,
};
