/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fast/window.h"

#include "image/runs.h"
#include "xen/physmap.h"

/* Where the first page at or behind `gfn` can be that is not in between. */
static uint64_t pass_stock(uint64_t gfn)
{
    bool inside = gfn >= XLX__FAST_STOCK_START && gfn < XLX__FAST_STOCK_END;
    return inside ? XLX__FAST_STOCK_END : gfn;
}

bool xlx__fast_first(const struct xlx_image_run *runs, size_t nr_runs,
                     uint64_t from, uint64_t *gfn_r)
{
    const struct xlx_image_run *end = runs + nr_runs;
    uint64_t gfn = pass_stock(from);
    const struct xlx_image_run *run = xlx__runs_from(runs, nr_runs, gfn);
    for (; run && run != end; run++) {
        gfn = pass_stock(run->gfn > gfn ? run->gfn : gfn);
        if (gfn < run->gfn + run->nr) {
            *gfn_r = gfn;
            return true;
        }
    }
    return false;
}

/* Appends those of [gfn, end) that are not the distribution's. */
static void add_to_window(struct xlx__fast_window *window, uint64_t gfn,
                          uint64_t end)
{
    for (gfn = pass_stock(gfn); gfn < end; gfn = pass_stock(gfn + 1))
        window->gfn[window->nr++] = gfn;
}

bool xlx__fast_window_next(const struct xlx_image_run *runs, size_t nr_runs,
                           uint64_t from, uint64_t end,
                           struct xlx__fast_window *window_r)
{
    uint64_t first;
    window_r->nr = 0;
    if (!xlx__fast_first(runs, nr_runs, from, &first) || first >= end)
        return false;
    uint64_t stop = (first / XLX__FAST_WINDOW + 1) * XLX__FAST_WINDOW;
    if (stop > end)
        stop = end;
    const struct xlx_image_run *run = xlx__runs_from(runs, nr_runs, first);
    for (; run != runs + nr_runs && run->gfn < stop; run++) {
        uint64_t run_end = run->gfn + run->nr;
        add_to_window(window_r, run->gfn > first ? run->gfn : first,
                      run_end < stop ? run_end : stop);
    }
    return true;
}

bool xlx__fast_block_at(const struct xlx__fast_window *window, size_t i)
{
    size_t last = i + XLX__PHYSMAP_PAGES_2M - 1;
    return window->gfn[i] % XLX__PHYSMAP_PAGES_2M == 0 && last < window->nr &&
           window->gfn[last] - window->gfn[i] == XLX__PHYSMAP_PAGES_2M - 1;
}

size_t xlx__fast_piece_at(const struct xlx__fast_window *window, size_t i)
{
    size_t n = 1;
    while (i + n < window->nr && window->gfn[i + n] == window->gfn[i] + n)
        n++;
    return n;
}
