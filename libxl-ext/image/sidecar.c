/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a sidecar belongs to, and what one that was opened answers.
 */
#include "image/sidecar.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/array.h"
#include "core/io.h"
#include "image/runs.h"

#define CRCS 512 /* checked at a time */

uint64_t *xlx__ordinals(const struct xlx_image *image)
{
    uint64_t *ordinal = calloc(image->nr_runs + 1, sizeof(*ordinal));
    for (size_t i = 0; ordinal && i < image->nr_runs; i++)
        ordinal[i + 1] = ordinal[i] + image->runs[i].nr;
    return ordinal;
}

struct lzx_identity xlx__sidecar_identity(const struct xlx_image *image)
{
    return (struct lzx_identity){
        .stream_len = image->info.libxc_end - image->info.libxc_start,
        .stream_sum = xlx__image_sum(image),
        .pages = image->info.pages,
        .runs = image->nr_runs,
    };
}

int xlx__sidecar_mtime(xlx_ctx *ctx, const struct xlx_image *image,
                       int64_t *s_r, uint32_t *ns_r)
{
    struct timespec mtime;
    mode_t mode;
    int rc = image->storage->ops->examine(image->storage, &mtime, &mode);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "%s: cannot examine it", image->name);
    *s_r = mtime.tv_sec;
    *ns_r = (uint32_t)mtime.tv_nsec;
    return 0;
}

int xlx__sidecar_path(xlx_ctx *ctx, const struct xlx_image *image,
                      const char *path, char *to)
{
    if (snprintf(to, PATH_MAX, "%s%s", path ? path : image->name,
                 path ? "" : ".lzx") >= PATH_MAX)
        return xlx__fail(ctx, ENAMETOOLONG, "%s: path too long", image->name);
    return 0;
}

/* --- answers -------------------------------------------------------------- */

const struct xlx_sidecar_info *xlx_sidecar_info(const xlx_sidecar *sidecar)
{
    return &sidecar->info;
}

const struct xlx_image_range *
xlx_sidecar_working_set(const xlx_sidecar *sidecar, size_t *nr_r)
{
    *nr_r = sidecar->nr_working_set;
    return sidecar->nr_working_set ? sidecar->working_set : NULL;
}

/* --- zero pages ----------------------------------------------------------- */

/* The first bit in [from, end) that is `value`; `end` without one. */
static uint64_t find_bit(const uint64_t *words, uint64_t from, uint64_t end,
                         bool value)
{
    uint64_t flip = value ? 0 : UINT64_MAX;
    while (from < end) {
        uint64_t word = (words[from / 64] ^ flip) >> from % 64;
        if (word) {
            from += (uint64_t)__builtin_ctzll(word);
            return from < end ? from : end;
        }
        from += 64 - from % 64;
    }
    return end;
}

bool xlx_sidecar_next_zero(const xlx_sidecar *sidecar, uint64_t gfn,
                           struct xlx_image_range *zero_r)
{
    const struct xlx_image *image = sidecar->image;
    const struct xlx_image_run *run =
        xlx__runs_from(image->runs, image->nr_runs, gfn);
    if (!run || !sidecar->zero)
        return false;
    size_t i = (size_t)(run - image->runs);
    uint64_t all = sidecar->ordinal[image->nr_runs];
    uint64_t from = sidecar->ordinal[i] + (gfn > run->gfn ? gfn - run->gfn : 0);
    from = find_bit(sidecar->zero, from, all, true);
    if (from == all)
        return false;
    while (sidecar->ordinal[i + 1] <= from)
        i++;
    uint64_t end =
        find_bit(sidecar->zero, from, sidecar->ordinal[i + 1], false);
    zero_r->gfn = image->runs[i].gfn + from - sidecar->ordinal[i];
    zero_r->nr = end - from;
    return true;
}

/* --- crc of pages --------------------------------------------------------- */

/* No more crcs than are computed side by side are computed in vain. */
static int compare(const uint32_t *want, size_t nr, const unsigned char *bytes,
                   size_t *bad_r)
{
    uint32_t crc[XLX__CRC32C_AT_ONCE];
    for (size_t i = 0, n; i < nr; i += n) {
        n = nr - i < XLX__NR(crc) ? nr - i : XLX__NR(crc);
        xlx__crc32c_each(bytes + i * XLX_PAGE_SIZE, XLX_PAGE_SIZE, n, crc);
        for (size_t k = 0; k < n; k++) {
            if (crc[k] == want[i + k])
                continue;
            *bad_r = i + k;
            return -EILSEQ;
        }
    }
    return 0;
}

/*
 * Pages [page, page + nr) by number, at most CRCS, but for those with a bit in
 * `zero`, unless that is NULL.
 */
static int check_some(const xlx_sidecar *sidecar, const uint64_t *zero,
                      uint64_t page, size_t nr, const unsigned char *bytes,
                      size_t *bad_r)
{
    uint32_t crc[CRCS];
    uint64_t at = page, to = page + nr;
    if (zero)
        at = find_bit(zero, at, to, false);
    if (at == to)
        return 0;
    int rc = xlx__pread_all(sidecar->fd, crc, nr * sizeof(crc[0]),
                            sidecar->crc_at + page * sizeof(crc[0]));
    while (!rc && at < to) {
        uint64_t end = zero ? find_bit(zero, at, to, true) : to;
        size_t first = (size_t)(at - page);
        rc = compare(crc + first, (size_t)(end - at),
                     bytes + first * XLX_PAGE_SIZE, bad_r);
        *bad_r += first;
        at = zero ? find_bit(zero, end, to, false) : to;
    }
    return rc;
}

static int check_pages(const xlx_sidecar *sidecar, const uint64_t *zero,
                       uint64_t gfn, size_t nr, const void *pages,
                       uint64_t *bad_gfn_r)
{
    const struct xlx_image *image = sidecar->image;
    const struct xlx_image_run *end = image->runs + image->nr_runs;
    const struct xlx_image_run *run =
        xlx__runs_from(image->runs, image->nr_runs, gfn);
    const unsigned char *bytes = pages;
    if (!sidecar->crc_at)
        return 0;
    while (nr) {
        if (!run || run == end || gfn < run->gfn)
            return -ENOENT;
        uint64_t first = gfn - run->gfn, n = run->nr - first;
        size_t bad = 0;
        n = n < nr ? n : nr;
        n = n < CRCS ? n : CRCS;
        int rc = check_some(sidecar, zero,
                            sidecar->ordinal[run - image->runs] + first,
                            (size_t)n, bytes, &bad);
        if (rc == -EILSEQ)
            *bad_gfn_r = gfn + bad;
        if (rc)
            return rc;
        gfn += n;
        nr -= n;
        bytes += n * XLX_PAGE_SIZE;
        if (gfn == run->gfn + run->nr)
            run++;
    }
    return 0;
}

int xlx_sidecar_check(const xlx_sidecar *sidecar, uint64_t gfn, size_t nr,
                      const void *pages, uint64_t *bad_gfn_r)
{
    return check_pages(sidecar, NULL, gfn, nr, pages, bad_gfn_r);
}

int xlx__sidecar_check_data(const xlx_sidecar *sidecar, uint64_t gfn, size_t nr,
                            const void *pages, uint64_t *bad_gfn_r)
{
    return check_pages(sidecar, sidecar->zero, gfn, nr, pages, bad_gfn_r);
}
