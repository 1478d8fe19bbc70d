/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/transfer.h"

#include "core/array.h"
#include "core/clock.h"
#include "core/undo.h"
#include "usb/controller/type.h"
#include "usb/deadline.h"
#include "usb/device/device.h"

#define POLL_MS 10
struct job {
    struct xlx__move m;
    const struct xlx__type *type;
    struct xlx__usbdev dev;
    bool there; /* when unplugging: dev is what the guest was given */
    bool done;  /* the port is changed */
};

static struct job make_job(const struct xlx__hc *hc, uint32_t port,
                           const char *busid, int64_t until)
{
    return (struct job){ .m = { hc, port, busid, until },
                         .type = xlx__type_of(hc) };
}

/* --- plugging ------------------------------------------------------------- */

static int remember(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return xlx__usbdev_remember(ctx, &j->dev, j->m.hc->domid);
}

static void forget_again(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    xlx__usbdev_forget(ctx, j->m.busid);
}

static int check_same(xlx_ctx *ctx, void *arg)
{
    struct xlx__usbdev dev = ((const struct job *)arg)->dev;
    return xlx__usbdev_read_again(ctx, &dev);
}

static int plug_into_port(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int rc = j->type->plug(ctx, &j->m);
    j->done = !rc;
    return rc;
}

static void undo_plug(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    if (!j->done)
        return;
    j->m.until = xlx__now_ms() + XLX__UNDO_MS;
    j->type->unplug(ctx, &j->m);
    j->type->give_back(ctx, &j->m);
}

/* Nobody takes another one that is in its place by now. */
static int look_claimed(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    struct xlx__usbdev now;
    int rc = j->type->claimed(ctx, &j->m);
    if (rc)
        return rc;
    rc = xlx__usbdev_read(ctx, j->m.busid, &now);
    return rc || xlx__usbdev_same(&j->dev, &now) ? rc : -ENODEV;
}

static int wait_claimed(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int rc =
        xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, j->m.until, look_claimed, j);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile",
                         j->m.busid);
    if (rc == -ECONNRESET)
        return xlx__fail(ctx, ECONNRESET,
                         "usb %s: the USB backend of domain %u died meanwhile: "
                         "see its log",
                         j->m.busid, j->m.hc->domid);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "usb %s: domain %u does not take it: the guest has "
                         "not configured it: see its kernel log",
                         j->m.busid, j->m.hc->domid);
    return rc < 0 ? rc : 0;
}

int xlx__usb_plug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                  const struct xlx__usbdev *dev, int64_t until)
{
    static const struct xlx__step steps[] = {
        { remember, forget_again },    { check_same, NULL },
        { plug_into_port, undo_plug }, { wait_claimed, NULL },
        { check_same, NULL },
    };
    struct job j = make_job(hc, port, dev->busid, until);
    j.dev = *dev;
    return xlx__plan_run(ctx, steps, XLX__NR(steps), &j);
}

/* --- unplugging ----------------------------------------------------------- */

static int unplug_from_port(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int rc = j->type->unplug(ctx, &j->m);
    j->done = !rc;
    return rc;
}

static void undo_unplug(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    if (!j->done || !j->there || check_same(ctx, j))
        return;
    j->m.until = xlx__now_ms() + XLX__UNDO_MS;
    j->type->plug(ctx, &j->m);
    xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, j->m.until, look_claimed, j);
}

static int give_device_back(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return j->type->give_back(ctx, &j->m);
}

static int forget_notes(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return xlx__usbdev_forget(ctx, j->m.busid);
}

int xlx__usb_unplug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                    const char *busid, int64_t until)
{
    static const struct xlx__step steps[] = {
        { unplug_from_port, undo_unplug },
        { give_device_back, NULL },
        { forget_notes, NULL },
    };
    struct job j = make_job(hc, port, busid, until);
    int rc = xlx__usbdev_read_given(ctx, busid, hc->domid, &j.dev);
    j.there = !rc;
    return rc && rc != -ENODEV ? rc
                               : xlx__plan_run(ctx, steps, XLX__NR(steps), &j);
}
