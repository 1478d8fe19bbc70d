/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/undo.h"

static void undo_from(xlx_ctx *ctx, const struct xlx__step *steps, size_t last,
                      void *job)
{
    struct xlx__reason reason;
    xlx__reason_keep(ctx, &reason);
    for (size_t i = last + 1; i-- > 0;)
        if (steps[i].undo)
            steps[i].undo(ctx, job);
    xlx__reason_put_back(ctx, &reason);
}

int xlx__plan_run(xlx_ctx *ctx, const struct xlx__step *steps, size_t nr,
                  void *job)
{
    for (size_t i = 0; i < nr; i++) {
        int rc = steps[i].run(ctx, job);
        if (rc) {
            undo_from(ctx, steps, i, job);
            return rc;
        }
    }
    return 0;
}
