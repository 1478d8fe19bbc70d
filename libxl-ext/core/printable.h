/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Text of others (devices, guests, logs) in our own one-line messages.
 */
#ifndef XLX_CORE_PRINTABLE_H
#define XLX_CORE_PRINTABLE_H

#include <stddef.h>

/* Copies with '?' for every byte that is not printable ASCII, cut to fit.
 * `to` may be `from`. */
static inline void xlx__printable(char *to, size_t size, const char *from)
{
    size_t i;
    for (i = 0; from[i] && i + 1 < size; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
    to[i] = '\0';
}

#endif
