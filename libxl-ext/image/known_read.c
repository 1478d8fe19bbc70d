/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/known_read.h"

#include <errno.h>
#include <string.h>

#include "image/sidecar.h"

/* Pages that are read and then checked, while the processor still has them. */
#define PIECE 256u

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

/* Zeros where they are known; everything else is read. */
static int read_data(const xlx_image *image, const xlx_sidecar *sidecar,
                     uint64_t gfn, size_t nr, char *to, uint64_t *bad_r)
{
    for (uint64_t end = gfn + nr, n; gfn < end; gfn += n) {
        struct xlx_image_range zero = zeros_from(sidecar, gfn, end);
        int rc = 0;
        n = zero.gfn - gfn;
        *bad_r = gfn;
        if (n) {
            rc = xlx_image_read(image, gfn, (size_t)n, to);
        } else {
            n = zero.nr;
            memset(to, 0, n * XLX_PAGE_SIZE);
        }
        if (rc)
            return rc;
        to += n * XLX_PAGE_SIZE;
    }
    return 0;
}

/* One read of the sidecar for all checksums, however many zeros are between
 * the pages. */
static int read_piece(const xlx_image *image, const xlx_sidecar *sidecar,
                      uint64_t gfn, size_t nr, char *to, uint64_t *bad_r)
{
    int rc = read_data(image, sidecar, gfn, nr, to, bad_r);
    if (rc)
        return rc;
    rc = xlx__sidecar_check_data(sidecar, gfn, nr, to, bad_r);
    return rc == -EILSEQ ? rc : 0;
}

int xlx__image_read_known(const xlx_image *image, const xlx_sidecar *sidecar,
                          uint64_t gfn, size_t nr, void *buf, uint64_t *bad_r)
{
    char *to = buf;
    *bad_r = gfn;
    if (!sidecar)
        return xlx_image_read(image, gfn, nr, buf);
    for (size_t n; nr; nr -= n) {
        n = nr < PIECE ? nr : PIECE;
        int rc = read_piece(image, sidecar, gfn, n, to, bad_r);
        if (rc)
            return rc;
        gfn += n;
        to += n * XLX_PAGE_SIZE;
    }
    return 0;
}

bool xlx__image_known_zeros(const xlx_sidecar *sidecar, uint64_t gfn,
                            uint64_t nr)
{
    uint64_t end = gfn + nr;
    while (sidecar && gfn < end) {
        struct xlx_image_range zero = zeros_from(sidecar, gfn, end);
        if (zero.gfn > gfn)
            return false;
        gfn += zero.nr;
    }
    return sidecar;
}
