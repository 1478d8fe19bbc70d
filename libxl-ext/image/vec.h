/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Room for one more element of an array.
 */
#ifndef XLX_IMAGE_VEC_H
#define XLX_IMAGE_VEC_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool xlx__vec_grow(void **array, size_t *cap, size_t size)
{
    size_t wanted = *cap ? *cap + *cap / 2 : 16;
    void *grown = reallocarray(*array, wanted, size);
    if (!grown)
        return false;
    *array = grown;
    *cap = wanted;
    return true;
}

/* False when there is no memory; the array is as it was then. */
#define xlx__vec_room(array, nr, cap) \
    ((nr) < (cap) || xlx__vec_grow((void **)&(array), &(cap), sizeof(*(array))))

#endif
