/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/attach.h"

#include <stdlib.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/undo.h"
#include "usb/admission/refuse.h"
#include "usb/attach/audit.h"
#include "usb/attach/create.h"
#include "usb/attach/locks.h"
#include "usb/attach/repair.h"
#include "usb/attach/transfer.h"
#include "usb/controller/backend.h"
#include "usb/controller/hc.h"
#include "usb/controller/list.h"
#include "usb/controller/place.h"
#include "usb/controller/type.h"
#include "usb/deadline.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usb/device/selector.h"

struct attach {
    struct xlx__create create; /* of a controller, unless there is one */
    const struct xlx_usb_place *want;
    struct xlx_usb_place place;
    struct xlx__usbdev dev; /* first as it was chosen, then as it is judged */
    bool force;
};

/* 1: the controller has a device with isochronous endpoints, 0 or -errno. */
static int is_reserved(xlx_ctx *ctx, const struct xlx__snapshot *hc)
{
    struct xlx__usbdev dev = { 0 };
    int rc = 0;
    for (uint32_t i = 0; !rc && !dev.isochronous && i < hc->nr_ports; i++) {
        const char *busid = hc->port[i].busid;
        xlx__tolerate(ctx, 1);
        bool there =
            xlx__busid_valid(busid) && !xlx__usbdev_read(ctx, busid, &dev);
        xlx__tolerate(ctx, -1);
        if (there)
            rc = xlx__usbdev_read_needs(ctx, &dev);
    }
    return rc ? rc : dev.isochronous;
}

static bool has_any(const struct xlx__snapshot *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (hc->port[i].busid[0])
            return true;
    return false;
}

/* Somebody asked for that controller. */
static int warn_shared(xlx_ctx *ctx, const struct attach *a,
                       const struct xlx__snapshot *hc)
{
    if (a->want->hc == XLX_USB_ANY || a->want->hc != hc->devid ||
        hc->type == XLX_USB_DEVICEMODEL || !has_any(hc))
        return 0;
    int rc = a->dev.isochronous ? 1 : is_reserved(ctx, hc);
    if (rc > 0)
        xlx__warn(ctx,
                  "usb %s: controller %u has other devices, and the 16 "
                  "requests of a controller are not enough for those and a "
                  "camera or a sound card: without controller= the device "
                  "gets one of its own",
                  a->dev.busid, hc->devid);
    return rc < 0 ? rc : 0;
}

/* What the guest's driver cannot do is not for us to see, and not its fault. */
static void warn_camera(xlx_ctx *ctx, const struct xlx__usbdev *dev)
{
    enum { VIDEO = 0x0e };
    bool camera = false;
    for (unsigned i = 0; i < dev->nr_intfs; i++)
        camera |= dev->intf[i].class == VIDEO;
    if (camera && dev->isochronous)
        xlx__warn(ctx,
                  "usb %s: a camera: in a Linux guest from 5.12 on its "
                  "stream may fail for lack of memory (docs/usb.md, "
                  "isochronous devices): a controller of type=devicemodel of "
                  "an HVM guest does not have this problem",
                  dev->busid);
}

static int choose_place(xlx_ctx *ctx, struct attach *a,
                        const struct xlx__snapshot *list, int nr)
{
    XLX__AUTO_FREE bool *reserved = calloc((size_t)nr + 1, sizeof(*reserved));
    int rc = reserved ? 0 : xlx__fail(ctx, ENOMEM, "usb: no memory");
    for (int i = 0; rc >= 0 && i < nr; i++) {
        rc = warn_shared(ctx, a, &list[i]);
        if (rc || a->want->hc != XLX_USB_ANY ||
            list[i].type == XLX_USB_DEVICEMODEL)
            continue;
        rc = is_reserved(ctx, &list[i]);
        reserved[i] = rc > 0;
    }
    return rc < 0 ? rc
                  : xlx__place_choose(ctx, a->create.hc.domid, list, reserved,
                                      nr, &a->dev, a->want, &a->place);
}

/* An existing controller, or what kind of one to make. */
static int choose(xlx_ctx *ctx, struct attach *a)
{
    static const struct xlx_usb_hc_config usual = { .type = XLX_USB_AUTO };
    XLX__AUTO_FREE struct xlx__snapshot *list = NULL;
    struct xlx__create *c = &a->create;
    int rc = xlx__usbdev_read_needs(ctx, &a->dev);
    int nr = rc ? rc : xlx__usb_snapshot(ctx, c->hc.domid, &list);
    rc = nr < 0 ? nr : choose_place(ctx, a, list, nr);
    if (!rc && a->place.hc != XLX_USB_ANY)
        rc = xlx__hc_read(ctx, c->hc.domid, a->place.hc, &c->hc);
    if (!rc && a->place.hc == XLX_USB_ANY)
        rc = xlx__create_config(ctx, c, &usual, &a->dev);
    if (!rc && c->hc.type != XLX_USB_DEVICEMODEL)
        warn_camera(ctx, &a->dev);
    return rc;
}

static int find_or_make_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    if (a->place.hc != XLX_USB_ANY)
        return 0;
    int rc = xlx__create_hc(ctx, &a->create);
    if (!rc)
        a->place.hc = a->create.hc.devid;
    return rc;
}

static int check_backend(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__create_check(ctx, &a->create);
}

static void undo_backend(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    xlx__uncreate_backend(ctx, &a->create);
}

static void unmake_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    xlx__uncreate_hc(ctx, &a->create);
}

static int start_backend(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__create_start(ctx, &a->create);
}

static int connect_hc(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    const struct xlx__hc *hc = &a->create.hc;
    return xlx__type_of(hc)->connect(ctx, hc, a->create.until);
}

