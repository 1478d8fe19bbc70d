/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-spread --watch: one guest, by its UUID, through restores and reboots.
 * Waits in one descriptor for what the guest's frontends and offers say in
 * xenstore, for domains that come and go, and for time, as loads change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/sized.h"
#include "core/uuid.h"
#include "evtchn/job.h"
#include "evtchn/offers.h"
#include "evtchn/places.h"
#include "host/watcher.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define DEFAULT_EVERY_MS 10000u

static const char *const domains[] = { "@introduceDomain", "@releaseDomain" };
#define NR_DOMAINS XLX__NR(domains)
#define NR_GUEST 3u /* paths of the guest */

struct xlx_evtchn_watch {
    xlx_ctx *ctx;
    struct xlx_evtchn_watch_config config;
    xlx_evtchn_report_fn *report;
    void *user;
    char name[XLX__DOM_NAME_MAX], uuid[XLX__DOM_UUID_MAX];
    uint32_t domid; /* it is this one now; 0: it does not run */
    bool counting;  /* we have switched it on, in that domain */
    char path[NR_GUEST][XLX__XS_PATH_MAX];
    unsigned watched, guest_watched; /* how many */
    struct xlx__watcher watcher;
    int64_t plan_at;           /* the next pass that looks at the load */
    char told[XLX__ERROR_MAX]; /* the last failure that was */
};

/* --- start and end -------------------------------------------------------- */

static int watch_path(xlx_evtchn_watch *w, const char *path)
{
    int rc = w->ctx->xs->ops->watch(w->ctx->xs, path);
    return rc ? xlx__fail_errno(w->ctx, -rc, "xenstore: cannot watch %s", path)
              : 0;
}

/* The guest that was named, and that it can have vectors at all. */
static int find_guest(xlx_evtchn_watch *w)
{
    XLX__AUTO_FREE struct xlx__dom *list = NULL;
    XLX__AUTO_FREE struct xlx_evtchn_offer *offers = NULL;
    uint32_t domid;
    int rc = xlx_domain_find(w->ctx, w->config.guest, &domid);
    int nr = rc ? rc : xlx__dom_list(w->ctx, &list);
    for (int i = 0; i < nr; i++)
        if (list[i].domid == domid) {
            strcpy(w->name, list[i].name);
            strcpy(w->uuid, list[i].uuid);
        }
    if (nr < 0)
        return nr;
    rc = xlx_evtchn_offers(w->ctx, domid, &offers);
    if (rc < 0 && rc != -EBADMSG) /* which it may correct */
        return rc;
    if (!xlx__uuid_valid(w->uuid))
        return xlx__fail(w->ctx, EINVAL,
                         "domain %u: has no UUID in xenstore by which to "
                         "recognize it",
                         domid);
    return 0;
}

static int start_watch(xlx_evtchn_watch *w)
{
    char pidfile[64];
    int rc = find_guest(w);
    if (rc)
        return rc;
    snprintf(pidfile, sizeof(pidfile), "evtchn/watch-%s.pid", w->uuid);
    rc = xlx__watcher_open(w->ctx, &w->watcher, pidfile,
                           "another evtchn-spread --watch runs for this guest");
    for (; !rc && w->watched < NR_DOMAINS; w->watched += !rc)
        rc = watch_path(w, domains[w->watched]);
    if (!rc)
        rc = xlx__watcher_add(&w->watcher, w->ctx->xs->ops->fd(w->ctx->xs));
    return rc ? rc : xlx__watcher_arm(&w->watcher, xlx__now_ms());
}

int xlx_evtchn_watch_new(xlx_ctx *ctx,
                         const struct xlx_evtchn_watch_config *config,
                         size_t size, xlx_evtchn_report_fn *report, void *user,
                         xlx_evtchn_watch **watch_r)
{
    xlx_evtchn_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return xlx__fail(ctx, ENOMEM, "watch: no memory");
    w->ctx = ctx;
    w->report = report;
    w->user = user;
    w->watcher = XLX__WATCHER_CLOSED;
    int rc = xlx__take_config(ctx, &w->config, sizeof(w->config), config, size);
    if (!w->config.every_ms)
        w->config.every_ms = DEFAULT_EVERY_MS;
    if (!rc)
        rc = start_watch(w);
    w->config.guest = NULL; /* the caller's */
    if (rc)
        xlx_evtchn_watch_free(w);
    else
        *watch_r = w;
    return rc;
}

/* The guest is another domain from now on, or none. */
static void let_go(xlx_evtchn_watch *w, bool gone)
{
    struct xlx__xs *xs = w->ctx->xs;
    struct xlx__evtchn *e = w->ctx->evtchn;
    while (w->guest_watched)
        xs->ops->unwatch(xs, w->path[--w->guest_watched]);
    int rc = w->counting && !gone ? e->ops->count(e, w->domid, false) : 0;
    if (rc && rc != -ESRCH)
        xlx__warn(w->ctx, "domain %u: its events are still counted: %s",
                  w->domid, strerror(-rc));
    w->counting = false;
    w->domid = 0;
}

