/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-spread: counts, plans, does.
 */
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/sized.h"
#include "evtchn/job.h"
#include "evtchn/places.h"
#include "evtchn/spread.h"

/* Counting that was off is switched off again, whatever happens. */
static int sample(xlx_ctx *ctx, struct xlx__evtchn_job *job, uint32_t ms)
{
    struct xlx__evtchn *e = ctx->evtchn;
    if (!ms || job->info.counting)
        return 0;
    int rc = e->ops->count(e, job->info.domid, true);
    if (rc)
        return xlx__evtchn_failed(ctx, job->info.domid, rc);
    job->info.counting = true;
    xlx__sleep_ms((int)ms);
    return 1;
}

static void stop_sampling(xlx_ctx *ctx, uint32_t domid)
{
    struct xlx__evtchn *e = ctx->evtchn;
    int rc = e->ops->count(e, domid, false);
    if (rc && rc != -ESRCH)
        xlx__warn(ctx, "domain %u: its events are still counted: %s", domid,
                  strerror(-rc));
}

/* The list with the names of devices, and the counts of this moment. */
static int count_and_list(xlx_ctx *ctx, struct xlx__evtchn_job *job,
                          uint32_t ms, struct xlx_evtchn_port **ports_r)
{
    struct xlx_evtchn_info info;
    int sampled = sample(ctx, job, ms);
    if (sampled < 0)
        return sampled;
    int nr = xlx__evtchn_list(ctx, job->info.domid, &info, ports_r);
    if (sampled)
        stop_sampling(ctx, job->info.domid);
    if (nr < 0)
        return nr;
    job->info.nr_ports = (uint32_t)nr;
    job->info.vcpus = info.vcpus;
    return nr;
}

/* --- what the guest wishes ------------------------------------------------ */

static struct xlx_evtchn_port *find_port(struct xlx_evtchn_port *ports,
                                         uint32_t nr, uint32_t port)
{
    for (uint32_t i = 0; i < nr; i++)
        if (ports[i].port == port)
            return &ports[i];
    return NULL;
}

/*
 * Adds the changes that the guest asks for, channel by channel, to `list`. To
 * the plan these channels are then as the guest's own. Returns how many have a
 * vector that way.
 */
static uint32_t grant(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                      struct xlx_evtchn_port *ports,
                      struct xlx_evtchn_change *list, int *nr)
{
    uint32_t granted = 0;
    for (int i = 0; i < job->offers.nr_wishes; i++) {
        const struct xlx__wish *wish = &job->offers.wish[i];
        struct xlx_evtchn_port *port =
            find_port(ports, job->info.nr_ports, wish->port);
        if (!port || !xlx__evtchn_can_bind(port)) {
            xlx__debug(ctx,
                       "domain %u: port %u: cannot get the vector that "
                       "the guest requests for it",
                       job->info.domid, wish->port);
            continue;
        }
        if (port->vcpu != wish->vcpu || port->vector != wish->vector) {
            struct xlx_evtchn_change *c = &list[(*nr)++];
            *c = (struct xlx_evtchn_change){
                .port = port->port,
                .from_vcpu = port->vcpu,
                .from_vector = port->vector,
                .to_vcpu = wish->vcpu,
                .to_vector = wish->vector,
            };
            memcpy(c->device, port->device, sizeof(c->device));
        }
        port->vcpu = wish->vcpu;
        port->vector = wish->vector;
        port->toolstack = false;
        granted++;
    }
    return granted;
}

static int by_port(const void *a, const void *b)
{
    const struct xlx_evtchn_change *x = a, *y = b;
    return x->port < y->port ? -1 : x->port > y->port;
}

struct input {
    enum xlx__spread_how how;
    struct xlx_evtchn_port *ports;
    struct xlx_evtchn_offer *offers;
    int nr_offers;
    uint32_t hot;
};

/* Of the load as it is, before the guest's wishes are put into it. */
static int index_before(const struct xlx__evtchn_job *job,
                        const struct input *in, uint32_t *index_r)
{
    struct xlx_evtchn_change *list;
    struct xlx_evtchn_plan plan;
    int rc = xlx__evtchn_plan(&job->info, in->ports, in->offers, in->nr_offers,
                              in->hot, &plan, &list);
    if (rc < 0)
        return rc;
    free(list);
    *index_r = plan.index_before;
    return 0;
}

static bool is_for_all(enum xlx__spread_how how,
                       const struct xlx_evtchn_plan *plan)
{
    return how == XLX__SPREAD_ALL ||
           (how == XLX__SPREAD_COUNTED && plan->counted);
}

