/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A file in memory for programs that need a descriptor of an image that has
 * none: it has what xl and libxl read themselves, at its place, and a note
 * where libxc's stream was.
 */
#ifndef XLX_IMAGE_PROXY_FILE_H
#define XLX_IMAGE_PROXY_FILE_H

#include "image/internal.h"

#define XLX__URI_MAX 2048u

/* What a proxy file has about the save file that it stands for. */
struct xlx__proxied {
    char uri[XLX__URI_MAX + 1];
    uint64_t offset; /* of libxc's stream */
    uint64_t end;    /* of the image */
    uint64_t sum;    /* of the stream, xlx__image_sum() */
};

/* Reads that from `fd`, a proxy file with libxc's stream at `offset`. 0 or
 * -errno. */
int xlx__proxy_file_read(xlx_ctx *ctx, int fd, uint64_t offset,
                         struct xlx__proxied *of_r);

/* Whether `image`, opened by the URI, is still the same: 0 or -ESTALE. */
int xlx__proxy_file_check(xlx_ctx *ctx, const struct xlx__proxied *of,
                          const struct xlx_image *image);

#endif
