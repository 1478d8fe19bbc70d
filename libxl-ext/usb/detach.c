/* SPDX-License-Identifier: LGPL-2.1-only */
#include "libxl_ext_usb.h"

#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "usb/hc.h"
#include "usb/job.h"
#include "usb/list.h"

int xlx_usb_find(xlx_ctx *ctx, uint32_t domid, const char *busid,
                 struct xlx_usb_place *place_r)
{
    int rc = xlx__job_check_domain(ctx, domid);
    if (!rc)
        rc = xlx__job_check_busid(ctx, busid);
    if (!rc)
        rc = xlx__usb_find_in(ctx, domid, busid, place_r);
    else
        return rc;
    if (rc == 0)
        return xlx__fail(ctx, ENODEV, "usb %s: not attached to domain %u",
                         busid, domid);
    return rc < 0 ? rc : 0;
}

static int read_port(xlx_ctx *ctx, uint32_t domid,
                     const struct xlx_usb_place *place, struct xlx__hc *hc_r,
                     char busid_r[XLX_USB_BUSID_MAX])
{
    int rc = xlx__hc_read(ctx, domid, place->hc, hc_r);
    if (!rc)
        rc = xlx__job_check_hc(ctx, hc_r);
    if (rc)
        return rc;
    if (place->port < 1 || place->port > hc_r->nr_ports)
        return xlx__fail(ctx, EINVAL,
                         "domain %u: controller %u: no port %u: it has ports 1 "
                         "to %u",
                         domid, place->hc, place->port, hc_r->nr_ports);
    rc = xlx__hc_port(ctx, XLX__XS_NO_TX, hc_r, place->port, busid_r);
    if (!rc && !busid_r[0])
        return xlx__fail(ctx, ENODEV,
                         "domain %u: controller %u: port %u has no device",
                         domid, place->hc, place->port);
    return rc;
}

int xlx_usb_detach(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_usb_place *place, int timeout_ms,
                   char *busid_r)
{
    struct xlx__hc hc;
    char busid[XLX_USB_BUSID_MAX];
    int64_t until = xlx__now_ms() + timeout_ms;
    int rc = xlx__job_check_domain(ctx, domid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int domain = xlx__job_lock_domain(ctx, domid, until);
    if (domain < 0)
        return domain;
    rc = read_port(ctx, domid, place, &hc, busid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int device = xlx__job_lock_device(ctx, busid, until);
    if (device < 0)
        return device;
    rc = xlx__job_unplug(ctx, &hc, place->port, busid, until);
    if (!rc && busid_r)
        strcpy(busid_r, busid);
    return rc;
}
