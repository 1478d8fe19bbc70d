/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A fast restore works by windows: the pages that it puts into an aligned range
 * of the guest's gfns. Pure.
 */
#ifndef XLX_FAST_WINDOW_H
#define XLX_FAST_WINDOW_H

#include "libxl_ext_image.h"

/*
 * 32 MiB. A window begins and ends with a 2 MiB block. One is mapped at once:
 * smaller ones cost more a page.
 */
#define XLX__FAST_WINDOW 8192u

/*
 * The gfns whose pages the distribution's save helper restores: those of the
 * special pages (rings of store, console and device model) and what else is
 * just below 4 GiB. It clears some of them, and no guest has its memory there.
 */
#define XLX__FAST_STOCK_START 0xfc000u
#define XLX__FAST_STOCK_END 0x100000u

struct xlx__fast_window {
    uint64_t gfn[XLX__FAST_WINDOW]; /* ascending */
    size_t nr;
};

/*
 * The first window at or behind `from` that has pages, of gfns below `end`: of
 * `runs` (as xlx_image_runs() has them) without the distribution's. False when
 * there is none.
 */
bool xlx__fast_window_next(const struct xlx_image_run *runs, size_t nr_runs,
                           uint64_t from, uint64_t end,
                           struct xlx__fast_window *window_r);

/* The first page at or behind `from` that is not the distribution's. */
bool xlx__fast_first(const struct xlx_image_run *runs, size_t nr_runs,
                     uint64_t from, uint64_t *gfn_r);

/* Whether a whole 2 MiB block begins with page i of the window. */
bool xlx__fast_block_at(const struct xlx__fast_window *window, size_t i);

/* How many pages from page i on have consecutive gfns. */
size_t xlx__fast_piece_at(const struct xlx__fast_window *window, size_t i);

#endif
