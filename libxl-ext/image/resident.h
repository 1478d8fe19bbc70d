/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which pages are restored before the domain runs, and the stream with no
 * others.
 */
#ifndef XLX_IMAGE_RESIDENT_H
#define XLX_IMAGE_RESIDENT_H

#include <stdbool.h>

#include "libxl_ext_image.h"

/* Half-open range of gfns. */
struct xlx__gfn_range {
    uint64_t start, end;
};

/*
 * The gfns that must be in place before the domain's context is loaded and
 * before it runs, as sorted, non-overlapping ranges: Xen and the toolstack use
 * them by gfn without a fault that could be answered. These are the MMIO hole
 * below 4 GiB with the special pages in it (gfns 0xf0000 to 0xfffff; from
 * 0xfc000 for a guest without a device model, which has memory up to there),
 * and every gfn that an HVM_PARAMS record names (store, console, ioreq,
 * identity page table, VM86 TSS, generation id).
 *
 * Pure: depends on the image only. The array is the caller's to free().
 * Returns 0, -ENOMEM, or a read error.
 */
int xlx__image_resident(xlx_ctx *ctx, const xlx_image *image,
                        struct xlx__gfn_range **ranges_r, size_t *nr_r);

/* True when `gfn` is in one of the sorted ranges. */
bool xlx__gfn_in(const struct xlx__gfn_range *ranges, size_t nr, uint64_t gfn);

/*
 * Writes the libxc stream of `image` to `out`, from its image header to its END
 * record, with the pages of the resident ranges only; records that carry no
 * pages are copied as they are, and a page record that has nothing left is left
 * out. Blocking; `out` may be a pipe (SIGPIPE is the caller's to ignore).
 * *pages_r is the number of pages written.
 */
int xlx__image_thin(xlx_ctx *ctx, const xlx_image *image,
                    const struct xlx__gfn_range *resident, size_t nr, int out,
                    uint64_t *pages_r);

#endif
