/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/fill_run.h"

#include <errno.h>
#include <string.h>

#include "core/clock.h"

/* Pages read at a time, between looks at the faults. */
#define READ_PIECE 128u

/* --- reading -------------------------------------------------------------- */

/* Of one page, or of the file it is in; anything else: the storage is away. */
static bool is_of_the_page(int rc)
{
    return rc == -EIO || rc == -EBADMSG || rc == -ENODATA;
}

/* A piece that cannot be read as a whole. Where nothing of it can, the disk is
 * likely to be away: the rest has time. */
static int read_one_by_one(struct xlx__filler *f, uint64_t gfn, uint32_t nr,
                           char *to, bool *unread)
{
    struct xlx__pages *pages = xlx__shared_pages(f->guest->shared);
    uint32_t good = 0;
    for (uint32_t i = 0; i < nr; i++) {
        unread[i] = xlx__pages_state(pages, gfn + i) != XLX__PAGE_ABSENT;
        if (unread[i])
            continue;
        if (xlx__guest_stopped(f->guest))
            return -ESRCH;
        xlx__throttle_give_way(f->throttle);
        int rc = xlx__loader_read(f->loader, gfn + i, 1,
                                  to + (size_t)i * XLX_PAGE_SIZE);
        unread[i] = rc;
        good += !rc;
        if (rc && !is_of_the_page(rc))
            return rc;
        if (rc && !xlx__trouble_keep_aside(f->trouble, gfn + i, rc))
            return -ENOMEM;
    }
    if (good)
        f->backoff_ms = XLX__BACKOFF_FIRST_MS;
    else
        xlx__guest_back_off(f->guest, &f->backoff_ms);
    return 0;
}

static int read_piece_of_run(struct xlx__filler *f, uint64_t gfn, uint32_t nr,
                             char *to, bool *unread)
{
    memset(unread, 0, nr * sizeof(*unread));
    xlx__throttle_give_way(f->throttle);
    int rc = xlx__loader_read(f->loader, gfn, nr, to);
    if (rc && is_of_the_page(rc) && !f->prefetching)
        rc = read_one_by_one(f, gfn, nr, to, unread);
    return rc;
}

/*
 * Reads a run before it is claimed, so that a fault on one of its pages waits
 * for no disk but its own. f->unread tells which pages it has not.
 */
static int read_ahead(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    f->what = "read of the save file";
    f->zeros =
        !f->no_zeros && xlx__loader_is_zero(f->loader, run->start,
                                            (uint32_t)(run->end - run->start));
    if (f->zeros) {
        memset(f->unread, 0, sizeof(f->unread));
        return 0;
    }
    for (uint64_t at = run->start; at < run->end; at += READ_PIECE) {
        uint64_t left = run->end - at, i = at - run->start;
        int rc = read_piece_of_run(
            f, at, left < READ_PIECE ? (uint32_t)left : READ_PIECE,
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
    struct xlx__pages *pages = xlx__shared_pages(f->guest->shared);
    uint64_t gfn, nr;
    while (at < end && (nr = xlx__pages_claim_run(pages, at, end - at, &gfn))) {
        const char *from = f->buffer + (gfn - run->start) * XLX_PAGE_SIZE;
        int rc = xlx__loader_load(f->loader, gfn, (uint32_t)nr,
                                  f->zeros ? NULL : from);
        if (rc)
            return rc;
        xlx__shared_count(
            f->guest->shared,
            f->prefetching ? XLX__PREFETCH_PAGES : XLX__FILL_PAGES, nr);
        at = gfn + nr;
    }
    return 0;
}

static int load_run(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    uint64_t nr = run->end - run->start, end;
    int rc = 0;
    f->what = "load into the guest";
    xlx__throttle_give_way(f->throttle);
    for (uint64_t i = 0; i < nr && !rc; i = end + 1) {
        for (end = i; end < nr && !f->unread[end]; end++)
            ;
        rc = load_read(f, run, run->start + i, run->start + end);
    }
    return rc;
}

/* So that the run is tried again, with its zeros in the buffer. */
static bool needs_a_buffer(struct xlx__filler *f, int rc)
{
    if (!f->zeros || rc != -ENOSYS)
        return false;
    f->no_zeros = true;
    return true;
}

bool xlx__fill_run(struct xlx__filler *f, const struct xlx__gfn_range *run)
{
    unsigned backoff = XLX__BACKOFF_FIRST_MS;
    uint64_t begun = xlx__now_us();
    int rc;
    while ((rc = read_ahead(f, run)) || (rc = load_run(f, run))) {
        if (needs_a_buffer(f, rc))
            continue;
        if (f->prefetching || xlx__guest_gone(f->guest))
            return false;
        if (xlx__shared_has_all(f->guest->shared)) /* it was not needed */
            break;
        xlx__shared_count(f->guest->shared, XLX__RETRIES, 1);
        if (xlx__now_us() - begun >=
            (uint64_t)xlx__loader_patience(f->loader) * 1000)
            xlx__trouble_say(f->trouble, run->start, f->what, rc);
        xlx__guest_back_off(f->guest, &backoff);
    }
    xlx__trouble_end(f->trouble);
    return true;
}
