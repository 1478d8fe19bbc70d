/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One run of the backfill: read whole, or page by page where that fails, and
 * loaded. Nobody waits for it, so it pauses nobody, and claims nothing while it
 * reads or waits: a fault on one of its pages has its own try.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lazy/pager.h"

/* A fault is served in well under this; then backfill goes on regardless, so
 * that a guest that faults without end still gets filled. */
#define GIVE_WAY_US 50u
#define GIVE_WAY_TIMES 40

/* Pages read at a time, between looks at the faults. */
#define READ_PIECE 128u

static void give_way_to_faults(struct xlx__pager *pager)
{
    const struct timespec ts = { .tv_nsec = GIVE_WAY_US * 1000 };
    for (int i = 0; i < GIVE_WAY_TIMES && atomic_load(&pager->faulting); i++)
        nanosleep(&ts, NULL);
}

/* --- reading -------------------------------------------------------------- */

/* Of one page, or of the file it is in; anything else: the storage is away. */
static bool is_of_the_page(int rc)
{
    return rc == -EIO || rc == -EBADMSG || rc == -ENODATA;
}

static bool keep_aside(struct xlx__pager *pager, uint64_t gfn, int rc)
{
    uint64_t again = xlx__now_us() + XLX__BACKOFF_LAST_MS * 1000;
    pthread_mutex_lock(&pager->lock);
    bool first = !pager->fill.bad.nr;
    bool kept = xlx__bad_add(&pager->fill.bad, gfn, rc, again);
    pthread_mutex_unlock(&pager->lock);
    if (first && kept)
        xlx__warn(pager->guest.ctx,
                  "domain %u: gfn 0x%lx: read of the image: %s (it is "
                  "retried; all other pages are loaded)",
                  pager->guest.paging->domid, (unsigned long)gfn, xlx__loader_why(rc));
    return kept;
}

/* A piece that cannot be read as a whole. Where nothing of it can, the disk is
 * likely to be away: the rest has time. */
static int read_one_by_one(struct xlx__filler *f, uint64_t gfn, uint32_t nr,
                           char *to, bool *unread)
{
    struct xlx__pager *pager = f->pager;
    uint32_t good = 0;
    for (uint32_t i = 0; i < nr; i++) {
        unread[i] = xlx__pages_state(pager->pages, gfn + i) != XLX__PAGE_ABSENT;
        if (unread[i])
            continue;
        if (xlx__guest_stopped(&pager->guest))
            return -ESRCH;
        give_way_to_faults(pager);
        int rc =
            xlx__loader_read(pager->loader, gfn + i, 1, to + (size_t)i * XLX_PAGE_SIZE);
        unread[i] = rc;
        good += !rc;
        if (rc && !is_of_the_page(rc))
            return rc;
        if (rc && !keep_aside(pager, gfn + i, rc))
            return -ENOMEM;
    }
    if (good)
        f->backoff_ms = XLX__BACKOFF_FIRST_MS;
    else
        xlx__guest_back_off(&pager->guest, &f->backoff_ms);
    return 0;
}

static int read_piece(struct xlx__filler *f, uint64_t gfn, uint32_t nr,
                      char *to, bool *unread)
{
    memset(unread, 0, nr * sizeof(*unread));
    give_way_to_faults(f->pager);
    int rc = xlx__loader_read(f->pager->loader, gfn, nr, to);
    if (rc && is_of_the_page(rc) && !f->pager->fill.prefetching)
        rc = read_one_by_one(f, gfn, nr, to, unread);
    return rc;
}

/*
 * Reads a run before it is claimed, so that a fault on one of its pages waits
 * for no disk but its own. f->unread tells which pages it has not.
 */
static int read_ahead(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    f->what = "read of the image";
    for (uint64_t at = run->start; at < run->end; at += READ_PIECE) {
        uint64_t left = run->end - at, i = at - run->start;
        int rc =
            read_piece(f, at, left < READ_PIECE ? (uint32_t)left : READ_PIECE,
                       f->buffer + i * XLX_PAGE_SIZE, f->unread + i);
        if (rc)
            return rc;
    }
    return 0;
}

/* --- loading -------------------------------------------------------------- */

