/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/array.h"

#include <stdlib.h>

void *xlx__array_more(void *array, size_t nr, size_t size)
{
    if (nr & (nr - 1))
        return array;
    return reallocarray(array, nr ? 2 * nr : 1, size);
}
