/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is kept of the gfns that a guest touched first.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "image/runs.h"
#include "image/sidecar.h"
#include "image/vec.h"

struct tidy {
    const struct xlx_image *image;
    const uint64_t *ordinal;
    uint64_t *seen; /* a bit for each page of the image */
    struct xlx_image_range *range;
    size_t nr, cap;
};

/* Full: the first touched are what counts. */
static bool is_full(const struct tidy *tidy)
{
    return tidy->nr >= XLX_WORKING_SET_MAX;
}

static bool append_gfn(struct tidy *tidy, uint64_t gfn)
{
    struct xlx_image_range *last = tidy->nr ? &tidy->range[tidy->nr - 1] : NULL;
    if (last && last->gfn + last->nr == gfn) {
        last->nr++;
        return true;
    }
    if (is_full(tidy))
        return true;
    if (!xlx__vec_room(tidy->range, tidy->nr, tidy->cap))
        return false;
    tidy->range[tidy->nr++] = (struct xlx_image_range){ gfn, 1 };
    return true;
}

/* The gfns [gfn, end) are all in `run`. */
static bool add_pages(struct tidy *tidy, const struct xlx_image_run *run,
                      uint64_t gfn, uint64_t end)
{
    uint64_t page = tidy->ordinal[run - tidy->image->runs] + gfn - run->gfn;
    for (; gfn < end; gfn++, page++) {
        uint64_t bit = 1ull << page % 64;
        if (tidy->seen[page / 64] & bit)
            continue;
        tidy->seen[page / 64] |= bit;
        if (!append_gfn(tidy, gfn))
            return false;
    }
    return true;
}

static bool add_range(struct tidy *tidy, const struct xlx_image_range *range)
{
    const struct xlx_image *image = tidy->image;
    const struct xlx_image_run *run =
        xlx__runs_from(image->runs, image->nr_runs, range->gfn);
    uint64_t end = range->nr > UINT64_MAX - range->gfn ? UINT64_MAX
                                                       : range->gfn + range->nr;
    for (; run && run < image->runs + image->nr_runs && run->gfn < end; run++) {
        uint64_t from = run->gfn > range->gfn ? run->gfn : range->gfn;
        uint64_t to = run->gfn + run->nr < end ? run->gfn + run->nr : end;
        if (!add_pages(tidy, run, from, to))
            return false;
    }
    return true;
}

int xlx__working_set_tidy(xlx_ctx *ctx, const struct xlx_image *image,
                          const struct xlx_image_range *ranges, size_t nr,
                          struct xlx_image_range **tidy_r, size_t *nr_r)
{
    XLX__AUTO_FREE uint64_t *ordinal = xlx__ordinals(image);
    XLX__AUTO_FREE uint64_t *seen =
        calloc(xlx__zero_words(image->info.pages) + 1, sizeof(*seen));
    struct tidy tidy = { .image = image, .ordinal = ordinal, .seen = seen };
    bool ok = ordinal && seen;
    for (size_t i = 0; ok && i < nr && !is_full(&tidy); i++)
        ok = add_range(&tidy, &ranges[i]);
    if (!ok) {
        free(tidy.range);
        return xlx__fail(ctx, ENOMEM, "%s: no memory for its working set",
                         image->name);
    }
    *tidy_r = tidy.range;
    *nr_r = tidy.nr;
    return 0;
}
