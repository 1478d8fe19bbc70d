/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/list.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usb/controller/hc.h"
#include "xen/domain.h"

static int read_snapshot(xlx_ctx *ctx, const struct xlx__hc *hc,
                         struct xlx__snapshot *out)
{
    uint32_t fe;
    *out = (struct xlx__snapshot){
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

int xlx__usb_snapshot(xlx_ctx *ctx, uint32_t domid,
                      struct xlx__snapshot **list_r)
{
    XLX__AUTO_FREE struct xlx__hc *hcs = NULL;
    XLX__AUTO_FREE struct xlx__snapshot *list = NULL;
    int nr = xlx__hc_list(ctx, domid, &hcs);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    int rc = nr < 0 ? nr : 0;
    for (int i = 0; !rc && i < nr; i++)
        rc = read_snapshot(ctx, &hcs[i], &list[i]);
    if (rc)
        return rc;
    *list_r = xlx__steal(list);
    return nr;
}

/* --- for other programs --------------------------------------------------- */

/* One device that sysfs cannot be read for does not spoil the list. */
static void describe_port(xlx_ctx *ctx, struct xlx_usb_port *port)
{
    struct xlx__usbdev dev;
    if (!xlx__busid_valid(port->busid))
        return;
    xlx__tolerate(ctx, 1);
    int rc = xlx__usbdev_read(ctx, port->busid, &dev);
    xlx__tolerate(ctx, -1);
    if (rc)
        return;
    port->present = true;
    port->vendor = dev.vendor;
    port->product = dev.product;
    memcpy(port->name, dev.name, sizeof(port->name));
}

/* `ports` is room for those of this controller. */
static void describe_hc(xlx_ctx *ctx, const struct xlx__snapshot *from,
                        struct xlx_usb_hc *hc, struct xlx_usb_port *ports)
{
    *hc = (struct xlx_usb_hc){
        .devid = from->devid,
        .type = from->type,
        .backend_domid = from->backend_domid,
        .state = from->state,
        .version = from->version,
        .nr_ports = from->nr_ports,
    };
    for (uint32_t p = 0; p < from->nr_ports; p++) {
        ports[p].number = from->port[p].number;
        memcpy(ports[p].busid, from->port[p].busid, sizeof(ports[p].busid));
        if (!hc->backend_domid)
            describe_port(ctx, &ports[p]);
        hc->port[p] = &ports[p];
    }
}

static int list_snapshot(xlx_ctx *ctx, uint32_t domid,
                         const struct xlx__snapshot *from, int nr,
                         struct xlx_usb_hc **list_r, size_t size)
{
    size_t nr_ports = 0;
    void *more;
    for (int i = 0; i < nr; i++)
        nr_ports += from[i].nr_ports;
    char *list = xlx__list_with((size_t)nr, size,
                                nr_ports * sizeof(struct xlx_usb_port), &more);
    if (!list)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    struct xlx_usb_port *ports = more;
    for (int i = 0; i < nr; i++) {
        struct xlx_usb_hc hc;
        describe_hc(ctx, &from[i], &hc, ports);
        xlx__copy_sized(list + (size_t)i * size, size, &hc, sizeof(hc));
        ports += hc.nr_ports;
    }
    *list_r = (void *)list;
    return nr;
}

int xlx_usb_list(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r,
                 size_t size)
{
    XLX__AUTO_FREE struct xlx__snapshot *snapshot = NULL;
    int rc = xlx__dom_exists(ctx, domid);
    int nr = rc ? rc : xlx__usb_snapshot(ctx, domid, &snapshot);
    if (nr > 0)
        return list_snapshot(ctx, domid, snapshot, nr, list_r, size);
    if (!nr)
        *list_r = NULL;
    return nr;
}

/* --- whose they are ------------------------------------------------------- */

struct owned_list {
    struct xlx__owned *v;
    int nr;
};

static int add_owned(xlx_ctx *ctx, struct owned_list *list, uint32_t domid,
                     const struct xlx__snapshot *hc)
{
    for (uint32_t p = 0; p < hc->nr_ports; p++) {
        if (!hc->port[p].busid[0])
            continue;
        struct xlx__owned *o =
            xlx__array_more(list->v, (size_t)list->nr, sizeof(*o));
        if (!o)
            return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
        list->v = o;
        o += list->nr++;
        *o = (struct xlx__owned){ .domid = domid,
                                  .place = { hc->devid, p + 1 } };
        memcpy(o->busid, hc->port[p].busid, sizeof(o->busid));
    }
    return 0;
}

/* What is left of a guest that has gone has nothing; and a driver domain's
 * devices are not this host's, whatever their busids. */
static int add_domain(xlx_ctx *ctx, struct owned_list *list, uint32_t domid)
{
    XLX__AUTO_FREE struct xlx__snapshot *hcs = NULL;
    int rc = xlx__dom_alive(ctx, domid);
    int nr = rc > 0 ? xlx__usb_snapshot(ctx, domid, &hcs) : rc;
    rc = nr < 0 ? nr : 0;
    for (int i = 0; !rc && i < nr; i++)
        if (!hcs[i].backend_domid)
            rc = add_owned(ctx, list, domid, &hcs[i]);
    return rc;
}

int xlx__usb_owned(xlx_ctx *ctx, struct xlx__owned **list_r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    struct owned_list list = { 0 };
    uint32_t domid;
    int rc = xlx__dom_possible(ctx)
                 ? xlx__xs_ls(ctx, XLX__XS_NO_TX, &ids, "/libxl")
                 : 0;
    for (size_t i = 0; !rc && i < ids.nr; i++)
        if (!xlx__parse_u32(ids.v[i], 0, UINT16_MAX, &domid))
            rc = add_domain(ctx, &list, domid);
    if (rc) {
        free(list.v);
        return rc;
    }
    *list_r = list.v;
    return list.nr;
}

const struct xlx__owned *xlx__usb_owner(const struct xlx__owned *list, int nr,
                                        const char *busid)
{
    for (int i = 0; i < nr; i++)
        if (!strcmp(list[i].busid, busid))
            return &list[i];
    return NULL;
}
