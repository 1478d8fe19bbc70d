/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whether a domain's channels may have vectors at all. One call of Xen's, so no
 * lock is taken: a command that is binding meets the switch at its next step,
 * and undoes what it did.
 */
#include "evtchn/job.h"

int xlx_evtchn_allow(xlx_ctx *ctx, uint32_t domid, bool allow)
{
    struct xlx_evtchn_info info;
    struct xlx__evtchn_features features;
    int rc = xlx__evtchn_look(ctx, domid, &info, &features);
    if (!rc)
        rc = xlx__evtchn_capable(ctx, &info);
    if (rc || info.allowed == allow)
        return rc ? rc : 1;
    rc = ctx->evtchn->ops->allow(ctx->evtchn, domid, allow);
    return rc ? xlx__evtchn_failed(ctx, domid, rc) : 0;
}
