/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/reporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "image/image.h"
#include "lazy/control.h"
#include "lazy/status.h"
#include "xen/xenstore.h"

/* Half a tick: of two that come at about the same time one is left out. */
#define WRITE_EVERY_US (XLX__CONTROL_TICK_MS * 500u)

struct xlx__reporter {
    xlx_ctx *ctx;
    uint32_t domid;
    bool swept;
    xlx_ctx *xs_ctx; /* for xenstore, as another thread writes there; NULL: it
                        failed once */
    struct xlx_lazy_status *published; /* what is in xenstore; NULL: nothing */
    pthread_mutex_t lock;              /* of both below */
    uint64_t written; /* the file of the status, xlx__now_us() */
    struct xlx_lazy_status status;
};

int xlx__reporter_new(xlx_ctx *ctx, uint32_t domid, const xlx_image *image,
                      uint64_t index_us, struct xlx__reporter **reporter_r)
{
    struct xlx__reporter *reporter = calloc(1, sizeof(*reporter));
    if (!reporter)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    reporter->ctx = ctx;
    reporter->domid = domid;
    pthread_mutex_init(&reporter->lock, NULL);
    struct xlx_lazy_status *status = &reporter->status;
    status->domid = domid;
    status->index_us = index_us;
    status->pages = xlx_image_info(image)->pages;
    if (!xlx__image_reads_from(image, &status->image_dev, &status->image_ino))
        status->image_dev = status->image_ino = 0;
    snprintf(status->image, sizeof(status->image), "%s", xlx_image_name(image));
    *reporter_r = reporter;
    return 0;
}

void xlx__reporter_free(struct xlx__reporter *reporter)
{
    if (!reporter)
        return;
    xlx__reporter_end(reporter);
    free(reporter->published);
    pthread_mutex_destroy(&reporter->lock);
    free(reporter);
}

void xlx__reporter_renew(struct xlx__reporter *reporter)
{
    pthread_mutex_init(&reporter->lock, NULL);
}

/* Without it the guest is served all the same; the log says why. */
static void open_xenstore(struct xlx__reporter *reporter)
{
    if (!xlx__ctx_twin(reporter->ctx, &reporter->xs_ctx) &&
        !xlx__xs_open(reporter->xs_ctx))
        return;
    xlx_ctx_free(reporter->xs_ctx);
    reporter->xs_ctx = NULL;
    xlx__warn(reporter->ctx, "domain %u: the status is not written to xenstore",
              reporter->domid);
}

void xlx__reporter_begin(struct xlx__reporter *reporter)
{
    open_xenstore(reporter);
    reporter->status.pid = (uint32_t)getpid();
}

void xlx__reporter_end(struct xlx__reporter *reporter)
{
    if (!reporter)
        return;
    xlx_ctx_free(reporter->xs_ctx);
    reporter->xs_ctx = NULL;
}

/* --- file and log --------------------------------------------------------- */

/* With the lock held, which comes before the pager's own. */
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
static void write_status(struct xlx__reporter *reporter)
{
    const char *run_dir = xlx_ctx_path(reporter->ctx, XLX_PATH_RUN);
    if (reporter->status.state == XLX_LAZY_GONE)
        xlx__lazy_status_remove(run_dir, reporter->domid);
    else if (xlx__lazy_status_write(run_dir, &reporter->status))
        xlx__debug(reporter->ctx, "domain %u: cannot write the status in %s",
                   reporter->domid, run_dir);
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
 * thread: once is enough. With the lock held. */
static bool is_due(struct xlx__reporter *reporter,
                   const struct xlx_lazy_status *before)
{
    uint64_t now = xlx__now_us();
    if (!is_news(before, &reporter->status) &&
        now - reporter->written < WRITE_EVERY_US)
        return false;
    reporter->written = now;
    return true;
}

/* The log comes last and without the lock: it may be on the disk that hangs. */
void xlx__reporter_report(void *user, struct xlx__pager *pager,
                          enum xlx_lazy_state state, const char *reason)
{
    struct xlx__reporter *reporter = user;
    pthread_mutex_lock(&reporter->lock);
    if (is_over(reporter->status.state) && !is_over(state)) {
        pthread_mutex_unlock(&reporter->lock); /* a tick that was late */
        return;
    }
    const struct xlx_lazy_status before = reporter->status;
    copy_counters(&reporter->status, pager);
    reporter->status.state = state;
    snprintf(reporter->status.reason, sizeof(reporter->status.reason), "%s",
             reason ? reason : "");
    bool due = is_due(reporter, &before);
    if (due)
        write_status(reporter);
    const struct xlx_lazy_status copy = reporter->status;
    pthread_mutex_unlock(&reporter->lock);
    if (due && (state != before.state || state == XLX_LAZY_FILLING))
        log_status(reporter->ctx, &copy);
}

/* --- asked for ------------------------------------------------------------ */

static void snapshot(struct xlx__reporter *reporter, struct xlx__pager *pager,
                     struct xlx_lazy_status *status_r)
{
    pthread_mutex_lock(&reporter->lock);
    copy_counters(&reporter->status, pager);
    *status_r = reporter->status;
    pthread_mutex_unlock(&reporter->lock);
}

char *xlx__reporter_json(struct xlx__reporter *reporter,
                         struct xlx__pager *pager)
{
    struct xlx_lazy_status status;
    snapshot(reporter, pager, &status);
    return xlx_lazy_status_json(&status, sizeof(status));
}

/* --- xenstore ------------------------------------------------------------- */

/* Once: what earlier restores of guests that are gone by now left in the folder
 * of the statuses, so that it does not grow. */
static void remove_left_behind(struct xlx__reporter *reporter)
{
    uint32_t *domids;
    if (reporter->swept || !reporter->xs_ctx)
        return;
    reporter->swept = true;
    if (xlx_lazy_list(reporter->xs_ctx, &domids) >= 0)
        free(domids);
}

/* Without memory for it everything is written again the next time. */
static void keep_published(struct xlx__reporter *reporter,
                           const struct xlx_lazy_status *status)
{
    if (!reporter->published)
        reporter->published = malloc(sizeof(*reporter->published));
    if (reporter->published)
        *reporter->published = *status;
}

/* Xenstore is written by this thread only, so that no fault waits for it; with
 * a context of its own, as the fault thread's error is the reason that is told.
 * One that cannot be written is no reason to stop serving. */
void xlx__reporter_publish(struct xlx__reporter *reporter,
                           struct xlx__pager *pager)
{
    struct xlx_lazy_status status;
    snapshot(reporter, pager, &status);
    remove_left_behind(reporter);
    if (!reporter->xs_ctx)
        return;
    if (!xlx__lazy_status_publish(reporter->xs_ctx, &status,
                                  reporter->published)) {
        keep_published(reporter, &status);
        return;
    }
    xlx__warn(reporter->ctx,
              "domain %u: the status in xenstore is no longer "
              "updated",
              reporter->domid);
    xlx_ctx_free(reporter->xs_ctx);
    reporter->xs_ctx = NULL;
}
