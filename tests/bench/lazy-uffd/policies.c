/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What others do, as policies of the same engine. They keep the fault thread of
 * their own that ours has, which some of them do not have at home.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct peer {
    struct xlx__policy base;
    uint64_t pages;
    uint64_t at;                    /* ascending */
    uint32_t window;                /* of the next run */
    uint32_t first, last;           /* windows: after a fault, at most */
    const struct shared *waits_for; /* the guest; NULL: fills from the start */
    struct xlx__gfn_range *set;     /* sorted; loaded before all else */
    size_t nr_set, next_set;
};

static struct peer *of(struct xlx__policy *policy)
{
    return (struct peer *)policy;
}

static void peer_fault(struct xlx__policy *policy, uint64_t gfn)
{
    struct peer *p = of(policy);
    (void)gfn;
    p->window = p->first;
}

static enum xlx__policy_step next_of_set(struct peer *p,
                                         const struct xlx__pages *pages,
                                         struct xlx__gfn_range *run_r)
{
    while (p->next_set < p->nr_set) {
        struct xlx__gfn_range *r = &p->set[p->next_set];
        uint64_t nr = r->start < r->end ? r->end - r->start : 0, first;
        nr = nr ? xlx__pages_find_absent(pages, r->start, nr,
                                         XLX__POLICY_RUN_MAX, &first)
                : 0;
        if (nr) {
            *run_r = (struct xlx__gfn_range){ first, first + nr };
            r->start = first + nr;
            return XLX__POLICY_RECORD;
        }
        p->next_set++;
    }
    return XLX__POLICY_END;
}

static enum xlx__policy_step peer_next(struct xlx__policy *policy,
                                       const struct xlx__pages *pages,
                                       struct xlx__gfn_range *run_r)
{
    struct peer *p = of(policy);
    uint64_t first;
    if (next_of_set(p, pages, run_r) == XLX__POLICY_RECORD)
        return XLX__POLICY_RECORD;
    if (p->waits_for && !atomic_load(&p->waits_for->touched))
        return XLX__POLICY_LATER;
    uint64_t nr =
        p->window < XLX__POLICY_RUN_MAX ? p->window : XLX__POLICY_RUN_MAX;
    nr = xlx__pages_find_absent(pages, p->at, p->pages - p->at, nr, &first);
    if (!nr)
        return XLX__POLICY_END;
    *run_r = (struct xlx__gfn_range){ first, first + nr };
    p->at = first + nr;
    if (p->window < p->last)
        p->window *= 2;
    return XLX__POLICY_REST;
}

static void peer_free(struct xlx__policy *policy)
{
    free(of(policy)->set);
    free(policy);
}

static const struct xlx__policy_ops peer_ops = {
    .fault = peer_fault,
    .next = peer_next,
    .free = peer_free,
};

static struct peer *peer_new(uint64_t pages, uint32_t first, uint32_t last)
{
    struct peer *p = calloc(1, sizeof(*p));
    must(p, "memory");
    p->base.ops = &peer_ops;
    p->pages = pages;
    p->window = p->first = first;
    p->last = last;
    return p;
}

static int by_start(const void *a, const void *b)
{
    const struct xlx__gfn_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Sorts ranges [from, to) of the set and merges those `gap` or less apart. */
static size_t merge(struct xlx__gfn_range *set, size_t from, size_t to,
                    size_t out, uint64_t gap)
{
    qsort(set + from, to - from, sizeof(*set), by_start);
    for (size_t i = from, group = out; i < to; i++) {
        if (out > group && set[i].start <= set[out - 1].end + gap) {
            if (set[i].end > set[out - 1].end)
                set[out - 1].end = set[i].end;
        } else {
            set[out++] = set[i];
        }
    }
    return out;
}

/* Groups of so many pages in the order of first touches; 0: one group. */
static void take_set(struct peer *p, const struct xlx__gfn_range *recorded,
                     size_t nr, uint64_t group, uint64_t gap)
{
    p->set = calloc(nr ? nr : 1, sizeof(*p->set));
    must(p->set, "memory");
    memcpy(p->set, recorded, nr * sizeof(*p->set));
    size_t from = 0, out = 0;
    uint64_t pages = 0;
    for (size_t i = 0; i < nr; i++) {
        pages += recorded[i].end - recorded[i].start;
        if (i + 1 == nr || (group && pages >= group)) {
            out = merge(p->set, from, i + 1, out, gap);
            from = i + 1;
            pages = 0;
        }
    }
    p->nr_set = out;
}

#define PEER_ARGS                                                         \
    const struct contest *contest, const struct xlx__gfn_range *recorded, \
        size_t nr_recorded, uint64_t pages, const struct shared *shared
#define UNUSED_BUT_PAGES \
    (void)contest, (void)recorded, (void)nr_recorded, (void)shared

static struct xlx__policy *demand_only(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    struct peer *p = peer_new(pages, XLX__POLICY_RUN_MAX, XLX__POLICY_RUN_MAX);
    p->waits_for = shared;
    return &p->base;
}

static struct xlx__policy *page_by_page(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    return &peer_new(pages, 1, 1)->base;
}

static struct xlx__policy *growing_window(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    return &peer_new(pages, 16, 1024)->base;
}

static struct xlx__policy *fill_all(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    return &peer_new(pages, XLX__POLICY_RUN_MAX, XLX__POLICY_RUN_MAX)->base;
}

static struct xlx__policy *single_read(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    struct peer *p = peer_new(pages, XLX__POLICY_RUN_MAX, XLX__POLICY_RUN_MAX);
    take_set(p, recorded, nr_recorded, 0, 0);
    p->waits_for = shared;
    return &p->base;
}

static struct xlx__policy *page_groups(PEER_ARGS)
{
    UNUSED_BUT_PAGES;
    struct peer *p = peer_new(pages, XLX__POLICY_RUN_MAX, XLX__POLICY_RUN_MAX);
    take_set(p, recorded, nr_recorded, 1024, 32);
    p->waits_for = shared;
    return &p->base;
}

const struct contest contests[] = {
    { "ours", "adaptive, nothing recorded", NULL, .threads = 2 },
    { "ours-recorded", "the same, recorded set before the guest runs", NULL,
      .recorded = true, .prefetch = true, .threads = 2 },
    { "demand", "nothing but faults until the guest is through", demand_only,
      .threads = 1 },
    { "page-by-page", "one page an idle turn (Cloud Hypervisor)", page_by_page,
      .threads = 1 },
    { "window", "64 KiB doubled to 4 MiB, reset by a fault (much as CRIU)",
      growing_window, .threads = 1 },
    { "fill-all", "all in ascending order (Firecracker's fault_all)", fill_all,
      .threads = 1 },
    { "single-read", "recorded set before the guest runs, then faults (REAP)",
      single_read, .recorded = true, .prefetch = true, .threads = 1 },
    { "groups",
      "recorded set by groups of 1024 pages while the guest runs, "
      "then faults (FaaSnap)",
      page_groups, .recorded = true, .threads = 1 },
    { "criu", "criu lazy-pages, as installed (--criu)", NULL, .is_criu = true },
};
const size_t nr_contests = sizeof(contests) / sizeof(contests[0]);
