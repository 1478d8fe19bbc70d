/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Event channels of real Xen: libxenctrl for what every release has, a domctl
 * of our own for the rest.
 */
#include "xen/evtchn.h"

#include <stdlib.h>
#include <string.h>

#define __XEN_TOOLS__ 1
#include <xencall.h>
#include <xenctrl.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>

#include "xen/evtchn_abi.h"
#include "xen/release.h"
#include "xen/toollog.h"

_Static_assert((int)XLX_EVTCHN_CLOSED == EVTCHNSTAT_closed, "Xen's states");
_Static_assert((int)XLX_EVTCHN_IPI == EVTCHNSTAT_ipi, "Xen's states");
_Static_assert(sizeof(struct xlx__xen_evtchn_vector_op) <= 128,
               "Xen's union of domctls");

struct evtchn_xen {
    struct xlx__evtchn base;
    xc_interface *xch;
    xencall_handle *xcall;
};

/* Xen's struct xen_domctl, with our member of its union. */
struct domctl {
    uint32_t cmd;
    uint32_t interface_version;
    uint16_t domain;
    uint16_t pad[3];
    union {
        struct xlx__xen_evtchn_vector_op op;
        uint8_t pad[128];
    } u;
};

_Static_assert(offsetof(struct domctl, u) == offsetof(struct xen_domctl, u),
               "Xen's structure");

static struct evtchn_xen *evtchn_of(struct xlx__evtchn *e)
{
    return (struct evtchn_xen *)e;
}

/* Xen refuses with EPERM what the caller may not do; to SET it is the answer
 * for a vector that was not offered. */
static int domctl(struct xlx__evtchn *e, uint32_t domid,
                  struct xlx__xen_evtchn_vector_op *op)
{
    struct domctl *arg =
        xencall_alloc_buffer(evtchn_of(e)->xcall, sizeof(*arg));
    if (!arg)
        return -ENOMEM;
    memset(arg, 0, sizeof(*arg));
    arg->cmd = XLX__XEN_DOMCTL_EVTCHN_VECTOR;
    arg->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    arg->domain = (uint16_t)domid;
    arg->u.op = *op;
    int rc = xencall1(evtchn_of(e)->xcall, __HYPERVISOR_domctl,
                      (uint64_t)(uintptr_t)arg);
    rc = rc < 0 ? -errno : 0;
    *op = arg->u.op;
    xencall_free_buffer(evtchn_of(e)->xcall, arg);
    return rc;
}

static int xen_domain(struct xlx__evtchn *e, uint32_t domid,
                      struct xlx__evtchn_domain *domain_r)
{
    xc_domaininfo_t info;
    int n = xc_domain_getinfolist(evtchn_of(e)->xch, domid, 1, &info);
    if (n < 0)
        return errno == EPERM ? -EACCES : -errno;
    if (n == 0 || info.domain != domid)
        return -ESRCH;
    domain_r->hvm = info.flags & XEN_DOMINF_hvm_guest;
    domain_r->vcpus =
        info.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : info.max_vcpu_id + 1;
    return 0;
}

/* A hypervisor of another interface, or without the domctl, has not got it. */
static int xen_features(struct xlx__evtchn *e, uint32_t domid,
                        struct xlx__evtchn_features *features_r)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_FEATURES };
    int rc = domctl(e, domid, &op);
    *features_r = (struct xlx__evtchn_features){ 0 };
    if (rc == -ESRCH || rc == -ENOMEM)
        return rc;
    if (rc || op.nr != XLX__EVTCHN_VERSION)
        return 0;
    features_r->vectors = true;
    features_r->capable = op.flags & XLX__EVTCHN_CAPABLE;
    features_r->allowed = op.flags & XLX__EVTCHN_ALLOWED;
    features_r->counting = op.flags & XLX__EVTCHN_COUNTING;
    return 0;
}

static int xen_status(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
                      struct xlx_evtchn_port *port_r)
{
    xc_evtchn_status_t status = { .dom = (domid_t)domid, .port = port };
    if (xc_evtchn_status(evtchn_of(e)->xch, &status))
        return errno == EPERM ? -EACCES : -errno;
    *port_r = (struct xlx_evtchn_port){
        .port = port,
        .type = (enum xlx_evtchn_type)status.status,
        .vcpu = status.vcpu,
        .remote_domid = XLX_EVTCHN_NO_DOMID,
    };
    switch (status.status) {
    case EVTCHNSTAT_unbound:
        port_r->remote_domid = status.u.unbound.dom;
        break;
    case EVTCHNSTAT_interdomain:
        port_r->remote_domid = status.u.interdomain.dom;
        port_r->remote_port = status.u.interdomain.port;
        break;
    case EVTCHNSTAT_pirq:
        port_r->irq = status.u.pirq;
        break;
    case EVTCHNSTAT_virq:
        port_r->irq = status.u.virq;
        break;
    }
    return 0;
}

