/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How much is to be done in the domain that we run in, as its kernel tells.
 */
#ifndef XLX_HOST_RUNNABLE_H
#define XLX_HOST_RUNNABLE_H

#include "core/ctx.h"

/*
 * How many threads run or could, the caller among them: the fourth word of
 * loadavg in the context's /proc, "2/345". 0; -EBADMSG; -errno. Does not log:
 * it is asked often.
 */
int xlx__runnable(const xlx_ctx *ctx, uint32_t *threads_r);

#endif
