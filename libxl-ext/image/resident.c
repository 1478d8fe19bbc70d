/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdlib.h>

#include "image/internal.h"

/*
 * Libxc and hvmloader put the special pages, the video memory and the firmware
 * here; with a device model, there is no other memory in it. Without one (PVH)
 * the guest's memory goes up to the ACPI tables (libxl__build_hvm).
 */
#define HOLE_START 0xf0000
#define HOLE_START_PVH 0xfc000
#define HOLE_END 0x100000

static int by_start(const void *a, const void *b)
{
    const struct xlx__gfn_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Joins sorted ranges that touch or overlap; returns how many are left. */
static size_t join_ranges(struct xlx__gfn_range *range, size_t nr)
{
    size_t last = 0;
    for (size_t i = 1; i < nr; i++) {
        if (range[i].start > range[last].end)
            range[++last] = range[i];
        else if (range[i].end > range[last].end)
            range[last].end = range[i].end;
    }
    return nr ? last + 1 : 0;
}

int xlx__image_resident(xlx_ctx *ctx, const xlx_image *image,
                        struct xlx__gfn_range **ranges_r, size_t *nr_r)
{
    const struct xlx__special_gfns *special = &image->special;
    struct xlx__gfn_range *ranges = calloc(special->nr + 1, sizeof(*ranges));
    if (!ranges)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    ranges[0] = (struct xlx__gfn_range){ special->device_model ? HOLE_START
                                                               : HOLE_START_PVH,
                                         HOLE_END };
    for (size_t i = 0; i < special->nr; i++)
        ranges[i + 1] = special->range[i];
    qsort(ranges, special->nr + 1, sizeof(*ranges), by_start);
    *nr_r = join_ranges(ranges, special->nr + 1);
    *ranges_r = ranges;
    return 0;
}

bool xlx__gfn_in(const struct xlx__gfn_range *ranges, size_t nr, uint64_t gfn)
{
    size_t low = 0, high = nr;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].end <= gfn)
            low = middle + 1;
        else
            high = middle;
    }
    return low < nr && ranges[low].start <= gfn;
}
