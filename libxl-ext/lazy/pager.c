/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager's life: new -> started (paging on, pages marked) -> running (fault
 * thread here, backfill threads beside it) -> finished (paging off) or given
 * up.
 */
#include "lazy/pager.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "lazy/held.h"
#include "lazy/ring.h"

/* Of the fault thread against the backfill thread and the rest of dom0. */
#define FAULT_NICE (-10)

struct xlx__pager {
    struct xlx__guest guest;
    struct xlx__shared *shared; /* owned, as is all to held */
    struct xlx__loader *loader;
    struct xlx__recorder *recorder;
    struct xlx__backfill *backfill;
    struct xlx__gfn_range *held; /* what was withheld at the start */
    size_t nr_held;
    bool filling; /* the backfill was started, and the watch of the stalls */
    int fill_rc;  /* of its start */
    const xlx_image *image;
    xlx__pager_report_fn *report;
    void *report_user;
};

/* --- what there is to report ---------------------------------------------- */

void xlx__pager_report(struct xlx__pager *pager, enum xlx_lazy_state state,
                       const char *reason)
{
    if (pager->report)
        pager->report(pager->report_user, pager, state, reason);
}

void xlx__pager_progress(struct xlx__pager *pager)
{
    struct xlx__stalls *stalls = xlx__loader_stalls(pager->loader);
    struct xlx__trouble *trouble = xlx__backfill_trouble(pager->backfill);
    char why[160];
    bool stalled = xlx__stalls_reason(stalls, why, sizeof(why));
    bool some = stalled || xlx__trouble_text(trouble, why, sizeof(why)) ||
                xlx__stalls_hang(stalls, why, sizeof(why)) ||
                xlx__trouble_bad_text(trouble, why, sizeof(why));
    xlx__pager_report(pager, stalled ? XLX_LAZY_STALLED : XLX_LAZY_FILLING,
                      some ? why : NULL);
}

static void progress(void *pager)
{
    xlx__pager_progress(pager);
}

/* --- its rooms ----------------------------------------------------------- */

/* Makes what the pager consists of. */
static int make_rooms(struct xlx__pager *pager,
                      const struct xlx__gfn_range *resident, size_t nr_resident)
{
    size_t nr;
    const struct xlx_image_run *runs = xlx_image_runs(pager->image, &nr);
    int rc = xlx__held_back(runs, nr, resident, nr_resident, &pager->held,
                            &pager->nr_held);
    if (rc)
        return rc;
    pager->loader = xlx__loader_new(&pager->guest, pager->image);
    pager->recorder = xlx__recorder_new(pager->shared);
    if (!pager->loader || !pager->recorder)
        return -ENOMEM;
    pager->backfill =
        xlx__backfill_new(&pager->guest, pager->loader, pager->recorder,
                          pager->held, pager->nr_held);
    return pager->backfill ? 0 : -ENOMEM;
}

static void hold_back(struct xlx__pager *pager)
{
    for (size_t i = 0; i < pager->nr_held; i++)
        xlx__pages_hold_back(xlx__shared_pages(pager->shared),
                             pager->held[i].start,
                             pager->held[i].end - pager->held[i].start);
}

int xlx__pager_new(xlx_ctx *ctx, struct xlx__paging *paging,
                   const xlx_image *image,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__pager **pager_r)
{
    struct xlx__pager *pager = calloc(1, sizeof(*pager));
    if (!pager)
        return xlx__fail(ctx, ENOMEM, "no memory for the pager");
    pager->image = image;
    pager->shared = xlx__shared_new(xlx_image_info(image)->max_gfn + 1);
    xlx__guest_init(&pager->guest, ctx, pager->shared);
    pager->guest.paging = paging;
    pager->guest.changed = progress;
    pager->guest.user = pager;
    if (!pager->shared || make_rooms(pager, resident, nr_resident)) {
        xlx__pager_free(pager);
        return xlx__fail(ctx, ENOMEM, "no memory for the pager");
    }
    hold_back(pager);
    *pager_r = pager;
    return 0;
}

