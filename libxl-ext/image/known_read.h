/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Pages of an image, with what its sidecar knows of them.
 */
#ifndef XLX_IMAGE_KNOWN_READ_H
#define XLX_IMAGE_KNOWN_READ_H

#include "libxl_ext_image.h"

/*
 * As xlx_image_read(). With a sidecar (NULL: without), a page that it knows to
 * be zeros is not read, and the others are checked against their checksums; a
 * sidecar that can no longer be read is no reason to refuse a good page. Any
 * number of threads.
 *
 * -EILSEQ a page is not what was saved: *bad_r is its gfn; else *bad_r is where
 * the range begins in which the error was met.
 */
int xlx__image_read_known(const xlx_image *image, const xlx_sidecar *sidecar,
                          uint64_t gfn, size_t nr, void *buf, uint64_t *bad_r);

/* Whether the sidecar (NULL: none) knows all of [gfn, gfn + nr) to be zeros. */
bool xlx__image_known_zeros(const xlx_sidecar *sidecar, uint64_t gfn,
                            uint64_t nr);

#endif
