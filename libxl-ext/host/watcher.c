/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/watcher.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/clock.h"
#include "host/lock.h"
#include "host/process.h"

static int be_the_only_one(struct xlx__watcher *w, const char *pidfile,
                           const char *who)
{
    int rc = xlx__run_path(w->ctx, pidfile, w->pidfile);
    if (rc)
        return rc;
    w->lock = xlx__pidfile_take(w->pidfile);
    if (w->lock == -EBUSY)
        return xlx__fail(w->ctx, EBUSY, "%s: %s already", w->pidfile, who);
    return w->lock < 0 ? xlx__fail_errno(w->ctx, -w->lock, "%s: cannot take it",
                                         w->pidfile)
                       : 0;
}

int xlx__watcher_open(xlx_ctx *ctx, struct xlx__watcher *w, const char *pidfile,
                      const char *who)
{
    *w = XLX__WATCHER_CLOSED;
    w->ctx = ctx;
    int rc = be_the_only_one(w, pidfile, who);
    if (rc)
        return rc;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->epoll < 0 || w->timer < 0)
        return xlx__fail_errno(ctx, errno,
                               "watch: cannot create an epoll instance or a "
                               "timer");
    return xlx__watcher_add(w, w->timer);
}

int xlx__watcher_add(struct xlx__watcher *w, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event))
        return xlx__fail_errno(w->ctx, errno, "watch: epoll");
    return 0;
}

int xlx__watcher_arm(struct xlx__watcher *w, int64_t at)
{
    struct itimerspec when = { 0 };
    w->at = at;
    if (at != XLX__NEVER) {
        when.it_value.tv_sec = at / 1000;
        when.it_value.tv_nsec = at % 1000 * 1000000 + 1; /* 0 would disarm */
    }
    if (timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &when, NULL))
        return xlx__fail_errno(w->ctx, errno, "watch: cannot set the timer");
    return 0;
}

int xlx__watcher_is_due(struct xlx__watcher *w, bool news)
{
    int64_t now = xlx__now_ms();
    uint64_t nr;
    if (read(w->timer, &nr, sizeof(nr)) < 0 && errno != EAGAIN)
        return xlx__fail_errno(w->ctx, errno, "watch: timer");
    if (news && w->at > now + XLX__SETTLE_MS)
        return xlx__watcher_arm(w, now + XLX__SETTLE_MS);
    return w->at <= now;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void xlx__watcher_close(struct xlx__watcher *w)
{
    close_fd(w->timer);
    close_fd(w->epoll);
    if (w->lock >= 0)
        unlink(w->pidfile);
    close_fd(w->lock);
}
