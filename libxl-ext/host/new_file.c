/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/replace.h"

/* The length of the folder in `path`, with its slash; 0 for none. */
static int folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash + 1 - path) : 0;
}

int xlx__new_file_open(xlx_ctx *ctx, const char *path, mode_t mode,
                       struct xlx__new_file *file)
{
    int dir = folder_len(path);
    if (snprintf(file->path, sizeof(file->path), "%s", path) >= PATH_MAX ||
        snprintf(file->temp, sizeof(file->temp), "%.*s.%s.XXXXXX", dir, path,
                 path + dir) >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", path);
    file->fd = mkostemp(file->temp, O_CLOEXEC);
    if (file->fd < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot make", path);
    if (fchmod(file->fd, mode)) {
        int rc = xlx__fail_errno(ctx, errno, "%s: permissions", path);
        xlx__new_file_drop(file);
        return rc;
    }
    return 0;
}

int xlx__new_file_commit(xlx_ctx *ctx, struct xlx__new_file *file)
{
    if (fsync(file->fd) || rename(file->temp, file->path)) {
        int rc = xlx__fail_errno(ctx, errno, "%s: cannot write", file->path);
        xlx__new_file_drop(file);
        return rc;
    }
    close(file->fd);
    int dir = folder_len(file->path);
    file->path[dir] = '\0';
    return xlx__sync_folder(ctx, dir ? file->path : ".");
}

void xlx__new_file_drop(struct xlx__new_file *file)
{
    unlink(file->temp);
    close(file->fd);
    file->fd = -1;
}
