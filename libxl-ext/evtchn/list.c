/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/list.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "evtchn/devices.h"
#include "xen/domain.h"

/* Xen's largest: FIFO has 2^17 ports. */
#define PORTS_MAX (1u << 17)
#define STEP 256u

struct list {
    struct xlx_evtchn_port *v;
    uint32_t nr, room;
};

int xlx__evtchn_failed(xlx_ctx *ctx, uint32_t domid, int rc)
{
    if (rc == -ESRCH)
        return xlx__fail(ctx, ESRCH, "domain %u: no such domain", domid);
    return xlx__fail_errno(ctx, -rc, "domain %u: Xen's event channels", domid);
}

int xlx__evtchn_look(xlx_ctx *ctx, uint32_t domid,
                     struct xlx_evtchn_info *info_r,
                     struct xlx__evtchn_features *features_r)
{
    struct xlx__evtchn_domain domain;
    int rc = xlx__evtchn_open(ctx);
    if (rc)
        return rc;
    struct xlx__evtchn *e = ctx->evtchn;
    rc = e->ops->domain(e, domid, &domain);
    if (!rc)
        rc = e->ops->features(e, domid, features_r);
    if (rc)
        return xlx__evtchn_failed(ctx, domid, rc);
    *info_r = (struct xlx_evtchn_info){
        .domid = domid,
        .hvm = domain.hvm,
        .vcpus = domain.vcpus,
        .vectors = features_r->vectors,
        .allowed =
            features_r->vectors && features_r->capable && features_r->allowed,
        .counting = features_r->vectors && features_r->counting,
    };
    return 0;
}

static int make_room_for_ports(xlx_ctx *ctx, uint32_t domid, struct list *list)
{
    if (list->room - list->nr >= STEP)
        return 0;
    struct xlx_evtchn_port *v =
        reallocarray(list->v, list->nr + 2 * STEP, sizeof(*v));
    if (!v)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    list->v = v;
    list->room = list->nr + 2 * STEP;
    return 0;
}

/* Any Xen: port after port, until there is none. */
static int ask_each(xlx_ctx *ctx, uint32_t domid, struct list *list)
{
    struct xlx__evtchn *e = ctx->evtchn;
    for (uint32_t port = 0; port < PORTS_MAX; port++) {
        int rc = make_room_for_ports(ctx, domid, list);
        if (rc)
            return rc;
        rc = e->ops->status(e, domid, port, &list->v[list->nr]);
        if (rc == -EINVAL)
            return 0;
        if (rc)
            return xlx__evtchn_failed(ctx, domid, rc);
        list->nr += list->v[list->nr].type != XLX_EVTCHN_CLOSED;
    }
    return 0;
}

/* With the domctl: many at once. */
static int ask_all(xlx_ctx *ctx, uint32_t domid, struct list *list)
{
    struct xlx__evtchn *e = ctx->evtchn;
    for (uint32_t next = 0; next != UINT32_MAX;) {
        uint32_t from = next;
        int rc = make_room_for_ports(ctx, domid, list);
        if (rc)
            return rc;
        rc = e->ops->list(e, domid, &next, list->v + list->nr, STEP);
        if (rc < 0)
            return xlx__evtchn_failed(ctx, domid, rc);
        if (next <= from)
            return xlx__fail(ctx, EIO,
                             "domain %u: Xen's list of event channels does "
                             "not continue after port %u",
                             domid, from);
        list->nr += (uint32_t)rc;
    }
    return 0;
}

int xlx__evtchn_ports(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx__evtchn_features *features,
                      struct xlx_evtchn_port **list_r)
{
    struct list list = { 0 };
    int rc = features->vectors ? ask_all(ctx, domid, &list)
                               : ask_each(ctx, domid, &list);
    if (rc || !list.nr) {
        free(list.v);
        list.v = NULL;
    }
    if (rc)
        return rc;
    *list_r = list.v;
    return (int)list.nr;
}

/* --- the devices ---------------------------------------------------------- */

/* The next domain above `above` that is at the other end of a channel. */
static uint32_t next_remote(const struct xlx_evtchn_port *list, int nr,
                            uint32_t above, bool first)
{
    uint32_t next = XLX_EVTCHN_NO_DOMID;
    for (int i = 0; i < nr; i++) {
        uint32_t remote = list[i].remote_domid;
        if (list[i].type == XLX_EVTCHN_INTERDOMAIN && remote < next &&
            (first || remote > above))
            next = remote;
    }
    return next;
}

/* The claims of `of`, or of the domain itself, for ports without a name. */
static int name_by(xlx_ctx *ctx, uint32_t domid, uint32_t of,
                   struct xlx_evtchn_port *list, int nr)
{
    struct xlx__claims claims;
    bool own = of == XLX_EVTCHN_NO_DOMID;
    int rc = xlx__claims_read(ctx, own ? domid : of, &claims);
    for (int i = 0; !rc && i < nr; i++) {
        struct xlx_evtchn_port *port = &list[i];
        bool connected = port->type == XLX_EVTCHN_INTERDOMAIN;
        bool fits = own ? connected || port->type == XLX_EVTCHN_UNBOUND
                        : connected && port->remote_domid == of;
        if (fits && !*port->device)
            xlx__claims_name(&claims, of, domid, port, port->device);
    }
    xlx__claims_free(&claims);
    return rc;
}

static int name_all(xlx_ctx *ctx, uint32_t domid, struct xlx_evtchn_port *list,
                    int nr)
{
    int rc = name_by(ctx, domid, XLX_EVTCHN_NO_DOMID, list, nr);
    uint32_t of = next_remote(list, nr, 0, true);
    while (!rc && of != XLX_EVTCHN_NO_DOMID) {
        if (of != domid)
            rc = name_by(ctx, domid, of, list, nr);
        of = next_remote(list, nr, of, false);
    }
    return rc;
}

int xlx__evtchn_list(xlx_ctx *ctx, uint32_t domid,
                     struct xlx_evtchn_info *info_r,
                     struct xlx_evtchn_port **list_r)
{
    struct xlx__evtchn_features features;
    struct xlx_evtchn_info info;
    XLX__AUTO_FREE struct xlx_evtchn_port *list = NULL;
    int rc = xlx__evtchn_look(ctx, domid, &info, &features);
    if (rc)
        return rc;
    int nr = xlx__evtchn_ports(ctx, domid, &features, &list);
    if (nr < 0)
        return nr;
    rc = name_all(ctx, domid, list, nr);
    if (rc)
        return rc;
    info.nr_ports = (uint32_t)nr;
    *info_r = info;
    *list_r = xlx__steal(list);
    return nr;
}

const char *xlx_evtchn_type_name(enum xlx_evtchn_type type)
{
    static const char *const names[] = {
        [XLX_EVTCHN_CLOSED] = "closed",
        [XLX_EVTCHN_UNBOUND] = "unbound",
        [XLX_EVTCHN_INTERDOMAIN] = "interdomain",
        [XLX_EVTCHN_PIRQ] = "pirq",
        [XLX_EVTCHN_VIRQ] = "virq",
        [XLX_EVTCHN_IPI] = "ipi",
    };
    unsigned i = (unsigned)type;
    return i < XLX__NR(names) ? names[i] : "unknown";
}
