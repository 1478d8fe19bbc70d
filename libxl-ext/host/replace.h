/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Files that are written whole or not at all, whatever happens meanwhile.
 */
#ifndef XLX_HOST_REPLACE_H
#define XLX_HOST_REPLACE_H

#include "core/ctx.h"

/*
 * Makes dir/name hold `text`: a temporary file (".name.new"), flushed, takes
 * its place, and the folder is flushed. On failure, reported, the old file is
 * as it was.
 */
int xlx__replace_file(xlx_ctx *ctx, const char *dir, const char *name,
                      const char *text);

/* Flushes a folder, so that a name made or removed there stays so. */
int xlx__sync_folder(xlx_ctx *ctx, const char *dir);

#endif
