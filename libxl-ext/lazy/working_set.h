/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the sidecar of an image is to its pager: advice that a restore can do
 * without. Nothing here makes one fail.
 */
#ifndef XLX_LAZY_WORKING_SET_H
#define XLX_LAZY_WORKING_SET_H

#include "lazy/pager.h"

/* Where the sidecar is: at `path`, which is copied, or beside the image (NULL).
 * Before the process has another current folder. 0 or -errno. */
int xlx__working_set_name(struct xlx__pager *pager, const char *path);

/* The sidecar; NULL when there is none to be used, which is logged unless
 * nobody named it. */
xlx_image_index *xlx__working_set_open(const struct xlx__pager *pager);

/* Gives the pager what `index` (or NULL) knows; it outlives the pager. */
void xlx__working_set_use(struct xlx__pager *pager,
                          const xlx_image_index *index);

/*
 * Adds what the pager recorded, if it did, to the sidecar. Logged, with the
 * reason when it could not be.
 */
void xlx__working_set_keep(const struct xlx__pager *pager);

#endif
