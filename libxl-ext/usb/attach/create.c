/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/create.h"
#include "core/array.h"
#include "usb/deadline.h"

#include "core/clean.h"
#include "core/clock.h"
#include "core/sized.h"
#include "core/undo.h"
#include "usb/attach/audit.h"
#include "usb/attach/locks.h"
#include "usb/controller/backend.h"
#include "usb/controller/place.h"
#include "usb/controller/type.h"

void xlx__create_init(struct xlx__create *c, uint32_t domid, int64_t until)
{
    *c = (struct xlx__create){
        .hc.domid = domid,
        .hc.devid = XLX_USB_ANY,
        .until = until,
    };
}

static int check_suits(xlx_ctx *ctx, const struct xlx__hc *hc,
                       const struct xlx__usbdev *dev)
{
    const struct xlx__snapshot like = { .type = hc->type,
                                        .version = hc->version };
    const char *unfit = xlx__place_unfit(&like, dev);
    if (!unfit)
        return 0;
    return xlx__fail(ctx, ENOTSUP, "usb %s: cannot be given to domain %u: %s",
                     dev->busid, hc->domid, unfit);
}

int xlx__create_config(xlx_ctx *ctx, struct xlx__create *c,
                       const struct xlx_usb_hc_config *config,
                       const struct xlx__usbdev *dev)
{
    struct xlx__hc *hc = &c->hc;
    hc->type = config->type;
    int rc = hc->type != XLX_USB_AUTO
                 ? 0
                 : xlx__type_auto(ctx, hc->domid, &hc->type);
    if (!rc)
        rc = xlx__type_config(ctx, config->version, config->ports, hc);
    return rc || !dev ? rc : check_suits(ctx, hc, dev);
}

int xlx__create_check(xlx_ctx *ctx, struct xlx__create *c)
{
    return xlx__type_of(&c->hc)->check(ctx, c->hc.domid);
}

void xlx__uncreate_backend(xlx_ctx *ctx, struct xlx__create *c)
{
    const struct xlx__type *type = xlx__type_of(&c->hc);
    if (c->started)
        type->stop_unused(ctx, c->hc.domid, xlx__now_ms() + XLX__UNDO_MS);
}

int xlx__create_hc(xlx_ctx *ctx, struct xlx__create *c)
{
    int rc = xlx__type_of(&c->hc)->make(ctx, &c->hc);
    c->made = !rc;
    return rc;
}

int xlx__create_start(xlx_ctx *ctx, struct xlx__create *c)
{
    const struct xlx__type *type = xlx__type_of(&c->hc);
    int64_t before = xlx__now_ms(), own = before + XLX__START_MS;
    if (!type->start)
        return 0;
    int rc = type->start(ctx, c->hc.domid, own > c->until ? own : c->until,
                         &c->started);
    c->until += xlx__now_ms() - before;
    return rc;
}

void xlx__uncreate_hc(xlx_ctx *ctx, struct xlx__create *c)
{
    if (c->made)
        xlx__type_of(&c->hc)->remove(ctx, &c->hc, xlx__now_ms() + XLX__UNDO_MS);
}

/* --- usb-hc-create -------------------------------------------------------- */

static int check_backend(xlx_ctx *ctx, void *job)
{
    return xlx__create_check(ctx, job);
}

static void undo_backend(xlx_ctx *ctx, void *job)
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

static int start_backend(xlx_ctx *ctx, void *job)
{
    return xlx__create_start(ctx, job);
}

static int connect_hc(xlx_ctx *ctx, void *job)
{
    const struct xlx__create *c = job;
    return xlx__type_of(&c->hc)->connect(ctx, &c->hc, c->until);
}

static int make(xlx_ctx *ctx, struct xlx__create *c)
{
    static const struct xlx__step steps[] = {
        { check_backend, undo_backend },
        { make_hc, unmake_hc },
        { start_backend, NULL },
        { connect_hc, NULL },
    };
    int rc = xlx__plan_run(ctx, steps, XLX__NR(steps), c);
    xlx__usb_audit(ctx, rc, "usb: make a controller for domain %u",
                   c->hc.domid);
    return rc;
}

/* What is there already would be overwritten. */
static int check_devid(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    if (hc->devid == XLX_USB_ANY)
        return 0;
    int rc = xlx__hc_exists(ctx, hc->domid, hc->devid);
    if (rc > 0)
        return xlx__fail(ctx, EEXIST,
                         "domain %u: there is a USB controller %u already",
                         hc->domid, hc->devid);
    return rc;
}

static int create_once(xlx_ctx *ctx, struct xlx__create *c, uint32_t devid,
                       const struct xlx_usb_hc_config *config)
{
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_domain(ctx, c->hc.domid, c->until);
    if (lock < 0)
        return lock;
    xlx__create_init(c, c->hc.domid, c->until);
    c->hc.devid = devid;
    int rc = check_devid(ctx, &c->hc);
    if (!rc)
        rc = xlx__create_config(ctx, c, config, NULL);
    return rc ? rc : make(ctx, c);
}

int xlx_usb_hc_create_as(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                         const struct xlx_usb_hc_config *config, size_t size,
                         int timeout_ms, uint32_t *devid_r)
{
    struct xlx_usb_hc_config known;
    struct xlx__create c;
    xlx__create_init(&c, domid, xlx__now_ms() + timeout_ms);
    int rc = xlx__take_config(ctx, &known, sizeof(known), config, size);
    if (!rc)
        rc = xlx__usb_check_domain(ctx, domid);
    if (!rc)
        rc = create_once(ctx, &c, devid, &known);
    if (!rc)
        *devid_r = c.hc.devid;
    return rc;
}

int xlx_usb_hc_create(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_hc_config *config, size_t size,
                      int timeout_ms, uint32_t *devid_r)
{
    return xlx_usb_hc_create_as(ctx, domid, XLX_USB_ANY, config, size,
                                timeout_ms, devid_r);
}
