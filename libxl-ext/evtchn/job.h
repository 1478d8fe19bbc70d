/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What all that changes bindings begins with, and one change with its undo.
 */
#ifndef XLX_EVTCHN_JOB_H
#define XLX_EVTCHN_JOB_H

#include "core/ctx.h"
#include "evtchn/list.h"
#include "evtchn/offers.h"
#include "libxl_ext_evtchn.h"

/* A domain whose bindings are being looked at or changed. */
struct xlx__evtchn_job {
    struct xlx_evtchn_info info;
    struct xlx__evtchn_features features;
    struct xlx_evtchn_offer *places; /* on which vCPUs the guest puts channels
                                        itself, when it is asked */
    int nr_places;                   /* 0: it cannot be asked */
    struct xlx__offers offers;       /* in xenstore; xlx__evtchn_job_offers() */
    int lock;                        /* -1: none */
};

/*
 * Looks at the domain, refuses what can have no vectors, and takes the domain's
 * lock; no other command changes its bindings meanwhile. 0 or -errno,
 * reported; xlx__evtchn_job_end() in any case.
 */
int xlx__evtchn_job_begin(xlx_ctx *ctx, uint32_t domid,
                          struct xlx__evtchn_job *job);

/* Refuses a domain, or a hypervisor, that cannot have vectors. */
int xlx__evtchn_capable(xlx_ctx *ctx, const struct xlx_evtchn_info *info);

void xlx__evtchn_job_end(struct xlx__evtchn_job *job);

/*
 * As xlx_evtchn_offers(), within a job; call it once. Those of a guest that can
 * be asked are all vectors of job->places. What the guest offers in
 * xenstore is in job->offers then, and, with `relay`, Xen has it too.
 */
int xlx__evtchn_job_offers(xlx_ctx *ctx, struct xlx__evtchn_job *job,
                           bool relay, struct xlx_evtchn_offer **list_r);

/* Which channels xlx__evtchn_spread() changes. */
enum xlx__spread_how {
    XLX__SPREAD_ALL,
    XLX__SPREAD_COUNTED, /* when no event was counted, as with WISHES */
    XLX__SPREAD_WISHES,  /* only those for which the guest wishes a vector */
};

/* As xlx_evtchn_spread(), of the channels that `how` has. */
int xlx__evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx_evtchn_spread_config *config,
                       enum xlx__spread_how how, struct xlx_evtchn_plan *plan_r,
                       struct xlx_evtchn_change **list_r);

/* Does the change; -errno, reported with the reason, -ENOENT for a port that
 * was closed meanwhile, which is not reported. */
int xlx__evtchn_do(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_evtchn_change *change);

/* Takes a change back that was done; reports when it cannot. */
void xlx__evtchn_undo(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_change *change);

#endif
