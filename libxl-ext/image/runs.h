/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Builds the runs of an image from its pages in the order of the stream. Pure.
 *
 * `xl save` writes every page once, in ascending order of gfn: then each page
 * extends the last run or begins one behind it, and there is nothing left to do
 * at the end. A live stream repeats gfns, and the last word about a gfn counts;
 * only then are the runs sorted and laid over each other.
 */
#ifndef XLX_IMAGE_RUNS_H
#define XLX_IMAGE_RUNS_H

#include <stdbool.h>

#include "libxl_ext_image.h"

struct xlx__runs {
    struct xlx_image_run *run; /* the caller's to free() */
    size_t nr, cap;
    size_t limit;  /* of nr */
    uint64_t end;  /* behind the highest gfn with a page so far */
    bool overlaid; /* not ascending: xlx__runs_finish() has work to do */
};

/*
 * The pages of gfns [gfn, gfn + nr) are at `offset`, one after the other.
 * -ENOMEM; -EOVERFLOW over the limit.
 */
int xlx__runs_add(struct xlx__runs *runs, uint64_t gfn, uint64_t nr,
                  uint64_t offset);

/*
 * Gfns [gfn, gfn + nr) have no page any more; `offset` is where the stream's
 * next page will be. Errors as xlx__runs_add().
 */
int xlx__runs_remove(struct xlx__runs *runs, uint64_t gfn, uint64_t nr,
                     uint64_t offset);

/*
 * Makes the runs sorted by gfn, not overlapping, and as few as they can be.
 * Errors as xlx__runs_add().
 */
int xlx__runs_finish(struct xlx__runs *runs);

/* The run that ends behind `gfn`, the first such; NULL without one. */
const struct xlx_image_run *xlx__runs_from(const struct xlx_image_run *run,
                                           size_t nr, uint64_t gfn);

#endif
