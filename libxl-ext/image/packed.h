/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef XLX_IMAGE_PACKED_H
#define XLX_IMAGE_PACKED_H

#include "libxl_ext_image.h"

/* Enough of a file's start for xlx__packed_by(). */
#define XLX__PACKED_MAGIC 6

/* The program that packed a file which starts like this, or NULL. */
const char *xlx__packed_by(const void *start, size_t len);

#endif
