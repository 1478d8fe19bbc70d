/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/parse.h"
#include "usb/assign/hubs.h"
#include "usb/attach/locks.h"
#include "usb/controller/hc.h"
#include "usb/controller/list.h"
#include "usb/controller/type.h"
#include "usb/device/busid.h"
#include "usbd/device.h"

struct ports {
    struct xlx__held *v;
    int nr;
    struct xlx__guest *guests;
    int nr_guests;
    int busy_ms;
    bool again;
    int64_t settled; /* until then a doubtful claim is looked at again */
};

/* Longer than a device takes for a configuration, or a backend that was killed
 * for its new start. */
#define SETTLE_MS 1000
#define LOOK_MS 20

enum { HOLDS = 1, HOLDS_NOT };

static int look_holds(xlx_ctx *ctx, void *arg)
{
    const struct xlx__move *m = arg;
    int rc = xlx__type_of(m->hc)->holds(ctx, m);
    if (rc == 0)
        return HOLDS_NOT;
    return rc == -EAGAIN ? 0 : rc;
}

/* One glance may be in the midst of something. All ports of a guest together
 * are looked at again for SETTLE_MS. */
static int look_at_claim(xlx_ctx *ctx, struct ports *ports, struct xlx__held *v)
{
    struct xlx__hc hc;
    struct xlx__move m = { &hc, v->place.port, v->busid, 0 };
    int rc = xlx__hc_find(ctx, v->domid, v->place.hc, &hc);
    if (rc <= 0)
        return rc;
    rc = look_holds(ctx, &m);
    if (rc == 0 && !ports->settled)
        ports->settled = xlx__now_ms() + SETTLE_MS;
    if (rc == 0)
        rc = xlx__xs_wait_for(ctx, NULL, 0, LOOK_MS, ports->settled, look_holds,
                              &m);
    v->claimed = rc == HOLDS;
    return rc == -ETIMEDOUT ? 0 : rc;
}

/* Who has it if the backend has not. */
static void look_who(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                     struct xlx__held *v)
{
    if (xlx__usbd_who_has(xlx_ctx_path(ctx, XLX_PATH_PROC), dev->bus,
                          dev->address, v->who) != XLX__USBD_ANOTHER)
        v->who[0] = '\0';
}

static int look_at_device(xlx_ctx *ctx, struct ports *ports,
                          struct xlx__held *v)
{
    struct xlx__usbdev dev;
    int rc = xlx__usbdev_read(ctx, v->busid, &dev);
    if (rc || !v->address)
        return rc;
    if (v->address == dev.address && v->connected)
        rc = look_at_claim(ctx, ports, v);
    if (rc >= 0 && !v->claimed)
        look_who(ctx, &dev, v);
    return rc;
}

static int add_port(xlx_ctx *ctx, struct ports *ports, uint32_t domid,
                    const struct xlx__snapshot *hc,
                    const struct xlx__snapshot_port *port, bool busy)
{
    struct xlx__held *v =
        xlx__array_more(ports->v, (size_t)ports->nr, sizeof(*v));
    if (!v)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    ports->v = v;
    v += ports->nr++;
    *v = (struct xlx__held){
        .domid = domid,
        .place = { hc->devid, port->number },
        .busy = busy,
        .connected = hc->state == XLX__STATE_CONNECTED,
    };
    strcpy(v->busid, port->busid);
    if (busy || !xlx__busid_valid(v->busid))
        return 0;
    int rc = xlx__usbdev_remembered_address(ctx, v->busid, domid, &v->address);
    if (rc)
        return rc;
    rc = look_at_device(ctx, ports, v);
    /* One device that cannot be read fails the pass for nobody else. */
    if (rc < 0 && rc != -ENODEV) {
        xlx__warn(ctx, "usb %s: is left alone: %s", v->busid,
                  xlx_ctx_error(ctx));
        v->busy = ports->again = true;
    }
    return 0;
}

/* Between the steps of a command there is nothing to be seen. Returns the lock,
 * -1 for none; -errno. */
static int lock_guest(xlx_ctx *ctx, struct ports *ports, uint32_t domid,
                      bool *busy_r)
{
    int g = 0;
    *busy_r = false;
    while (g < ports->nr_guests && ports->guests[g].domid != domid)
        g++;
    if (g == ports->nr_guests)
        return -1;
    int lock = xlx__usb_lock_domain(ctx, domid, xlx__now_ms() + ports->busy_ms);
    if (lock == -EBUSY) {
        ports->guests[g].busy = *busy_r = true;
        return -1;
    }
    return lock;
}

