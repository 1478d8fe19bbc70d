/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/touches.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct xlx__touches {
    size_t nr;
    uint64_t gfn[XLX__TOUCHES_MAX]; /* backed by memory as it is used */
};

struct xlx__touches *xlx__touches_new(void)
{
    return calloc(1, sizeof(struct xlx__touches));
}

void xlx__touches_free(struct xlx__touches *touches)
{
    free(touches);
}

void xlx__touches_add(struct xlx__touches *touches, uint64_t gfn)
{
    if (touches->nr < XLX__TOUCHES_MAX)
        touches->gfn[touches->nr++] = gfn;
}

size_t xlx__touches_count(const struct xlx__touches *touches)
{
    return touches->nr;
}

/* --- merging ----------------------------------------------------------------- */

struct ranked {
    struct xlx__gfn_range range;
    size_t rank; /* of its first touch */
};

static int by_gfn_and_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->range.start != y->range.start)
        return x->range.start < y->range.start ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_start(const void *a, const void *b)
{
    const struct xlx__gfn_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Whether a gfn is in `sorted`, which may overlap but for its empty ranges;
 * *at only grows, as gfns do. */
static bool is_known(const struct xlx__gfn_range *sorted, size_t nr, size_t *at,
                     uint64_t *end, uint64_t gfn)
{
    for (; *at < nr && sorted[*at].start <= gfn; ++*at)
        if (sorted[*at].end > *end)
            *end = sorted[*at].end;
    return gfn < *end;
}

/* Neighbours that are not known become one run; returns how many runs. */
static size_t runs_of(struct ranked *touch, size_t nr,
                      const struct xlx__gfn_range *known, size_t nr_known)
{
    size_t out = 0, at = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < nr; i++) {
        struct ranked *last = out ? &touch[out - 1] : NULL;
        uint64_t gfn = touch[i].range.start;
        if (is_known(known, nr_known, &at, &end, gfn) ||
            (last && gfn < last->range.end))
            continue;
        if (last && gfn == last->range.end) {
            last->range.end++;
            if (touch[i].rank < last->rank)
                last->rank = touch[i].rank;
        } else {
            touch[out++] = touch[i];
        }
    }
    return out;
}

static size_t rank_touches(const struct xlx__touches *touches,
                           const struct xlx__gfn_range *known, size_t nr_known,
                           struct ranked *touch)
{
    for (size_t i = 0; i < touches->nr; i++)
        touch[i] = (struct ranked){
            { touches->gfn[i], touches->gfn[i] + 1 }, i
        };
    qsort(touch, touches->nr, sizeof(*touch), by_gfn_and_rank);
    size_t nr = runs_of(touch, touches->nr, known, nr_known);
    qsort(touch, nr, sizeof(*touch), by_rank);
    return nr;
}

int xlx__touches_merge(const struct xlx__touches *touches,
                       const struct xlx__gfn_range *before, size_t nr_before,
                       struct xlx__gfn_range **runs_r, size_t *nr_r)
{
    *runs_r = NULL;
    *nr_r = 0;
    if (!nr_before && !touches->nr)
        return 0;
    struct ranked *touch = calloc(touches->nr + 1, sizeof(*touch));
    struct xlx__gfn_range *runs = calloc(nr_before + touches->nr,
                                         sizeof(*runs));
    if (!touch || !runs) {
        free(touch);
        free(runs);
        return -ENOMEM;
    }
    if (nr_before)
        memcpy(runs, before, nr_before * sizeof(*runs));
    qsort(runs, nr_before, sizeof(*runs), by_start);
    size_t nr = rank_touches(touches, runs, nr_before, touch);
    if (nr_before)
        memcpy(runs, before, nr_before * sizeof(*runs));
    for (size_t i = 0; i < nr; i++)
        runs[nr_before + i] = touch[i].range;
    free(touch);
    *runs_r = runs;
    *nr_r = nr_before + nr;
    return 0;
}
