/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/job.h"

#include <stdio.h>

#include "core/clean.h"
#include "core/clock.h"
#include "host/lock.h"
#include "usb/busid.h"
#include "usb/device.h"
#include "usb/list.h"
#include "usb/log.h"
#include "usb/plan.h"
#include "usb/type.h"
#include "xen/domain.h"

#define POLL_MS 10
#define NR(a) (sizeof(a) / sizeof((a)[0]))

int xlx__job_check_domain(xlx_ctx *ctx, uint32_t domid)
{
    if (domid == 0)
        return xlx__fail(ctx, EINVAL,
                         "domain 0: is this host, which has its devices "
                         "already");
    return xlx__dom_exists(ctx, domid);
}

static void name_domain(uint32_t domid, char name[64])
{
    snprintf(name, 64, "usb/lock/domain-%u", domid);
}

int xlx__job_lock_domain(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char name[64];
    name_domain(domid, name);
    return xlx__lock(ctx, name, until);
}

int xlx__job_lock_domain_quietly(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char name[64];
    name_domain(domid, name);
    return xlx__lock_quietly(ctx, name, until);
}

int xlx_usb_hold(xlx_ctx *ctx, uint32_t domid, int timeout_ms)
{
    return xlx__job_lock_domain(ctx, domid, xlx__now_ms() + timeout_ms);
}

int xlx__job_lock_device(xlx_ctx *ctx, const char *busid, int64_t until)
{
    char name[64];
    /* A port may hold what is no busid. */
    snprintf(name, sizeof(name), "usb/lock/device-%s",
             xlx__busid_valid(busid) ? busid : "other");
    return xlx__lock(ctx, name, until);
}

/* Says so only when there was something to repair. */
static int restore_drivers(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_NAMES struct xlx__names before = { 0 }, after = { 0 };
    int rc = xlx__usbdev_drivers(ctx, busid, &before);
    if (rc == -ENODEV)
        return 0;
    if (!rc)
        rc = xlx__usbdev_restore(ctx, busid, xlx__now_ms() + XLX__UNDO_MS);
    if (!rc)
        rc = xlx__usbdev_drivers(ctx, busid, &after);
    if (!rc && after.nr != before.nr)
        xlx__info(ctx,
                  "usb %s: a command that was killed, or another tool, had "
                  "left it without its drivers: it has them again",
                  busid);
    return rc;
}

int xlx__job_repair(xlx_ctx *ctx, const char *busid)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int rc = xlx__usbdev_is_remembered(ctx, busid);
    if (rc <= 0)
        return rc;
    int nr = xlx__usb_owned(ctx, &owned);
    if (nr < 0 || xlx__usb_owner(owned, nr, busid))
        return nr < 0 ? nr : 0;
    rc = restore_drivers(ctx, busid);
    if (!rc)
        rc = xlx__usbdev_forget(ctx, busid);
    return rc ? rc : 1;
}

/* Nobody is at work for the device, nor for the guest it was given to: while the
 * guest's controllers are carried over, its devices are on no port. */
static int repair_one(xlx_ctx *ctx, const char *busid)
{
    uint32_t domid;
    int rc = xlx__usbdev_given_to(ctx, busid, &domid);
    if (rc <= 0)
        return rc;
    XLX__AUTO_CLOSE int domain =
        xlx__job_lock_domain(ctx, domid, xlx__now_ms());
    XLX__AUTO_CLOSE int device =
        domain < 0 ? -1 : xlx__job_lock_device(ctx, busid, xlx__now_ms());
    return device < 0 ? 0 : xlx__job_repair(ctx, busid);
}

int xlx__job_repair_domain(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int rc = xlx__usbdev_remembered(ctx, domid, &busids);
    for (size_t i = 0; rc >= 0 && i < busids.nr; i++) {
        XLX__AUTO_CLOSE int lock =
            xlx__job_lock_device(ctx, busids.v[i], until);
        rc = lock < 0 ? lock : xlx__job_repair(ctx, busids.v[i]);
    }
    return rc < 0 ? rc : 0;
}

/* Those that are on no port; looked at again under the device's lock. */
static int repair_unowned(xlx_ctx *ctx, const struct xlx__names *busids)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int nr = xlx__usb_owned(ctx, &owned), rc = nr < 0 ? nr : 0, repaired = 0;
    for (size_t i = 0; rc >= 0 && i < busids->nr; i++) {
        if (xlx__usb_owner(owned, nr, busids->v[i]))
            continue;
        rc = repair_one(ctx, busids->v[i]);
        repaired += rc > 0;
    }
    return rc < 0 ? rc : repaired;
}