/* What is absent of [at, end), which has been read. */
static int load_read(struct xlx__filler *f, const struct xlx__gfn_range *run,
                     uint64_t at, uint64_t end)
{
    struct xlx__pager *pager = f->pager;
    uint64_t gfn, nr;
    while (at < end &&
           (nr = xlx__pages_claim_run(pager->pages, at, end - at, &gfn))) {
        int rc =
            xlx__loader_load(pager->loader, gfn, (uint32_t)nr,
                                f->buffer + (gfn - run->start) * XLX_PAGE_SIZE);
        if (rc)
            return rc;
        xlx__shared_count(pager->guest.shared,
                          pager->fill.prefetching ? XLX__PREFETCH_PAGES
                                                  : XLX__FILL_PAGES,
                          nr);
        at = gfn + nr;
    }
    return 0;
}

static int load_run(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    uint64_t nr = run->end - run->start, end;
    int rc = 0;
    f->what = "load into the guest";
    give_way_to_faults(f->pager);
    for (uint64_t i = 0; i < nr && !rc; i = end + 1) {
        for (end = i; end < nr && !f->unread[end]; end++)
            ;
        rc = load_read(f, run, run->start + i, run->start + end);
    }
    return rc;
}

static void say_trouble(struct xlx__filler *f, uint64_t gfn, int rc)
{
    struct xlx__pager *pager = f->pager;
    char *text = pager->fill.trouble;
    pthread_mutex_lock(&pager->lock);
    bool first = !*text;
    snprintf(text, sizeof(pager->fill.trouble), "gfn 0x%lx: %s: %s",
             (unsigned long)gfn, f->what, xlx__loader_why(rc));
    pthread_mutex_unlock(&pager->lock);
    if (!first)
        return;
    xlx__warn(pager->guest.ctx,
              "domain %u: the backfill does not get on: gfn 0x%lx: "
              "%s: %s",
              pager->guest.paging->domid, (unsigned long)gfn, f->what,
              xlx__loader_why(rc));
    xlx__guest_changed(&pager->guest);
}

static void end_trouble(struct xlx__pager *pager)
{
    pthread_mutex_lock(&pager->lock);
    *pager->fill.trouble = '\0';
    pthread_mutex_unlock(&pager->lock);
}

bool xlx__fill_run(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    struct xlx__pager *pager = f->pager;
    unsigned backoff = XLX__BACKOFF_FIRST_MS;
    uint64_t begun = xlx__now_us();
    int rc;
    while ((rc = read_ahead(f, run)) || (rc = load_run(f, run))) {
        if (pager->fill.prefetching || xlx__guest_gone(&pager->guest))
            return false;
        if (xlx__shared_has_all(pager->guest.shared)) /* it was not needed */
            break;
        xlx__shared_count(pager->guest.shared, XLX__RETRIES, 1);
        if (xlx__now_us() - begun >= (uint64_t)xlx__loader_patience(pager->loader) * 1000)
            say_trouble(f, run->start, rc);
        xlx__guest_back_off(&pager->guest, &backoff);
    }
    end_trouble(pager);
    return true;
}

/* --- pages kept aside ----------------------------------------------------- */

void xlx__pager_fill_retry(struct xlx__pager *pager)
{
    xlx__bad_retry(&pager->fill.bad);
}

void xlx__pager_bad(struct xlx__pager *pager, struct xlx_lazy_status *status)
{
    size_t nr;
    pthread_mutex_lock(&pager->lock);
    status->bad_pages = xlx__bad_list(&pager->fill.bad, pager->pages,
                                      status->bad, XLX_LAZY_BAD_MAX, &nr);
    pthread_mutex_unlock(&pager->lock);
    status->nr_bad = nr;
}

bool xlx__pager_fill_trouble(struct xlx__pager *pager, char *text, size_t len)
{
    pthread_mutex_lock(&pager->lock);
    snprintf(text, len, "%s", pager->fill.trouble);
    pthread_mutex_unlock(&pager->lock);
    return *text;
}

bool xlx__pager_fill_bad(struct xlx__pager *pager, char *text, size_t len)
{
    struct xlx_image_range first;
    size_t nr;
    pthread_mutex_lock(&pager->lock);
    uint64_t count =
        xlx__bad_list(&pager->fill.bad, pager->pages, &first, 1, &nr);
    int err = pager->fill.bad.err;
    pthread_mutex_unlock(&pager->lock);
    if (count)
        snprintf(text, len, "%lu page%s cannot be read, gfn 0x%lx%s: %s",
                 (unsigned long)count, count == 1 ? "" : "s",
                 (unsigned long)first.gfn, count == 1 ? "" : " the first",
                 xlx__loader_why(err));
    return count;
}
