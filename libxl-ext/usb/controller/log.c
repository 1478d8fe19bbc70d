/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clean.h"
#include "core/io.h"
#include "core/printable.h"

#define TAIL 8192

int xlx__usb_log_path(xlx_ctx *ctx, uint32_t domid, char *path_r)
{
    const char *dir = xlx_ctx_path(ctx, XLX_PATH_LOG);
    if (snprintf(path_r, PATH_MAX, "%s/xl-ext-usb-%u.log", dir, domid) >=
        PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", dir);
    return 0;
}

/* The log's end; for free(). NULL: none. */
static char *read_tail(xlx_ctx *ctx, uint32_t domid)
{
    char path[PATH_MAX];
    struct stat st;
    if (xlx__usb_log_path(ctx, domid, path))
        return NULL;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return NULL;
    off_t start = st.st_size > TAIL ? st.st_size - TAIL : 0;
    char *tail = malloc(TAIL + 1);
    if (!tail || lseek(fd, start, SEEK_SET) < 0) {
        free(tail);
        return NULL;
    }
    long n = xlx__read_upto(fd, tail, TAIL);
    tail[n < 0 ? 0 : n] = '\0';
    return tail;
}

static bool relevant(const char *line, const char *busid)
{
    return (strstr(line, "usb") || strstr(line, "USB")) &&
           (!busid || strstr(line, busid));
}

void xlx__usb_log_line(xlx_ctx *ctx, uint32_t domid, const char *busid,
                       char line_r[XLX__LOG_LINE_MAX])
{
    XLX__AUTO_FREE char *tail = read_tail(ctx, domid);
    char *rest = tail;
    line_r[0] = '\0';
    for (char *line; (line = strsep(&rest, "\n"));)
        if (strstr(line, XLX__USB_LOG_BEGIN))
            line_r[0] = '\0';
        else if (relevant(line, busid))
            xlx__printable(line_r, XLX__LOG_LINE_MAX, line);
}
