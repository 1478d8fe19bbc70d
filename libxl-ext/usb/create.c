/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/create.h"

#include "core/clean.h"
#include "core/clock.h"
#include "usb/audit.h"
#include "usb/backend.h"
#include "usb/job.h"
#include "usb/plan.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define DEFAULT_VERSION 2u
#define DEFAULT_PORTS 8u

void xlx__create_init(struct xlx__create *c, uint32_t domid,
                      const struct xlx_usb_hc_config *config, int64_t until)
{
    *c = (struct xlx__create){
        .hc.domid = domid,
        .hc.devid = XLX_USB_ANY,
        .hc.version = config && config->version ? config->version
                                                : DEFAULT_VERSION,
        .hc.nr_ports = config && config->ports ? config->ports : DEFAULT_PORTS,
        .until = until,
    };
}

int xlx__create_backend(xlx_ctx *ctx, struct xlx__create *c)
{
    return xlx__backend_ensure(ctx, c->hc.domid, c->until, &c->started);
}

void xlx__uncreate_backend(xlx_ctx *ctx, struct xlx__create *c)
{
    if (c->started)
        xlx__backend_stop(ctx, c->hc.domid, xlx__now_ms() + XLX__UNDO_MS);
}

int xlx__create_hc(xlx_ctx *ctx, struct xlx__create *c)
{
    int rc = xlx__hc_make(ctx, &c->hc);
    c->made = !rc;
    return rc;
}

void xlx__uncreate_hc(xlx_ctx *ctx, struct xlx__create *c)
{
    if (!c->made)
        return;
    xlx__hc_close(ctx, &c->hc, xlx__now_ms() + XLX__UNDO_MS);
    xlx__hc_remove(ctx, &c->hc);
}

/* --- usb-hc-create -------------------------------------------------------- */

static int check_config(xlx_ctx *ctx, const struct xlx_usb_hc_config *config)
{
    if (config->version > 2)
        return xlx__fail(ctx, EINVAL,
                         "USB controller: version %u: PVUSB has 1 (USB 1.1) "
                         "and 2 (USB 2.0)",
                         config->version);
    if (config->ports > XLX_USB_PORTS_MAX)
        return xlx__fail(ctx, EINVAL, "USB controller: %u ports: 1 to %u",
                         config->ports, XLX_USB_PORTS_MAX);
    if (config->type != XLX_USB_AUTO && config->type != XLX_USB_QUSB)
        return xlx__fail(ctx, ENOTSUP,
                         "USB controller: type %s: made by xl usbctrl-attach",
                         xlx_usb_type_name(config->type));
    return 0;
}

static int start_backend(xlx_ctx *ctx, void *job)
{
    return xlx__create_backend(ctx, job);
}

static void stop_backend(xlx_ctx *ctx, void *job)
{
    xlx__uncreate_backend(ctx, job);
}

static int make_hc(xlx_ctx *ctx, void *job)
{
    return xlx__create_hc(ctx, job);
}

static void unmake_hc(xlx_ctx *ctx, void *job)
{
    xlx__uncreate_hc(ctx, job);
}

static int connect_hc(xlx_ctx *ctx, void *job)
{
    const struct xlx__create *c = job;
    return xlx__hc_connect(ctx, &c->hc, c->until);
}

int xlx_usb_hc_create(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_hc_config *config, int timeout_ms,
                      uint32_t *devid_r)
{
    static const struct xlx__step steps[] = {
        { start_backend, stop_backend },
        { make_hc, unmake_hc },
        { connect_hc, NULL },
    };
    struct xlx__create c;
    int64_t until = xlx__now_ms() + timeout_ms;
    int rc = check_config(ctx, config);
    if (!rc)
        rc = xlx__job_check_domain(ctx, domid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int lock = xlx__job_lock_domain(ctx, domid, until);
    if (lock < 0)
        return lock;
    xlx__create_init(&c, domid, config, until);
    rc = xlx__plan_run(ctx, steps, NR(steps), &c);
    xlx__usb_audit(ctx, rc, "usb: make a controller for domain %u", domid);
    if (!rc)
        *devid_r = c.hc.devid;
    return rc;
}
