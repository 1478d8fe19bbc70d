/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Time as the library counts it: milliseconds of the monotonic clock, or
 * microseconds where loads are timed. A wait takes the point in time at which
 * it ends, so that nested waits share one deadline.
 */
#ifndef XLX_CORE_CLOCK_H
#define XLX_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t xlx__now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline uint64_t xlx__now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* What this thread has used the processor for. */
static inline uint64_t xlx__thread_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Milliseconds left until `until`, at most `max` and at least 0. */
static inline int xlx__ms_left(int64_t until, int max)
{
    int64_t left = until - xlx__now_ms();
    return left < 0 ? 0 : left > max ? max : (int)left;
}

static inline void xlx__sleep_ms(int ms)
{
    struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&ts, NULL);
}

#endif
