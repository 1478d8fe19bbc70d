/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Strict parsers: the whole string, base 10, no sign, no blanks, a range.
 * xl reads hostbus=010 as 8; nothing here does.
 */
#ifndef XLX_CORE_PARSE_H
#define XLX_CORE_PARSE_H

#include <stdint.h>

/*
 * Reads a decimal number in [min, max].
 * Returns 0; -EINVAL when `text` is no number; -ERANGE outside the range.
 */
int xlx__parse_u64(const char *text, uint64_t min, uint64_t max,
                   uint64_t *value_r);

/* As xlx__parse_u64(), for values that fit 32 bits. */
int xlx__parse_u32(const char *text, uint32_t min, uint32_t max,
                   uint32_t *value_r);

#endif
