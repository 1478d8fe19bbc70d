/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/parse.h"

#include <errno.h>

int xlx__parse_u64(const char *text, uint64_t min, uint64_t max,
                   uint64_t *value_r)
{
    if (!text || !*text)
        return -EINVAL;

    uint64_t value = 0;
    int rc = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            rc = -ERANGE;
    }
    if (rc || value < min || value > max)
        return -ERANGE;
    *value_r = value;
    return 0;
}

int xlx__parse_u32(const char *text, uint32_t min, uint32_t max,
                   uint32_t *value_r)
{
    uint64_t value;
    int rc = xlx__parse_u64(text, min, max, &value);
    if (!rc)
        *value_r = (uint32_t)value;
    return rc;
}

int xlx__hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int xlx__parse_hex(const char *text, size_t digits, uint32_t *value_r)
{
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = xlx__hex_digit(text[i]);
        if (digit < 0)
            return -EINVAL;
        value = value << 4 | (uint32_t)digit;
    }
    *value_r = value;
    return 0;
}
