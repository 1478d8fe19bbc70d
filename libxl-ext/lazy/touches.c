/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/touches.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

struct xlx__touches {
    _Atomic size_t nr;
    uint64_t gfn[XLX__TOUCHES_MAX]; /* backed by memory as it is used */
};

struct xlx__touches *xlx__touches_new(void)
{
    void *touches =
        mmap(NULL, sizeof(struct xlx__touches), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return touches == MAP_FAILED ? NULL : touches;
}

void xlx__touches_free(struct xlx__touches *touches)
{
    if (touches)
        munmap(touches, sizeof(*touches));
}

/* Counted only when it is there. */
void xlx__touches_add(struct xlx__touches *touches, uint64_t gfn)
{
    size_t nr = atomic_load(&touches->nr);
    if (nr == XLX__TOUCHES_MAX)
        return;
    touches->gfn[nr] = gfn;
    atomic_store(&touches->nr, nr + 1);
}

size_t xlx__touches_count(const struct xlx__touches *touches)
{
    return atomic_load(&touches->nr);
}

/* --- runs ----------------------------------------------------------------- */

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

/* Neighbours become one run; returns how many runs. */
static size_t join_touches(struct ranked *touch, size_t nr)
{
    size_t out = 0;
    for (size_t i = 0; i < nr; i++) {
        struct ranked *last = out ? &touch[out - 1] : NULL;
        uint64_t gfn = touch[i].range.start;
        if (last && gfn < last->range.end)
            continue; /* touched again */
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

int xlx__touches_runs(const struct xlx__touches *touches,
                      struct xlx__gfn_range **runs_r, size_t *nr_r)
{
    size_t nr = xlx__touches_count(touches);
    *runs_r = NULL;
    *nr_r = 0;
    if (!nr)
        return 0;
    struct ranked *touch = calloc(nr, sizeof(*touch));
    if (!touch)
        return -ENOMEM;
    for (size_t i = 0; i < nr; i++)
        touch[i] =
            (struct ranked){ { touches->gfn[i], touches->gfn[i] + 1 }, i };
    qsort(touch, nr, sizeof(*touch), by_gfn_and_rank);
    nr = join_touches(touch, nr);
    qsort(touch, nr, sizeof(*touch), by_rank);
    struct xlx__gfn_range *runs = calloc(nr, sizeof(*runs));
    for (size_t i = 0; runs && i < nr; i++)
        runs[i] = touch[i].range;
    free(touch);
    if (!runs)
        return -ENOMEM;
    *runs_r = runs;
    *nr_r = nr;
    return 0;
}
