/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * CRC-32C (Castagnoli), as iSCSI, ext4 and btrfs have it. Pure.
 */
#ifndef XLX_CORE_CRC32C_H
#define XLX_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Blocks whose crcs are computed side by side. */
#define XLX__CRC32C_AT_ONCE 3u

/* Continues from `crc`: 0 at the start, or the result for the bytes before. */
uint32_t xlx__crc32c(uint32_t crc, const void *bytes, size_t len);

/*
 * The crc of each of `nr` blocks of `len` bytes, which follow each other, into
 * crc_r[nr]. Faster than one by one where `nr` is XLX__CRC32C_AT_ONCE or more.
 */
void xlx__crc32c_each(const void *blocks, size_t len, size_t nr,
                      uint32_t *crc_r);

/* xlx__crc32c() without the processor's instruction for it. */
uint32_t xlx__crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
