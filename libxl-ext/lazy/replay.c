/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_start(const void *a, const void *b)
{
    const struct xlx__gfn_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Sorts a group and merges neighbours; returns how many ranges it has then. */
static size_t settle_group(struct xlx__gfn_range *group, size_t nr)
{
    size_t last = 0;
    if (!nr)
        return 0;
    qsort(group, nr, sizeof(*group), by_start);
    for (size_t i = 1; i < nr; i++) {
        struct xlx__gfn_range *to = &group[last];
        if (group[i].start > to->end)
            group[++last] = group[i];
        else if (group[i].end > to->end)
            to->end = group[i].end;
    }
    return last + 1;
}

/* --- whole blocks --------------------------------------------------------- */

/* Recorded ranges, cut at the borders of blocks, or whole blocks in their
 * place. */
struct cut {
    struct xlx__gfn_range *v;
    size_t nr;
    /* Pages of each block, counted up to what is enough, or GIVEN: it is in `v`
     * as a whole. */
    uint32_t *recorded;
    uint64_t limit;
};

#define GIVEN UINT32_MAX

/* The first part of [from, to) that does not cross a border. */
static struct xlx__gfn_range first_part(uint64_t from, uint64_t to)
{
    uint64_t border = from - from % XLX__REPLAY_BLOCK + XLX__REPLAY_BLOCK;
    return (struct xlx__gfn_range){ from, to < border ? to : border };
}

typedef void part_fn(struct cut *cut, const struct xlx__gfn_range *part);

static void each_part(struct cut *cut, const struct xlx__gfn_range *range,
                      part_fn *fn)
{
    uint64_t end = range->end < cut->limit ? range->end : cut->limit;
    for (uint64_t at = range->start; at < end;) {
        struct xlx__gfn_range part = first_part(at, end);
        fn(cut, &part);
        at = part.end;
    }
}

static void count(struct cut *cut, const struct xlx__gfn_range *part)
{
    uint32_t *recorded = &cut->recorded[part->start / XLX__REPLAY_BLOCK];
    if (*recorded < XLX__REPLAY_BLOCK_PAGES)
        *recorded += (uint32_t)(part->end - part->start);
    cut->nr++;
}

static void give(struct cut *cut, const struct xlx__gfn_range *part)
{
    uint64_t start = part->start - part->start % XLX__REPLAY_BLOCK;
    uint32_t *recorded = &cut->recorded[start / XLX__REPLAY_BLOCK];
    if (*recorded == GIVEN)
        return;
    cut->v[cut->nr] = *part;
    if (*recorded >= XLX__REPLAY_BLOCK_PAGES) {
        *recorded = GIVEN;
        cut->v[cut->nr] = first_part(start, cut->limit);
    }
    cut->nr++;
}

/* 0 or -ENOMEM; cut->v is the caller's to free(). */
static int cut_up(struct cut *cut, const struct xlx__gfn_range *recorded,
                  size_t nr)
{
    cut->recorded =
        calloc(cut->limit / XLX__REPLAY_BLOCK + 1, sizeof(*cut->recorded));
    if (!cut->recorded)
        return -ENOMEM;
    for (size_t i = 0; i < nr; i++)
        each_part(cut, &recorded[i], count);
    cut->v = calloc(cut->nr + 1, sizeof(*cut->v));
    cut->nr = 0;
    for (size_t i = 0; cut->v && i < nr; i++)
        each_part(cut, &recorded[i], give);
    free(cut->recorded);
    return cut->v ? 0 : -ENOMEM;
}

/* --- order ---------------------------------------------------------------- */

/* Sorts each group of the parts. Returns how many ranges there are then. */
static size_t settle(struct xlx__gfn_range *v, size_t nr, uint64_t ahead)
{
    size_t used = 0, group = 0;
    uint64_t pages = 0;
    uint64_t enough = ahead < XLX__REPLAY_GROUP ? XLX__REPLAY_GROUP : ahead;
    for (size_t i = 0; i < nr; i++) {
        v[used++] = v[i];
        pages += v[i].end - v[i].start;
        if (pages >= enough) {
            enough = XLX__REPLAY_GROUP;
            group += settle_group(v + group, used - group);
            used = group;
            pages = 0;
        }
    }
    return group + settle_group(v + group, used - group);
}

int xlx__replay_order(const struct xlx__gfn_range *recorded, size_t nr,
                      uint64_t limit, uint64_t ahead,
                      struct xlx__gfn_range **order_r, size_t *nr_r)
{
    struct cut cut = { .limit = limit };
    *order_r = NULL;
    *nr_r = 0;
    int rc = nr ? cut_up(&cut, recorded, nr) : 0;
    if (rc)
        return rc;
    *nr_r = settle(cut.v, cut.nr, ahead);
    if (*nr_r)
        *order_r = cut.v;
    else
        free(cut.v);
    return 0;
}
