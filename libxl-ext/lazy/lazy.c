/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The steps of a lazy restore, put together from image, Xen's paging and pager.
 */
#include "lazy/lazy.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/sized.h"
#include "image/image.h"
#include "lazy/status.h"
#include "lazy/working_set.h"

/*
 * Where Xen's builder puts the ring of the pager: the first of the special
 * pages below the end of the MMIO hole (tools/libs/guest/xg_dom_x86.c).
 */
#define RING_GFN 0xfeff8u

#define TAKE_OVER_TRIES 100
#define TAKE_OVER_PAUSE_MS 20

int xlx_lazy_check(xlx_ctx *ctx)
{
    uint32_t features;
    return xlx__paging_features(ctx, &features);
}

static void close_paging(xlx_lazy *lazy)
{
    if (lazy->paging)
        lazy->paging->ops->close(lazy->paging);
    lazy->paging = NULL;
    if (lazy->contention)
        lazy->contention->ops->close(lazy->contention);
    lazy->contention = NULL;
    xlx__reporter_end(lazy->reporter);
}

/* Without it the backfill is as fast as it can be; the log says why. */
static void open_contention(xlx_lazy *lazy)
{
    if (xlx__contention_open(lazy->ctx, lazy->domid, &lazy->contention))
        lazy->contention = NULL;
    xlx__throttle_set_contention(xlx__lazy_throttle(lazy), lazy->contention);
}

/* In the process that is the pager from now on. */
static int open_paging(xlx_lazy *lazy)
{
    int rc = xlx__paging_open(lazy->ctx, lazy->domid, &lazy->paging);
    if (!rc) {
        xlx__pager_set_paging(lazy->pager, lazy->paging);
        xlx__pager_set_report(lazy->pager, xlx__reporter_report,
                              lazy->reporter);
        open_contention(lazy);
        xlx__reporter_begin(lazy->reporter);
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
                     xlx_image_name(lazy->image));
}

/* All that is made of the image; what is there when one fails is closed with
 * `lazy`. */
static int open_parts(xlx_lazy *lazy, int io_fd, uint64_t offset,
                      const char *name, const char *sidecar_path)
{
    xlx_ctx *ctx = lazy->ctx;
    uint64_t begun = xlx__now_us();
    int rc = xlx__image_open_kept(ctx, io_fd, offset, name, &lazy->image);
    if (!rc)
        rc = check_guest(lazy);
    if (!rc)
        rc = xlx__image_resident(ctx, lazy->image, &lazy->resident,
                                 &lazy->nr_resident);
    if (!rc)
        rc = xlx__pager_new(ctx, NULL, lazy->image, lazy->resident,
                            lazy->nr_resident, &lazy->pager);
    if (!rc)
        rc = xlx__working_set_name(ctx, sidecar_path, &lazy->sidecar_path);
    if (!rc)
        rc = xlx__reporter_new(ctx, lazy->domid, lazy->image,
                               xlx__now_us() - begun, &lazy->reporter);
    return rc;
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
    rc = open_parts(lazy, io_fd, offset, name, sidecar_path);
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
    xlx__reporter_free(lazy->reporter);
    free(lazy);
}

const xlx_image *xlx_lazy_image(const xlx_lazy *lazy)
{
    return lazy->image;
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

/* A process that was killed is not gone at once. */
int xlx_lazy_take_over(xlx_lazy *lazy)
{
    int rc = -EBUSY;
    for (int i = 0; rc == -EBUSY && i < TAKE_OVER_TRIES; i++) {
        if (i)
            xlx__sleep_ms(TAKE_OVER_PAUSE_MS);
        close_paging(lazy); /* of the try before */
        xlx__reporter_renew(lazy->reporter);
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