/* A driver domain's devices are not this host's, whatever their busids. */
static int look_at_hc(xlx_ctx *ctx, struct ports *ports, uint32_t domid,
                      const struct xlx__snapshot *hc, bool busy)
{
    int rc = 0;
    for (uint32_t p = 0; !rc && !hc->backend_domid && p < hc->nr_ports; p++)
        if (hc->port[p].busid[0])
            rc = add_port(ctx, ports, domid, hc, &hc->port[p], busy);
    return rc;
}

static int look_at_domain(xlx_ctx *ctx, struct ports *ports, uint32_t domid)
{
    XLX__AUTO_FREE struct xlx__snapshot *list = NULL;
    bool busy;
    XLX__AUTO_CLOSE int lock = lock_guest(ctx, ports, domid, &busy);
    if (lock < -1)
        return lock;
    ports->settled = 0;
    int rc = 0, nr = xlx__usb_snapshot(ctx, domid, &list);
    for (int i = 0; !rc && i < nr; i++)
        rc = look_at_hc(ctx, ports, domid, &list[i], busy);
    return nr < 0 ? nr : rc;
}

/* What is left of a guest that has gone has nothing. */
static int look_at_ports(xlx_ctx *ctx, struct ports *ports)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    uint32_t domid;
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &ids, "/libxl");
    for (size_t i = 0; rc >= 0 && i < ids.nr; i++) {
        if (xlx__parse_u32(ids.v[i], 1, UINT16_MAX, &domid))
            continue;
        rc = xlx__dom_alive(ctx, domid);
        if (rc > 0)
            rc = look_at_domain(ctx, ports, domid);
    }
    return rc;
}

static int load_guests(xlx_ctx *ctx, struct xlx__guest **list_r,
                       void (*bad)(void *user, const char *uuid), void *user)
{
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(ctx);
    int rc = 0, nr = lock < 0 ? lock : xlx__guests_load(ctx, list_r, bad, user);
    for (int i = 0; !rc && i < nr; i++)
        rc = xlx__intent_renumber(ctx, &(*list_r)[i].intent, 1);
    return rc ? rc : nr;
}

static int expand_hubs(xlx_ctx *ctx, struct xlx__guest *guests, int nr,
                       const struct xlx__usbdev *devs, int nr_devs)
{
    int left_over = xlx__hubs_expand(guests, nr, devs, nr_devs);
    if (left_over > 0)
        xlx__warn(ctx,
                  "%d devices behind hubs are not attached: a guest can have "
                  "%u",
                  left_over, XLX_USB_ASSIGNMENTS_MAX);
    return left_over < 0 ? xlx__fail(ctx, ENOMEM, "usb: no memory") : 0;
}

int xlx__view_look(xlx_ctx *ctx, int busy_ms, struct xlx__view *view_r,
                   void (*bad)(void *user, const char *uuid), void *user)
{
    struct xlx__guest *guests = NULL;
    struct xlx__usbdev *devs = NULL;
    int nr_devs = 0, nr = load_guests(ctx, &guests, bad, user);
    struct ports ports = { .guests = guests,
                           .nr_guests = nr,
                           .busy_ms = busy_ms };
    int rc = nr < 0 ? nr : look_at_ports(ctx, &ports);
    if (!rc)
        nr_devs = xlx__usbdev_list(ctx, &devs);
    if (!rc && nr_devs >= 0)
        rc = expand_hubs(ctx, guests, nr, devs, nr_devs);
    *view_r = (struct xlx__view){ .guests = guests,
                                  .nr_guests = nr,
                                  .held = ports.v,
                                  .nr_held = ports.nr,
                                  .devs = devs,
                                  .nr_devs = nr_devs,
                                  .again = ports.again };
    if (!rc && nr_devs < 0)
        rc = nr_devs;
    if (rc)
        xlx__view_free(view_r);
    return rc;
}

void xlx__view_free(struct xlx__view *view)
{
    free((void *)view->guests);
    free((void *)view->held);
    free((void *)view->devs);
    *view = (struct xlx__view){ 0 };
}
