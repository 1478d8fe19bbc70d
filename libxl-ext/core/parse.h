/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Strict parsers: no sign, no blanks, no prefix, the same in every locale.
 * A decimal number is the whole string and has a range. xl reads hostbus=010
 * as 8; nothing here does.
 */
#ifndef XLX_CORE_PARSE_H
#define XLX_CORE_PARSE_H

#include <stddef.h>
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

/* The value of one hexadecimal digit of either case, or -1. */
int xlx__hex_digit(char c);

/*
 * Reads the hexadecimal number that the first `digits` characters of `text`
 * are, 1 to 8 of them; what follows is the caller's to judge.
 * Returns 0; -EINVAL when one of them is no such digit.
 */
int xlx__parse_hex(const char *text, size_t digits, uint32_t *value_r);

#endif
