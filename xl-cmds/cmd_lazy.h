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

#endif
