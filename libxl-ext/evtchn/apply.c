/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-spread: counts, plans, does.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "evtchn/job.h"

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
static int look(xlx_ctx *ctx, struct xlx__evtchn_job *job, uint32_t ms,
                struct xlx_evtchn_port **ports_r)
{
    struct xlx_evtchn_info info;
    int sampled = sample(ctx, job, ms);
    if (sampled < 0)
        return sampled;
    int nr = xlx_evtchn_list(ctx, job->info.domid, &info, ports_r);
    if (sampled)
        stop_sampling(ctx, job->info.domid);
    if (nr < 0)
        return nr;
    job->info.nr_ports = (uint32_t)nr;
    job->info.vcpus = info.vcpus;
    return nr;
}

static int make_plan(xlx_ctx *ctx, struct xlx__evtchn_job *job,
                     const struct xlx_evtchn_spread_config *config,
                     struct xlx_evtchn_plan *plan_r,
                     struct xlx_evtchn_change **list_r)
{
    XLX__AUTO_FREE struct xlx_evtchn_port *ports = NULL;
    XLX__AUTO_FREE struct xlx_evtchn_offer *offers = NULL;
    int nr_offers = xlx__evtchn_job_offers(ctx, job, &offers);
    if (nr_offers < 0)
        return nr_offers;
    if (!nr_offers)
        return xlx__fail(ctx, EACCES,
                         "domain %u: the guest offers no vectors: its driver "
                         "has to (docs/evtchn.md)",
                         job->info.domid);
    int rc = look(ctx, job, config->sample_ms, &ports);
    if (rc < 0)
        return rc;
    rc = xlx_evtchn_plan(&job->info, ports, offers, nr_offers, config->hot,
                         plan_r, list_r);
    return rc == -ENOMEM ? xlx__fail(ctx, ENOMEM, "domain %u: no memory",
                                     job->info.domid)
                         : rc;
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

int xlx_evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_spread_config *config,
                      struct xlx_evtchn_plan *plan_r,
                      struct xlx_evtchn_change **list_r)
{
    struct xlx__evtchn_job job;
    struct xlx_evtchn_plan plan;
    struct xlx_evtchn_change *list = NULL;
    int nr = xlx__evtchn_job_begin(ctx, domid, &job);
    if (!nr)
        nr = make_plan(ctx, &job, config, &plan, &list);
    if (nr > 0 && !config->dry_run)
        nr = apply(ctx, domid, list, nr);
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
