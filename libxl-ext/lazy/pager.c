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

/* How often the fault thread looks whether there is still a domain. */
#define IDLE_MS 20

/* Of the fault thread against the backfill thread and the rest of dom0. */
#define FAULT_NICE (-10)

/* vCPUs that wait for a slot in the ring get it as soon as it is drained, and
 * then have to run: for so long, twice as long after each try in vain. */
#define RUN_MS 1
#define RUN_MAX_MS 100

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

static int mark(struct xlx__pager *pager)
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
        rc = mark(pager);
    if (rc)
        xlx__pager_cancel(pager);
    else
        xlx__shared_set_started(pager->shared);
    return rc;
}

/* Marked gfns stay marked; a restorer that populates them replaces the mark. */
void xlx__pager_cancel(struct xlx__pager *pager)
{
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

/* --- the fault thread ----------------------------------------------------- */

static void count_fault(struct xlx__pager *pager, uint64_t us)
{
    xlx__shared_count(pager->shared, XLX__FAULTS, 1);
    xlx__shared_count(pager->shared, XLX__FAULT_US, us);
    if (us > xlx__shared_counter(pager->shared, XLX__FAULT_US_MAX))
        xlx__shared_set(pager->shared, XLX__FAULT_US_MAX, us);
}

static bool serve(struct xlx__pager *pager,
                  const struct xlx__paging_request *req, void *buffer)
{
    uint64_t begun = xlx__now_us();
    if (req->drop) {
        xlx__pages_drop(xlx__shared_pages(pager->shared), req->gfn);
        xlx__shared_count(pager->shared, XLX__DROPPED, 1);
    } else if (!xlx__loader_bring(pager->loader, req->gfn, buffer)) {
        return false;
    }
    /* Before the answer: a request without one is found by the next pager. */
    if (!req->drop)
        xlx__recorder_touch(pager->recorder, req->gfn);
    pager->guest.paging->ops->respond(pager->guest.paging, req);
    if (!req->drop) {
        count_fault(pager, xlx__now_us() - begun);
        xlx__backfill_fault(pager->backfill, req->gfn);
    }
    return true;
}

/* Answers all that is in the ring now. Returns how many, or -errno. */
static int drain(struct xlx__pager *pager, void *buffer)
{
    const struct xlx__paging_ops *ops = pager->guest.paging->ops;
    struct xlx__throttle *throttle = xlx__backfill_throttle(pager->backfill);
    struct xlx__paging_request req;
    int served = 0;

    xlx__throttle_set_serving(throttle, true);
    while (ops->next(pager->guest.paging, &req)) {
        if (!serve(pager, &req, buffer)) {
            served = -ESRCH;
            break;
        }
        /* At once: the vCPU need not wait for the faults behind its own. */
        int rc = ops->notify(pager->guest.paging);
        if (rc) {
            served = rc;
            break;
        }
        served++;
    }
    xlx__throttle_set_serving(throttle, false);
    return served;
}

/* Serves until the backfill is through and the ring has been quiet. */
static int serve_until_filled(struct xlx__pager *pager, void *buffer)
{
    for (;;) {
        int ready =
            pager->guest.paging->ops->wait(pager->guest.paging, IDLE_MS);
        int served = drain(pager, buffer);
        if (ready < 0 || served < 0)
            return xlx__guest_gone(&pager->guest) ? -ESRCH
                   : ready < 0                    ? ready
                                                  : served;
        if (served > 0 || ready > 0)
            continue;
        if (xlx__guest_gone(&pager->guest))
            return -ESRCH;
        if (xlx__backfill_is_through(pager->backfill))
            return 0;
    }
}

/* --- the end -------------------------------------------------------------- */

static int look(struct xlx__pager *pager, struct xlx__paging_info *info_r)
{
    int rc = pager->guest.paging->ops->info(pager->guest.paging, info_r);
    if (rc)
        return xlx__fail_errno(pager->guest.ctx, -rc, "domain %u",
                               pager->guest.paging->domid);
    return info_r->dying ? -ESRCH : 0;
}

static int check_nothing_is_out(struct xlx__pager *pager)
{
    struct xlx__paging_info info;
    int rc = look(pager, &info);
    if (rc)
        return rc;
    if (info.paged_pages == 0)
        return 0;
    return xlx__fail(pager->guest.ctx, EIO,
                     "domain %u: all pages are loaded, but Xen counts %lu as "
                     "paged out: paging stays on",
                     pager->guest.paging->domid,
                     (unsigned long)info.paged_pages);
}

/*
 * Ends paging while no vCPU runs: one that is between seeing an absent page and
 * posting its request would never get an answer.
 */
static int try_to_end_paging(struct xlx__pager *pager, void *buffer)
{
    int rc = xlx__guest_pause(&pager->guest);
    if (rc)
        return rc;
    rc = drain(pager, buffer);
    if (rc >= 0)
        rc = pager->guest.paging->ops->disable(pager->guest.paging);
    xlx__guest_unpause(&pager->guest);
    return rc;
}

/* Lets vCPUs run that sleep in Xen. They cannot while somebody else has the
 * domain paused, which is left as it is. */
static int let_run(struct xlx__pager *pager, int ms)
{
    struct xlx__paging_info info;
    int rc;
    do {
        rc = look(pager, &info);
        if (rc)
            return rc;
        rc = pager->guest.paging->ops->wait(pager->guest.paging,
                                            info.paused ? RUN_MAX_MS : ms);
    } while (!rc && info.paused);
    return rc < 0 ? rc : 0;
}

/* Nothing is out any more, so however long it takes does no harm. */
static int end_paging(struct xlx__pager *pager, void *buffer)
{
    int rc, ms = RUN_MS;
    while ((rc = try_to_end_paging(pager, buffer)) == -EBUSY) {
        rc = let_run(pager, ms);
        if (rc)
            break;
        ms = ms * 2 > RUN_MAX_MS ? RUN_MAX_MS : ms * 2;
    }
    pager->guest.paging->ops->claim(pager->guest.paging, 0);
    return rc;
}

static void count_2m(struct xlx__pager *pager)
{
    uint64_t count = 0;
    uint64_t nr = xlx_image_info(pager->image)->max_gfn + 1;
    if (!pager->guest.paging->ops->count_2m(pager->guest.paging, 0, nr, &count))
        xlx__shared_set(pager->shared, XLX__PAGES_2M, count);
}

static int finish(struct xlx__pager *pager, void *buffer)
{
    int rc = check_nothing_is_out(pager);
    if (!rc)
        rc = end_paging(pager, buffer);
    if (!rc)
        count_2m(pager);
    return rc;
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

int xlx__pager_run(struct xlx__pager *pager)
{
    const struct xlx__paging_ops *ops = pager->guest.paging->ops;
    void *buffer = ops->buffer_alloc(pager->guest.paging, 1);
    int rc;

    if (!buffer) {
        rc = xlx__fail(pager->guest.ctx, ENOMEM,
                       "domain %u: no memory for the pager",
                       pager->guest.paging->domid);
        report_end(pager, rc);
        return rc;
    }
    xlx__stalls_watch(xlx__loader_stalls(pager->loader));
    rc = xlx__backfill_start(pager->backfill);
    if (!rc) {
        /* Only a preference: without the right to it, faults still work. */
        setpriority(PRIO_PROCESS, 0, FAULT_NICE);
        rc = serve_until_filled(pager, buffer);
        if (rc)
            xlx__guest_stop(&pager->guest);
    }
    xlx__backfill_join(pager->backfill);
    xlx__stalls_end_watch(xlx__loader_stalls(pager->loader));
    if (!rc)
        rc = finish(pager, buffer);
    report_end(pager, rc);
    ops->buffer_free(pager->guest.paging, buffer, 1);
    return rc;
}
