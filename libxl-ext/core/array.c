/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

void *xlx__array_more(void *array, size_t nr, size_t size)
{
    if (nr & (nr - 1))
        return array;
    return reallocarray(array, nr ? 2 * nr : 1, size);
}

void xlx__copy_sized(void *to, size_t size, const void *from, size_t has)
{
    memset(to, 0, size);
    memcpy(to, from, size < has ? size : has);
}

void *xlx__list_sized(void *list, int nr, size_t has, size_t size)
{
    if (!list || size == has)
        return list;
    char *sized = calloc((size_t)nr, size);
    for (size_t i = 0; sized && i < (size_t)nr; i++)
        xlx__copy_sized(sized + i * size, size, (char *)list + i * has, has);
    free(list);
    return sized;
}

void *xlx__list_with(size_t nr, size_t size, size_t more, void **more_r)
{
    size_t align = _Alignof(max_align_t), list = nr * size;
    list += (align - list % align) % align;
    char *memory = calloc(1, list + more);
    *more_r = memory ? memory + list : NULL;
    return memory;
}
