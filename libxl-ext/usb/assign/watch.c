/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-reconcile --watch: waits in one descriptor for devices (uevents), guests
 * and controllers (xenstore), what is written down and backends (inotify), and
 * time. It also tells guests that start their vector policy.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/folders.h"
#include "host/lock.h"
#include "host/process.h"
#include "host/uevent.h"
#include "libxl_ext_evtchn.h"
#include "usb/assign/reconcile.h"
#include "xen/xenstore.h"

#define NEVER INT64_MAX
/* News come in crowds: a device with its interfaces, a guest with its nodes. */
#define SETTLE_MS 100

struct xlx_usb_watch {
    xlx_ctx *ctx;
    struct xlx__reconciler r;
    int lock, epoll, timer, inotify;
    char pidfile[PATH_MAX];
    unsigned watched;  /* how many of `nodes` */
    unsigned failures; /* passes in a row */
    bool policies_failed;
    int64_t at; /* the next pass */
};

static const char *const nodes[] = { "@introduceDomain", "@releaseDomain",
                                     "/local/domain/0/backend/qusb",
                                     "/local/domain/0/backend/vusb" };
#define NR_NODES XLX__NR(nodes)

/* --- start and end -------------------------------------------------------- */

static int add_fd(xlx_usb_watch *w, int fd, const char *what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event))
        return xlx__fail_errno(w->ctx, errno, "watch: %s", what);
    return 0;
}

static int watch_folder(xlx_usb_watch *w, const char *dir, uint32_t events)
{
    if (inotify_add_watch(w->inotify, dir, events) < 0)
        return xlx__fail_errno(w->ctx, errno, "%s: cannot watch", dir);
    return 0;
}

/* A backend has its pidfile open for writing until it ends, however that is. */
static int watch_files(xlx_usb_watch *w)
{
    char intents[PATH_MAX], backends[PATH_MAX];
    int rc = xlx__intent_folder(w->ctx, intents);
    if (!rc)
        rc = xlx__make_folders(w->ctx, intents);
    if (!rc)
        rc = xlx__run_path(w->ctx, "usb", backends);
    if (rc)
        return rc;
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify < 0)
        return xlx__fail_errno(w->ctx, errno,
                               "watch: cannot create an inotify instance");
    rc = watch_folder(w, intents, IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE);
    if (!rc)
        rc = watch_folder(w, backends, IN_CLOSE_WRITE | IN_MASK_ADD);
    return rc ? rc : add_fd(w, w->inotify, "files");
}

static int watch_xenstore(xlx_usb_watch *w)
{
    int rc = xlx__xs_open(w->ctx);
    if (rc)
        return rc;
    struct xlx__xs *xs = w->ctx->xs;
    for (; w->watched < NR_NODES; w->watched++) {
        rc = xs->ops->watch(xs, nodes[w->watched]);
        if (rc)
            return xlx__fail_errno(w->ctx, -rc, "xenstore: cannot watch %s",
                                   nodes[w->watched]);
    }
    return add_fd(w, xs->ops->fd(xs), "xenstore");
}

static int watch_devices(xlx_usb_watch *w)
{
    int rc = xlx__uevents_open(w->ctx);
    if (rc)
        return rc;
    return add_fd(w, w->ctx->uevents->ops->fd(w->ctx->uevents), "uevents");
}

static int watch_time(xlx_usb_watch *w)
{
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->timer < 0)
        return xlx__fail_errno(w->ctx, errno, "watch: cannot create a timer");
    return add_fd(w, w->timer, "timer");
}

/* The next pass is at `at`; at once when that has passed. */
static int arm(xlx_usb_watch *w, int64_t at)
{
    struct itimerspec when = { 0 };
    w->at = at;
    if (at != NEVER) {
        when.it_value.tv_sec = at / 1000;
        when.it_value.tv_nsec = at % 1000 * 1000000 + 1; /* 0 would disarm */
    }
    if (timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &when, NULL))
        return xlx__fail_errno(w->ctx, errno, "watch: cannot set the timer");
    return 0;
}

static int be_the_only_one(xlx_usb_watch *w)
{
    int rc = xlx__run_path(w->ctx, XLX__USB_WATCH_PIDFILE, w->pidfile);
    if (rc)
        return rc;
    w->lock = xlx__pidfile_take(w->pidfile);
    if (w->lock == -EBUSY)
        return xlx__fail(w->ctx, EBUSY,
                         "%s: another usb-reconcile --watch runs already",
                         w->pidfile);
    return w->lock < 0 ? xlx__fail_errno(w->ctx, -w->lock, "%s: cannot take it",
                                         w->pidfile)
                       : 0;
}

static int start_usb_watch(xlx_usb_watch *w)
{
    int rc = be_the_only_one(w);
    if (rc)
        return rc;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0)
        return xlx__fail_errno(w->ctx, errno,
                               "watch: cannot create an epoll "
                               "instance");
    if ((rc = watch_time(w)) || (rc = watch_devices(w)) ||
        (rc = watch_xenstore(w)) || (rc = watch_files(w)))
        return rc;
    return arm(w, xlx__now_ms());
}

