/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/image_seeds.h"

#include <string.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void paused(struct image_build *b)
{
    build_reset(b);
    build_start(b, 3, FMT_GUEST_HVM);
    build_range(b, 3, 2);
    build_range(b, 0xfeffc, 1);
    build_finish(b);
}

static void live(struct image_build *b)
{
    static const uint64_t again[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 4),  BUILD_PFN(FMT_PFN_XTAB, 5),
        BUILD_PFN(FMT_PFN_XALLOC, 9), BUILD_PFN(FMT_PFN_NOTAB, 3),
        BUILD_PFN(FMT_PFN_BROKEN, 6),
    };
    build_reset(b);
    build_start(b, 3, FMT_GUEST_HVM);
    build_range(b, 3, 4);
    b->round = 1;
    build_pfns(b, again, NR(again));
    build_finish(b);
}

static void old_version(struct image_build *b)
{
    build_reset(b);
    build_start(b, 2, FMT_GUEST_HVM);
    build_range(b, 1, 1);
    build_finish(b);
}

static void pv(struct image_build *b)
{
    build_reset(b);
    build_pv_start(b, 3, 8);
    build_range(b, 1, 2);
    build_pv_finish(b);
}

/* libxc's stream without the layers around it. */
static void stream(struct image_build *b)
{
    live(b);
    memmove(b->bytes, b->bytes + b->libxc, b->len - b->libxc);
    b->len -= b->libxc;
    for (size_t i = 0; i < b->nr_pages; i++)
        b->page[i] -= b->libxc;
}

const struct image_seed image_seeds[NR_IMAGE_SEEDS] = {
    { "paused", paused }, { "live", live },     { "version-2", old_version },
    { "pv", pv },         { "stream", stream },
};
