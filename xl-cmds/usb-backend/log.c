/* SPDX-License-Identifier: LGPL-2.1-only */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/io.h"
#include "core/printable.h"

#define LINES_MAX 50
#define LINES_MS 10000
#define AT_ONCE 16384 /* of one pipe, before it is another's turn */

void usbd_log_init(struct usbd_log *log, int fd, const char *path)
{
    struct stat file, named;
    *log = (struct usbd_log){ .fd = fd, .max = USBD_LOG_MAX };
    if (!fstat(fd, &file) && !stat(path, &named) && S_ISREG(file.st_mode) &&
        file.st_dev == named.st_dev && file.st_ino == named.st_ino)
        snprintf(log->path, sizeof(log->path), "%s", path);
}

static void write_line(struct usbd_log *log, const char *line)
{
    char text[USBD_LINE_MAX + 2];
    size_t n =
        (size_t)snprintf(text, sizeof(text), "%.*s\n", USBD_LINE_MAX, line);
    xlx__write_all(log->fd, text, n);
}

/* The same descriptor, so that whoever has a copy of it follows. Somebody may
 * have removed the file. */
static bool begin_file(struct usbd_log *log)
{
    char old[PATH_MAX + 3];
    snprintf(old, sizeof(old), "%s.1", log->path);
    if (rename(log->path, old) && errno != ENOENT)
        return false;
    int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    bool done = fd >= 0 && dup2(fd, log->fd) >= 0;
    if (fd >= 0)
        close(fd);
    return done;
}

/* A full disk is worse than lines that are lost. */
static void rotate(struct usbd_log *log)
{
    if (!begin_file(log) && ftruncate(log->fd, 0))
        return;
    if (*log->kept)
        write_line(log, log->kept);
}

void usbd_log_line(struct usbd_log *log, const char *line)
{
    size_t n = strnlen(line, USBD_LINE_MAX) + 1;
    struct stat st;
    if (*log->path && !fstat(log->fd, &st) && st.st_size + (off_t)n > log->max)
        rotate(log);
    write_line(log, line);
}

void usbd_log_keep(struct usbd_log *log, const char *line)
{
    usbd_log_line(log, line);
    snprintf(log->kept, sizeof(log->kept), "%s", line);
}

void usbd_log_pipe_init(struct usbd_log_pipe *pipe, int fd)
{
    pipe->fd = fd;
    pipe->nr = 0;
    pipe->rate.max = LINES_MAX;
    pipe->rate.ms = LINES_MS;
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void end_line(struct usbd_log *log, struct usbd_log_pipe *pipe)
{
    char text[64];
    unsigned missed;
    pipe->line[pipe->nr] = '\0';
    pipe->nr = 0;
    if (!xlx__usbd_rate_take(&pipe->rate, xlx__now_ms(), &missed))
        return;
    if (missed) {
        snprintf(text, sizeof(text), "%u lines suppressed here", missed);
        usbd_log_line(log, text);
    }
    xlx__printable(pipe->line, sizeof(pipe->line), pipe->line);
    usbd_log_line(log, pipe->line);
}

static void take(struct usbd_log *log, struct usbd_log_pipe *pipe,
                 const char *bytes, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        if (bytes[i] == '\n')
            end_line(log, pipe);
        else if (pipe->nr + 1 < sizeof(pipe->line))
            pipe->line[pipe->nr++] = bytes[i] ? bytes[i] : '?';
    }
}

void usbd_log_pipe_read(struct usbd_log *log, struct usbd_log_pipe *pipe)
{
    char bytes[1024];
    ssize_t n;
    size_t got = 0;
    while (pipe->fd >= 0 && got < AT_ONCE &&
           (n = read(pipe->fd, bytes, sizeof(bytes))) > 0) {
        take(log, pipe, bytes, (size_t)n);
        got += (size_t)n;
    }
}

void usbd_log_pipe_close(struct usbd_log *log, struct usbd_log_pipe *pipe)
{
    usbd_log_pipe_read(log, pipe);
    if (pipe->nr)
        end_line(log, pipe);
    if (pipe->fd >= 0)
        close(pipe->fd);
    pipe->fd = -1;
}
