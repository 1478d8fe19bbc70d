/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/bus.h"

#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "usb/controller/backend.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define BACKEND "/local/domain/0/backend/%s/%u"
#define FRONTEND "/local/domain/%u/device/vusb/%u"
#define DEVICE_MODEL "/local/domain/0/device-model/%u"

/* Xen's EVTCHN_FIFO_NR_CHANNELS: no event channel's number is that high. */
#define EVTCHN_END (1u << 17)

_Static_assert(XLX__DOM_UUID_MAX <= XLX__USBD_GUEST_SIZE, "a UUID has room");

static int watch(xlx_ctx *ctx, const char *path)
{
    int rc = ctx->xs->ops->watch(ctx->xs, path);
    return rc ? xlx__fail_errno(ctx, -rc, "xenstore: cannot watch %s", path)
              : 0;
}

int xlx__usbd_bus_open(xlx_ctx *ctx, uint32_t domid,
                       struct xlx__usbd_bus *bus_r)
{
    *bus_r = (struct xlx__usbd_bus){ .ctx = ctx, .domid = domid };
    int rival = xlx__backend_has_rival(ctx, domid);
    snprintf(bus_r->backend, sizeof(bus_r->backend), BACKEND,
             rival > 0 ? "vusb" : "qusb", domid);
    return rival < 0 ? rival : 0;
}

static bool is_libxls_qusb(const struct xlx__usbd_bus *bus)
{
    return strstr(bus->backend, "/qusb/");
}

int xlx__usbd_bus_watch(const struct xlx__usbd_bus *bus)
{
    char frontend[64];
    snprintf(frontend, sizeof(frontend), "/local/domain/%u/device/vusb",
             bus->domid);
    int rc = xlx__xs_open(bus->ctx);
    if (!rc)
        rc = watch(bus->ctx, "@releaseDomain");
    if (!rc)
        rc = watch(bus->ctx, bus->backend);
    return rc ? rc : watch(bus->ctx, frontend);
}

int xlx__usbd_bus_announce(const struct xlx__usbd_bus *bus)
{
    return is_libxls_qusb(bus)
               ? xlx__xs_write(bus->ctx, XLX__XS_NO_TX, "",
                               DEVICE_MODEL "/backends/qusb", bus->domid)
               : 0;
}

int xlx__usbd_bus_unannounce(const struct xlx__usbd_bus *bus)
{
    return is_libxls_qusb(bus) ? xlx__xs_rm(bus->ctx, XLX__XS_NO_TX, 1,
                                            DEVICE_MODEL, bus->domid)
                               : 0;
}

int xlx__usbd_bus_list(const struct xlx__usbd_bus *bus,
                       uint32_t devid_r[XLX__USBD_HC_MAX], bool *more_r)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    int nr = 0,
        rc = xlx__xs_ls(bus->ctx, XLX__XS_NO_TX, &names, "%s", bus->backend);
    *more_r = false;
    for (size_t i = 0; !rc && i < names.nr; i++) {
        uint32_t devid;
        if (xlx__parse_u32(names.v[i], 0, UINT16_MAX, &devid))
            continue;
        if (nr == (int)XLX__USBD_HC_MAX)
            *more_r = true;
        else
            devid_r[nr++] = devid;
    }
    return rc ? rc : nr;
}

