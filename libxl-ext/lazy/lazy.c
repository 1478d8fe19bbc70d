/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The steps of a lazy restore, put together from image, Xen's paging and pager.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/config.h"
#include "lazy/control.h"
#include "lazy/pager.h"
#include "lazy/status.h"
#include "lazy/working_set.h"
#include "libxl_ext_lazy.h"
#include "xen/xenstore.h"

/*
 * Where Xen's builder puts the ring of the pager: the first of the special
 * pages below the end of the MMIO hole (tools/libs/guest/xg_dom_x86.c).
 */
#define RING_GFN 0xfeff8u

/* Ticks of the control thread between two statuses in xenstore. */
#define PUBLISH_TICKS 5

/* Half a tick: of two that come at about the same time one is left out. */
#define WRITE_EVERY_US (XLX__CONTROL_TICK_MS * 500u)

#define TAKE_OVER_TRIES 100
#define TAKE_OVER_PAUSE_MS 20

struct xlx_lazy {
    xlx_ctx *ctx;
    uint32_t domid;
    xlx_image *image;
    char *sidecar_path;   /* its absolute path; NULL: beside the image */
    xlx_sidecar *sidecar; /* NULL: none */
    struct xlx__gfn_range *resident;
    size_t nr_resident;
    struct xlx__paging *paging;         /* opened by start() */
    struct xlx__contention *contention; /* as paging; NULL: it cannot be */
    struct xlx__pager *pager;
    struct xlx__control *control; /* while it serves */
    unsigned ticks;
    bool swept;
    xlx_ctx *xs_ctx; /* for xenstore, as another thread writes there; NULL: it
                        failed once */
    struct xlx_lazy_status *published; /* what is in xenstore; NULL: nothing */
    pthread_mutex_t status_lock;       /* of both below */
    uint64_t written; /* the file of the status, xlx__now_us() */
    struct xlx_lazy_status status;
};

int xlx_lazy_check(xlx_ctx *ctx)
{
    uint32_t features;
    return xlx__paging_features(ctx, &features);
}

static xlx__pager_report_fn report;

static void close_paging(xlx_lazy *lazy)
{
    if (lazy->paging)
        lazy->paging->ops->close(lazy->paging);
    lazy->paging = NULL;
    if (lazy->contention)
        lazy->contention->ops->close(lazy->contention);
    lazy->contention = NULL;
    xlx_ctx_free(lazy->xs_ctx);
    lazy->xs_ctx = NULL;
}

static struct xlx__throttle *throttle_of(xlx_lazy *lazy)
{
    return xlx__backfill_throttle(xlx__pager_backfill(lazy->pager));
}

/* Without it the backfill is as fast as it can be; the log says why. */
static void open_contention(xlx_lazy *lazy)
{
    if (xlx__contention_open(lazy->ctx, lazy->domid, &lazy->contention))
        lazy->contention = NULL;
    xlx__throttle_set_contention(throttle_of(lazy), lazy->contention);
}

/* Now, as a process that is confined later can no longer do it. Without it the
 * guest is served all the same; the log says why. */
static void open_xenstore(xlx_lazy *lazy)
{
    if (!xlx__ctx_twin(lazy->ctx, &lazy->xs_ctx) && !xlx__xs_open(lazy->xs_ctx))
        return;
    xlx_ctx_free(lazy->xs_ctx);
    lazy->xs_ctx = NULL;
    xlx__warn(lazy->ctx, "domain %u: the status is not written to xenstore",
              lazy->domid);
}

/* In the process that is the pager from now on. */
static int open_paging(xlx_lazy *lazy)
{
    int rc = xlx__paging_open(lazy->ctx, lazy->domid, &lazy->paging);
    if (!rc) {
        xlx__pager_set_paging(lazy->pager, lazy->paging);
        xlx__pager_set_report(lazy->pager, report, lazy);
        open_contention(lazy);
        open_xenstore(lazy);
        lazy->status.pid = (uint32_t)getpid();
        lazy->status.pages = xlx_image_info(lazy->image)->pages;
        xlx__working_set_use(lazy->pager, lazy->sidecar);
    }
    return rc;
}