void xlx__pager_free(struct xlx__pager *pager)
{
    if (!pager)
        return;
    xlx__backfill_free(pager->backfill);
    xlx__recorder_free(pager->recorder);
    xlx__loader_free(pager->loader);
    xlx__guest_destroy(&pager->guest);
    xlx__shared_free(pager->shared);
    free(pager->held);
    free(pager);
}

void xlx__pager_set_paging(struct xlx__pager *pager, struct xlx__paging *paging)
{
    pager->guest.paging = paging;
}

void xlx__pager_set_report(struct xlx__pager *pager,
                           xlx__pager_report_fn *report, void *user)
{
    pager->report = report;
    pager->report_user = user;
}

struct xlx__shared *xlx__pager_shared(const struct xlx__pager *pager)
{
    return pager->shared;
}

struct xlx__loader *xlx__pager_loader(const struct xlx__pager *pager)
{
    return pager->loader;
}

struct xlx__recorder *xlx__pager_recorder(const struct xlx__pager *pager)
{
    return pager->recorder;
}

struct xlx__backfill *xlx__pager_backfill(const struct xlx__pager *pager)
{
    return pager->backfill;
}

void xlx__pager_set_patience(struct xlx__pager *pager, unsigned patience_ms,
                             unsigned hang_ms)
{
    xlx__loader_set_patience(pager->loader, patience_ms);
    xlx__stalls_set_hang_ms(xlx__loader_stalls(pager->loader), hang_ms);
}

void xlx__pager_change(struct xlx__pager *pager,
                       const struct xlx_lazy_change *change)
{
    xlx__throttle_change(xlx__backfill_throttle(pager->backfill), change);
    if (!change->retry)
        return;
    xlx__trouble_retry(xlx__backfill_trouble(pager->backfill));
    xlx__guest_wake(&pager->guest);
}

/* --- before the domain runs ---------------------------------------------- */

static int mark_withheld(struct xlx__pager *pager)
{
    int rc = 0;
    for (size_t i = 0; i < pager->nr_held && !rc; i++)
        rc = pager->guest.paging->ops->mark_run(
            pager->guest.paging, pager->held[i].start,
            pager->held[i].end - pager->held[i].start);
    return rc;
}

int xlx__pager_start(struct xlx__pager *pager, uint64_t ring_gfn)
{
    struct xlx__paging *paging = pager->guest.paging;
    int rc = paging->ops->enable(paging, ring_gfn);
    if (rc)
        return rc;
    rc = paging->ops->claim(paging, xlx_image_info(pager->image)->pages);
    if (!rc)
        rc = mark_withheld(pager);
    if (rc)
        xlx__pager_cancel(pager);
    else
        xlx__shared_set_started(pager->shared);
    return rc;
}

/* Once; 0 or -errno, however often it is asked. */
static int start_fill(struct xlx__pager *pager)
{
    if (pager->filling)
        return pager->fill_rc;
    pager->filling = true;
    xlx__stalls_watch(xlx__loader_stalls(pager->loader));
    pager->fill_rc = xlx__backfill_start(pager->backfill);
    return pager->fill_rc;
}

void xlx__pager_fill(struct xlx__pager *pager)
{
    if (!xlx__recorder_is_set(pager->recorder))
        start_fill(pager);
}

static void end_fill(struct xlx__pager *pager)
{
    xlx__backfill_join(pager->backfill);
    xlx__stalls_end_watch(xlx__loader_stalls(pager->loader));
    pager->filling = false;
}

/* Marked gfns stay marked; a restorer that populates them replaces the mark. */
void xlx__pager_cancel(struct xlx__pager *pager)
{
    if (pager->filling) {
        xlx__guest_stop(&pager->guest);
        end_fill(pager);
    }
    pager->guest.paging->ops->claim(pager->guest.paging, 0);
    pager->guest.paging->ops->disable(pager->guest.paging);
}

int xlx__pager_prefetch(struct xlx__pager *pager, uint64_t max_pages,
                        uint64_t max_us)
{
    struct xlx__stalls *stalls = xlx__loader_stalls(pager->loader);
    xlx__stalls_watch(stalls);
    int rc = xlx__backfill_prefetch(pager->backfill, max_pages, max_us);
    xlx__stalls_end_watch(stalls);
    return rc;
}

