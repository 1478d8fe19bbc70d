/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Reads all pages of an image, in the order of gfns, with large reads.
 */
#ifndef XLX_IMAGE_WALK_H
#define XLX_IMAGE_WALK_H

#include "image/internal.h"

#define XLX__WALK_PAGES 512u /* at a time, at most */

struct xlx__walk {
    xlx_ctx *ctx;
    const struct xlx_image *image;
    xlx_image_progress_fn *progress; /* or NULL */
    void *progress_user;

    /* The pages of gfns [gfn, gfn + nr). An error ends the walk. */
    int (*pages)(void *arg, uint64_t gfn, size_t nr,
                 const unsigned char *bytes);
    /*
     * The page of `gfn` cannot be read: `rc`. NULL: that is reported, and ends
     * the walk.
     */
    int (*unreadable)(void *arg, uint64_t gfn, int rc);
    void *arg;
};

/* 0; -ECANCELED by progress; -ENOMEM; or what a callback returned. */
int xlx__walk_pages(const struct xlx__walk *walk);

bool xlx__page_is_zero(const unsigned char *page);

#endif
