/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/bad.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"

#define BLOCK 512u
#define WORDS (BLOCK / 64)

struct xlx__bad_block {
    uint64_t gfn;        /* its first */
    uint64_t bad[WORDS]; /* a bit a page */
    uint64_t again;      /* when to try, in microseconds */
};

void xlx__bad_free(struct xlx__bad *bad)
{
    free(bad->block);
    *bad = (struct xlx__bad){ 0 };
}

/* The first block that starts at `gfn` or behind it. */
static size_t place_of(const struct xlx__bad *bad, uint64_t gfn)
{
    size_t low = 0, high = bad->nr;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bad->block[mid].gfn < gfn)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool make_room_for_run(struct xlx__bad *bad)
{
    struct xlx__bad_block *more =
        xlx__array_more(bad->block, bad->nr, sizeof(*more));
    if (more)
        bad->block = more;
    return more;
}

/* The block that starts at `gfn`; NULL without memory. */
static struct xlx__bad_block *block_at(struct xlx__bad *bad, uint64_t gfn)
{
    size_t at = place_of(bad, gfn);
    if (at < bad->nr && bad->block[at].gfn == gfn)
        return bad->block + at;
    if (!make_room_for_run(bad))
        return NULL;
    memmove(bad->block + at + 1, bad->block + at,
            (bad->nr++ - at) * sizeof(*bad->block));
    bad->block[at] = (struct xlx__bad_block){ .gfn = gfn };
    return bad->block + at;
}

bool xlx__bad_add(struct xlx__bad *bad, uint64_t gfn, int err, uint64_t again)
{
    unsigned i = (unsigned)(gfn % BLOCK);
    struct xlx__bad_block *b = block_at(bad, gfn - i);
    if (!b)
        return false;
    b->bad[i / 64] |= (uint64_t)1 << i % 64;
    if (b->again < again)
        b->again = again;
    bad->err = err;
    return true;
}

/* Whether page `i` of the block is bad, and not present all the same. */
static bool is_bad(const struct xlx__bad_block *b,
                   const struct xlx__pages *pages, unsigned i)
{
    if (!(b->bad[i / 64] >> i % 64 & 1))
        return false;
    enum xlx__page_state state = xlx__pages_state(pages, b->gfn + i);
    return state == XLX__PAGE_ABSENT || state == XLX__PAGE_LOADING;
}

/* False when no page of it is bad. */
static bool run_of(const struct xlx__bad_block *b,
                   const struct xlx__pages *pages, struct xlx__gfn_range *run_r)
{
    run_r->start = run_r->end = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        if (!is_bad(b, pages, i))
            continue;
        if (!run_r->end)
            run_r->start = b->gfn + i;
        run_r->end = b->gfn + i + 1;
    }
    return run_r->end;
}

bool xlx__bad_take(struct xlx__bad *bad, const struct xlx__pages *pages,
                   uint64_t now, uint64_t again, struct xlx__gfn_range *run_r,
                   bool *wait_r)
{
    size_t left = 0;
    bool taken = false;
    for (size_t i = 0; i < bad->nr; i++) {
        struct xlx__gfn_range run;
        if (!run_of(bad->block + i, pages, &run))
            continue;
        struct xlx__bad_block *b = bad->block + left++;
        *b = bad->block[i];
        if (!taken && b->again <= now) {
            taken = true;
            *run_r = run;
            b->again = again;
        }
    }
    bad->nr = left;
    *wait_r = left > 0;
    return taken;
}

void xlx__bad_retry(struct xlx__bad *bad)
{
    for (size_t i = 0; i < bad->nr; i++)
        bad->block[i].again = 0;
}

static void add_to_list(struct xlx_image_range *list, size_t max, size_t *nr,
                        uint64_t gfn)
{
    struct xlx_image_range *last = *nr ? &list[*nr - 1] : NULL;
    if (last && last->gfn + last->nr == gfn)
        last->nr++;
    else if (*nr < max)
        list[(*nr)++] = (struct xlx_image_range){ gfn, 1 };
}

uint64_t xlx__bad_list(const struct xlx__bad *bad,
                       const struct xlx__pages *pages,
                       struct xlx_image_range *list, size_t max, size_t *nr_r)
{
    uint64_t count = 0;
    *nr_r = 0;
    for (size_t i = 0; i < bad->nr * BLOCK; i++) {
        const struct xlx__bad_block *b = bad->block + i / BLOCK;
        if (!is_bad(b, pages, i % BLOCK))
            continue;
        add_to_list(list, max, nr_r, b->gfn + i % BLOCK);
        count++;
    }
    return count;
}