/* The guest's wishes first, then the plan for the other channels. */
static int plan_all(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                    const struct input *in, struct xlx_evtchn_plan *plan_r,
                    struct xlx_evtchn_change **list_r)
{
    XLX__AUTO_FREE struct xlx_evtchn_change *planned = NULL;
    XLX__AUTO_FREE struct xlx_evtchn_change *list =
        calloc(job->info.nr_ports + 1, sizeof(*list));
    struct xlx_evtchn_plan plan;
    uint32_t index, granted;
    int nr = 0, more = -ENOMEM;
    if (list && !index_before(job, in, &index)) {
        granted = grant(ctx, job, in->ports, list, &nr);
        bool full = in->hot && granted >= in->hot;
        more = xlx__evtchn_plan(&job->info, in->ports, in->offers,
                                full ? 0 : in->nr_offers,
                                full      ? in->hot
                                : in->hot ? in->hot - granted
                                          : 0,
                                &plan, &planned);
        if (more >= 0 && !is_for_all(in->how, &plan)) {
            more = 0;
            plan.hot = 0;
            plan.index_after = index;
        }
    }
    if (more < 0)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", job->info.domid);
    if (more)
        memcpy(list + nr, planned, (size_t)more * sizeof(*list));
    nr += more;
    qsort(list, (size_t)nr, sizeof(*list), by_port);
    plan.hot += granted;
    plan.index_before = index;
    *plan_r = plan;
    *list_r = nr ? xlx__steal(list) : NULL;
    return nr;
}

static int make_plan(xlx_ctx *ctx, struct xlx__evtchn_job *job,
                     const struct xlx_evtchn_spread_config *config,
                     enum xlx__spread_how how, struct xlx_evtchn_plan *plan_r,
                     struct xlx_evtchn_change **list_r)
{
    struct input in = { .how = how, .hot = config->hot };
    int rc = in.nr_offers =
        xlx__evtchn_job_offers(ctx, job, !config->dry_run, &in.offers);
    if (!rc)
        rc = xlx__fail(ctx, EACCES,
                       "domain %u: the guest offers no vectors: its driver "
                       "has to offer some, or to be one that can be asked "
                       "(docs/evtchn-toolstack.md)",
                       job->info.domid);
    if (rc >= 0)
        rc = count_and_list(ctx, job, config->sample_ms, &in.ports);
    if (rc >= 0 && job->nr_places)
        xlx__places_prepare(in.ports, job->info.nr_ports);
    if (rc >= 0)
        rc = plan_all(ctx, job, &in, plan_r, list_r);
    free(in.offers);
    free(in.ports);
    return rc;
}

/*
 * Ports that give up their vector come first, so that what they leave is free.
 * Returns how many of `list` were done, which are moved to its front; -errno
 * when all was put back.
 */
static int apply(xlx_ctx *ctx, uint32_t domid, struct xlx_evtchn_change *list,
                 int nr)
{
    int done = 0, rc = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = done; !rc && i < nr; i++) {
            struct xlx_evtchn_change change = list[i];
            if (!change.to_vector != !pass)
                continue;
            rc = xlx__evtchn_do(ctx, domid, &change);
            if (rc == -ENOENT) {
                xlx__warn(ctx, "domain %u: port %u: was closed meanwhile",
                          domid, change.port);
                rc = 0;
                memmove(&list[i], &list[i + 1],
                        (size_t)(nr - i - 1) * sizeof(*list));
                nr--;
                i--;
            } else if (!rc) {
                memmove(&list[done + 1], &list[done],
                        (size_t)(i - done) * sizeof(*list));
                list[done++] = change;
            }
        }
    while (rc && done)
        xlx__evtchn_undo(ctx, domid, &list[--done]);
    return rc ? rc : done;
}

int xlx__evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx_evtchn_spread_config *config,
                       enum xlx__spread_how how, struct xlx_evtchn_plan *plan_r,
                       struct xlx_evtchn_change **list_r)
{
    struct xlx__evtchn_job job;
    struct xlx_evtchn_plan plan;
    struct xlx_evtchn_change *list = NULL;
    int nr = xlx__evtchn_job_begin(ctx, domid, &job);
    if (!nr)
        nr = make_plan(ctx, &job, config, how, &plan, &list);
    if (nr > 0 && !config->dry_run)
        nr = job.nr_places
                 ? xlx__places_apply(ctx, &job, list, nr,
                                     xlx__now_ms() + XLX__PLACES_WAIT_MS)
                 : apply(ctx, domid, list, nr);
    xlx__evtchn_job_end(&job);
    if (nr <= 0) {
        free(list);
        list = NULL;
    }
    if (nr < 0)
        return nr;
    *plan_r = plan;
    *list_r = list;
    return nr;
}

int xlx_evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_spread_config *config,
                      size_t config_size, struct xlx_evtchn_plan *plan_r,
                      size_t plan_size, struct xlx_evtchn_change **list_r)
{
    struct xlx_evtchn_spread_config known;
    struct xlx_evtchn_plan plan;
    int rc = xlx__take_config(ctx, &known, sizeof(known), config, config_size);
    if (!rc)
        rc = xlx__evtchn_spread(ctx, domid, &known, XLX__SPREAD_ALL, &plan,
                                list_r);
    if (rc >= 0)
        xlx__copy_sized(plan_r, plan_size, &plan, sizeof(plan));
    return rc;
}