static int check_guest(xlx_lazy *lazy)
{
    if (xlx_image_info(lazy->image)->guest == XLX_IMAGE_HVM)
        return 0;
    return xlx__fail(lazy->ctx, ENOTSUP,
                     "%s: a PV guest: only HVM and PVH guests can be restored "
                     "lazily",
                     lazy->status.image);
}

int xlx_lazy_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar_path, xlx_lazy **lazy_r)
{
    int rc = xlx_lazy_check(ctx);
    if (rc)
        return rc;
    xlx_lazy *lazy = calloc(1, sizeof(*lazy));
    if (!lazy)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    lazy->ctx = ctx;
    lazy->domid = domid;
    lazy->status.domid = domid;
    pthread_mutex_init(&lazy->status_lock, NULL);

    uint64_t begun = xlx__now_us();
    rc = xlx__image_open_kept(ctx, io_fd, offset, name, &lazy->image);
    if (!rc) {
        if (!xlx__image_reads_from(lazy->image, &lazy->status.image_dev,
                                   &lazy->status.image_ino))
            lazy->status.image_dev = lazy->status.image_ino = 0;
        snprintf(lazy->status.image, sizeof(lazy->status.image), "%s",
                 xlx_image_name(lazy->image));
        rc = check_guest(lazy);
    }
    if (!rc)
        rc = xlx__image_resident(ctx, lazy->image, &lazy->resident,
                                 &lazy->nr_resident);
    if (!rc)
        rc = xlx__pager_new(ctx, NULL, lazy->image, lazy->resident,
                            lazy->nr_resident, &lazy->pager);
    if (!rc)
        rc = xlx__working_set_name(ctx, sidecar_path, &lazy->sidecar_path);
    lazy->status.index_us = xlx__now_us() - begun;
    if (rc) {
        xlx_lazy_close(lazy);
        return rc;
    }
    lazy->sidecar = xlx__working_set_open(ctx, lazy->image, lazy->sidecar_path);
    *lazy_r = lazy;
    return 0;
}

void xlx_lazy_close(xlx_lazy *lazy)
{
    if (!lazy)
        return;
    close_paging(lazy);
    xlx__pager_free(lazy->pager);
    free(lazy->resident);
    free(lazy->sidecar_path);
    xlx_sidecar_close(lazy->sidecar);
    xlx_image_close(lazy->image);
    free(lazy->published);
    pthread_mutex_destroy(&lazy->status_lock);
    free(lazy);
}

const xlx_image *xlx_lazy_image(const xlx_lazy *lazy)
{
    return lazy->image;
}

/* --- status --------------------------------------------------------------- */

/* With the status lock held, which comes before the pager's own. */
static void copy_counters(struct xlx_lazy_status *to, struct xlx__pager *pager)
{
    xlx__trouble_status(xlx__backfill_trouble(xlx__pager_backfill(pager)), to);
    xlx__shared_status(xlx__pager_shared(pager), to);
}

static void log_status(xlx_ctx *ctx, const struct xlx_lazy_status *s)
{
    static const enum xlx_log_level level[] = {
        [XLX_LAZY_FILLING] = XLX_LOG_DEBUG, [XLX_LAZY_STALLED] = XLX_LOG_WARN,
        [XLX_LAZY_COMPLETE] = XLX_LOG_INFO, [XLX_LAZY_GONE] = XLX_LOG_INFO,
        [XLX_LAZY_FAILED] = XLX_LOG_WARN,
    };
    xlx__log(ctx, level[s->state],
             "domain %u: %s: %lu of %lu pages, %lu faults%s%s%s", s->domid,
             xlx_lazy_state_name(s->state), (unsigned long)s->done,
             (unsigned long)s->held_back, (unsigned long)s->faults,
             *s->reason ? ": " : "", s->reason,
             s->state == XLX_LAZY_STALLED
                 ? " (the domain is paused until it works again)"
                 : "");
}

