/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy_rate.h"

#include <string.h>

#include "cmd_lazy.h"

#define KEPT 0.7 /* of the rate that was known */

/* NULL: it has none. */
static const struct lazy_rate *find(const struct lazy_rates *rates,
                                    uint32_t domid)
{
    for (unsigned i = 0; i < rates->nr; i++)
        if (rates->rate[i].domid == domid)
            return &rates->rate[i];
    return NULL;
}

/* A guest that has the domid of another one has less than that had. */
static struct lazy_rate updated(const struct lazy_rate *was,
                                const struct xlx_lazy_status *s, int64_t now_ms)
{
    struct lazy_rate now = { s->domid, s->done, now_ms, 0 };
    if (!was || s->done < was->done)
        return now;
    if (now_ms <= was->at_ms)
        return *was;
    now.per_s =
        (double)(s->done - was->done) * 1000 / (double)(now_ms - was->at_ms);
    if (was->per_s > 0)
        now.per_s = KEPT * was->per_s + (1 - KEPT) * now.per_s;
    return now;
}

void lazy_rates_update(struct lazy_rates *rates,
                       const struct xlx_lazy_status *status, unsigned nr,
                       int64_t now_ms)
{
    struct lazy_rates now = { 0 };
    for (unsigned i = 0; i < nr && i < LAZY_RATES_MAX; i++)
        now.rate[now.nr++] =
            updated(find(rates, status[i].domid), &status[i], now_ms);
    *rates = now;
}

double lazy_rate(const struct lazy_rates *rates, uint32_t domid)
{
    const struct lazy_rate *rate = find(rates, domid);
    return rate ? rate->per_s : 0;
}

void cmd_lazy_bar(const struct xlx_lazy_status *s, char *bar, unsigned width)
{
    unsigned full = cmd_lazy_percent(s) * width / 100;
    memset(bar, '.', width);
    memset(bar, '#', full < width ? full : width);
    bar[width] = '\0';
}
