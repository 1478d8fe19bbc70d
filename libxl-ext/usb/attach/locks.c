/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/locks.h"

#include <stdio.h>

#include "core/clock.h"
#include "host/lock.h"
#include "usb/device/busid.h"
#include "xen/domain.h"

int xlx__usb_check_domain(xlx_ctx *ctx, uint32_t domid)
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

int xlx__usb_lock_domain(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char name[64];
    name_domain(domid, name);
    return xlx__lock(ctx, name, until);
}

int xlx_usb_hold(xlx_ctx *ctx, uint32_t domid, int timeout_ms)
{
    return xlx__usb_lock_domain(ctx, domid, xlx__now_ms() + timeout_ms);
}

int xlx__usb_lock_device(xlx_ctx *ctx, const char *busid, int64_t until)
{
    char name[64];
    /* A port may hold what is no busid. */
    snprintf(name, sizeof(name), "usb/lock/device-%s",
             xlx__busid_valid(busid) ? busid : "other");
    return xlx__lock(ctx, name, until);
}

int xlx__usb_check_hc(xlx_ctx *ctx, const struct xlx__hc *hc)
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
