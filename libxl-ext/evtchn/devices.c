/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "core/printable.h"
#include "xen/xenstore.h"

struct walk {
    xlx_ctx *ctx;
    struct xlx__claims *claims;
    uint32_t backend; /* of the device that is walked */
    unsigned nodes;   /* looked at, of XLX__CLAIMS_NODES_MAX */
};

/* Where the walk is: a path, and what it is called so far. */
struct place {
    char path[XLX__XS_PATH_MAX];
    char name[XLX_EVTCHN_DEVICE_MAX];
};

static const char event_channel[] = "event-channel";

/* False when that does not fit: such a node has no name. */
static bool go_down(const struct place *from, const char *node,
                    const char *called, struct place *to_r)
{
    int path =
        snprintf(to_r->path, sizeof(to_r->path), "%s/%s", from->path, node);
    int name =
        snprintf(to_r->name, sizeof(to_r->name), "%s%s", from->name, called);
    return path >= 0 && (size_t)path < sizeof(to_r->path) && name >= 0 &&
           (size_t)name < sizeof(to_r->name);
}

static int add_claim(struct walk *w, uint32_t port, const char *device)
{
    struct xlx__claims *claims = w->claims;
    struct xlx__claim *v = xlx__array_more(claims->v, claims->nr, sizeof(*v));
    if (!v)
        return xlx__fail(w->ctx, ENOMEM, "event channels: no memory");
    claims->v = v;
    v += claims->nr++;
    v->port = port;
    v->backend = w->backend;
    xlx__printable(v->device, sizeof(v->device), device);
    return 0;
}

/* A node that is no number, or port 0, which never is one, claims nothing. */
static int read_claim(struct walk *w, const struct place *at)
{
    uint32_t port;
    int rc = xlx__xs_read_u32(w->ctx, XLX__XS_NO_TX, 1, UINT32_MAX, &port, "%s",
                              at->path);
    if (rc == -ENOENT || rc == -EINVAL)
        return 0;
    return rc ? rc : add_claim(w, port, at->name);
}

static bool is_number(const char *text)
{
    uint32_t number;
    return !xlx__parse_u32(text, 0, UINT32_MAX, &number);
}

/*
 * What a node with a port in it is called: "event-channel" as its device,
 * "event-channel-tx" and "req-event-channel" with that word, "event-channel-2"
 * as a queue. NULL: it has no port in it.
 */
static const char *channel_name(const char *node, char *to, size_t size)
{
    size_t n = strlen(event_channel), len = strlen(node);
    if (!strncmp(node, event_channel, n)) {
        const char *rest = node + n;
        if (*rest && *rest != '-')
            return NULL;
        snprintf(to, size, "%s%s",
                 !*rest                ? ""
                 : is_number(rest + 1) ? " queue "
                                       : " ",
                 *rest ? rest + 1 : "");
        return to;
    }
    if (len > n + 1 && !strcmp(node + len - n, event_channel) &&
        node[len - n - 1] == '-') {
        snprintf(to, size, " %.*s", (int)(len - n - 1), node);
        return to;
    }
    return !strcmp(node, "port") ? "" : NULL;
}

/* What a folder with more such nodes in it is called; NULL: it has none. */
static const char *folder_name(const char *node, char *to, size_t size)
{
    static const char queue[] = "queue-";
    bool is_queue = !strncmp(node, queue, strlen(queue));
    const char *number = is_queue ? node + strlen(queue) : node;
    if (!is_number(number))
        return NULL;
    snprintf(to, size, "%s%s", is_queue ? " queue " : "/", number);
    return to;
}

/* NOLINTNEXTLINE(misc-no-recursion): XLX__CLAIMS_DEPTH_MAX deep */
static int walk_folder(struct walk *w, const struct place *at, unsigned depth)
{
    XLX__AUTO_NAMES struct xlx__names nodes = { 0 };
    char part[XLX_EVTCHN_DEVICE_MAX];
    int rc = xlx__xs_ls(w->ctx, XLX__XS_NO_TX, &nodes, "%s", at->path);
    if (rc == -ENOENT)
        return 0;
    for (size_t i = 0; !rc && i < nodes.nr; i++) {
        struct place below;
        if (++w->nodes > XLX__CLAIMS_NODES_MAX)
            return 0;
        const char *called = channel_name(nodes.v[i], part, sizeof(part));
        bool folder = !called && depth < XLX__CLAIMS_DEPTH_MAX;
        if (folder)
            called = folder_name(nodes.v[i], part, sizeof(part));
        if (!called || !go_down(at, nodes.v[i], called, &below))
            continue;
        rc = folder ? walk_folder(w, &below, depth + 1) : read_claim(w, &below);
    }
    return rc;
}

