/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/runs.h"

#include <errno.h>
#include <stdlib.h>

#include "image/vec.h"

/*
 * While runs are built, one that takes pages away is told by the top bit of its
 * offset, which no file reaches.
 */
#define REMOVES (1ull << 63)

static bool removes(const struct xlx_image_run *run)
{
    return run->offset & REMOVES;
}

/*
 * The place of a run in the stream. Pages follow each other by their offset; a
 * removal has the offset of the next page and comes before it.
 */
static uint64_t age(const struct xlx_image_run *run)
{
    return (run->offset & ~REMOVES) * 2 + !removes(run);
}

static uint64_t run_end(const struct xlx_image_run *run)
{
    return run->gfn + run->nr;
}

/* Where the run continues: a removal has no pages to continue with. */
static uint64_t next_offset(const struct xlx_image_run *run)
{
    return removes(run) ? run->offset : run->offset + run->nr * XLX_PAGE_SIZE;
}

static int append_run(struct xlx__runs *runs, struct xlx_image_run run)
{
    if (runs->nr) {
        struct xlx_image_run *last = &runs->run[runs->nr - 1];
        if (run_end(last) == run.gfn && next_offset(last) == run.offset) {
            last->nr += run.nr;
            return 0;
        }
    }
    if (runs->nr >= runs->limit)
        return -EOVERFLOW;
    if (!xlx__vec_room(runs->run, runs->nr, runs->cap))
        return -ENOMEM;
    runs->run[runs->nr++] = run;
    return 0;
}

int xlx__runs_add(struct xlx__runs *runs, uint64_t gfn, uint64_t nr,
                  uint64_t offset)
{
    if (gfn < runs->end)
        runs->overlaid = true;
    if (gfn + nr > runs->end)
        runs->end = gfn + nr;
    return append_run(runs, (struct xlx_image_run){ gfn, nr, offset });
}

int xlx__runs_remove(struct xlx__runs *runs, uint64_t gfn, uint64_t nr,
                     uint64_t offset)
{
    if (gfn >= runs->end)
        return 0; /* they never had one */
    runs->overlaid = true;
    return append_run(runs,
                      (struct xlx_image_run){ gfn, nr, offset | REMOVES });
}

static int by_gfn(const void *a, const void *b)
{
    const struct xlx_image_run *x = a, *y = b;
    return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

/* --- the runs over one gfn: a heap, the youngest on top ------------------- */

struct pile {
    const struct xlx_image_run **run;
    size_t nr;
};

static void swap(struct pile *pile, size_t a, size_t b)
{
    const struct xlx_image_run *run = pile->run[a];
    pile->run[a] = pile->run[b];
    pile->run[b] = run;
}

static bool younger(const struct pile *pile, size_t a, size_t b)
{
    return age(pile->run[a]) > age(pile->run[b]);
}

static void pile_push(struct pile *pile, const struct xlx_image_run *run)
{
    size_t i = pile->nr++;
    pile->run[i] = run;
    for (; i && younger(pile, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(pile, i, (i - 1) / 2);
}

static void pile_pop(struct pile *pile)
{
    swap(pile, 0, --pile->nr);
    for (size_t i = 0, child; (child = 2 * i + 1) < pile->nr; i = child) {
        if (child + 1 < pile->nr && younger(pile, child + 1, child))
            child++;
        if (!younger(pile, child, i))
            return;
        swap(pile, i, child);
    }
}

/* --- laying runs over each other ------------------------------------------ */

/* Appends the pages [gfn, end) of `run`, unless it takes them away. */
static int show(struct xlx__runs *out, const struct xlx_image_run *run,
                uint64_t gfn, uint64_t end)
{
    if (removes(run))
        return 0;
    uint64_t offset = run->offset + (gfn - run->gfn) * XLX_PAGE_SIZE;
    return append_run(out, (struct xlx_image_run){ gfn, end - gfn, offset });
}

/*
 * Goes over the sorted runs from one place to the next where a run begins or
 * the youngest ends; between two places the youngest one shows.
 */
static int lay_over(const struct xlx__runs *in, struct pile *pile,
                    struct xlx__runs *out)
{
    uint64_t gfn = 0;
    size_t i = 0;
    int rc = 0;
    while (!rc && (i < in->nr || pile->nr)) {
        if (!pile->nr)
            gfn = in->run[i].gfn;
        while (i < in->nr && in->run[i].gfn == gfn)
            pile_push(pile, &in->run[i++]);

        const struct xlx_image_run *top = pile->run[0];
        if (run_end(top) <= gfn) {
            pile_pop(pile);
            continue;
        }
        uint64_t end = run_end(top);
        if (i < in->nr && in->run[i].gfn < end)
            end = in->run[i].gfn;
        rc = show(out, top, gfn, end);
        gfn = end;
    }
    return rc;
}

int xlx__runs_finish(struct xlx__runs *runs)
{
    if (!runs->overlaid)
        return 0;
    qsort(runs->run, runs->nr, sizeof(*runs->run), by_gfn);

    struct pile pile = { .run = calloc(runs->nr, sizeof(*pile.run)) };
    if (!pile.run)
        return -ENOMEM;
    struct xlx__runs out = { .limit = runs->limit, .end = runs->end };
    int rc = lay_over(runs, &pile, &out);
    free(pile.run);
    if (rc) {
        free(out.run);
        return rc;
    }
    free(runs->run);
    *runs = out;
    return 0;
}

const struct xlx_image_run *xlx__runs_from(const struct xlx_image_run *run,
                                           size_t nr, uint64_t gfn)
{
    size_t low = 0, high = nr;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run_end(&run[middle]) <= gfn)
            low = middle + 1;
        else
            high = middle;
    }
    return low < nr ? &run[low] : NULL;
}
