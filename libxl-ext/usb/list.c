/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/list.h"

#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "usb/busid.h"
#include "usb/device.h"
#include "usb/hc.h"
#include "xen/domain.h"

static int fill(xlx_ctx *ctx, const struct xlx__hc *hc, struct xlx_usb_hc *out)
{
    uint32_t fe;
    *out = (struct xlx_usb_hc){
        .devid = hc->devid,
        .type = hc->type,
        .backend_domid = hc->backend_domid,
        .version = hc->version,
        .nr_ports = hc->nr_ports,
    };
    int rc = xlx__hc_state(ctx, hc, &out->state, &fe);
    for (uint32_t i = 0; !rc && i < hc->nr_ports; i++) {
        out->port[i].number = i + 1;
        rc = xlx__hc_port(ctx, XLX__XS_NO_TX, hc, i + 1, out->port[i].busid);
    }
    return rc;
}

int xlx__usb_snapshot(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r)
{
    XLX__AUTO_FREE struct xlx__hc *hcs = NULL;
    XLX__AUTO_FREE struct xlx_usb_hc *list = NULL;
    int nr = xlx__hc_list(ctx, domid, &hcs);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    int rc = nr < 0 ? nr : 0;
    for (int i = 0; !rc && i < nr; i++)
        rc = fill(ctx, &hcs[i], &list[i]);
    if (rc)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

/* One device that sysfs cannot be read for does not spoil the list. */
static void describe(xlx_ctx *ctx, struct xlx_usb_port *port)
{
    struct xlx__usbdev dev;
    if (!xlx__busid_valid(port->busid) ||
        xlx__usbdev_read(ctx, port->busid, &dev))
        return;
    port->present = true;
    port->vendor = dev.vendor;
    port->product = dev.product;
    memcpy(port->name, dev.name, sizeof(port->name));
}

int xlx_usb_list(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r)
{
    struct xlx_usb_hc *list = NULL;
    int rc = xlx__dom_exists(ctx, domid);
    int nr = rc ? rc : xlx__usb_snapshot(ctx, domid, &list);
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr; i++)
        for (uint32_t p = 0; p < list[i].nr_ports; p++)
            describe(ctx, &list[i].port[p]);
    *list_r = list;
    return nr;
}

int xlx__usb_find_in(xlx_ctx *ctx, uint32_t domid, const char *busid,
                     struct xlx_usb_place *place_r)
{
    XLX__AUTO_FREE struct xlx_usb_hc *list = NULL;
    int nr = xlx__usb_snapshot(ctx, domid, &list);
    for (int i = 0; i < nr; i++)
        for (uint32_t p = 0; p < list[i].nr_ports; p++)
            if (!strcmp(list[i].port[p].busid, busid)) {
                *place_r = (struct xlx_usb_place){ list[i].devid, p + 1 };
                return 1;
            }
    return nr < 0 ? nr : 0;
}

int xlx__usb_owner(xlx_ctx *ctx, const char *busid, uint32_t *domid_r,
                   struct xlx_usb_place *place_r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &ids, "/libxl");
    for (size_t i = 0; !rc && i < ids.nr; i++)
        if (!xlx__parse_u32(ids.v[i], 0, UINT16_MAX, domid_r))
            rc = xlx__usb_find_in(ctx, *domid_r, busid, place_r);
    return rc;
}
