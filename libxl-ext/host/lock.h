/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Locks between processes: flock(2) on files under XLX_PATH_RUN. The kernel
 * drops them when their holder dies, so none is ever stale.
 */
#ifndef XLX_HOST_LOCK_H
#define XLX_HOST_LOCK_H

#include <limits.h>

#include "core/ctx.h"

/*
 * Takes the lock `name` and returns a descriptor that holds it; closing that
 * gives it back. -EBUSY, with a text, when another process still has it at
 * `until` (xlx__now_ms()).
 */
int xlx__lock(xlx_ctx *ctx, const char *name, int64_t until);

/*
 * Composes XLX_PATH_RUN/name into `path_r` (PATH_MAX bytes), making the
 * folders above it where they are missing.
 */
int xlx__run_path(xlx_ctx *ctx, const char *name, char *path_r);

#endif
