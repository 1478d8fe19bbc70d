/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Between the commands about lazily restored guests.
 */
#ifndef CMD_LAZY_H
#define CMD_LAZY_H

#include "libxl_ext_lazy.h"

static inline unsigned cmd_lazy_percent(const struct xlx_lazy_status *s)
{
    return s->held_back ? (unsigned)(s->done * 100 / s->held_back) : 100;
}

/*
 * A number of bytes: 65536, 64K, 10M, 1G (powers of 1024). False for anything
 * else, and above XLX_LAZY_BWLIMIT_MAX.
 */
bool cmd_lazy_read_rate(const char *text, uint64_t *rate_r);

#endif
