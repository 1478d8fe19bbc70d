/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/sidecar.h"

#include <stdio.h>
#include <stdlib.h>

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