static bool is_over(enum xlx_lazy_state state)
{
    return state != XLX_LAZY_FILLING && state != XLX_LAZY_STALLED;
}

/* A status that cannot be written is no reason to stop serving. */
static void write_status(xlx_lazy *lazy)
{
    const char *run_dir = xlx_ctx_path(lazy->ctx, XLX_PATH_RUN);
    if (lazy->status.state == XLX_LAZY_GONE)
        xlx__lazy_status_remove(run_dir, lazy->domid);
    else if (xlx__lazy_status_write(run_dir, &lazy->status))
        xlx__debug(lazy->ctx, "domain %u: cannot write the status in %s",
                   lazy->domid, run_dir);
}

/* More than that the counters have gone on. */
static bool is_news(const struct xlx_lazy_status *a,
                    const struct xlx_lazy_status *b)
{
    return a->state != b->state || strcmp(a->reason, b->reason) ||
           a->bwlimit != b->bwlimit || a->paused != b->paused ||
           a->restarts != b->restarts || a->bad_pages != b->bad_pages;
}

/* The threads that fill report five times a second, and so does the control
 * thread: once is enough. With the status lock held. */
static bool is_due(xlx_lazy *lazy, const struct xlx_lazy_status *before)
{
    uint64_t now = xlx__now_us();
    if (!is_news(before, &lazy->status) && now - lazy->written < WRITE_EVERY_US)
        return false;
    lazy->written = now;
    return true;
}

/* Called from all threads of the pager. The log comes last and without the
 * lock: it may be on the disk that hangs. */
static void report(void *user, struct xlx__pager *pager,
                   enum xlx_lazy_state state, const char *reason)
{
    xlx_lazy *lazy = user;
    pthread_mutex_lock(&lazy->status_lock);
    if (is_over(lazy->status.state) && !is_over(state)) {
        pthread_mutex_unlock(&lazy->status_lock); /* a tick that was late */
        return;
    }
    const struct xlx_lazy_status before = lazy->status;
    copy_counters(&lazy->status, pager);
    lazy->status.state = state;
    snprintf(lazy->status.reason, sizeof(lazy->status.reason), "%s",
             reason ? reason : "");
    bool due = is_due(lazy, &before);
    if (due)
        write_status(lazy);
    const struct xlx_lazy_status copy = lazy->status;
    pthread_mutex_unlock(&lazy->status_lock);
    if (due && (state != before.state || state == XLX_LAZY_FILLING))
        log_status(lazy->ctx, &copy);
}

/* --- the steps ------------------------------------------------------------ */

int xlx_lazy_start(xlx_lazy *lazy)
{
    uint64_t begun = xlx__now_us();
    int rc = open_paging(lazy);
    if (!rc)
        rc = xlx__pager_start(lazy->pager, RING_GFN);
    if (rc)
        return rc;
    xlx__shared_set(xlx__pager_shared(lazy->pager), XLX__MARK_US,
                    xlx__now_us() - begun);
    xlx__pager_report(lazy->pager, XLX_LAZY_FILLING, NULL);
    return 0;
}

/* What a try of before has left. */
static void forget(xlx_lazy *lazy)
{
    close_paging(lazy);
    pthread_mutex_init(&lazy->status_lock, NULL);
}

