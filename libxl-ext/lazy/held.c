/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/held.h"

#include <errno.h>
#include <stdlib.h>

#include "core/array.h"

struct list {
    struct xlx__gfn_range *at;
    size_t nr;
};

static int append_range(struct list *list, uint64_t start, uint64_t end)
{
    if (start == end)
        return 0;
    if (list->nr && list->at[list->nr - 1].end == start) {
        list->at[list->nr - 1].end = end;
        return 0;
    }
    void *at = xlx__array_more(list->at, list->nr, sizeof(*list->at));
    if (!at)
        return -ENOMEM;
    list->at = at;
    list->at[list->nr++] = (struct xlx__gfn_range){ start, end };
    return 0;
}

/* Appends [start, end) without the resident ranges from *next on; ranges that
 * end before `end` are passed for good. */
static int subtract(struct list *list, uint64_t start, uint64_t end,
                    const struct xlx__gfn_range *resident, size_t nr_resident,
                    size_t *next)
{
    int rc = 0;
    while (!rc && *next < nr_resident && resident[*next].start < end) {
        const struct xlx__gfn_range *r = &resident[*next];
        if (r->start > start)
            rc = append_range(list, start, r->start);
        if (r->end > start)
            start = r->end < end ? r->end : end;
        if (r->end > end)
            break;
        (*next)++;
    }
    return rc ? rc : append_range(list, start, end);
}

int xlx__held_back(const struct xlx_image_run *runs, size_t nr_runs,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__gfn_range **held_r, size_t *nr_r)
{
    struct list list = { 0 };
    size_t next = 0;
    for (size_t i = 0; i < nr_runs; i++) {
        if (subtract(&list, runs[i].gfn, runs[i].gfn + runs[i].nr, resident,
                     nr_resident, &next)) {
            free(list.at);
            return -ENOMEM;
        }
    }
    *held_r = list.at;
    *nr_r = list.nr;
    return 0;
}
