/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/policy.h"

#include <stdlib.h>

#include "lazy/replay.h"

/* Places where the guest was lately. */
#define STREAMS 8u

/* As near to a stream a fault belongs to it. */
#define REACH 32u

/* How many pages are loaded around a fault somewhere else: between none and
 * this, by how often guests continued beside such faults. */
#define FIRST_MAX 16u
#define STREAM_MAX 512u

/* A place where the guest continues; [start, end) was asked for around it. */
struct stream {
    uint64_t start, end;
    uint64_t todo; /* the next gfn of it to load; end when all was given out */
    uint32_t size; /* pages of its last window */
    uint64_t used; /* when a fault last belonged to it */
};

struct plan {
    struct xlx__policy base;
    const struct xlx__gfn_range *held;
    size_t nr_held;
    struct xlx__gfn_range *record; /* in the order to load */
    size_t nr_record;

    /* The next to look at: of the working set, and of what is withheld. */
    size_t record_at, held_at;
    uint64_t record_gfn, held_gfn;

    struct stream stream[STREAMS];
    uint64_t faults;
    uint32_t first; /* the window of a fault that belongs to no stream */
};

static struct plan *of(struct xlx__policy *policy)
{
    return (struct plan *)policy;
}

/* --- faults --------------------------------------------------------------- */

static struct stream *stream_of(struct plan *plan, uint64_t gfn)
{
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *s = &plan->stream[i];
        if (s->used && gfn + REACH >= s->start && gfn < s->end + REACH)
            return s;
    }
    return NULL;
}

static struct stream *oldest(struct plan *plan)
{
    struct stream *s = &plan->stream[0];
    for (size_t i = 1; i < STREAMS; i++)
        if (plan->stream[i].used < s->used)
            s = &plan->stream[i];
    return s;
}

/* The guest continues beside what it touched: more of the same. */
static void grow(struct plan *plan, struct stream *s, uint64_t gfn)
{
    if (plan->first < FIRST_MAX)
        plan->first = plan->first ? plan->first * 2 : 1;
    s->size = s->size * 2 < STREAM_MAX ? s->size * 2 : STREAM_MAX;
    if (gfn < s->start) {
        s->todo = s->start = gfn > s->size ? gfn - s->size : 0;
        s->end = gfn;
        return;
    }
    if (gfn >= s->end)
        s->start = s->todo = gfn + 1;
    s->end = gfn + 1 + s->size;
}

static void begin_stream(struct plan *plan, struct stream *s, uint64_t gfn)
{
    uint64_t before = plan->first / 4;
    s->start = s->todo = gfn > before ? gfn - before : 0;
    s->end = gfn + 1 + plan->first - before;
    s->size = plan->first ? plan->first : 1;
    if (!plan->first)
        s->todo = s->end;
    plan->first /= 2;
}

static void plan_fault(struct xlx__policy *policy, uint64_t gfn)
{
    struct plan *plan = of(policy);
    struct stream *s = stream_of(plan, gfn);
    if (s) {
        grow(plan, s, gfn);
    } else {
        s = oldest(plan);
        begin_stream(plan, s, gfn);
    }
    s->used = ++plan->faults;
}

/* --- runs ----------------------------------------------------------------- */

/* The first ABSENT run of [from, to), not across a 2 MiB border. */
static bool absent(const struct xlx__pages *pages, uint64_t from, uint64_t to,
                   struct xlx__gfn_range *run_r)
{
    uint64_t start;
    if (from >= to)
        return false;
    uint64_t nr = xlx__pages_find_absent(pages, from, to - from,
                                         XLX__POLICY_RUN_MAX, &start);
    if (!nr)
        return false;
    uint64_t border = start - start % XLX__POLICY_RUN_MAX + XLX__POLICY_RUN_MAX;
    run_r->start = start;
    run_r->end = start + nr < border ? start + nr : border;
    return true;
}

static void cut(struct xlx__gfn_range *run, uint64_t max)
{
    if (run->end - run->start > max)
        run->end = run->start + max;
}

static bool next_of_record(struct plan *plan, const struct xlx__pages *pages,
                           struct xlx__gfn_range *run_r)
{
    for (; plan->record_at < plan->nr_record; plan->record_at++) {
        const struct xlx__gfn_range *r = &plan->record[plan->record_at];
        uint64_t from = r->start;
        if (plan->record_gfn > from && plan->record_gfn <= r->end)
            from = plan->record_gfn;
        if (absent(pages, from, r->end, run_r)) {
            plan->record_gfn = run_r->end;
            return true;
        }
        plan->record_gfn = 0;
    }
    return false;
}

/* The stream with the latest fault first. */
static bool next_around(struct plan *plan, const struct xlx__pages *pages,
                        struct xlx__gfn_range *run_r)
{
    for (;;) {
        struct stream *latest = NULL;
        for (size_t i = 0; i < STREAMS; i++) {
            struct stream *s = &plan->stream[i];
            if (s->todo < s->end && (!latest || s->used > latest->used))
                latest = s;
        }
        if (!latest)
            return false;
        if (absent(pages, latest->todo, latest->end, run_r)) {
            cut(run_r, XLX__POLICY_PIECE);
            latest->todo = run_r->end;
            return true;
        }
        latest->todo = latest->end;
    }
}

/* A block that is no longer whole will not become one 2 MiB page. */
static bool next_of_rest(struct plan *plan, const struct xlx__pages *pages,
                         struct xlx__gfn_range *run_r)
{
    for (; plan->held_at < plan->nr_held; plan->held_at++) {
        const struct xlx__gfn_range *r = &plan->held[plan->held_at];
        uint64_t from = r->start;
        if (plan->held_gfn > from)
            from = plan->held_gfn;
        if (absent(pages, from, r->end, run_r)) {
            plan->held_gfn = run_r->end;
            return true;
        }
    }
    return false;
}

static enum xlx__policy_step plan_next(struct xlx__policy *policy,
                                       const struct xlx__pages *pages,
                                       struct xlx__gfn_range *run_r)
{
    struct plan *plan = of(policy);
    if (next_of_record(plan, pages, run_r))
        return XLX__POLICY_RECORD;
    if (next_around(plan, pages, run_r))
        return XLX__POLICY_AROUND;
    if (next_of_rest(plan, pages, run_r))
        return XLX__POLICY_REST;
    return XLX__POLICY_END;
}

static void plan_free(struct xlx__policy *policy)
{
    if (policy)
        free(of(policy)->record);
    free(policy);
}

static const struct xlx__policy_ops plan_ops = {
    .fault = plan_fault,
    .next = plan_next,
    .free = plan_free,
};

struct xlx__policy *xlx__policy_new(const struct xlx__gfn_range *held,
                                    size_t nr_held,
                                    const struct xlx__gfn_range *recorded,
                                    size_t nr_recorded, uint64_t ahead)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    if (!plan)
        return NULL;
    plan->base.ops = &plan_ops;
    plan->held = held;
    plan->nr_held = nr_held;
    plan->first = FIRST_MAX;
    if (xlx__replay_order(recorded, nr_recorded,
                          nr_held ? held[nr_held - 1].end : 0, ahead,
                          &plan->record, &plan->nr_record)) {
        free(plan);
        return NULL;
    }
    return &plan->base;
}
