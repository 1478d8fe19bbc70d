/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/folders.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int xlx__mkdirs(const char *dir)
{
    char path[PATH_MAX];
    int rc = 0;
    if (snprintf(path, sizeof(path), "%s/", dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    for (char *p = strchr(path + 1, '/'); !rc && p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0755) && errno != EEXIST)
            rc = -errno;
        *p = '/';
    }
    return rc;
}

int xlx__make_folders(xlx_ctx *ctx, const char *dir)
{
    int rc = xlx__mkdirs(dir);
    return rc ? xlx__fail_errno(ctx, -rc, "%s: cannot make", dir) : 0;
}

int xlx__make_folders_above(xlx_ctx *ctx, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) : 0;
    if (!len)
        return 0; /* the root, or the current folder */
    if (snprintf(dir, sizeof(dir), "%.*s", len, path) >= (int)sizeof(dir))
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", path);
    return xlx__make_folders(ctx, dir);
}