/* With the device's lock; what is chosen without it may be another one. */
static int judge_device(xlx_ctx *ctx, struct attach *a)
{
    int rc = xlx__usbdev_read_again(ctx, &a->dev);
    return rc ? rc : xlx__refuse_device(ctx, &a->dev, a->force);
}

/* A controller that has to be made takes its time, and a disk may be mounted
 * meanwhile. */
static int judge_again(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return a->create.made ? judge_device(ctx, a) : 0;
}

static int plug_chosen_device(xlx_ctx *ctx, void *job)
{
    struct attach *a = job;
    return xlx__usb_plug(ctx, &a->create.hc, a->place.port, &a->dev,
                         a->create.until);
}

/* --- the plan, not run ---------------------------------------------------- */

static int tell_drivers(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_NAMES struct xlx__names drivers = { 0 };
    int rc = xlx__usbdev_drivers(ctx, busid, &drivers);
    for (size_t i = 0; !rc && i < drivers.nr; i++)
        xlx__info(ctx, "would take usb %s", drivers.v[i]);
    return rc;
}

static int tell_plan(xlx_ctx *ctx, const struct attach *a)
{
    uint32_t domid = a->create.hc.domid;
    const char *busid = a->dev.busid;
    int rc = tell_drivers(ctx, busid);
    if (!rc && a->place.hc == XLX_USB_ANY)
        xlx__info(ctx,
                  "would make a USB controller with %u ports for domain %u, "
                  "and put usb %s on its port %u",
                  a->create.hc.nr_ports, domid, busid, a->place.port);
    else if (!rc)
        xlx__info(ctx,
                  "would put usb %s on port %u of controller %u of domain %u",
                  busid, a->place.port, a->place.hc, domid);
    return rc;
}

/* --- the whole ------------------------------------------------------------ */

static int attach_locked(xlx_ctx *ctx, struct attach *a, unsigned flags)
{
    static const struct xlx__step steps[] = {
        { check_backend, undo_backend }, { find_or_make_hc, unmake_hc },
        { start_backend, NULL },         { connect_hc, NULL },
        { judge_again, NULL },           { plug_chosen_device, NULL },
    };
    xlx__tolerate(ctx, 1);
    int rc = xlx__usb_repair(ctx, a->dev.busid, xlx__now_ms() + XLX__FOLLOW_MS);
    xlx__tolerate(ctx, -1);
    /* Somebody of this host has it by now, who is told of there. */
    if (rc < 0 && rc != -ETIMEDOUT)
        return xlx__fail_after_all(ctx, rc);
    rc = judge_device(ctx, a);
    if (!rc)
        rc = choose(ctx, a);
    if (rc)
        return rc;
    if (flags & XLX_USB_DRY_RUN)
        return tell_plan(ctx, a);
    rc = xlx__plan_run(ctx, steps, XLX__NR(steps), a);
    xlx__usb_audit(
        ctx, rc, "usb %s: attach to domain %u, controller %u port %u",
        a->dev.busid, a->create.hc.domid, a->place.hc, a->place.port);
    return rc;
}

/* With both locks. */
static int attach_once(xlx_ctx *ctx, struct attach *a, unsigned flags)
{
    int64_t until = a->create.until;
    XLX__AUTO_CLOSE int domain =
        xlx__usb_lock_domain(ctx, a->create.hc.domid, until);
    if (domain < 0)
        return domain;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_device(ctx, a->dev.busid, until);
    return lock < 0 ? lock : attach_locked(ctx, a, flags);
}

int xlx__usb_attach_dev(xlx_ctx *ctx, uint32_t domid,
                        const struct xlx__usbdev *dev,
                        const struct xlx_usb_place *place, unsigned flags,
                        int timeout_ms, struct xlx_usb_place *got_r)
{
    struct attach a = { .want = place,
                        .dev = *dev,
                        .force = flags & XLX_USB_FORCE };
    xlx__create_init(&a.create, domid, xlx__now_ms() + timeout_ms);
    int rc = xlx__usb_check_domain(ctx, domid);
    if (!rc)
        rc = attach_once(ctx, &a, flags);
    if (!rc)
        *got_r = a.place;
    return rc;
}

int xlx_usb_attach(xlx_ctx *ctx, uint32_t domid, const char *device,
                   const struct xlx_usb_place *place, unsigned flags,
                   int timeout_ms, struct xlx_usb_place *got_r)
{
    struct xlx__usbdev dev;
    int rc = xlx__usb_check_domain(ctx, domid);
    if (!rc)
        rc = xlx__select(ctx, device, &dev);
    return rc ? rc
              : xlx__usb_attach_dev(ctx, domid, &dev, place, flags, timeout_ms,
                                    got_r);
}

/* --- before another guest gives it up ------------------------------------ */

int xlx__usb_attach_prepare(xlx_ctx *ctx, uint32_t domid,
                            const struct xlx__usbdev *dev,
                            const struct xlx_usb_place *want, unsigned flags,
                            int timeout_ms, struct xlx_usb_place *place_r,
                            bool *made_r)
{
    static const struct xlx__step steps[] = {
        { check_backend, undo_backend },
        { find_or_make_hc, unmake_hc },
        { start_backend, NULL },
        { connect_hc, NULL },
    };
    struct attach a = { .want = want, .dev = *dev };
    xlx__create_init(&a.create, domid, xlx__now_ms() + timeout_ms);
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_domain(ctx, domid, a.create.until);
    if (lock < 0)
        return lock;
    int rc = xlx__refuse_given(ctx, &a.dev, flags & XLX_USB_FORCE);
    if (!rc)
        rc = choose(ctx, &a);
    if (!rc)
        rc = xlx__plan_run(ctx, steps, XLX__NR(steps), &a);
    *place_r = a.place;
    *made_r = a.create.made;
    return rc;
}
