/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The log of a guest's backend, which neither the guest nor a worker that it
 * has taken over can fill the disk with: the processes write into pipes, and
 * only main into the file.
 */
#ifndef USBD_LOG_H
#define USBD_LOG_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "usbd/rate.h"

#define USBD_LOG_MAX (1 << 20) /* bytes; the file is then renamed to .1 */
#define USBD_LINE_MAX 512

struct usbd_log {
    int fd;              /* standard error */
    char path[PATH_MAX]; /* its file; "": it is none of ours */
    off_t max;
    char kept[USBD_LINE_MAX]; /* "": nothing */
};

/* `path` is taken for the file behind fd only when it is. */
void usbd_log_init(struct usbd_log *log, int fd, const char *path);

/* Writes a line. */
void usbd_log_line(struct usbd_log *log, const char *line);

/* The same for one that no number of lines behind it may push out: it is also
 * the first one of each file that follows. */
void usbd_log_keep(struct usbd_log *log, const char *line);

/* What comes out of one process's pipe. */
struct usbd_log_pipe {
    int fd; /* -1: none; does not block */
    char line[USBD_LINE_MAX];
    size_t nr;
    struct xlx__usbd_rate rate;
};

void usbd_log_pipe_init(struct usbd_log_pipe *pipe, int fd);

/* Writes the lines that have come, at most so many in so long, which is said
 * too. Bytes that do not print are replaced, long lines cut. */
void usbd_log_pipe_read(struct usbd_log *log, struct usbd_log_pipe *pipe);

/* The same, a last time; closes it. */
void usbd_log_pipe_close(struct usbd_log *log, struct usbd_log_pipe *pipe);

#endif
