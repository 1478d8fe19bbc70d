/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Between the commands about lazily restored guests.
 */
#ifndef CMD_LAZY_H
#define CMD_LAZY_H

#include <stdio.h>

#include "libxl_ext_lazy.h"

static inline unsigned cmd_lazy_percent(const struct xlx_lazy_status *s)
{
    return s->held_back ? (unsigned)(s->done * 100 / s->held_back) : 100;
}

/* How much of the withheld memory is present, as `width` letters and a NUL. */
void cmd_lazy_bar(const struct xlx_lazy_status *s, char *bar, unsigned width);

/* What lazy-check prints: on a host without Xen only the reason. */
void cmd_lazy_print_report(FILE *out, const xlx_lazy_report *report);

#endif
