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
    qsort(group, nr, sizeof(*group), by_start);
    for (size_t i = 1; i < nr; i++) {
        struct xlx__gfn_range *to = &group[last];
        if (group[i].start > to->end)
            group[++last] = group[i];
        else if (group[i].end > to->end)
            to->end = group[i].end;
    }
    return nr ? last + 1 : 0;
}

int xlx__replay_order(const struct xlx__gfn_range *recorded, size_t nr,
                      uint64_t ahead, struct xlx__gfn_range **order_r,
                      size_t *nr_r)
{
    struct xlx__gfn_range *order = NULL;
    size_t used = 0, group = 0;
    uint64_t pages = 0, enough = ahead;
    if (enough < XLX__REPLAY_GROUP)
        enough = XLX__REPLAY_GROUP;

    *order_r = NULL;
    *nr_r = 0;
    if (!nr)
        return 0;
    order = calloc(nr, sizeof(*order));
    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < nr; i++) {
        if (recorded[i].start >= recorded[i].end)
            continue;
        order[used++] = recorded[i];
        pages += recorded[i].end - recorded[i].start;
        if (pages >= enough) {
            enough = XLX__REPLAY_GROUP;
            group += settle_group(order + group, used - group);
            used = group;
            pages = 0;
        }
    }
    *nr_r = group + settle_group(order + group, used - group);
    if (*nr_r)
        *order_r = order;
    else
        free(order);
    return 0;
}
