/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One channel: to a vector of its own, and back. Everything that can be known
 * is looked at before, so that the refusal names the cause.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "evtchn/job.h"
#include "evtchn/places.h"
#include "evtchn/spread.h"

/* What is asked for, and what is there. */
struct wish {
    xlx_ctx *ctx;
    struct xlx__evtchn_job job;
    struct xlx_evtchn_port *ports;
    const struct xlx_evtchn_port *port;
    int nr_ports;
};

/* A guest that can be asked is asked by the device's name. */
static int list_ports(struct wish *w, uint32_t domid)
{
    struct xlx_evtchn_info info;
    return w->job.nr_places
               ? xlx__evtchn_list(w->ctx, domid, &info, &w->ports)
               : xlx__evtchn_ports(w->ctx, domid, &w->job.features, &w->ports);
}

/* Who bound it does not matter then. */
static int check_asked(struct wish *w)
{
    return xlx__places_has(w->port)
               ? 0
               : xlx__fail(w->ctx, EINVAL,
                           "domain %u: port %u: the guest can be asked only "
                           "for channels of its devices",
                           w->job.info.domid, w->port->port);
}

static int find_port(struct wish *w, uint32_t domid, uint32_t port)
{
    w->nr_ports = list_ports(w, domid);
    for (int i = 0; i < w->nr_ports; i++)
        if (w->ports[i].port == port)
            w->port = &w->ports[i];
    if (w->nr_ports < 0)
        return w->nr_ports;
    if (!w->port)
        return xlx__fail(w->ctx, ENOENT, "domain %u: port %u: is not open",
                         domid, port);
    if (w->port->used_by_xen)
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: port %u: Xen itself receives its events",
                         domid, port);
    if (w->job.nr_places)
        return check_asked(w);
    if (w->port->vector && !w->port->toolstack)
        return xlx__fail(w->ctx, EALREADY,
                         "domain %u: port %u: the guest bound it to vector "
                         "0x%02x itself, and only it can change that",
                         domid, port, w->port->vector);
    return 0;
}

static int begin_binding(struct wish *w, xlx_ctx *ctx, uint32_t domid,
                         uint32_t port)
{
    *w = (struct wish){ .ctx = ctx };
    int rc = xlx__evtchn_job_begin(ctx, domid, &w->job);
    return rc ? rc : find_port(w, domid, port);
}

static void end_binding(struct wish *w)
{
    free(w->nr_ports > 0 ? w->ports : NULL);
    xlx__evtchn_job_end(&w->job);
}

/* --- binding -------------------------------------------------------------- */

static int check_place(struct wish *w, uint32_t vcpu, uint8_t vector)
{
    uint32_t domid = w->job.info.domid, port = w->port->port;
    if (vcpu >= w->job.info.vcpus)
        return xlx__fail(w->ctx, ENOENT,
                         "domain %u: port %u: no vCPU %u: the domain has %u",
                         domid, port, vcpu, w->job.info.vcpus);
    if (vector && vector < XLX_EVTCHN_VECTOR_MIN)
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: port %u: vector 0x%02x is not between "
                         "0x%02x and 0x%02x",
                         domid, port, vector, XLX_EVTCHN_VECTOR_MIN,
                         XLX_EVTCHN_VECTOR_MAX);
    if (w->port->type == XLX_EVTCHN_PIRQ)
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: port %u: is a device's own interrupt",
                         domid, port);
    if (w->port->type == XLX_EVTCHN_IPI && vcpu != w->port->vcpu)
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: port %u: is an IPI of vCPU %u and "
                         "cannot be moved",
                         domid, port, w->port->vcpu);
    return 0;
}

/* Another channel that has the vector on that vCPU, or NULL. */
static const struct xlx_evtchn_port *holder(const struct wish *w, uint32_t vcpu,
                                            unsigned vector)
{
    for (int i = 0; i < w->nr_ports; i++)
        if (&w->ports[i] != w->port && w->ports[i].vcpu == vcpu &&
            w->ports[i].vector == vector)
            return &w->ports[i];
    return NULL;
}

/* Leaves those of `vectors` that no other channel has. */
static void leave_free(const struct wish *w, uint32_t vcpu, uint64_t vectors[4])
{
    for (unsigned v = 0; v < 256; v++)
        if (v < XLX_EVTCHN_VECTOR_MIN || holder(w, vcpu, v))
            vectors[v / 64] &= ~(UINT64_C(1) << v % 64);
}

static bool is_place(const struct wish *w, uint32_t vcpu)
{
    for (int i = 0; i < w->job.nr_places; i++)
        if (w->job.places[i].vcpu == vcpu)
            return true;
    return false;
}

