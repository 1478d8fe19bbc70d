/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef XLX_IMAGE_PACKED_H
#define XLX_IMAGE_PACKED_H

#include "libxl_ext_image.h"

/* Copies `len` bytes at `offset` of a file; false when it has not as many. */
typedef bool xlx__packed_read_fn(void *arg, uint64_t offset, void *to,
                                 size_t len);

/*
 * The program that packed a file, and unpacks it with -dc; NULL for another
 * file. At most XLX__SKIPPED_MAX frames that are to be skipped are.
 */
#define XLX__SKIPPED_MAX 16
const char *xlx__packed_by(xlx__packed_read_fn *read, void *arg);

#endif
