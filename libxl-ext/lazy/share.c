/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/share.h"

/* Where processors idle that much of the time, 1 / IDLE_PART of one of them,
 * there is room for somebody else. */
#define IDLE_PART 4u

#define STEP (XLX__SHARE_ALL / 8)

static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool processors_idle(const struct xlx__share_look *a,
                            const struct xlx__share_look *b)
{
    return since(b->idle_us, a->idle_us) >=
           since(b->now_us, a->now_us) / IDLE_PART;
}

/* What waits now is taken to have waited since the last look. */
static bool waits_for_processors(const struct xlx__share_look *a,
                                 const struct xlx__share_look *b)
{
    uint64_t waited = b->waiting * since(b->now_us, a->now_us);
    return waited > since(b->page_wait_us, a->page_wait_us);
}

/* Whether what we leave would be left: other backfills rest as we do. */
static bool would_be_left(const struct xlx__share_look *look)
{
    uint64_t fill = (uint64_t)look->threads * look->fills;
    return since(look->runnable, fill) < look->processors;
}

/* The backfills of several guests together leave half of the processors that
 * they run on to these guests, and to the restores that are still at work. */
static uint32_t part_of_budget(const struct xlx__share_look *look)
{
    uint64_t threads = (uint64_t)look->threads * look->fills;
    uint64_t all = (uint64_t)XLX__SHARE_ALL * look->processors / 2;
    if (look->fills <= 1 || all / threads >= XLX__SHARE_ALL)
        return XLX__SHARE_ALL;
    uint32_t part = (uint32_t)(all / threads);
    return part > XLX__SHARE_MIN ? part : XLX__SHARE_MIN;
}

/* Nobody waits for what we take. */
static bool has_room(const struct xlx__share *share,
                     const struct xlx__share_look *look)
{
    return !share->share || look->paused ||
           (processors_idle(&share->last, look) &&
            !waits_for_processors(&share->last, look));
}

static bool is_in_the_way(const struct xlx__share *share,
                          const struct xlx__share_look *look)
{
    return waits_for_processors(&share->last, look) && would_be_left(look);
}

static uint32_t halve(uint32_t share)
{
    return share / 2 > XLX__SHARE_LEAST ? share / 2 : XLX__SHARE_LEAST;
}

uint32_t xlx__share_next(struct xlx__share *share,
                         const struct xlx__share_look *look)
{
    if (share->share && look->now_us <= share->last.now_us)
        return share->given;
    if (has_room(share, look)) {
        share->share = share->given = XLX__SHARE_ALL;
    } else {
        share->share = is_in_the_way(share, look)
                           ? halve(share->share)
                           : least(share->share + STEP, XLX__SHARE_ALL);
        share->given = least(share->share, part_of_budget(look));
    }
    share->last = *look;
    return share->given;
}

uint64_t xlx__share_rest(uint32_t share, uint64_t worked_us, uint64_t took_us)
{
    if (share >= XLX__SHARE_ALL)
        return 0;
    if (share < XLX__SHARE_MIN)
        share = XLX__SHARE_MIN;
    return since(worked_us * XLX__SHARE_ALL / share, took_us);
}
