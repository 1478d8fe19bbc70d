/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/replace.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/folders.h"
#include "core/io.h"

int xlx__sync_folder(xlx_ctx *ctx, const char *dir)
{
    XLX__AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd))
        return xlx__fail_errno(ctx, errno, "%s: cannot flush", dir);
    return 0;
}

static int write_new(const char *path, const void *bytes, size_t len,
                     unsigned flags)
{
    XLX__AUTO_CLOSE int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int rc = xlx__write_all(fd, bytes, len);
    if (!rc && flags & XLX__FLUSH && fsync(fd))
        rc = -errno;
    return rc;
}

int xlx__write_whole(const char *dir, const char *name, const void *bytes,
                     size_t len, unsigned flags)
{
    char path[PATH_MAX], temp[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX ||
        snprintf(temp, sizeof(temp), "%s/.%s.new", dir, name) >= PATH_MAX)
        return -ENAMETOOLONG;
    int rc = write_new(temp, bytes, len, flags);
    if (!rc && rename(temp, path))
        rc = -errno;
    if (rc)
        unlink(temp);
    return rc;
}

int xlx__replace_file(xlx_ctx *ctx, const char *dir, const char *name,
                      const char *text)
{
    int rc = xlx__make_folders(ctx, dir);
    if (rc)
        return rc;
    rc = xlx__write_whole(dir, name, text, strlen(text), XLX__FLUSH);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "%s/%s: cannot write", dir, name);
    return xlx__sync_folder(ctx, dir);
}

int xlx__remove_file(xlx_ctx *ctx, const char *dir, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", dir);
    if (!unlink(path))
        return xlx__sync_folder(ctx, dir);
    if (errno == ENOENT)
        return 0;
    return xlx__fail_errno(ctx, errno, "%s: cannot remove", path);
}
