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

/* The log's end, from `start` on; for free(). NULL: none. */
static char *read_tail(xlx_ctx *ctx, uint32_t domid, int64_t start)
{
    char path[PATH_MAX];
    struct stat st;
    if (xlx__usb_log_path(ctx, domid, path))
        return NULL;
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return NULL;
    if (start < st.st_size - TAIL)
        start = st.st_size - TAIL;
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
    XLX__AUTO_FREE char *tail = read_tail(ctx, domid, 0);
    char *rest = tail;
    line_r[0] = '\0';
    for (char *line; (line = strsep(&rest, "\n"));)
        if (relevant(line, busid))
            xlx__printable(line_r, XLX__LOG_LINE_MAX, line);
}

int64_t xlx__usb_log_size(xlx_ctx *ctx, uint32_t domid)
{
    char path[PATH_MAX];
    struct stat st;
    return xlx__usb_log_path(ctx, domid, path) || stat(path, &st) ? 0
                                                                  : st.st_size;
}

void xlx__usb_log_last_words(xlx_ctx *ctx, uint32_t domid, int64_t start,
                             char line_r[XLX__LOG_LINE_MAX])
{
    static const char ours[] = "xl-ext-usb-backend:";
    XLX__AUTO_FREE char *tail = read_tail(ctx, domid, start);
    char *rest = tail;
    line_r[0] = '\0';
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line && strncmp(line, ours, strlen(ours)))
            xlx__printable(line_r, XLX__LOG_LINE_MAX, line);
}

void xlx__usb_log_death(xlx_ctx *ctx, uint32_t domid,
                        char line_r[XLX__LOG_LINE_MAX])
{
    XLX__AUTO_FREE char *tail = read_tail(ctx, domid, 0);
    char *rest = tail;
    snprintf(line_r, XLX__LOG_LINE_MAX, ": see its log");
    for (char *line, *death; (line = strsep(&rest, "\n"));)
        if ((death = strstr(line, XLX__LOG_DIED " (")))
            xlx__printable(line_r, XLX__LOG_LINE_MAX,
                           death + strlen(XLX__LOG_DIED));
}
