/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whole transfers: a short one is retried, an interrupted one continued.
 */
#ifndef XLX_CORE_IO_H
#define XLX_CORE_IO_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads exactly `len` bytes at `offset`, leaving the file position alone.
 * Returns 0; -ENODATA at end of file; -errno of pread(2).
 */
int xlx__pread_all(int fd, void *buf, size_t len, uint64_t offset);

/* Writes exactly `len` bytes. Returns 0 or -errno of write(2). */
int xlx__write_all(int fd, const void *buf, size_t len);

/*
 * Reads up to `len` bytes until end of file.
 * Returns the number of bytes read, or -errno of read(2).
 */
long xlx__read_upto(int fd, void *buf, size_t len);

#endif
