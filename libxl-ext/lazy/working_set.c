/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/working_set.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/image.h"

/* --- before the domain runs ----------------------------------------------- */

int xlx__working_set_name(xlx_ctx *ctx, const char *path, char **sidecar_r)
{
    char folder[PATH_MAX] = "";
    *sidecar_r = NULL;
    if (!path)
        return 0;
    bool absolute = *path == '/';
    if (!absolute && !getcwd(folder, sizeof(folder)))
        return xlx__fail_errno(ctx, errno, "%s: its folder", path);
    if (asprintf(sidecar_r, "%s%s%s", folder, absolute ? "" : "/", path) >= 0)
        return 0;
    *sidecar_r = NULL;
    return xlx__fail(ctx, ENOMEM, "%s: no memory", path);
}

xlx_sidecar *xlx__working_set_open(xlx_ctx *ctx, const xlx_image *image,
                                   const char *sidecar_path)
{
    xlx_sidecar *sidecar = NULL;
    int rc = xlx_sidecar_open(ctx, image, sidecar_path, &sidecar);
    if (rc && rc != -ENOENT)
        xlx__log(ctx, XLX_LOG_INFO, "the sidecar is not used: %s",
                 xlx_ctx_error(ctx));
    else if (!rc && xlx_sidecar_info(sidecar)->time_differs)
        xlx__log(ctx, XLX_LOG_INFO,
                 "%s: was modified since its sidecar was written: zero pages "
                 "are read like all others, until image-index writes the "
                 "sidecar again (copies keep the time with cp -p)",
                 xlx_image_name(image));
    else if (rc && sidecar_path)
        xlx__log(ctx, XLX_LOG_INFO, "%s: there is no sidecar yet",
                 sidecar_path);
    return rc ? NULL : sidecar;
}

void xlx__working_set_use(struct xlx__pager *pager, const xlx_sidecar *sidecar)
{
    struct xlx__gfn_range *recorded = NULL;
    size_t nr;
    if (!sidecar)
        return;
    xlx__loader_set_sidecar(xlx__pager_loader(pager), sidecar);
    const struct xlx_image_range *set = xlx_sidecar_working_set(sidecar, &nr);
    if (nr)
        recorded = calloc(nr, sizeof(*recorded));
    if (!recorded)
        return; /* slower, not wrong */
    for (size_t i = 0; i < nr; i++)
        recorded[i] =
            (struct xlx__gfn_range){ set[i].gfn, set[i].gfn + set[i].nr };
    xlx__backfill_set_recorded(xlx__pager_backfill(pager), recorded, nr);
}

/* --- when it is complete -------------------------------------------------- */

static int keep(xlx_ctx *ctx, const xlx_image *image, const char *sidecar_path,
                const struct xlx__gfn_range *runs, size_t nr)
{
    struct xlx_image_range *ranges = calloc(nr, sizeof(*ranges));
    if (!ranges)
        return xlx__fail(ctx, ENOMEM, "no memory");
    for (size_t i = 0; i < nr; i++)
        ranges[i] = (struct xlx_image_range){ runs[i].start,
                                              runs[i].end - runs[i].start };
    int rc = xlx_sidecar_working_set_add(ctx, image, sidecar_path, ranges, nr);
    free(ranges);
    return rc;
}

void xlx__working_set_keep(xlx_ctx *ctx, const xlx_image *image,
                           const char *sidecar_path,
                           const struct xlx__recorder *recorder)
{
    struct xlx__gfn_range *runs;
    size_t nr;
    if (!xlx__recorder_is_set(recorder))
        return;
    /* Another file may have its name by now, and that file a sidecar. */
    if (!xlx__image_has_its_name(image)) {
        xlx__log(ctx, XLX_LOG_WARN,
                 "%s: not recorded: it is no longer the file that the guest "
                 "is restored from",
                 xlx_image_name(image));
        return;
    }
    int rc = xlx__recorder_runs(recorder, &runs, &nr);
    if (rc)
        xlx__fail(ctx, -rc, "no memory");
    else if (nr)
        rc = keep(ctx, image, sidecar_path, runs, nr);
    if (rc)
        xlx__log(ctx, XLX_LOG_WARN, "%s: not recorded: %s",
                 xlx_image_name(image), xlx_ctx_error(ctx));
    else
        xlx__log(ctx, XLX_LOG_INFO, "%s: recorded %zu touches in %zu runs",
                 xlx_image_name(image), xlx__recorder_count(recorder), nr);
    free(runs);
}
