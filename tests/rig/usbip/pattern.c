/* SPDX-License-Identifier: LGPL-2.1-only */
#include <endian.h>
#include <string.h>

#include "pattern.h"

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)((uint32_t)(offset / 4) >> offset % 4 * 8);
}

void pattern_fill(uint8_t *to, size_t length, uint64_t offset)
{
    for (; length && offset % 4; length--)
        *to++ = byte_at(offset++);
    for (; length >= 4; length -= 4, offset += 4, to += 4) {
        uint32_t word = htole32((uint32_t)(offset / 4));

        memcpy(to, &word, 4);
    }
    for (; length; length--)
        *to++ = byte_at(offset++);
}

bool pattern_is(const uint8_t *bytes, size_t length, uint64_t offset)
{
    uint8_t expected[4096];

    for (size_t n; length; length -= n, offset += n, bytes += n) {
        n = length < sizeof(expected) ? length : sizeof(expected);
        pattern_fill(expected, n, offset);
        if (memcmp(bytes, expected, n))
            return false;
    }
    return true;
}

void packet_fill(uint8_t *to, size_t length, uint32_t number)
{
    uint32_t head = htole32(number);

    for (size_t i = 4; i < length; i++)
        to[i] = (uint8_t)(number + i);
    memcpy(to, &head, length < 4 ? length : 4);
}
