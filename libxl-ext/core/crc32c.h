/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * CRC-32C (Castagnoli), as iSCSI, ext4 and btrfs have it. Pure.
 */
#ifndef XLX_CORE_CRC32C_H
#define XLX_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from `crc`: 0 at the start, or the result for the bytes before. */
uint32_t xlx__crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same without the processor's instruction for it. */
uint32_t xlx__crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
