/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/runnable.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/io.h"
#include "core/parse.h"

#define LOADAVG_MAX 128

/* Cuts "2/345" out of "0.20 0.18 0.12 2/345 11206", and the 2 out of that. */
static int parse(char *text, uint32_t *threads_r)
{
    char *at = text;
    for (int i = 0; at && i < 3; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    char *slash = at ? strchr(at, '/') : NULL;
    if (!slash)
        return -EBADMSG;
    *slash = '\0';
    return xlx__parse_u32(at, 0, UINT32_MAX, threads_r) ? -EBADMSG : 0;
}

int xlx__runnable(const xlx_ctx *ctx, uint32_t *threads_r)
{
    char path[PATH_MAX], text[LOADAVG_MAX];
    if (snprintf(path, sizeof(path), "%s/loadavg",
                 xlx_ctx_path(ctx, XLX_PATH_PROC)) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    long n = xlx__read_upto(fd, text, sizeof(text) - 1);
    if (n < 0)
        return (int)n;
    text[n] = '\0';
    return parse(text, threads_r);
}
