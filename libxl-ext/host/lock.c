/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/folders.h"

#define POLL_MS 10

int xlx__run_path(xlx_ctx *ctx, const char *name, char *path_r)
{
    const char *run = xlx_ctx_path(ctx, XLX_PATH_RUN);
    if (snprintf(path_r, PATH_MAX, "%s/%s", run, name) >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", run);
    return xlx__make_folders_above(ctx, path_r);
}

int xlx__lock(xlx_ctx *ctx, const char *name, int64_t until)
{
    char path[PATH_MAX];
    int rc = xlx__run_path(ctx, name, path);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot open", path);
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return xlx__fail_errno(ctx, errno, "%s: cannot lock", path);
        if (xlx__now_ms() >= until)
            return xlx__fail(ctx, EBUSY,
                             "%s: another command holds this lock: try again "
                             "when it has finished",
                             path);
        xlx__sleep_ms(POLL_MS);
    }
    return xlx__steal_fd(&fd);
}