/* A process that was killed is not gone at once. */
int xlx_lazy_take_over(xlx_lazy *lazy)
{
    int rc = -EBUSY;
    for (int i = 0; rc == -EBUSY && i < TAKE_OVER_TRIES; i++) {
        if (i)
            xlx__sleep_ms(TAKE_OVER_PAUSE_MS);
        forget(lazy);
        rc = open_paging(lazy);
        if (rc)
            return rc;
        rc = xlx__pager_take_over(lazy->pager, RING_GFN);
    }
    if (rc == -EBUSY)
        return xlx__fail(lazy->ctx, EBUSY,
                         "domain %u: the pager died, and this hypervisor "
                         "does not let another one take over: install the "
                         "one that 'make hypervisor' builds, destroy the "
                         "domain and restore it again",
                         lazy->domid);
    if (rc)
        return rc == -ESRCH ? rc
                            : xlx__fail_errno(lazy->ctx, -rc,
                                              "domain %u: cannot take over "
                                              "from the last pager",
                                              lazy->domid);
    if (xlx_lazy_started(lazy))
        xlx__pager_report(lazy->pager, XLX_LAZY_FILLING, NULL);
    return 0;
}

bool xlx_lazy_started(const xlx_lazy *lazy)
{
    return xlx__shared_started(xlx__pager_shared(lazy->pager));
}

void xlx_lazy_cancel(xlx_lazy *lazy)
{
    xlx__pager_cancel(lazy->pager);
    xlx__lazy_status_remove(xlx_ctx_path(lazy->ctx, XLX_PATH_RUN), lazy->domid);
}

int xlx_lazy_feed(xlx_lazy *lazy, int out)
{
    uint64_t pages;
    return xlx__image_thin(lazy->ctx, lazy->image, lazy->resident,
                           lazy->nr_resident, out, &pages);
}

int xlx_lazy_record(xlx_lazy *lazy, uint64_t ms)
{
    int rc = xlx_sidecar_can_write(lazy->ctx, lazy->image, lazy->sidecar_path);
    if (rc)
        return rc;
    xlx__recorder_set(xlx__pager_recorder(lazy->pager),
                      ms ? ms * 1000 : XLX__RECORD_QUIET_US,
                      ms ? ms * 1000 : XLX__RECORD_MAX_US);
    return 0;
}

int xlx_lazy_prefetch(xlx_lazy *lazy, const struct xlx_lazy_prefetch *prefetch,
                      size_t size)
{
    struct xlx_lazy_prefetch limit;
    size_t nr;
    int rc = xlx__take_config(lazy->ctx, &limit, sizeof(limit), prefetch, size);
    if (rc)
        return rc;
    xlx__backfill_recorded(xlx__pager_backfill(lazy->pager), &nr);
    if (!nr || !limit.bytes || !limit.ms)
        return 0;
    rc = xlx__pager_prefetch(lazy->pager, limit.bytes / XLX_PAGE_SIZE,
                             limit.ms * 1000);
    if (rc)
        xlx__log(lazy->ctx, XLX_LOG_WARN,
                 "domain %u: not all recorded pages could be prefetched",
                 lazy->domid);
    return rc;
}

void xlx_lazy_limit(xlx_lazy *lazy, uint64_t bwlimit)
{
    const struct xlx_lazy_change limit = { .set_bwlimit = true,
                                           .bwlimit = bwlimit };
    xlx__shared_change(xlx__pager_shared(lazy->pager), &limit);
}

void xlx_lazy_fill(xlx_lazy *lazy)
{
    xlx__pager_fill(lazy->pager);
}

/* --- the control thread --------------------------------------------------- */

static void snapshot(xlx_lazy *lazy, struct xlx_lazy_status *status_r)
{
    pthread_mutex_lock(&lazy->status_lock);
    copy_counters(&lazy->status, lazy->pager);
    *status_r = lazy->status;
    pthread_mutex_unlock(&lazy->status_lock);
}

static char *status_json(void *user)
{
    struct xlx_lazy_status status;
    snapshot(user, &status);
    return xlx_lazy_status_json(&status, sizeof(status));
}

