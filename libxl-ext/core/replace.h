/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Files that are written whole or not at all, whatever happens meanwhile.
 */
#ifndef XLX_CORE_REPLACE_H
#define XLX_CORE_REPLACE_H

#include "core/ctx.h"

/* Flags of xlx__write_whole(). */
enum {
    XLX__FLUSH = 1, /* the contents first, so that a crash leaves either file */
};

/*
 * Makes dir/name, which is in a folder that is there, hold `len` bytes: a
 * temporary file (".name.new") takes its place. 0, or -errno, not reported, and
 * the old file is as it was. One writer at a time.
 */
int xlx__write_whole(const char *dir, const char *name, const void *bytes,
                     size_t len, unsigned flags);

/*
 * Makes dir/name hold `text`: a temporary file (".name.new"), flushed, takes
 * its place, and the folder is flushed. On failure, reported, the old file is
 * as it was.
 */
int xlx__replace_file(xlx_ctx *ctx, const char *dir, const char *name,
                      const char *text);

/* Removes dir/name and flushes the folder. No such file is a success; a failure
 * is reported. */
int xlx__remove_file(xlx_ctx *ctx, const char *dir, const char *name);

/* Flushes a folder, so that a name made or removed there stays so. */
int xlx__sync_folder(xlx_ctx *ctx, const char *dir);

#endif