int xlx__job_repair_all(xlx_ctx *ctx)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int rc = xlx__usbdev_all_remembered(ctx, &busids);
    return rc || !busids.nr ? rc : repair_unowned(ctx, &busids);
}

int xlx_usb_repair(xlx_ctx *ctx)
{
    return xlx__job_repair_all(ctx);
}

int xlx__job_check_hc(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    if (hc->backend_domid)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: controller %u is of type %s with its "
                         "backend in domain %u: use xl usbdev-detach and xl "
                         "usbctrl-detach",
                         hc->domid, hc->devid, xlx_usb_type_name(hc->type),
                         hc->backend_domid);
    return 0;
}

struct job {
    struct xlx__move m;
    const struct xlx__type *type;
    bool done; /* the port is changed */
};

static struct job make_job(const struct xlx__hc *hc, uint32_t port,
                           const char *busid, int64_t until)
{
    return (struct job){ .m = { hc, port, busid, until },
                         .type = xlx__type_of(hc->type) };
}

/* --- plugging ------------------------------------------------------------- */

static int remember(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return xlx__usbdev_remember(ctx, j->m.busid, j->m.hc->domid);
}

static void forget_again(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    xlx__usbdev_forget(ctx, j->m.busid);
}

static int plug(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int rc = j->type->plug(ctx, &j->m);
    j->done = !rc;
    return rc;
}

static void unplug_again(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int64_t until = xlx__now_ms() + XLX__UNDO_MS;
    if (!j->done)
        return;
    j->type->unplug(ctx, &j->m);
    j->type->give_back(ctx, j->m.busid, until);
}

static int look_claimed(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return j->type->claimed(ctx, &j->m);
}

static int wait_claimed(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    char why[XLX__LOG_LINE_MAX];
    int rc = xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, j->m.until, look_claimed,
                              j);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile",
                         j->m.busid);
    if (rc == -ECONNRESET) {
        xlx__usb_log_death(ctx, j->m.hc->domid, why);
        return xlx__fail(ctx, ECONNRESET,
                         "usb %s: the USB backend of domain %u died "
                         "meanwhile%s",
                         j->m.busid, j->m.hc->domid, why);
    }
    if (rc != -ETIMEDOUT)
        return rc < 0 ? rc : 0;
    xlx__usb_log_line(ctx, j->m.hc->domid, j->m.busid, why);
    return xlx__fail(ctx, ETIMEDOUT,
                     "usb %s: domain %u does not take it: %s%s", j->m.busid,
                     j->m.hc->domid,
                     *why ? "the backend says: "
                          : "neither backend nor guest says why; see the "
                            "guest's kernel log",
                     why);
}

int xlx__job_plug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                  const char *busid, int64_t until)
{
    static const struct xlx__step steps[] = {
        { remember, forget_again },
        { plug, unplug_again },
        { wait_claimed, NULL },
    };
    struct job j = make_job(hc, port, busid, until);
    return xlx__plan_run(ctx, steps, NR(steps), &j);
}

/* --- unplugging ----------------------------------------------------------- */

static int unplug(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    int rc = j->type->unplug(ctx, &j->m);
    j->done = !rc;
    return rc;
}

static void plug_again(xlx_ctx *ctx, void *arg)
{
    struct job *j = arg;
    if (!j->done)
        return;
    j->m.until = xlx__now_ms() + XLX__UNDO_MS;
    j->type->plug(ctx, &j->m);
    xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, j->m.until, look_claimed, j);
}

static int give_back(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return j->type->give_back(ctx, j->m.busid, j->m.until);
}

static int forget(xlx_ctx *ctx, void *arg)
{
    const struct job *j = arg;
    return xlx__usbdev_forget(ctx, j->m.busid);
}

int xlx__job_unplug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                    const char *busid, int64_t until)
{
    static const struct xlx__step steps[] = {
        { unplug, plug_again },
        { give_back, NULL },
        { forget, NULL },
    };
    struct job j = make_job(hc, port, busid, until);
    return xlx__plan_run(ctx, steps, NR(steps), &j);
}
