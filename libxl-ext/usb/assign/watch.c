/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-reconcile --watch: waits in one descriptor for devices (uevents), guests
 * and controllers (xenstore), what is written down and backends (inotify), and
 * time. It also tells guests that start their vector policy.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/folders.h"
#include "host/lock.h"
#include "host/uevent.h"
#include "host/watcher.h"
#include "libxl_ext_evtchn.h"
#include "usb/assign/reconcile.h"
#include "xen/xenstore.h"

struct xlx_usb_watch {
    xlx_ctx *ctx;
    struct xlx__reconciler r;
    struct xlx__watcher watcher;
    int inotify;
    unsigned watched;  /* how many of `nodes` */
    unsigned failures; /* passes in a row */
    bool policies_failed;
};

static const char *const nodes[] = { "@introduceDomain", "@releaseDomain",
                                     "/local/domain/0/backend/qusb",
                                     "/local/domain/0/backend/vusb" };
#define NR_NODES XLX__NR(nodes)

/* --- start and end -------------------------------------------------------- */

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
    return rc ? rc : xlx__watcher_add(&w->watcher, w->inotify);
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
    return xlx__watcher_add(&w->watcher, xs->ops->fd(xs));
}

static int watch_devices(xlx_usb_watch *w)
{
    int rc = xlx__uevents_open(w->ctx);
    if (rc)
        return rc;
    return xlx__watcher_add(&w->watcher,
                            w->ctx->uevents->ops->fd(w->ctx->uevents));
}

static int start_usb_watch(xlx_usb_watch *w)
{
    int rc = xlx__watcher_open(w->ctx, &w->watcher, XLX__USB_WATCH_PIDFILE,
                               "another usb-reconcile --watch runs");
    if (rc || (rc = watch_devices(w)) || (rc = watch_xenstore(w)) ||
        (rc = watch_files(w)))
        return rc;
    return xlx__watcher_arm(&w->watcher, xlx__now_ms());
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
    w->watcher = XLX__WATCHER_CLOSED;
    w->inotify = -1;
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

void xlx_usb_watch_free(xlx_usb_watch *w)
{
    if (!w)
        return;
    while (w->watched)
        w->ctx->xs->ops->unwatch(w->ctx->xs, nodes[--w->watched]);
    if (w->inotify >= 0)
        close(w->inotify);
    xlx__watcher_close(&w->watcher);
    xlx__reconciler_free(&w->r);
    free(w);
}

int xlx_usb_watch_fd(const xlx_usb_watch *w)
{
    return w->watcher.epoll;
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

/* When to look next. A pass that fails as a whole is tried again too. */
static int64_t after_pass(xlx_usb_watch *w, int rc,
                          const struct xlx__pass *pass)
{
    int64_t now = xlx__now_ms(), pause = XLX__BACKOFF_FIRST_MS;
    if (!rc) {
        w->failures = 0;
        /* While we acted, news of guests may have passed unseen. */
        return pass->acted && pass->next > now + XLX__SETTLE_MS
                   ? now + XLX__SETTLE_MS
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
    for (size_t i = 0; i < XLX__NR(sources); i++) {
        int rc = sources[i](w);
        if (rc < 0)
            return rc;
        news |= rc;
    }
    int rc = xlx__watcher_is_due(&w->watcher, news);
    if (rc <= 0)
        return rc;
    tell_policies(w);
    rc = xlx__reconcile_pass(&w->r, xlx__now_ms(), &pass);
    return xlx__watcher_arm(&w->watcher, after_pass(w, rc, &pass));
}
