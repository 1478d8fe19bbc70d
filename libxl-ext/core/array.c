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
