/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/evtchn_mem.h"

#include <assert.h>
#include <stdio.h>
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
            .allowed = patched && !d->forbidden, /* also of a PV one */
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

/* What the domctl's slots begin with. */
static int enter_domctl(struct xlx__evtchn *e, uint32_t domid,
                        struct evtchn_mem_domain **d_r)
{
    int rc = enter(e, domid, d_r);
    if (rc)
        return rc;
    return !mem_of(e)->patched ? -ENOSYS : !(*d_r)->is.hvm ? -EOPNOTSUPP : 0;
}

static bool offered(const struct evtchn_mem_domain *d, uint32_t vcpu,
                    unsigned vector)
{
    return d->offers[vcpu][vector / 64] >> vector % 64 & 1;
}

static int mem_set(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
                   uint32_t vcpu, uint8_t vector)
{
    struct evtchn_mem_domain *d;
    int rc = enter_domctl(e, domid, &d);
    if (rc)
        return rc;
    if (vcpu >= d->is.vcpus)
        return -ENOENT;
    if (d->forbidden || !offered(d, vcpu, vector))
        return -EPERM;
    if (port >= d->nr_ports || d->port[port].type == XLX_EVTCHN_CLOSED ||
        d->port[port].type == XLX_EVTCHN_PIRQ || d->port[port].used_by_xen ||
        (d->port[port].type == XLX_EVTCHN_IPI && vcpu != d->port[port].vcpu))
        return -EINVAL;
    struct xlx_evtchn_port *p = &d->port[port];
    if (p->vector && !p->toolstack)
        return -EBUSY;
    if (!p->vector)
        d->was_vcpu[port] = p->vcpu;
    p->vcpu = vcpu;
    p->vector = vector;
    p->toolstack = true;
    return 0;
}

static void back_to_upcall(struct evtchn_mem_domain *d, uint32_t port)
{
    d->port[port].vcpu = d->was_vcpu[port];
    d->port[port].vector = 0;
    d->port[port].toolstack = false;
}

static int mem_clear(struct xlx__evtchn *e, uint32_t domid, uint32_t port)
{
    struct evtchn_mem_domain *d;
    int rc = enter_domctl(e, domid, &d);
    if (rc)
        return rc;
    if (port >= d->nr_ports || d->port[port].type == XLX_EVTCHN_CLOSED ||
        !d->port[port].vector)
        return -EINVAL;
    if (!d->port[port].toolstack)
        return -EBUSY;
    back_to_upcall(d, port);
    return 0;
}

static int mem_offer(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                     const uint64_t vectors[4])
{
    struct evtchn_mem_domain *d;
    int rc = enter_domctl(e, domid, &d);
    if (rc)
        return rc;
    if (vcpu >= d->is.vcpus)
        return -ENOENT;
    if (vectors[0] & UINT32_MAX)
        return -EINVAL;
    memcpy(d->offers[vcpu], vectors, sizeof(d->offers[vcpu]));
    for (uint32_t i = 0; i < d->nr_ports; i++)
        if (d->port[i].toolstack && d->port[i].vcpu == vcpu &&
            !offered(d, vcpu, d->port[i].vector))
            back_to_upcall(d, i);
    return 0;
}

static int mem_offers(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                      uint64_t vectors_r[4])
{
    struct evtchn_mem_domain *d;
    int rc = enter_domctl(e, domid, &d);
    if (rc)
        return rc;
    if (vcpu >= d->is.vcpus)
        return -ENOENT;
    memcpy(vectors_r, d->offers[vcpu], sizeof(d->offers[vcpu]));
    return 0;
}

static int mem_allow(struct xlx__evtchn *e, uint32_t domid, bool on)
{
    struct evtchn_mem_domain *d;
    int rc = enter_domctl(e, domid, &d);
    if (rc)
        return rc;
    d->forbidden = !on;
    for (uint32_t i = 0; !on && i < d->nr_ports; i++)
        if (d->port[i].vector)
            back_to_upcall(d, i);
    return 0;
}

/* The guest is as busy as `busy` says while somebody counts. */
static int mem_count(struct xlx__evtchn *e, uint32_t domid, bool on)
{
    struct evtchn_mem_domain *d;
    int rc = enter(e, domid, &d);
    if (rc)
        return rc;
    if (!mem_of(e)->patched)
        return -ENOSYS;
    d->counting = on;
    for (uint32_t i = 0; on && i < d->nr_ports; i++)
        d->port[i].count = d->busy[i];
    return 0;
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
    .set = mem_set,
    .clear = mem_clear,
    .offer = mem_offer,
    .offers = mem_offers,
    .allow = mem_allow,
    .count = mem_count,
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

void evtchn_mem_offer(struct evtchn_mem_domain *d, uint32_t vcpu,
                      unsigned first, unsigned nr)
{
    assert(vcpu < d->is.vcpus && first + nr <= 256);
    for (unsigned v = first; v < first + nr; v++)
        d->offers[vcpu][v / 64] |= UINT64_C(1) << v % 64;
}

char *evtchn_mem_dump(const struct evtchn_mem_domain *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; i < d->nr_ports; i++)
        if (d->port[i].vector)
            fprintf(out, "%u: %u 0x%02x%s\n", i, d->port[i].vcpu,
                    d->port[i].vector, d->port[i].toolstack ? "t" : "");
    for (uint32_t cpu = 0; cpu < d->is.vcpus; cpu++)
        for (unsigned v = 0; v < 256; v++)
            if (offered(d, cpu, v))
                fprintf(out, "vcpu %u: 0x%02x\n", cpu, v);
    fprintf(out, "counting %d\n", d->counting);
    fclose(out);
    return text;
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
                                           uint32_t port, uint32_t remote_domid,
                                           uint32_t remote_port)
{
    struct xlx_evtchn_port *p =
        evtchn_mem_open(d, port, XLX_EVTCHN_INTERDOMAIN);
    p->remote_domid = remote_domid;
    p->remote_port = remote_port;
    return p;
}
