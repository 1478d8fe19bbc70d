/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One descriptor for news and for a time, of what only one process of this host
 * may do.
 */
#ifndef XLX_HOST_WATCHER_H
#define XLX_HOST_WATCHER_H

#include <limits.h>
#include <stdint.h>

#include "core/ctx.h"

#define XLX__NEVER INT64_MAX
/* News come in crowds: a device with its interfaces, a guest with its nodes. */
#define XLX__SETTLE_MS 100

struct xlx__watcher {
    xlx_ctx *ctx;
    int lock, epoll, timer;
    char pidfile[PATH_MAX];
    int64_t at; /* when something is due; XLX__NEVER */
};

/* One that is not open, which may be closed. */
#define XLX__WATCHER_CLOSED \
    ((struct xlx__watcher){ .lock = -1, .epoll = -1, .timer = -1 })

/* Takes the pidfile, a name below XLX_PATH_RUN. 0 or -errno, reported: -EBUSY
 * another process has it, "`who` already". xlx__watcher_close() in any case. */
int xlx__watcher_open(xlx_ctx *ctx, struct xlx__watcher *w, const char *pidfile,
                      const char *who);

/* One more descriptor that has news, -1 for none. 0 or -errno, reported. */
int xlx__watcher_add(struct xlx__watcher *w, int fd);

/* Something is due at that time. 0 or -errno, reported. */
int xlx__watcher_arm(struct xlx__watcher *w, int64_t at);

/* 1: something is due. 0: not yet; `news` makes it due when they have settled.
 * -errno, reported. */
int xlx__watcher_is_due(struct xlx__watcher *w, bool news);

void xlx__watcher_close(struct xlx__watcher *w);

#endif
