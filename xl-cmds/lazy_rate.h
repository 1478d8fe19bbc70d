/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How fast the memory of lazily restored guests is loaded, from statuses that
 * are looked at again and again.
 */
#ifndef CMD_LAZY_RATE_H
#define CMD_LAZY_RATE_H

#include <stdint.h>

#include "libxl_ext_lazy.h"

#define LAZY_RATES_MAX 256 /* any more guests have none */

struct lazy_rates {
    unsigned nr;
    struct lazy_rate {
        uint32_t domid;
        uint64_t done;
        int64_t at_ms;
        double per_s; /* pages; 0: not known */
    } rate[LAZY_RATES_MAX];
};

/* Notes what the statuses are at that time. Begin with all of it 0. */
void lazy_rates_update(struct lazy_rates *rates,
                       const struct xlx_lazy_status *status, unsigned nr,
                       int64_t now_ms);

/* Pages a second; 0: not known, or none. */
double lazy_rate(const struct lazy_rates *rates, uint32_t domid);

#endif