void xlx_evtchn_watch_free(xlx_evtchn_watch *w)
{
    if (!w)
        return;
    let_go(w, false);
    while (w->watched)
        w->ctx->xs->ops->unwatch(w->ctx->xs, domains[--w->watched]);
    xlx__watcher_close(&w->watcher);
    free(w);
}

int xlx_evtchn_watch_fd(const xlx_evtchn_watch *w)
{
    return w->watcher.epoll;
}

/* --- a pass --------------------------------------------------------------- */

static int follow(xlx_evtchn_watch *w, uint32_t domid)
{
    int rc = 0;
    let_go(w, true);
    snprintf(w->path[0], XLX__XS_PATH_MAX, "/local/domain/%u/device", domid);
    snprintf(w->path[1], XLX__XS_PATH_MAX, "/local/domain/%u/" XLX__OFFERS_NODE,
             domid);
    snprintf(w->path[2], XLX__XS_PATH_MAX, "/local/domain/%u/" XLX__PLACES_NODE,
             domid);
    for (; !rc && w->guest_watched < NR_GUEST; w->guest_watched += !rc)
        rc = watch_path(w, w->path[w->guest_watched]);
    if (!rc)
        w->domid = domid;
    w->plan_at = xlx__now_ms() + w->config.every_ms;
    return rc;
}

/* Which domain it is now: while it migrates there may be two. */
static int look_for_guest(xlx_evtchn_watch *w)
{
    XLX__AUTO_FREE struct xlx__dom *list = NULL;
    uint32_t found = 0;
    int nr = xlx__dom_list(w->ctx, &list);
    for (int i = 0; i < nr; i++)
        if (!strcmp(list[i].uuid, w->uuid) &&
            (!found || !strcmp(list[i].name, w->name)))
            found = list[i].domid;
    if (nr < 0)
        return nr;
    if (found && found != w->domid)
        return follow(w, found);
    if (!found && w->domid)
        let_go(w, true);
    return 0;
}

/* From 0 again, so that the next pass sees what came since this one. */
static int count_anew(xlx_evtchn_watch *w)
{
    struct xlx__evtchn *e = w->ctx->evtchn;
    struct xlx__evtchn_features features;
    struct xlx_evtchn_info info;
    int rc = xlx__evtchn_look(w->ctx, w->domid, &info, &features);
    if (rc || !features.vectors || (features.counting && !w->counting))
        return rc; /* it is somebody else's count */
    rc = e->ops->count(e, w->domid, true);
    if (rc)
        return xlx__evtchn_failed(w->ctx, w->domid, rc);
    w->counting = true;
    return 0;
}

static void report_pass(xlx_evtchn_watch *w, int rc,
                        const struct xlx_evtchn_plan *plan,
                        const struct xlx_evtchn_change *list)
{
    struct xlx_evtchn_report report = {
        .guest = w->name,
        .domid = w->domid,
        .plan = rc < 0 ? NULL : plan,
        .changes = rc < 0 ? NULL : list,
        .nr_changes = rc < 0 ? 0 : (uint32_t)rc,
        .reason = rc < 0 ? w->told : "",
    };
    bool news = rc > 0;
    if (rc < 0) {
        news = strcmp(w->told, xlx_ctx_error(w->ctx)) != 0;
        snprintf(w->told, sizeof(w->told), "%s", xlx_ctx_error(w->ctx));
    } else
        w->told[0] = '\0';
    if (news)
        w->report(w->user, &report);
}

/* What the guest wishes is done at once; the load is looked at when events were
 * counted for long enough. */
static void pass(xlx_evtchn_watch *w, bool look_at_load)
{
    const struct xlx_evtchn_spread_config config = { .hot = w->config.hot };
    XLX__AUTO_FREE struct xlx_evtchn_change *list = NULL;
    struct xlx_evtchn_plan plan;
    int rc = look_for_guest(w);
    if (!rc && !w->domid)
        return;
    if (!rc)
        rc = xlx__evtchn_spread(w->ctx, w->domid, &config,
                                look_at_load ? XLX__SPREAD_COUNTED
                                             : XLX__SPREAD_WISHES,
                                &plan, &list);
    report_pass(w, rc, &plan, list);
    if (rc >= 0 && (look_at_load || !w->counting))
        rc = count_anew(w);
    if (rc < 0)
        report_pass(w, rc, NULL, NULL);
}

int xlx_evtchn_watch_dispatch(xlx_evtchn_watch *w)
{
    int rc = w->ctx->xs->ops->wait(w->ctx->xs, 0);
    if (rc < 0)
        return xlx__fail_errno(w->ctx, -rc, "xenstore: cannot read");
    rc = xlx__watcher_is_due(&w->watcher, rc);
    if (rc <= 0)
        return rc;
    int64_t now = xlx__now_ms();
    /* Failures are told by the report, once. */
    xlx__tolerate(w->ctx, 1);
    pass(w, now >= w->plan_at);
    xlx__tolerate(w->ctx, -1);
    if (now >= w->plan_at)
        w->plan_at = now + w->config.every_ms;
    return xlx__watcher_arm(&w->watcher, w->plan_at);
}
