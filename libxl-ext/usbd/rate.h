/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How often something may be that a guest can provoke: so many times in so
 * long. Pure.
 */
#ifndef XLX_USBD_RATE_H
#define XLX_USBD_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct xlx__usbd_rate {
    unsigned max; /* times ... */
    int64_t ms;   /* ... in this long */
    int64_t since;
    unsigned nr, missed;
};

/*
 * Whether it may be once more at `now` (xlx__now_ms()). If so, *missed_r is how
 * many times it might not be since it last might.
 */
static inline bool xlx__usbd_rate_take(struct xlx__usbd_rate *r, int64_t now,
                                       unsigned *missed_r)
{
    if (!r->nr || now - r->since >= r->ms) {
        r->since = now;
        r->nr = 0;
    }
    if (r->nr == r->max) {
        r->missed++;
        return false;
    }
    r->nr++;
    *missed_r = r->missed;
    r->missed = 0;
    return true;
}

#endif
