/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Arrays that grow by one element at a time, and those of fixed length.
 */
#ifndef XLX_CORE_ARRAY_H
#define XLX_CORE_ARRAY_H

#include <stddef.h>

/* How many elements an array has whose type is known. */
#define XLX__NR(array) (sizeof(array) / sizeof((array)[0]))

/*
 * As realloc(3): `array` with room for one more behind `nr` elements of `size`
 * bytes, where no other call has allocated it. NULL without memory, and the
 * array is as it was. It doubles when it is full, at each power of two, so that
 * nobody has to keep its capacity; an array that became shorter keeps enough.
 */
void *xlx__array_more(void *array, size_t nr, size_t size);

/* Fills `size` bytes at `to`, a public struct as its caller knows it, from one
 * as it is here, of `has` bytes: cut, or with zeros behind. */
void xlx__copy_sized(void *to, size_t size, const void *from, size_t has);

/* Makes of `list`, `nr` elements of `has` bytes from malloc(3), one with
 * elements of its caller's `size`, each as above. It takes `list` over. NULL
 * for NULL, and without memory. */
void *xlx__list_sized(void *list, int nr, size_t has, size_t size);

/* Zeroed memory for a list of `nr` elements of its caller's `size`, for free(),
 * and at *more_r, aligned for anything, for `more` bytes to which they point.
 * NULL without memory. */
void *xlx__list_with(size_t nr, size_t size, size_t more, void **more_r);

#endif
