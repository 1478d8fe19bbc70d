/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/clock.h"
#include "evtchn/places.h"
#include "evtchn/spread.h"
#include "host/lock.h"

#define LOCK_MS 5000

int xlx__evtchn_capable(xlx_ctx *ctx, const struct xlx_evtchn_info *info)
{
    if (!info->hvm)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: a PV domain has no local APIC that could "
                         "raise a vector: its event channels stay on the "
                         "upcall",
                         info->domid);
    if (!info->vectors)
        return xlx__fail(ctx, ENOSYS,
                         "Xen: this hypervisor has no interrupt vectors for "
                         "single event channels: install the one that 'make "
                         "hypervisor' builds");
    return 0;
}

static int refuse_domain(xlx_ctx *ctx, const struct xlx_evtchn_info *info)
{
    int rc = xlx__evtchn_capable(ctx, info);
    return rc || info->allowed
               ? rc
               : xlx__fail(ctx, EPERM,
                           "domain %u: vectors for single event channels are "
                           "switched off for it: see evtchn-allow",
                           info->domid);
}

static int look_at_domain(xlx_ctx *ctx, uint32_t domid,
                          struct xlx__evtchn_job *job)
{
    *job = (struct xlx__evtchn_job){ .lock = -1 };
    int rc = xlx__evtchn_look(ctx, domid, &job->info, &job->features);
    return rc ? rc : refuse_domain(ctx, &job->info);
}

int xlx__evtchn_job_begin(xlx_ctx *ctx, uint32_t domid,
                          struct xlx__evtchn_job *job)
{
    char name[64];
    int rc = look_at_domain(ctx, domid, job);
    if (rc)
        return rc;
    snprintf(name, sizeof(name), "evtchn/lock/domain-%u", domid);
    job->lock = xlx__lock(ctx, name, xlx__now_ms() + LOCK_MS);
    if (job->lock < 0)
        return job->lock;
    rc = xlx__places_read(ctx, domid, job->info.vcpus, &job->places);
    if (rc < 0)
        return rc;
    job->nr_places = rc;
    return 0;
}

void xlx__evtchn_job_end(struct xlx__evtchn_job *job)
{
    if (job->lock >= 0)
        close(job->lock);
    job->lock = -1;
    free(job->places);
    xlx__offers_free(&job->offers);
}

/* What Xen has, whoever told it. */
static int ask_xen(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                   struct xlx_evtchn_offer **list_r)
{
    struct xlx__evtchn *e = ctx->evtchn;
    uint32_t vcpus = job->info.vcpus;
    XLX__AUTO_FREE struct xlx_evtchn_offer *list =
        calloc(vcpus + 1, sizeof(*list));
    int nr = 0;
    if (!list)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", job->info.domid);
    for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
        struct xlx_evtchn_offer *offer = &list[nr];
        int rc = e->ops->offers(e, job->info.domid, vcpu, offer->vectors);
        if (rc)
            return xlx__evtchn_failed(ctx, job->info.domid, rc);
        offer->vcpu = vcpu;
        nr += xlx__vectors_first(offer->vectors) != 0;
    }
    *list_r = nr ? xlx__steal(list) : NULL;
    return nr;
}

static int copy_offers(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                       const struct xlx_evtchn_offer *offers, int nr,
                       struct xlx_evtchn_offer **list_r)
{
    size_t size = (size_t)nr * sizeof(**list_r);
    struct xlx_evtchn_offer *list = size ? malloc(size) : NULL;
    if (size && !list)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", job->info.domid);
    if (size)
        memcpy(list, offers, size);
    *list_r = list;
    return nr;
}

int xlx__evtchn_job_offers(xlx_ctx *ctx, struct xlx__evtchn_job *job,
                           bool relay, struct xlx_evtchn_offer **list_r)
{
    uint32_t domid = job->info.domid, vcpus = job->info.vcpus;
    if (job->nr_places)
        return copy_offers(ctx, job, job->places, job->nr_places, list_r);
    int rc = xlx__offers_read(ctx, domid, vcpus, &job->offers);
    if (rc == -EBADMSG && relay)
        xlx__offers_refused(ctx, domid);
    if (!rc && relay)
        rc = xlx__offers_relay(ctx, domid, vcpus, &job->offers);
    if (rc)
        return rc;
    return job->offers.there ? copy_offers(ctx, job, job->offers.offer,
                                           job->offers.nr, list_r)
                             : ask_xen(ctx, job, list_r);
}

int xlx_evtchn_offers(xlx_ctx *ctx, uint32_t domid,
                      struct xlx_evtchn_offer **list_r)
{
    struct xlx__evtchn_job job;
    int rc = look_at_domain(ctx, domid, &job);
    if (!rc)
        rc = xlx__evtchn_job_offers(ctx, &job, false, list_r);
    xlx__evtchn_job_end(&job);
    return rc;
}

static int call(xlx_ctx *ctx, uint32_t domid, uint32_t port, uint32_t vcpu,
                uint8_t vector)
{
    struct xlx__evtchn *e = ctx->evtchn;
    return vector ? e->ops->set(e, domid, port, vcpu, vector)
                  : e->ops->clear(e, domid, port);
}

static int explain(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_evtchn_change *c, int rc)
{
    switch (rc) {
    case -EPERM:
        return xlx__fail(ctx, EACCES,
                         "domain %u: port %u: vCPU %u does not offer vector "
                         "0x%02x (any more)",
                         domid, c->port, c->to_vcpu, c->to_vector);
    case -EBUSY:
        return xlx__fail(ctx, EALREADY,
                         "domain %u: port %u: the guest bound it to a vector "
                         "itself, and only it can change that",
                         domid, c->port);
    case -ENOENT:
        return xlx__fail(ctx, ENOENT, "domain %u: port %u: no vCPU %u", domid,
                         c->port, c->to_vcpu);
    case -ESRCH:
        return xlx__evtchn_failed(ctx, domid, rc);
    default:
        return xlx__fail_errno(ctx, -rc, "domain %u: port %u: cannot be bound",
                               domid, c->port);
    }
}

/* Xen says -EINVAL for a port that is not open, and for what cannot be bound,
 * which was looked at before. */
int xlx__evtchn_do(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_evtchn_change *change)
{
    int rc = call(ctx, domid, change->port, change->to_vcpu, change->to_vector);
    if (rc == -EINVAL)
        return -ENOENT;
    return rc ? explain(ctx, domid, change, rc) : 0;
}

void xlx__evtchn_undo(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_change *change)
{
    int rc =
        call(ctx, domid, change->port, change->from_vcpu, change->from_vector);
    if (rc && rc != -EINVAL)
        xlx__warn(ctx,
                  "domain %u: port %u: its former binding is not "
                  "restored: %s",
                  domid, change->port, strerror(-rc));
}
