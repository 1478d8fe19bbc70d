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

int xlx__job_lock_domain(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char name[64];
    snprintf(name, sizeof(name), "usb/lock/domain-%u", domid);
    return xlx__lock(ctx, name, until);
}

int xlx__job_lock_device(xlx_ctx *ctx, const char *busid, int64_t until)
{
    char name[64];
    /* A port may hold what is no busid. */
    snprintf(name, sizeof(name), "usb/lock/device-%s",
             xlx__busid_valid(busid) ? busid : "other");
    return xlx__lock(ctx, name, until);
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
    xlx__info(ctx, "usb %s: a command that was killed left it without its "
                   "drivers: it gets them back", busid);
    rc = xlx__usbdev_restore(ctx, busid, xlx__now_ms() + XLX__UNDO_MS);
    return rc ? rc : xlx__usbdev_forget(ctx, busid);
}

int xlx__job_check_hc(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    if (hc->type != XLX_USB_QUSB || hc->backend_domid)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: controller %u is of type %s with its "
                         "backend in domain %u: use xl usbdev-detach and xl "
                         "usbctrl-detach",
                         hc->domid, hc->devid, xlx_usb_type_name(hc->type),
                         hc->backend_domid);
    return 0;
}

struct move {
    const struct xlx__hc *hc;
    uint32_t port;
    const char *busid;
    int64_t until;
    bool wrote; /* the port is changed */
};

/* --- plugging ------------------------------------------------------------- */

static int remember(xlx_ctx *ctx, void *job)
{
    const struct move *m = job;
    return xlx__usbdev_remember(ctx, m->busid, m->hc->domid);
}

static void forget_again(xlx_ctx *ctx, void *job)
{
    const struct move *m = job;
    xlx__usbdev_forget(ctx, m->busid);
}

static int fill_port(xlx_ctx *ctx, void *job)
{
    struct move *m = job;
    int rc = xlx__hc_set_port(ctx, m->hc, m->port, "", m->busid);
    m->wrote = !rc;
    return rc;
}

static void empty_again(xlx_ctx *ctx, void *job)
{
    struct move *m = job;
    if (!m->wrote)
        return;
    xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
    xlx__usbdev_restore(ctx, m->busid, xlx__now_ms() + XLX__UNDO_MS);
}

static int look_claimed(xlx_ctx *ctx, void *arg)
{
    return xlx__usbdev_claimed(ctx, ((struct move *)arg)->busid);
}

static int wait_claimed(xlx_ctx *ctx, void *job)
{
    struct move *m = job;
    char why[XLX__LOG_LINE_MAX];
    int rc = xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, m->until, look_claimed, m);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV, "usb %s: was unplugged meanwhile",
                         m->busid);
    if (rc != -ETIMEDOUT)
        return rc < 0 ? rc : 0;
    xlx__usb_log_line(ctx, m->hc->domid, m->busid, why);
    return xlx__fail(ctx, ETIMEDOUT,
                     "usb %s: domain %u does not take it: %s%s", m->busid,
                     m->hc->domid,
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
        { fill_port, empty_again },
        { wait_claimed, NULL },
    };
    struct move m = { .hc = hc, .port = port, .busid = busid, .until = until };
    return xlx__plan_run(ctx, steps, NR(steps), &m);
}

/* --- unplugging ----------------------------------------------------------- */

static int empty_port(xlx_ctx *ctx, void *job)
{
    struct move *m = job;
    int rc = xlx__hc_set_port(ctx, m->hc, m->port, m->busid, "");
    m->wrote = !rc;
    return rc;
}

static void fill_again(xlx_ctx *ctx, void *job)
{
    struct move *m = job;
    if (!m->wrote)
        return;
    xlx__hc_set_port(ctx, m->hc, m->port, "", m->busid);
    xlx__xs_wait_for(ctx, NULL, 0, POLL_MS, xlx__now_ms() + XLX__UNDO_MS,
                     look_claimed, m);
}

static int give_back(xlx_ctx *ctx, void *job)
{
    const struct move *m = job;
    return xlx__usbdev_restore(ctx, m->busid, m->until);
}

static int forget(xlx_ctx *ctx, void *job)
{
    const struct move *m = job;
    return xlx__usbdev_forget(ctx, m->busid);
}

int xlx__job_unplug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                    const char *busid, int64_t until)
{
    static const struct xlx__step steps[] = {
        { empty_port, fill_again },
        { give_back, NULL },
        { forget, NULL },
    };
    struct move m = { .hc = hc, .port = port, .busid = busid, .until = until };
    return xlx__plan_run(ctx, steps, NR(steps), &m);
}
