/* SPDX-License-Identifier: LGPL-2.1-only */
#include "libxl_ext_usb.h"

#include <stdlib.h>

#include "core/clean.h"
#include "core/clock.h"
#include "usb/backend.h"
#include "usb/create.h"
#include "usb/device.h"
#include "usb/hc.h"
#include "usb/job.h"
#include "usb/list.h"
#include "usb/place.h"
#include "usb/plan.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define HIGH_SPEED 480u

struct attach {
    struct xlx__create create; /* of a controller, when one is missing */
    const struct xlx_usb_place *want;
    struct xlx_usb_place place;
    struct xlx__usbdev dev;
    struct xlx__hc hc;
};

static int check_device(xlx_ctx *ctx, const char *busid,
                        struct xlx__usbdev *dev_r)
{
    int rc = xlx__job_check_busid(ctx, busid);
    if (!rc)
        rc = xlx__usbdev_read(ctx, busid, dev_r);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV,
                         "usb %s: no such device on this host: see lsusb -t",
                         busid);
    if (!rc && dev_r->hub)
        return xlx__fail(ctx, ENOTSUP,
                         "usb %s: is a hub: attach the devices behind it",
                         busid);
    if (!rc && dev_r->mbits > HIGH_SPEED)
        return xlx__fail(ctx, ENOTSUP,
                         "usb %s: runs at SuperSpeed (%u Mbit/s), PVUSB ends "
                         "at high speed (480): plug it into a USB 2 port",
                         busid, dev_r->mbits);
    return rc;
}

/* Nobody has it: no guest, and no program on this host. */
static int check_free(xlx_ctx *ctx, const char *busid)
{
    uint32_t owner;
    struct xlx_usb_place place;
    int rc = xlx__usb_owner(ctx, busid, &owner, &place);
    if (rc > 0)
        return xlx__fail(ctx, EBUSY,
                         "usb %s: attached already to domain %u, controller "
                         "%u port %u",
                         busid, owner, place.hc, place.port);
    if (rc == 0)
        rc = xlx__usbdev_claimed(ctx, busid);
    if (rc > 0)
        return xlx__fail(ctx, EBUSY,
                         "usb %s: in use by a program on this host (driver "
                         "usbfs)",
                         busid);
    return rc;
}

static int choose(xlx_ctx *ctx, struct attach *a)
{
    XLX__AUTO_FREE struct xlx_usb_hc *list = NULL;
    int nr = xlx__usb_snapshot(ctx, a->create.hc.domid, &list);
    return nr < 0 ? nr
                  : xlx__place_choose(ctx, a->create.hc.domid, list, nr,
                                      &a->dev, a->want, &a->place);
}

static int find_or_make_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    if (a->place.hc != XLX_USB_ANY)
        return xlx__hc_read(ctx, a->create.hc.domid, a->place.hc, &a->hc);
    int rc = xlx__create_hc(ctx, &a->create);
    if (!rc) {
        a->hc = a->create.hc;
        a->place.hc = a->hc.devid;
    }
    return rc;
}

static int start_backend(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__create_backend(ctx, &a->create);
}

static void stop_backend(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    xlx__uncreate_backend(ctx, &a->create);
}

static void unmake_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    xlx__uncreate_hc(ctx, &a->create);
}

static int connect_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__hc_connect(ctx, &a->hc, a->create.until);
}

static int plug(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__job_plug(ctx, &a->hc, a->place.port, a->dev.busid,
                         a->create.until);
}

static int attach_locked(xlx_ctx *ctx, struct attach *a)
{
    static const struct xlx__step steps[] = {
        { start_backend, stop_backend },
        { find_or_make_hc, unmake_hc },
        { connect_hc, NULL },
        { plug, NULL },
    };
    int rc = check_free(ctx, a->dev.busid);
    if (!rc)
        rc = choose(ctx, a);
    return rc ? rc : xlx__plan_run(ctx, steps, NR(steps), a);
}

int xlx_usb_attach(xlx_ctx *ctx, uint32_t domid, const char *busid,
                   const struct xlx_usb_place *place, int timeout_ms,
                   struct xlx_usb_place *got_r)
{
    struct attach a = { .want = place };
    int64_t until = xlx__now_ms() + timeout_ms;
    xlx__create_init(&a.create, domid, NULL, until);
    int rc = xlx__job_check_domain(ctx, domid);
    if (!rc)
        rc = check_device(ctx, busid, &a.dev);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int domain = xlx__job_lock_domain(ctx, domid, until);
    if (domain < 0)
        return domain;
    XLX__AUTO_CLOSE int device = xlx__job_lock_device(ctx, busid, until);
    if (device < 0)
        return device;
    rc = attach_locked(ctx, &a);
    if (!rc)
        *got_r = a.place;
    return rc;
}
