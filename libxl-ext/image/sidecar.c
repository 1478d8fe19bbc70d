/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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
    struct stat st;
    if (fstat(image->fd, &st))
        return xlx__fail_errno(ctx, errno, "%s: cannot examine it",
                               image->name);
    /* The time of a block device is that of its name. */
    bool has_time = S_ISREG(st.st_mode);
    *s_r = has_time ? st.st_mtim.tv_sec : 0;
    *ns_r = has_time ? (uint32_t)st.st_mtim.tv_nsec : 0;
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
