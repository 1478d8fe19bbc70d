/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A part of a save file as it is, for who cannot read it at its place.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "core/io.h"
#include "image/internal.h"

#define CHUNK (1u << 20)

int xlx_image_copy(xlx_ctx *ctx, const xlx_image *image, uint64_t from,
                   uint64_t to, int out)
{
    uint64_t end = image->end ? image->end : image->info.libxc_end;
    XLX__AUTO_FREE void *buf = malloc(CHUNK);
    if (!buf)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    if (to > end)
        to = end;
    for (size_t n; from < to; from += n) {
        n = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
        int rc = xlx__image_pread(image, buf, n, from);
        if (rc)
            return xlx__fail_errno(ctx, -rc, "%s: cannot read byte %" PRIu64,
                                   image->name, from);
        rc = xlx__write_all(out, buf, n);
        if (rc)
            return xlx__fail_errno(ctx, -rc, "%s: cannot pass it on",
                                   image->name);
    }
    return 0;
}