/* Of a guest that is asked: any vector stands for the one that it takes. */
static int choose_place(struct wish *w, uint32_t vcpu, uint8_t *vector)
{
    uint32_t domid = w->job.info.domid, port = w->port->port;
    if (*vector)
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: port %u: the guest chooses its vectors "
                         "itself: leave the vector out",
                         domid, port);
    if (!is_place(w, vcpu))
        return xlx__fail(w->ctx, EACCES,
                         "domain %u: port %u: the guest has no channels on "
                         "vCPU %u",
                         domid, port, vcpu);
    *vector = w->port->vcpu == vcpu && w->port->vector ? w->port->vector
                                                       : XLX_EVTCHN_VECTOR_MAX;
    return 0;
}

static int choose(struct wish *w, uint32_t vcpu, uint8_t *vector)
{
    if (w->job.nr_places)
        return choose_place(w, vcpu, vector);
    uint32_t domid = w->job.info.domid, port = w->port->port;
    uint64_t vectors[4] = { 0 };
    XLX__AUTO_FREE struct xlx_evtchn_offer *offers = NULL;
    int nr = xlx__evtchn_job_offers(w->ctx, &w->job, true, &offers);
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr; i++)
        if (offers[i].vcpu == vcpu)
            memcpy(vectors, offers[i].vectors, sizeof(vectors));
    if (!xlx__vectors_first(vectors))
        return xlx__fail(w->ctx, EACCES,
                         "domain %u: port %u: the guest offers no vector on "
                         "vCPU %u",
                         domid, port, vcpu);
    if (*vector && !xlx__vectors_has(vectors, *vector))
        return xlx__fail(w->ctx, EACCES,
                         "domain %u: port %u: the guest does not offer vector "
                         "0x%02x on vCPU %u",
                         domid, port, *vector, vcpu);
    const struct xlx_evtchn_port *other =
        *vector ? holder(w, vcpu, *vector) : NULL;
    leave_free(w, vcpu, vectors);
    if (!*vector && w->port->vcpu == vcpu && w->port->vector &&
        xlx__vectors_has(vectors, w->port->vector))
        *vector = w->port->vector;
    if (!*vector)
        *vector = (uint8_t)xlx__vectors_first(vectors);
    if (other)
        return xlx__fail(w->ctx, EEXIST,
                         "domain %u: port %u: port %u already has vector "
                         "0x%02x on vCPU %u",
                         domid, port, other->port, *vector, vcpu);
    if (!*vector)
        return xlx__fail(w->ctx, EEXIST,
                         "domain %u: port %u: other ports have all vectors "
                         "that the guest offers on vCPU %u",
                         domid, port, vcpu);
    return 0;
}

/* --- one channel ---------------------------------------------------------- */

static int change(struct wish *w, uint32_t vcpu, uint8_t *vector)
{
    uint32_t domid = w->job.info.domid;
    struct xlx_evtchn_change c = {
        .port = w->port->port,
        .to_vcpu = vcpu,
        .to_vector = *vector,
    };
    if (!w->job.nr_places)
        return xlx__evtchn_do(w->ctx, domid, &c);
    memcpy(c.device, w->port->device, sizeof(c.device));
    int rc = xlx__places_apply(w->ctx, &w->job, &c, 1,
                               xlx__now_ms() + XLX__PLACES_WAIT_MS);
    *vector = c.to_vector;
    if (!rc)
        return -ENOENT;
    return rc < 0 ? rc : 0;
}

int xlx_evtchn_bind(xlx_ctx *ctx, uint32_t domid, uint32_t port, uint32_t vcpu,
                    uint8_t vector, uint8_t *vector_r)
{
    struct wish w;
    int rc = begin_binding(&w, ctx, domid, port);
    if (!rc)
        rc = check_place(&w, vcpu, vector);
    if (!rc)
        rc = choose(&w, vcpu, &vector);
    if (!rc && (w.port->vcpu != vcpu || w.port->vector != vector)) {
        rc = change(&w, vcpu, &vector);
        if (rc == -ENOENT)
            rc = xlx__fail(ctx, ENOENT,
                           "domain %u: port %u: was closed meanwhile, or its "
                           "type cannot have a vector",
                           domid, port);
    }
    if (!rc)
        *vector_r = vector;
    end_binding(&w);
    return rc;
}

int xlx_evtchn_unbind(xlx_ctx *ctx, uint32_t domid, uint32_t port)
{
    struct wish w;
    int rc = begin_binding(&w, ctx, domid, port);
    if (!rc && !w.port->vector)
        rc = 1;
    else if (!rc) {
        uint8_t none = 0;
        rc = change(&w, w.port->vcpu, &none);
        if (rc == -ENOENT)
            rc = xlx__fail(ctx, ENOENT,
                           "domain %u: port %u: was closed meanwhile", domid,
                           port);
    }
    end_binding(&w);
    return rc;
}
