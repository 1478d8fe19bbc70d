/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/crc32c.h"

#include <endian.h>
#include <string.h>

/* --- without the instruction: eight bytes at a time ----------------------- */

/*
 * A crc is linear: that of a byte is the sum (exclusive or) of those of its
 * bits, 1 to 128, which are the eight arguments.
 */
#define BIT(i, n, crc) ((i) >> (n)&1 ? (crc) : 0u)
#define BYTE(i, a, b, c, d, e, f, g, h)                          \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ \
     BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ BIT(i, 7, h))
#define BYTES_4(i, ...)                               \
    BYTE(i, __VA_ARGS__), BYTE((i) + 1, __VA_ARGS__), \
        BYTE((i) + 2, __VA_ARGS__), BYTE((i) + 3, __VA_ARGS__)
#define BYTES_16(i, ...)                                    \
    BYTES_4(i, __VA_ARGS__), BYTES_4((i) + 4, __VA_ARGS__), \
        BYTES_4((i) + 8, __VA_ARGS__), BYTES_4((i) + 12, __VA_ARGS__)
#define BYTES_64(i, ...)                                       \
    BYTES_16(i, __VA_ARGS__), BYTES_16((i) + 16, __VA_ARGS__), \
        BYTES_16((i) + 32, __VA_ARGS__), BYTES_16((i) + 48, __VA_ARGS__)
#define ALL_BYTES(...)                                             \
    {                                                              \
        BYTES_64(0, __VA_ARGS__), BYTES_64(64, __VA_ARGS__),       \
            BYTES_64(128, __VA_ARGS__), BYTES_64(192, __VA_ARGS__) \
    }

/* [n][i]: of the byte i with n zeros behind it. */
static const uint32_t of_byte[8][256] = {
    ALL_BYTES(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, /**/
              0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    ALL_BYTES(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, /**/
              0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    ALL_BYTES(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, /**/
              0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    ALL_BYTES(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, /**/
              0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    ALL_BYTES(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, /**/
              0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    ALL_BYTES(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, /**/
              0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    ALL_BYTES(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, /**/
              0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    ALL_BYTES(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, /**/
              0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};

static uint32_t add_word(uint32_t crc, const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    word = le64toh(word) ^ crc;
    crc = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++)
        crc ^= of_byte[7 - i][word >> 8 * i & 255];
    return crc;
}

uint32_t xlx__crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8)
        crc = add_word(crc, p);
    while (len--)
        crc = crc >> 8 ^ of_byte[0][(crc ^ *p++) & 255];
    return ~crc;
}

/* --- with it -------------------------------------------------------------- */

#ifdef __x86_64__
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))

WITH_INSTRUCTION static inline uint64_t crc_word(uint64_t crc,
                                                 const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return __builtin_ia32_crc32di(crc, word);
}

WITH_INSTRUCTION static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
    uint64_t sum = (uint32_t)~crc;
    for (; len >= 8; len -= 8, p += 8)
        sum = crc_word(sum, p);
    while (len--)
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *p++);
    return ~(uint32_t)sum;
}

/* The instruction takes three cycles, and one can begin in each of them. */
WITH_INSTRUCTION static void three_blocks(const unsigned char *p, size_t len,
                                          uint32_t *crc_r)
{
    const unsigned char *q = p + len, *r = q + len;
    uint64_t a = UINT32_MAX, b = a, c = a;
    size_t i;
    for (i = 0; len - i >= 8; i += 8) {
        a = crc_word(a, p + i);
        b = crc_word(b, q + i);
        c = crc_word(c, r + i);
    }
    crc_r[0] = by_instruction(~(uint32_t)a, p + i, len - i);
    crc_r[1] = by_instruction(~(uint32_t)b, q + i, len - i);
    crc_r[2] = by_instruction(~(uint32_t)c, r + i, len - i);
}

uint32_t xlx__crc32c(uint32_t crc, const void *bytes, size_t len)
{
    if (__builtin_cpu_supports("sse4.2"))
        return by_instruction(crc, bytes, len);
    return xlx__crc32c_portable(crc, bytes, len);
}

void xlx__crc32c_each(const void *blocks, size_t len, size_t nr,
                      uint32_t *crc_r)
{
    const unsigned char *p = blocks;
    if (__builtin_cpu_supports("sse4.2"))
        for (; nr >= 3; nr -= 3, p += 3 * len, crc_r += 3)
            three_blocks(p, len, crc_r);
    for (; nr; nr--, p += len)
        *crc_r++ = xlx__crc32c(0, p, len);
}
#else
uint32_t xlx__crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return xlx__crc32c_portable(crc, bytes, len);
}

void xlx__crc32c_each(const void *blocks, size_t len, size_t nr,
                      uint32_t *crc_r)
{
    const unsigned char *p = blocks;
    for (; nr; nr--, p += len)
        *crc_r++ = xlx__crc32c_portable(0, p, len);
}
#endif