static int walk_device(struct walk *w, const struct place *at)
{
    int rc = xlx__xs_read_u32(w->ctx, XLX__XS_NO_TX, 0, UINT16_MAX, &w->backend,
                              "%s/backend-id", at->path);
    if (rc)
        w->backend = XLX_EVTCHN_NO_DOMID;
    if (rc && rc != -ENOENT && rc != -EINVAL)
        return rc;
    return walk_folder(w, at, 1);
}

/* All devices of one type: device/vbd has a folder for each. */
static int walk_type(struct walk *w, const struct place *all, const char *type)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    struct place of_type;
    if (!go_down(all, type, type, &of_type))
        return 0;
    int rc = xlx__xs_ls(w->ctx, XLX__XS_NO_TX, &ids, "%s", of_type.path);
    if (rc == -ENOENT)
        return 0;
    for (size_t i = 0; !rc && i < ids.nr; i++) {
        char called[XLX_EVTCHN_DEVICE_MAX];
        struct place device;
        if (++w->nodes > XLX__CLAIMS_NODES_MAX)
            return 0;
        snprintf(called, sizeof(called), "/%s", ids.v[i]);
        if (go_down(&of_type, ids.v[i], called, &device))
            rc = walk_device(w, &device);
    }
    return rc;
}

/* These two have no folder below device/ and no backend that they name. */
static int read_fixed(struct walk *w, uint32_t domid)
{
    static const struct {
        const char *node, *name;
    } fixed[] = { { "console", "console" }, { "store", "xenstore" } };
    int rc = 0;
    for (size_t i = 0; !rc && i < XLX__NR(fixed); i++) {
        struct place at;
        snprintf(at.path, sizeof(at.path), "/local/domain/%u/%s/port", domid,
                 fixed[i].node);
        snprintf(at.name, sizeof(at.name), "%s", fixed[i].name);
        w->backend = XLX_EVTCHN_NO_DOMID;
        rc = read_claim(w, &at);
    }
    return rc;
}

int xlx__claims_read(xlx_ctx *ctx, uint32_t domid, struct xlx__claims *claims)
{
    XLX__AUTO_NAMES struct xlx__names types = { 0 };
    struct walk w = { .ctx = ctx, .claims = claims };
    struct place all = { .name = "" };
    *claims = (struct xlx__claims){ 0 };
    snprintf(all.path, sizeof(all.path), "/local/domain/%u/device", domid);
    int rc = read_fixed(&w, domid);
    if (!rc)
        rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &types, "%s", all.path);
    if (rc == -ENOENT)
        rc = 0;
    for (size_t i = 0; !rc && i < types.nr; i++)
        rc = walk_type(&w, &all, types.v[i]);
    if (w.nodes > XLX__CLAIMS_NODES_MAX)
        xlx__warn(ctx,
                  "domain %u: more than %u nodes of devices in xenstore: some "
                  "channels have no name",
                  domid, XLX__CLAIMS_NODES_MAX);
    return rc;
}

void xlx__claims_free(struct xlx__claims *claims)
{
    free(claims->v);
    *claims = (struct xlx__claims){ 0 };
}

void xlx__claims_name(const struct xlx__claims *claims, uint32_t of,
                      uint32_t domid, const struct xlx_evtchn_port *port,
                      char device_r[XLX_EVTCHN_DEVICE_MAX])
{
    bool own = of == XLX_EVTCHN_NO_DOMID;
    uint32_t number = own ? port->port : port->remote_port;
    uint32_t backend = own ? port->remote_domid : domid;
    device_r[0] = '\0';
    for (size_t i = 0; i < claims->nr; i++) {
        const struct xlx__claim *c = &claims->v[i];
        if (c->port != number ||
            (c->backend != XLX_EVTCHN_NO_DOMID && c->backend != backend))
            continue;
        if (own)
            snprintf(device_r, XLX_EVTCHN_DEVICE_MAX, "%s", c->device);
        else
            snprintf(device_r, XLX_EVTCHN_DEVICE_MAX, "%.40s of domain %u",
                     c->device, of);
        return;
    }
}