static void read_entry(const struct xlx__xen_evtchn_entry *entry,
                       struct xlx_evtchn_port *port)
{
    bool has_remote = entry->state == EVTCHNSTAT_unbound ||
                      entry->state == EVTCHNSTAT_interdomain;
    bool has_irq =
        entry->state == EVTCHNSTAT_pirq || entry->state == EVTCHNSTAT_virq;
    *port = (struct xlx_evtchn_port){
        .port = entry->port,
        .type = (enum xlx_evtchn_type)entry->state,
        .vcpu = entry->vcpu,
        .remote_domid = has_remote ? entry->remote_domid : XLX_EVTCHN_NO_DOMID,
        .remote_port =
            entry->state == EVTCHNSTAT_interdomain ? entry->remote_port : 0,
        .irq = has_irq ? entry->remote_port : 0,
        .vector = entry->vector,
        .toolstack = entry->flags & XLX__EVTCHN_ENTRY_TOOLSTACK,
        .pending = entry->flags & XLX__EVTCHN_ENTRY_PENDING,
        .masked = entry->flags & XLX__EVTCHN_ENTRY_MASKED,
        .used_by_xen = entry->flags & XLX__EVTCHN_ENTRY_XEN,
        .priority = entry->priority,
        .count = entry->count,
    };
}

static int xen_list(struct xlx__evtchn *e, uint32_t domid, uint32_t *next,
                    struct xlx_evtchn_port *list, uint32_t max)
{
    uint32_t room = max < XLX__EVTCHN_LIST_MAX ? max : XLX__EVTCHN_LIST_MAX;
    struct xlx__xen_evtchn_entry *entries =
        xencall_alloc_buffer(evtchn_of(e)->xcall, room * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    struct xlx__xen_evtchn_vector_op op = {
        .op = XLX__EVTCHN_LIST,
        .port = *next,
        .nr = room,
        .entries = (uint64_t)(uintptr_t)entries,
    };
    int rc = domctl(e, domid, &op);
    for (uint32_t i = 0; !rc && i < op.nr && i < room; i++)
        read_entry(&entries[i], &list[i]);
    xencall_free_buffer(evtchn_of(e)->xcall, entries);
    if (rc)
        return rc;
    *next = op.port;
    return op.nr < room ? (int)op.nr : (int)room;
}

static int xen_set(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
                   uint32_t vcpu, uint8_t vector)
{
    struct xlx__xen_evtchn_vector_op op = {
        .op = XLX__EVTCHN_SET,
        .port = port,
        .vcpu = vcpu,
        .vector = vector,
    };
    return domctl(e, domid, &op);
}

static int xen_clear(struct xlx__evtchn *e, uint32_t domid, uint32_t port)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_CLEAR,
                                            .port = port };
    return domctl(e, domid, &op);
}

static int xen_offer(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                     const uint64_t vectors[4])
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_OFFER,
                                            .vcpu = vcpu };
    memcpy(op.vectors, vectors, sizeof(op.vectors));
    return domctl(e, domid, &op);
}

static int xen_offers(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                      uint64_t vectors_r[4])
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_OFFERS,
                                            .vcpu = vcpu };
    int rc = domctl(e, domid, &op);
    if (!rc)
        memcpy(vectors_r, op.vectors, sizeof(op.vectors));
    return rc;
}

static int switch_to(struct xlx__evtchn *e, uint32_t domid, uint8_t what,
                     bool on)
{
    struct xlx__xen_evtchn_vector_op op = { .op = what,
                                            .flags = on ? XLX__EVTCHN_ON : 0 };
    return domctl(e, domid, &op);
}

static int xen_allow(struct xlx__evtchn *e, uint32_t domid, bool on)
{
    return switch_to(e, domid, XLX__EVTCHN_ALLOW, on);
}

static int xen_count(struct xlx__evtchn *e, uint32_t domid, bool on)
{
    return switch_to(e, domid, XLX__EVTCHN_COUNT, on);
}

static void evtchn_close(struct xlx__seam *seam)
{
    struct evtchn_xen *x = (struct evtchn_xen *)seam;
    if (x->xcall)
        xencall_close(x->xcall);
    if (x->xch)
        xc_interface_close(x->xch);
    free(x);
}

static const struct xlx__evtchn_ops xen_ops = {
    .domain = xen_domain,
    .features = xen_features,
    .status = xen_status,
    .list = xen_list,
    .set = xen_set,
    .clear = xen_clear,
    .offer = xen_offer,
    .offers = xen_offers,
    .allow = xen_allow,
    .count = xen_count,
};

int xlx__evtchn_open(xlx_ctx *ctx)
{
    if (ctx->evtchn)
        return 0;
    int rc = xlx__xen_fits(ctx);
    if (rc)
        return rc;
    struct evtchn_xen *x = calloc(1, sizeof(*x));
    if (!x)
        return xlx__fail(ctx, ENOMEM, "event channels: no memory");
    x->base.seam.close = evtchn_close;
    x->base.ops = &xen_ops;
    x->xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    x->xcall = xencall_open(XLX__NO_LOGGER, 0);
    if (!x->xch || !x->xcall) {
        rc = xlx__fail(ctx, ENXIO, "Xen: no hypervisor here, or not root (%s)",
                       strerror(errno));
        evtchn_close(&x->base.seam);
        return rc;
    }
    ctx->evtchn = &x->base;
    return 0;
}