static void change(void *user, const struct xlx_lazy_change *what)
{
    xlx_lazy *lazy = user;
    xlx__log(lazy->ctx, XLX_LOG_INFO, "domain %u: command:%s%s%s%s%s",
             lazy->domid, what->set_bwlimit ? " limit the backfill" : "",
             what->fill == XLX_LAZY_FILL_PAUSE ? " pause it" : "",
             what->fill == XLX_LAZY_FILL_RESUME ? " resume it" : "",
             what->fill == XLX_LAZY_FILL_FINISH ? " finish it" : "",
             what->retry ? " retry" : "");
    xlx__pager_change(lazy->pager, what);
    xlx__pager_progress(lazy->pager);
}

/* Once: what earlier restores of guests that are gone by now left in the folder
 * of the statuses, so that it does not grow. */
static void forget_others(xlx_lazy *lazy)
{
    uint32_t *domids;
    if (lazy->swept || !lazy->xs_ctx)
        return;
    lazy->swept = true;
    if (xlx_lazy_list(lazy->xs_ctx, &domids) >= 0)
        free(domids);
}

/* Without memory for it everything is written again the next time. */
static void remember(xlx_lazy *lazy, const struct xlx_lazy_status *status)
{
    if (!lazy->published)
        lazy->published = malloc(sizeof(*lazy->published));
    if (lazy->published)
        *lazy->published = *status;
}

/* Xenstore is written by this thread only, so that no fault waits for it; with
 * a context of its own, as the fault thread's error is the reason that is told.
 * One that cannot be written is no reason to stop serving. */
static void publish(xlx_lazy *lazy)
{
    struct xlx_lazy_status status;
    snapshot(lazy, &status);
    forget_others(lazy);
    if (!lazy->xs_ctx)
        return;
    if (!xlx__lazy_status_publish(lazy->xs_ctx, &status, lazy->published)) {
        remember(lazy, &status);
        return;
    }
    xlx__warn(lazy->ctx,
              "domain %u: the status in xenstore is no longer "
              "updated",
              lazy->domid);
    xlx_ctx_free(lazy->xs_ctx);
    lazy->xs_ctx = NULL;
}

static void tick(void *user)
{
    xlx_lazy *lazy = user;
    xlx__pager_progress(lazy->pager);
    if (lazy->ticks++ % PUBLISH_TICKS)
        return;
    xlx__throttle_set_fills(throttle_of(lazy), xlx__control_count(lazy->ctx));
    publish(lazy);
}

int xlx_lazy_serve(xlx_lazy *lazy)
{
    const struct xlx__control_user user = { change, status_json, tick, lazy,
                                            XLX__CLIENT_MS };
    /* Without it the guest is served all the same; the log says why. */
    if (xlx__control_start(lazy->ctx, lazy->domid, &user, &lazy->control))
        lazy->control = NULL;
    int rc = xlx__pager_run(lazy->pager);
    if (!rc)
        xlx__working_set_keep(lazy->ctx, lazy->image, lazy->sidecar_path,
                              xlx__pager_recorder(lazy->pager));
    xlx__control_stop(lazy->control);
    lazy->control = NULL;
    if (rc != -ESRCH)
        publish(lazy);
    xlx_ctx_free(lazy->xs_ctx);
    lazy->xs_ctx = NULL;
    return rc;
}

int xlx_lazy_abandon(xlx_ctx *ctx, uint32_t domid, const char *reason)
{
    struct xlx__paging *paging;
    struct xlx__paging_info info;
    int rc = xlx__paging_open(ctx, domid, &paging);
    if (rc)
        return rc;
    const char *run_dir = xlx_ctx_path(ctx, XLX_PATH_RUN);
    if (!paging->ops->info(paging, &info) && info.dying) {
        xlx__lazy_status_remove(run_dir, domid);
        rc = -ESRCH;
    } else {
        struct xlx_lazy_status status;
        paging->ops->pause(paging);
        if (!xlx_lazy_status(ctx, domid, &status, sizeof(status))) {
            status.state = XLX_LAZY_FAILED;
            snprintf(status.reason, sizeof(status.reason), "%s", reason);
            xlx__lazy_status_write(run_dir, &status);
        }
    }
    paging->ops->close(paging);
    return rc;
}
