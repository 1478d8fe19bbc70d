/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A file in memory that stands in for an image which has no descriptor: what xl
 * and libxl read themselves, at its place, and a note where libxc's stream was.
 */
#ifndef XLX_IMAGE_STAND_IN_H
#define XLX_IMAGE_STAND_IN_H

#include "image/impl.h"

/*
 * Opens the image that `fd` stands in for, when libxc's stream is at `offset`
 * of it, and checks that it is still the same: -ESTALE. Else errors as
 * xlx_image_open().
 */
int xlx__stand_in_open(xlx_ctx *ctx, int fd, uint64_t offset,
                       struct xlx_image **image_r);

#endif