int xlx_usb_watch_new(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      size_t size, xlx_usb_report_fn *report, void *user,
                      xlx_usb_watch **watch_r)
{
    xlx_usb_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return xlx__fail(ctx, ENOMEM, "watch: no memory");
    w->ctx = ctx;
    w->lock = w->epoll = w->timer = w->inotify = -1;
    int rc = xlx__reconciler_init(&w->r, ctx, config, size, report, user);
    w->r.only_changes = true;
    w->r.busy_ms = 0;
    if (!rc)
        rc = start_usb_watch(w);
    if (rc)
        xlx_usb_watch_free(w);
    else
        *watch_r = w;
    return rc;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void xlx_usb_watch_free(xlx_usb_watch *w)
{
    if (!w)
        return;
    while (w->watched)
        w->ctx->xs->ops->unwatch(w->ctx->xs, nodes[--w->watched]);
    close_fd(w->inotify);
    close_fd(w->timer);
    close_fd(w->epoll);
    if (w->lock >= 0)
        unlink(w->pidfile);
    close_fd(w->lock);
    xlx__reconciler_free(&w->r);
    free(w);
}

int xlx_usb_watch_fd(const xlx_usb_watch *w)
{
    return w->epoll;
}

/* --- the news ------------------------------------------------------------- */

/* These return 1 when there is something new, 0, or -errno. */
static int take_uevents(xlx_usb_watch *w)
{
    struct xlx__uevents *u = w->ctx->uevents;
    struct xlx__uevent event;
    int rc, any = 0;
    while ((rc = u->ops->next(u, &event)) > 0 || rc == -ENOBUFS) {
        any = 1;
        xlx__debug(w->ctx, "uevent: %s %s", rc > 0 ? event.action : "lost",
                   rc > 0 ? event.busid : "some");
        xlx__backoff_reset(&w->r.backoff, rc > 0 ? event.busid : NULL);
    }
    return rc < 0 ? xlx__fail_errno(w->ctx, -rc, "uevents: cannot read") : any;
}

static int take_xenstore(xlx_usb_watch *w)
{
    int rc = w->ctx->xs->ops->wait(w->ctx->xs, 0);
    return rc < 0 ? xlx__fail_errno(w->ctx, -rc, "xenstore: cannot read") : rc;
}

static int take_files(xlx_usb_watch *w)
{
    char text[4096];
    int any = 0;
    while (read(w->inotify, text, sizeof(text)) > 0)
        any = 1;
    return any;
}

static void take_time(xlx_usb_watch *w)
{
    uint64_t nr;
    if (read(w->timer, &nr, sizeof(nr)) < 0 && errno != EAGAIN)
        xlx__debug(w->ctx, "watch: timer: %s", strerror(errno));
}

/* When to look next. A pass that fails as a whole is tried again too. */
static int64_t after_pass(xlx_usb_watch *w, int rc,
                          const struct xlx__pass *pass)
{
    int64_t now = xlx__now_ms(), pause = XLX__BACKOFF_FIRST_MS;
    if (!rc) {
        w->failures = 0;
        /* While we acted, news of guests may have passed unseen. */
        return pass->acted && pass->next > now + SETTLE_MS ? now + SETTLE_MS
                                                           : pass->next;
    }
    for (unsigned i = 0; i < w->failures && pause < XLX__BACKOFF_MAX_MS; i++)
        pause *= 2;
    w->failures++;
    return now + pause;
}

/* A failure is no reason to leave USB devices alone. */
static void tell_policies(xlx_usb_watch *w)
{
    xlx__tolerate(w->ctx, 1);
    int rc = xlx_evtchn_policy_apply(w->ctx);
    xlx__tolerate(w->ctx, -1);
    if (rc < 0 && !w->policies_failed)
        xlx__warn(w->ctx, "vector policies: %s", xlx_ctx_error(w->ctx));
    w->policies_failed = rc < 0;
}

int xlx_usb_watch_dispatch(xlx_usb_watch *w)
{
    int (*const sources[])(xlx_usb_watch *) = { take_uevents, take_xenstore,
                                                take_files };
    struct xlx__pass pass;
    int news = 0;
    take_time(w);
    for (size_t i = 0; i < XLX__NR(sources); i++) {
        int rc = sources[i](w);
        if (rc < 0)
            return rc;
        news |= rc;
    }
    int64_t now = xlx__now_ms();
    if (news && w->at > now + SETTLE_MS)
        return arm(w, now + SETTLE_MS);
    if (w->at > now)
        return 0;
    tell_policies(w);
    int rc = xlx__reconcile_pass(&w->r, now, &pass);
    return arm(w, after_pass(w, rc, &pass));
}
