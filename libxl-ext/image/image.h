/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the lazy engine asks an image beyond the public interface.
 */
#ifndef XLX_IMAGE_IMAGE_H
#define XLX_IMAGE_IMAGE_H

#include <stdbool.h>

#include "libxl_ext_image.h"

/*
 * As xlx_image_open_fd(), for an image that is needed for long: where the file
 * system can do that, what is done to the file meanwhile does not matter
 * (xlx__storage_file_keep()).
 */
int xlx__image_open_kept(xlx_ctx *ctx, int fd, uint64_t offset,
                         const char *name, xlx_image **image_r);

/* Which file must not be written to; as reads_from() of image/storage.h. */
bool xlx__image_reads_from(const xlx_image *image, uint64_t *dev_r,
                           uint64_t *ino_r);

/* Whether the file with the image's name is still the one that was opened. Of
 * an NBD export always: its sidecar says which image it belongs to. */
bool xlx__image_has_its_name(const xlx_image *image);

#endif
