/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/known_read.h"

#include <errno.h>
#include <string.h>

/* Pages that are read and then checked, while the processor still has them. */
#define PIECE 256u

static int read_and_check(const xlx_image *image, const xlx_sidecar *sidecar,
                          uint64_t gfn, size_t nr, void *buf, uint64_t *bad_r)
{
    *bad_r = gfn;
    int rc = xlx_image_read(image, gfn, nr, buf);
    if (rc)
        return rc;
    rc = xlx_sidecar_check(sidecar, gfn, nr, buf, bad_r);
    return rc == -EILSEQ ? rc : 0;
}

/* The first zeros in [gfn, end) that are known; an empty range at `end` when
 * there are none. */
static struct xlx_image_range zeros_from(const xlx_sidecar *sidecar,
                                         uint64_t gfn, uint64_t end)
{
    struct xlx_image_range zero;
    if (!xlx_sidecar_next_zero(sidecar, gfn, &zero) || zero.gfn >= end)
        return (struct xlx_image_range){ end, 0 };
    if (zero.nr > end - zero.gfn)
        zero.nr = end - zero.gfn;
    return zero;
}

int xlx__image_read_known(const xlx_image *image, const xlx_sidecar *sidecar,
                          uint64_t gfn, size_t nr, void *buf, uint64_t *bad_r)
{
    char *to = buf;
    *bad_r = gfn;
    if (!sidecar)
        return xlx_image_read(image, gfn, nr, buf);
    for (uint64_t end = gfn + nr, n; gfn < end; gfn += n) {
        struct xlx_image_range zero = zeros_from(sidecar, gfn, end);
        n = zero.gfn - gfn;
        if (n > PIECE)
            n = PIECE;
        int rc =
            n ? read_and_check(image, sidecar, gfn, (size_t)n, to, bad_r) : 0;
        if (rc)
            return rc;
        if (!n) {
            n = zero.nr;
            memset(to, 0, n * XLX_PAGE_SIZE);
        }
        to += n * XLX_PAGE_SIZE;
    }
    return 0;
}
