/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/evtchn_mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct evtchn_mem *mem_of(struct xlx__evtchn *e)
{
    return (struct evtchn_mem *)e;
}

/* What every slot begins with: 0, or what Xen would say. */
static int enter(struct xlx__evtchn *e, uint32_t domid,
                 struct evtchn_mem_domain **d_r)
{
    struct evtchn_mem *mem = mem_of(e);
    if (nth_fails(mem->nth))
        return -EIO;
    for (unsigned i = 0; i < mem->nr_domains; i++)
        if (mem->domain[i].domid == domid && !mem->domain[i].gone) {
            *d_r = &mem->domain[i];
            return 0;
        }
    return -ESRCH;
}

static int mem_domain(struct xlx__evtchn *e, uint32_t domid,
                      struct xlx__evtchn_domain *domain_r)
{
    struct evtchn_mem_domain *d;
    int rc = enter(e, domid, &d);
    if (!rc)
        *domain_r = d->is;
    return rc;
}

static int mem_features(struct xlx__evtchn *e, uint32_t domid,
                        struct xlx__evtchn_features *features_r)
{
    struct evtchn_mem_domain *d;
    bool patched = mem_of(e)->patched;
    int rc = enter(e, domid, &d);
    if (!rc)
        *features_r = (struct xlx__evtchn_features){
            .vectors = patched,
            .capable = patched && d->is.hvm,
            .allowed = patched && d->is.hvm && !d->forbidden,
            .counting = patched && d->counting,
        };
    return rc;
}

/* What only the domctl tells is not told. */
static int mem_status(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
                      struct xlx_evtchn_port *port_r)
{
    struct evtchn_mem_domain *d;
    int rc = enter(e, domid, &d);
    if (rc)
        return rc;
    if (port >= d->nr_ports)
        return -EINVAL;
    const struct xlx_evtchn_port *p = &d->port[port];
    *port_r = (struct xlx_evtchn_port){
        .port = p->port,
        .type = p->type,
        .vcpu = p->vcpu,
        .remote_domid = p->remote_domid,
        .remote_port = p->remote_port,
        .irq = p->irq,
    };
    return 0;
}

static int mem_list(struct xlx__evtchn *e, uint32_t domid, uint32_t *next,
                    struct xlx_evtchn_port *list, uint32_t max)
{
    struct evtchn_mem_domain *d;
    uint32_t port = *next, nr = 0, most = mem_of(e)->list_max;
    int rc = enter(e, domid, &d);
    if (rc)
        return rc;
    if (!mem_of(e)->patched)
        return -ENOSYS;
    if (mem_of(e)->stuck)
        return 0;
    max = most && most < max ? most : max;
    for (; port < d->nr_ports && nr < max; port++)
        if (d->port[port].type != XLX_EVTCHN_CLOSED)
            list[nr++] = d->port[port];
    *next = port < d->nr_ports ? port : UINT32_MAX;
    return (int)nr;
}

static void mem_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__evtchn_ops mem_ops = {
    .domain = mem_domain,
    .features = mem_features,
    .status = mem_status,
    .list = mem_list,
};

/* --- for tests ------------------------------------------------------------ */

struct evtchn_mem *evtchn_mem_new(struct nth *nth)
{
    struct evtchn_mem *mem = calloc(1, sizeof(*mem));
    mem->base.seam.close = mem_close;
    mem->base.ops = &mem_ops;
    mem->nth = nth;
    return mem;
}

struct evtchn_mem_domain *evtchn_mem_add(struct evtchn_mem *mem, uint32_t domid,
                                         bool hvm, uint32_t vcpus)
{
    assert(mem->nr_domains < EVTCHN_MEM_DOMAINS);
    struct evtchn_mem_domain *d = &mem->domain[mem->nr_domains++];
    d->domid = domid;
    d->is.hvm = hvm;
    d->is.vcpus = vcpus;
    d->nr_ports = 64;
    for (uint32_t i = 0; i < EVTCHN_MEM_PORTS; i++) {
        d->port[i].port = i;
        d->port[i].remote_domid = XLX_EVTCHN_NO_DOMID;
    }
    return d;
}

struct xlx_evtchn_port *evtchn_mem_open(struct evtchn_mem_domain *d,
                                        uint32_t port,
                                        enum xlx_evtchn_type type)
{
    assert(port < d->nr_ports);
    d->port[port] = (struct xlx_evtchn_port){
        .port = port,
        .type = type,
        .remote_domid = XLX_EVTCHN_NO_DOMID,
    };
    return &d->port[port];
}

struct xlx_evtchn_port *evtchn_mem_connect(struct evtchn_mem_domain *d,
                                           uint32_t port,
                                           uint32_t remote_domid,
                                           uint32_t remote_port)
{
    struct xlx_evtchn_port *p =
        evtchn_mem_open(d, port, XLX_EVTCHN_INTERDOMAIN);
    p->remote_domid = remote_domid;
    p->remote_port = remote_port;
    return p;
}
