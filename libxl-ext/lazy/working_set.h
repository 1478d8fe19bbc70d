/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the sidecar of an image is to its pager: advice that a restore can do
 * without. Nothing here makes one fail.
 */
#ifndef XLX_LAZY_WORKING_SET_H
#define XLX_LAZY_WORKING_SET_H

#include "lazy/pager.h"

/* The sidecar beside the image; NULL when there is none to be used, which is
 * logged unless there is none at all. */
xlx_image_index *xlx__working_set_open(xlx_ctx *ctx, const xlx_image *image);

/* Gives the pager what `index` (or NULL) knows; it outlives the pager. */
void xlx__working_set_use(struct xlx__pager *pager,
                          const xlx_image_index *index);

/*
 * Adds what the pager recorded, if it did, to the sidecar beside the image.
 * Logged, with the reason when it could not be.
 */
void xlx__working_set_keep(const struct xlx__pager *pager);

#endif
