/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A whole hub: each device behind it, by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "usb/attach/attach.h"
#include "usb/attach/locks.h"
#include "usb/controller/list.h"
#include "usb/device/busid.h"
#include "usb/device/selector.h"

struct job {
    xlx_ctx *ctx;
    uint32_t domid;
    const struct xlx_usb_place *place;
    unsigned flags;
    int timeout_ms;
    xlx_usb_report_fn *report;
    void *user;
};

static void report_device(struct job *job, const char *busid,
                          enum xlx_usb_outcome outcome,
                          const struct xlx_usb_place *at, const char *reason)
{
    const struct xlx_usb_report report = {
        .outcome = outcome,
        .guest = "",
        .domid = job->domid,
        .busid = busid,
        .place = *at,
        .reason = reason,
    };
    job->report(job->user, &report);
}

/* Whether the guest has it already: 1, 0 or -errno. */
static int has_it(struct job *job, const char *busid,
                  struct xlx_usb_place *place_r)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int nr = xlx__usb_owned(job->ctx, &owned);
    const struct xlx__owned *o =
        nr < 0 ? NULL : xlx__usb_owner(owned, nr, busid);
    if (!o || o->domid != job->domid)
        return nr < 0 ? nr : 0;
    *place_r = o->place;
    return 1;
}

/* 0 when the guest has it. */
static int attach_one(struct job *job, const struct xlx__usbdev *dev)
{
    const struct xlx_usb_place nowhere = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place place;
    int rc = has_it(job, dev->busid, &place);
    if (rc > 0) {
        report_device(job, dev->busid, XLX_USB_IN_PLACE, &place, "");
        return 0;
    }
    if (!rc)
        rc = xlx__usb_attach_dev(job->ctx, job->domid, dev, job->place,
                                 job->flags, job->timeout_ms, &place);
    if (rc)
        report_device(job, dev->busid, XLX_USB_FAILED, &nowhere,
                      xlx_ctx_error(job->ctx));
    else if (!(job->flags & XLX_USB_DRY_RUN))
        report_device(job, dev->busid, XLX_USB_ATTACHED, &place, "");
    return rc;
}

static int attach_all(struct job *job, const char *hub)
{
    XLX__AUTO_FREE struct xlx__usbdev *devs = NULL;
    int failed = 0, found = 0, nr = xlx__usbdev_list(job->ctx, &devs);
    for (int i = 0; i < nr; i++) {
        if (devs[i].hub || !xlx__busid_is_behind(devs[i].busid, hub))
            continue;
        found++;
        failed += !!attach_one(job, &devs[i]);
    }
    if (nr >= 0 && !found)
        return xlx__fail(job->ctx, ENODEV,
                         "usb %s: nothing is plugged in behind it", hub);
    return nr < 0 ? nr : failed;
}

static int check(struct job *job, const char *hub, struct xlx__usbdev *dev)
{
    int rc = xlx__usb_check_domain(job->ctx, job->domid);
    if (!rc)
        rc = xlx__select(job->ctx, hub, dev);
    if (!rc && !dev->hub)
        rc = xlx__fail(job->ctx, ENOTSUP, "usb %s: is not a hub", dev->busid);
    if (!rc && job->place->port != XLX_USB_ANY)
        rc = xlx__fail(job->ctx, EINVAL,
                       "usb %s: the devices behind a hub cannot share one "
                       "port",
                       dev->busid);
    return rc;
}

/* The failure of one device is reported, not logged too. */
static int run_job(struct job *job, int (*all)(struct job *, const char *),
                   const char *hub)
{
    xlx__tolerate(job->ctx, 1);
    int rc = all(job, hub);
    xlx__tolerate(job->ctx, -1);
    return rc < 0 ? xlx__fail_after_all(job->ctx, rc) : rc;
}

int xlx_usb_attach_hub(xlx_ctx *ctx, uint32_t domid, const char *hub,
                       const struct xlx_usb_place *place, unsigned flags,
                       int timeout_ms, xlx_usb_report_fn *report, void *user)
{
    struct job job = { ctx, domid, place, flags, timeout_ms, report, user };
    struct xlx__usbdev dev;
    int rc = check(&job, hub, &dev);
    return rc ? rc : run_job(&job, attach_all, dev.busid);
}

/* --- and back ------------------------------------------------------------- */

static int detach_one(struct job *job, const char *busid,
                      const struct xlx_usb_place *place)
{
    if (job->flags & XLX_USB_DRY_RUN) {
        xlx__info(job->ctx,
                  "would detach usb %s, port %u of controller %u of domain %u",
                  busid, place->port, place->hc, job->domid);
        return 0;
    }
    int rc = xlx_usb_detach(job->ctx, job->domid, place, busid, job->timeout_ms,
                            NULL);
    report_device(job, busid, rc ? XLX_USB_FAILED : XLX_USB_FREED, place,
                  rc ? xlx_ctx_error(job->ctx) : "");
    return rc;
}

static int detach_all(struct job *job, const char *hub)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int failed = 0, found = 0, nr = xlx__usb_owned(job->ctx, &owned);
    for (int i = 0; i < nr; i++) {
        if (owned[i].domid != job->domid ||
            !xlx__busid_is_behind(owned[i].busid, hub))
            continue;
        found++;
        failed += !!detach_one(job, owned[i].busid, &owned[i].place);
    }
    if (nr >= 0 && !found)
        return xlx__fail(job->ctx, ENODEV,
                         "usb %s: domain %u has nothing that is behind it", hub,
                         job->domid);
    return nr < 0 ? nr : failed;
}

/* A hub that was pulled out has its place still, and in the guest's ports are
 * those of its devices. */
static int find_hub(xlx_ctx *ctx, const char *hub,
                    char busid_r[XLX_USB_BUSID_MAX])
{
    struct xlx__selector sel;
    struct xlx__usbdev dev;
    int rc = xlx__selector_parse(ctx, hub, &sel);
    if (rc)
        return rc;
    if (sel.kind == XLX__SELECT_PLACE) {
        strcpy(busid_r, sel.busid);
        rc = xlx__usbdev_read(ctx, sel.busid, &dev);
        if (rc)
            return rc == -ENODEV ? 0 : rc;
    } else if ((rc = xlx__select(ctx, hub, &dev)))
        return rc;
    if (!dev.hub)
        return xlx__fail(ctx, ENOTSUP, "usb %s: is not a hub", dev.busid);
    strcpy(busid_r, dev.busid);
    return 0;
}

int xlx_usb_detach_hub(xlx_ctx *ctx, uint32_t domid, const char *hub,
                       unsigned flags, int timeout_ms,
                       xlx_usb_report_fn *report, void *user)
{
    struct job job = { ctx, domid, NULL, flags, timeout_ms, report, user };
    char busid[XLX_USB_BUSID_MAX];
    int rc = xlx__usb_check_domain(ctx, domid);
    if (!rc)
        rc = find_hub(ctx, hub, busid);
    return rc ? rc : run_job(&job, detach_all, busid);
}
