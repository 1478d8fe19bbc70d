/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the sidecar of an image is to its pager: advice that a restore can do
 * without. Nothing here makes one fail.
 */
#ifndef XLX_LAZY_WORKING_SET_H
#define XLX_LAZY_WORKING_SET_H

#include "lazy/pager.h"

/* Where the sidecar is: at `path`, or beside the image (NULL); *sidecar_r is
 * the caller's to free(). Before the process has another current folder. 0 or
 * -errno. */
int xlx__working_set_name(xlx_ctx *ctx, const char *path, char **sidecar_r);

/* The sidecar; NULL when there is none to be used, which is logged unless
 * nobody named it. */
xlx_sidecar *xlx__working_set_open(xlx_ctx *ctx, const xlx_image *image,
                                   const char *sidecar_path);

/* Gives the pager what `sidecar` (or NULL) knows; it outlives the pager. */
void xlx__working_set_use(struct xlx__pager *pager, const xlx_sidecar *sidecar);

/*
 * Adds what was recorded, if anything was to be, to the sidecar. Logged, with
 * the reason when it could not be.
 */
void xlx__working_set_keep(xlx_ctx *ctx, const xlx_image *image,
                           const char *sidecar_path,
                           const struct xlx__recorder *recorder);

#endif
