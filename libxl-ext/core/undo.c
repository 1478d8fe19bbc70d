/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/undo.h"

#include <string.h>

static void undo_from(xlx_ctx *ctx, const struct xlx__step *steps, size_t last,
                      void *job)
{
    char reason[XLX__ERROR_MAX];
    memcpy(reason, ctx->error, sizeof(reason));
    for (size_t i = last + 1; i-- > 0;)
        if (steps[i].undo)
            steps[i].undo(ctx, job);
    memcpy(ctx->error, reason, sizeof(reason));
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