/* --- after a kill -------------------------------------------------------- */

/*
 * What makes it safe to kill a pager at any point: what it owes to the domain
 * is written down where its successor finds it (lazy/shared.h).
 *
 * Pages: done is noted after Xen has the page. One that was loaded and not
 * noted is loaded again, which Xen ignores.
 * Requests: those without an answer are still in the ring.
 * Touches: recorded before the request is answered.
 * Pauses: counted (lazy/guest.h).
 */

/* The threads of the dead pager are in no process of ours. */
static void forget_threads(struct xlx__pager *pager)
{
    xlx__guest_reset(&pager->guest);
    xlx__loader_reset(pager->loader);
    xlx__recorder_reset(pager->recorder);
    xlx__backfill_reset(pager->backfill);
    pager->filling = false;
}

int xlx__pager_take_over(struct xlx__pager *pager, uint64_t ring_gfn)
{
    const struct xlx__paging_ops *ops = pager->guest.paging->ops;
    forget_threads(pager);
    if (xlx__guest_gone(&pager->guest))
        return -ESRCH;
    xlx__pages_release_all(xlx__shared_pages(pager->shared));
    xlx__guest_settle_doubt(&pager->guest);
    int rc = xlx__guest_pause(&pager->guest);
    if (rc)
        return rc;
    rc = ops->take_over(pager->guest.paging, ring_gfn);
    if (rc) {
        xlx__guest_unpause(&pager->guest);
        return rc;
    }
    xlx__guest_end_pauses(&pager->guest);
    xlx__shared_count(pager->shared, XLX__SUCCESSORS, 1);
    return 0;
}

/* --- while it runs -------------------------------------------------------- */

static void count_2m(struct xlx__pager *pager)
{
    uint64_t count = 0;
    uint64_t nr = xlx_image_info(pager->image)->max_gfn + 1;
    if (!pager->guest.paging->ops->count_2m(pager->guest.paging, 0, nr, &count))
        xlx__shared_set(pager->shared, XLX__PAGES_2M, count);
}

static void report_end(struct xlx__pager *pager, int rc)
{
    if (rc == 0) {
        xlx__pager_report(pager, XLX_LAZY_COMPLETE, NULL);
    } else if (xlx__guest_gone(&pager->guest) && rc == -ESRCH) {
        xlx__pager_report(pager, XLX_LAZY_GONE, NULL);
    } else {
        xlx__guest_pause(&pager->guest);
        xlx__pager_report(pager, XLX_LAZY_FAILED,
                          xlx_ctx_error(pager->guest.ctx));
    }
}

/* The threads, until all is present. */
static int serve_and_fill(struct xlx__pager *pager, struct xlx__ring *ring)
{
    int rc = start_fill(pager);
    if (!rc) {
        /* Only a preference: without the right to it, faults still work. */
        setpriority(PRIO_PROCESS, 0, FAULT_NICE);
        rc = xlx__ring_serve(ring);
        if (rc)
            xlx__guest_stop(&pager->guest);
    }
    end_fill(pager);
    return rc;
}

static int run(struct xlx__pager *pager)
{
    struct xlx__paging *paging = pager->guest.paging;
    struct xlx__ring ring = { &pager->guest, pager->loader, pager->recorder,
                              pager->backfill,
                              paging->ops->buffer_alloc(paging, 1) };
    if (!ring.buffer)
        return xlx__fail(pager->guest.ctx, ENOMEM,
                         "domain %u: no memory for the pager", paging->domid);
    int rc = serve_and_fill(pager, &ring);
    if (!rc)
        rc = xlx__ring_end(&ring);
    if (!rc)
        count_2m(pager);
    paging->ops->buffer_free(paging, ring.buffer, 1);
    return rc;
}

int xlx__pager_run(struct xlx__pager *pager)
{
    int rc = run(pager);
    report_end(pager, rc);
    return rc;
}
