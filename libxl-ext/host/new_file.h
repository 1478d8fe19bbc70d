/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A large file that is written whole or not at all: under another name beside
 * its own until it is complete and flushed.
 */
#ifndef XLX_HOST_NEW_FILE_H
#define XLX_HOST_NEW_FILE_H

#include <limits.h>
#include <sys/types.h>

#include "core/ctx.h"

struct xlx__new_file {
    int fd;
    char path[PATH_MAX], temp[PATH_MAX];
};

/*
 * Makes an empty file with these permissions in the folder of `path`, to be
 * written through file->fd. A failure is reported.
 */
int xlx__new_file_open(xlx_ctx *ctx, const char *path, mode_t mode,
                       struct xlx__new_file *file);

/*
 * Flushes it and gives it its name, in the place of what had that name before.
 * On failure, reported, what was there is as it was and the new file is gone.
 */
int xlx__new_file_commit(xlx_ctx *ctx, struct xlx__new_file *file);

/* Removes it. */
void xlx__new_file_drop(struct xlx__new_file *file);

#endif
