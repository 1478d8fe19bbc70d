/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The steps of a lazy restore, put together from image, Xen's paging and pager.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lazy/pager.h"
#include "lazy/status.h"
#include "lazy/working_set.h"
#include "libxl_ext_lazy.h"

/*
 * Where Xen's builder puts the ring of the pager: the first of the special
 * pages below the end of the MMIO hole (tools/libs/guest/xg_dom_x86.c).
 */
#define RING_GFN 0xfeff8u

struct xlx_lazy {
    xlx_ctx *ctx;
    uint32_t domid;
    xlx_image *image;
    xlx_image_index *index; /* NULL: none */
    struct xlx__gfn_range *resident;
    size_t nr_resident;
    struct xlx__paging *paging; /* opened by start() */
    struct xlx__pager *pager;
    pthread_mutex_t status_lock;
    struct xlx_lazy_status status;
};

int xlx_lazy_check(xlx_ctx *ctx)
{
    uint32_t features;
    return xlx__paging_features(ctx, &features);
}

static int check_guest(xlx_lazy *lazy)
{
    if (xlx_image_info(lazy->image)->guest == XLX_IMAGE_HVM)
        return 0;
    return xlx__fail(lazy->ctx, ENOTSUP,
                     "%s: a PV guest: only HVM and PVH guests can be restored "
                     "lazily", lazy->status.image);
}

int xlx_lazy_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, xlx_lazy **lazy_r)
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
    snprintf(lazy->status.image, sizeof(lazy->status.image), "%s", name);
    pthread_mutex_init(&lazy->status_lock, NULL);

    uint64_t begun = xlx__now_us();
    rc = xlx_image_open_fd(ctx, io_fd, offset, name, &lazy->image);
    if (!rc)
        rc = check_guest(lazy);
    if (!rc)
        rc = xlx__image_resident(ctx, lazy->image, &lazy->resident,
                                 &lazy->nr_resident);
    lazy->status.index_us = xlx__now_us() - begun;
    if (rc) {
        xlx_lazy_close(lazy);
        return rc;
    }
    lazy->index = xlx__working_set_open(ctx, lazy->image);
    *lazy_r = lazy;
    return 0;
}

void xlx_lazy_close(xlx_lazy *lazy)
{
    if (!lazy)
        return;
    xlx__pager_free(lazy->pager);
    if (lazy->paging)
        lazy->paging->ops->close(lazy->paging);
    free(lazy->resident);
    xlx_image_index_close(lazy->index);
    xlx_image_close(lazy->image);
    pthread_mutex_destroy(&lazy->status_lock);
    free(lazy);
}

const xlx_image *xlx_lazy_image(const xlx_lazy *lazy)
{
    return lazy->image;
}

/* --- status ------------------------------------------------------------------ */

static void copy_counters(struct xlx_lazy_status *to,
                          const struct xlx__pager *pager)
{
    to->done = xlx__pages_done(pager->pages);
    to->held_back = xlx__pages_total(pager->pages);
    to->fault_pages = atomic_load(&pager->stats.fault_pages);
    to->fill_pages = atomic_load(&pager->stats.fill_pages);
    to->prefetch_pages = atomic_load(&pager->stats.prefetch_pages);
    to->dropped = atomic_load(&pager->stats.dropped);
    to->pages_2m = atomic_load(&pager->stats.pages_2m);
    to->faults = atomic_load(&pager->stats.faults);
    to->retries = atomic_load(&pager->stats.retries);
    to->fault_us = atomic_load(&pager->stats.fault_us);
    to->fault_us_max = atomic_load(&pager->stats.fault_us_max);
    to->fill_us = atomic_load(&pager->stats.fill_us);
}

static void tell(xlx_lazy *lazy, enum xlx_lazy_state state)
{
    static const enum xlx_log_level level[] = {
        [XLX_LAZY_FILLING] = XLX_LOG_DEBUG, [XLX_LAZY_STALLED] = XLX_LOG_WARN,
        [XLX_LAZY_COMPLETE] = XLX_LOG_INFO, [XLX_LAZY_GONE] = XLX_LOG_INFO,
        [XLX_LAZY_FAILED] = XLX_LOG_WARN,
    };
    const struct xlx_lazy_status *s = &lazy->status;
    xlx__log(lazy->ctx, level[state],
             "domain %u: %s: %lu of %lu pages, %lu faults%s%s%s", s->domid,
             xlx_lazy_state_name(state), (unsigned long)s->done,
             (unsigned long)s->held_back, (unsigned long)s->faults,
             *s->reason ? ": " : "", s->reason,
             state == XLX_LAZY_STALLED
                 ? " (the domain is paused until it works again)"
                 : "");
}