static int read_state(xlx_ctx *ctx, uint32_t t, const char *dir,
                      uint32_t *state_r)
{
    *state_r = XLX__STATE_NONE;
    int rc = xlx__xs_read_u32(ctx, t, 0, 8, state_r, "%s/state", dir);
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

static int read_online(xlx_ctx *ctx, const char *dir, bool *online_r)
{
    uint32_t online = 0;
    int rc =
        xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 0, 1, &online, "%s/online", dir);
    *online_r = online;
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

int xlx__usbd_bus_ends(const struct xlx__usbd_bus *bus, uint32_t devid,
                       struct xlx__usbd_ends *ends_r)
{
    char be[64], fe[64];
    snprintf(be, sizeof(be), "%s/%u", bus->backend, devid);
    snprintf(fe, sizeof(fe), FRONTEND, bus->domid, devid);
    int rc = read_state(bus->ctx, XLX__XS_NO_TX, be, &ends_r->be);
    if (!rc)
        rc = read_state(bus->ctx, XLX__XS_NO_TX, fe, &ends_r->fe);
    return rc ? rc : read_online(bus->ctx, be, &ends_r->online);
}

int xlx__usbd_bus_rings(const struct xlx__usbd_bus *bus, uint32_t devid,
                        struct xlx__usbd_message *m_r, const char **node_r)
{
    const struct {
        bool backend;
        const char *name;
        uint32_t min, max, *to;
    } nodes[] = {
        { true, "num-ports", 1, XLX__USBD_PORTS_MAX, &m_r->hc.nr_ports },
        { false, "urb-ring-ref", 0, UINT32_MAX, &m_r->hc.urb_ref },
        { false, "conn-ring-ref", 0, UINT32_MAX, &m_r->hc.conn_ref },
        { false, "event-channel", 1, EVTCHN_END - 1, &m_r->hc.evtchn },
    };
    int rc = 0;
    for (size_t i = 0; !rc && i < XLX__NR(nodes); i++) {
        char dir[64];
        if (nodes[i].backend)
            snprintf(dir, sizeof(dir), "%s/%u", bus->backend, devid);
        else
            snprintf(dir, sizeof(dir), FRONTEND, bus->domid, devid);
        *node_r = nodes[i].name;
        rc = xlx__xs_read_u32(bus->ctx, XLX__XS_NO_TX, nodes[i].min,
                              nodes[i].max, nodes[i].to, "%s/%s", dir,
                              nodes[i].name);
    }
    if (!rc)
        rc = xlx__dom_uuid(bus->ctx, bus->domid, m_r->hc.guest);
    return rc == -ENOENT ? -EINVAL : rc;
}

struct state_change {
    char dir[64];
    uint32_t from, to;
};

static int change_state(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct state_change *c = arg;
    uint32_t now;
    int rc = read_state(ctx, t, c->dir, &now);
    if (!rc && now != c->from)
        return -EAGAIN;
    return rc ? rc : xlx__xs_write_u32(ctx, t, c->to, "%s/state", c->dir);
}

int xlx__usbd_bus_set_state(const struct xlx__usbd_bus *bus, uint32_t devid,
                            uint32_t from, uint32_t to)
{
    struct state_change c = { .from = from, .to = to };
    snprintf(c.dir, sizeof(c.dir), "%s/%u", bus->backend, devid);
    return from == XLX__STATE_NONE
               ? -EAGAIN
               : xlx__xs_transact(bus->ctx, change_state, &c);
}

static int read_port(xlx_ctx *ctx, uint32_t t, const char *path,
                     char busid_r[XLX_USB_BUSID_MAX])
{
    XLX__AUTO_FREE char *text = NULL;
    int rc = xlx__xs_read(ctx, t, &text, "%s", path);
    if (rc && rc != -ENOENT)
        return rc;
    const char *busid = text ? text : "";
    if (strlen(busid) >= XLX_USB_BUSID_MAX)
        busid = "?";
    strcpy(busid_r, busid);
    return 0;
}

static void port_path(const struct xlx__usbd_bus *bus, uint32_t devid,
                      uint32_t port, char path_r[80])
{
    snprintf(path_r, 80, "%s/%u/port/%u", bus->backend, devid, port);
}

int xlx__usbd_bus_port(const struct xlx__usbd_bus *bus, uint32_t devid,
                       uint32_t port, char busid_r[XLX_USB_BUSID_MAX])
{
    char path[80];
    port_path(bus, devid, port, path);
    return read_port(bus->ctx, XLX__XS_NO_TX, path, busid_r);
}

struct emptied {
    char path[80];
    const char *busid;
    bool done;
};

static int empty_port(xlx_ctx *ctx, uint32_t t, void *arg)
{
    struct emptied *e = arg;
    char now[XLX_USB_BUSID_MAX];
    int rc = read_port(ctx, t, e->path, now);
    e->done = !rc && *now && !strcmp(now, e->busid);
    return e->done ? xlx__xs_write(ctx, t, "", "%s", e->path) : rc;
}

int xlx__usbd_bus_empty_port(const struct xlx__usbd_bus *bus, uint32_t devid,
                             uint32_t port, const char *busid)
{
    struct emptied e = { .busid = busid };
    port_path(bus, devid, port, e.path);
    int rc = xlx__xs_transact(bus->ctx, empty_port, &e);
    return rc ? rc : e.done;
}

static int remove_backend(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct xlx__usbd_bus *bus = arg;
    return xlx__xs_rm(ctx, t, 1, "%s", bus->backend);
}

int xlx__usbd_bus_remove(const struct xlx__usbd_bus *bus)
{
    return xlx__xs_transact(bus->ctx, remove_backend, (void *)bus);
}
