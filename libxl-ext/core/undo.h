/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whole or undone: a list of steps, each with what takes it back.
 */
#ifndef XLX_CORE_UNDO_H
#define XLX_CORE_UNDO_H

#include "core/ctx.h"

struct xlx__step {
    /* 0, or -errno reported. */
    int (*run)(xlx_ctx *ctx, void *job);
    /* Undoes what run did, also if run did only a part of it or nothing; NULL
     * if there is nothing to undo. After a failure it does the rest. */
    void (*undo)(xlx_ctx *ctx, void *job);
};

/*
 * Runs the steps in order. When one fails, undoes it and those before it, in
 * reverse, and returns its result; the context's error is that step's.
 */
int xlx__plan_run(xlx_ctx *ctx, const struct xlx__step *steps, size_t nr,
                  void *job);

#endif