/* Called from both threads of the pager. A status that cannot be written is no
 * reason to stop serving. */
static void report(void *user, const struct xlx__pager *pager,
                   enum xlx_lazy_state state, const char *reason)
{
    xlx_lazy *lazy = user;
    const char *run_dir = xlx_ctx_path(lazy->ctx, XLX_PATH_RUN);

    pthread_mutex_lock(&lazy->status_lock);
    copy_counters(&lazy->status, pager);
    lazy->status.state = state;
    snprintf(lazy->status.reason, sizeof(lazy->status.reason), "%s",
             reason ? reason : "");
    tell(lazy, state);
    if (state == XLX_LAZY_GONE)
        xlx__lazy_status_remove(run_dir, lazy->domid);
    else if (xlx__lazy_status_write(run_dir, &lazy->status))
        xlx__debug(lazy->ctx, "domain %u: cannot write the status in %s",
                   lazy->domid, run_dir);
    pthread_mutex_unlock(&lazy->status_lock);
}

/* --- the steps --------------------------------------------------------------- */

int xlx_lazy_start(xlx_lazy *lazy)
{
    uint64_t begun = xlx__now_us();
    int rc = xlx__paging_open(lazy->ctx, lazy->domid, &lazy->paging);
    if (!rc)
        rc = xlx__pager_new(lazy->ctx, lazy->paging, lazy->image,
                            lazy->resident, lazy->nr_resident, &lazy->pager);
    if (!rc)
        rc = xlx__pager_start(lazy->pager, RING_GFN);
    if (rc)
        return rc;

    xlx__working_set_use(lazy->pager, lazy->index);
    lazy->pager->report = report;
    lazy->pager->report_user = lazy;
    lazy->status.pid = (uint32_t)getpid();
    lazy->status.pages = xlx_image_info(lazy->image)->pages;
    lazy->status.mark_us = xlx__now_us() - begun;
    xlx__pager_report(lazy->pager, XLX_LAZY_FILLING, NULL);
    return 0;
}

void xlx_lazy_cancel(xlx_lazy *lazy)
{
    xlx__pager_cancel(lazy->pager);
    xlx__lazy_status_remove(xlx_ctx_path(lazy->ctx, XLX_PATH_RUN),
                            lazy->domid);
}

int xlx_lazy_feed(xlx_lazy *lazy, int out)
{
    uint64_t pages;
    return xlx__image_thin(lazy->ctx, lazy->image, lazy->resident,
                           lazy->nr_resident, out, &pages);
}

int xlx_lazy_record(xlx_lazy *lazy)
{
    lazy->pager->touches = xlx__touches_new();
    if (lazy->pager->touches)
        return 0;
    return xlx__fail(lazy->ctx, ENOMEM, "domain %u: no memory to record in",
                     lazy->domid);
}

int xlx_lazy_prefetch(xlx_lazy *lazy, const struct xlx_lazy_prefetch *prefetch)
{
    if (!lazy->pager->nr_recorded || !prefetch->bytes || !prefetch->ms)
        return 0;
    int rc = xlx__pager_prefetch(lazy->pager, prefetch->bytes / XLX_PAGE_SIZE,
                                 (uint64_t)prefetch->ms * 1000);
    if (rc)
        xlx__log(lazy->ctx, XLX_LOG_WARN,
                 "domain %u: the recorded pages could not all be loaded ahead",
                 lazy->domid);
    return rc;
}

int xlx_lazy_serve(xlx_lazy *lazy)
{
    int rc = xlx__pager_run(lazy->pager);
    if (!rc)
        xlx__working_set_keep(lazy->pager);
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
        if (!xlx_lazy_status(ctx, domid, &status)) {
            status.state = XLX_LAZY_FAILED;
            snprintf(status.reason, sizeof(status.reason), "%s", reason);
            xlx__lazy_status_write(run_dir, &status);
        }
    }
    paging->ops->close(paging);
    return rc;
}
