/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Loads pages of an image into a domain that has none of them yet.
 */
#ifndef XLX_FAST_LOAD_H
#define XLX_FAST_LOAD_H

#include "libxl_ext_image.h"
#include "xen/physmap.h"

struct xlx__fast_job {
    const xlx_image *image;
    const xlx_sidecar *sidecar; /* or NULL */
    struct xlx__physmap *physmap;
    uint64_t start, end; /* gfns */
};

/*
 * Gives the domain its memory for all pages in [start, end) that are not the
 * distribution's (fast/window.h), whole 2 MiB blocks as such where Xen has
 * them, and their content. The first failure ends it, which leaves the domain
 * without a part of its memory. -ENOMEM; -EBADMSG a wrong checksum; -errno of
 * Xen's, or as xlx_image_read().
 */
int xlx__fast_load(xlx_ctx *ctx, const struct xlx__fast_job *job);

#endif
