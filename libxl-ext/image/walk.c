/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/walk.h"

#include <stdlib.h>

#include "core/clean.h"

bool xlx__page_is_zero(const unsigned char *page)
{
    return !*page && !memcmp(page, page + 1, XLX_PAGE_SIZE - 1);
}

static int unreadable(const struct xlx__walk *walk, uint64_t gfn,
                      uint64_t offset, int rc)
{
    if (walk->unreadable)
        return walk->unreadable(walk->arg, gfn, rc);
    return xlx__fail_errno(walk->ctx, -rc, "%s: cannot read byte %" PRIu64,
                           walk->image->name, offset);
}

/* Where many pages cannot be read at once, some of them perhaps can. */
static int one_by_one(const struct xlx__walk *walk, uint64_t gfn, size_t nr,
                      uint64_t offset, unsigned char *bytes)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < nr; i++, offset += XLX_PAGE_SIZE) {
        rc = xlx__image_pread(walk->image, bytes, XLX_PAGE_SIZE, offset);
        rc = rc ? unreadable(walk, gfn + i, offset, rc)
                : walk->pages(walk->arg, gfn + i, 1, bytes);
    }
    return rc;
}

static int walk_chunk(const struct xlx__walk *walk, uint64_t gfn, size_t nr,
                      uint64_t offset, unsigned char *bytes)
{
    int rc = xlx__image_pread(walk->image, bytes, nr * XLX_PAGE_SIZE, offset);
    if (!rc)
        return walk->pages(walk->arg, gfn, nr, bytes);
    return one_by_one(walk, gfn, nr, offset, bytes);
}

static int walk_run(const struct xlx__walk *walk,
                    const struct xlx_image_run *run, uint64_t *done,
                    unsigned char *bytes)
{
    uint64_t total = walk->image->info.pages;
    int rc = 0;
    for (uint64_t i = 0, n; !rc && i < run->nr; i += n, *done += n) {
        if (walk->progress &&
            !walk->progress(walk->progress_user, *done, total))
            return xlx__fail(walk->ctx, ECANCELED, "%s: interrupted",
                             walk->image->name);
        n = run->nr - i < XLX__WALK_PAGES ? run->nr - i : XLX__WALK_PAGES;
        rc = walk_chunk(walk, run->gfn + i, (size_t)n,
                        run->offset + i * XLX_PAGE_SIZE, bytes);
    }
    return rc;
}

int xlx__walk_pages(const struct xlx__walk *walk)
{
    const struct xlx_image *image = walk->image;
    XLX__AUTO_FREE unsigned char *bytes =
        malloc(XLX__WALK_PAGES * XLX_PAGE_SIZE);
    if (!bytes)
        return xlx__fail(walk->ctx, ENOMEM, "%s: no memory", image->name);
    uint64_t done = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < image->nr_runs; i++)
        rc = walk_run(walk, &image->runs[i], &done, bytes);
    if (!rc && walk->progress)
        walk->progress(walk->progress_user, done, done);
    return rc;
}
