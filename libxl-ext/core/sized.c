/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/sized.h"

#include "core/array.h"

int xlx__take_config(xlx_ctx *ctx, void *to, size_t has, const void *from,
                     size_t size)
{
    const char *bytes = from;
    for (size_t i = has; i < size; i++)
        if (bytes[i])
            return xlx__fail(ctx, E2BIG,
                             "config: sets what version %s of the library "
                             "does not have",
                             xlx_version());
    xlx__copy_sized(to, has, from, size);
    return 0;
}
