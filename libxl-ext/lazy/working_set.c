/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/working_set.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"
#include "image/impl.h"

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

xlx_image_index *xlx__working_set_open(xlx_ctx *ctx, const xlx_image *image,
                                       const char *sidecar)
{
    xlx_image_index *index = NULL;
    int rc = xlx_image_index_open(ctx, image, sidecar, &index);
    if (rc && rc != -ENOENT)
        xlx__log(ctx, XLX_LOG_INFO, "the sidecar is not used: %s",
                 xlx_ctx_error(ctx));
    else if (!rc && xlx_image_index_info(index)->time_differs)
        xlx__log(ctx, XLX_LOG_INFO,
                 "%s: has another time than when its sidecar was made: its "
                 "zero pages are read as all others, until image-index makes "
                 "the sidecar again (copies keep the time with cp -p)",
                 xlx_image_name(image));
    else if (rc && sidecar)
        xlx__log(ctx, XLX_LOG_INFO, "%s: there is no sidecar yet", sidecar);
    return rc ? NULL : index;
}

void xlx__working_set_use(struct xlx__pager *pager,
                          const xlx_image_index *index)
{
    struct xlx__gfn_range *recorded = NULL;
    size_t nr;
    if (!index)
        return;
    xlx__loader_set_index(xlx__pager_loader(pager), index);
    const struct xlx_image_range *set = xlx_image_working_set(index, &nr);
    if (nr)
        recorded = calloc(nr, sizeof(*recorded));
    if (!recorded)
        return; /* slower, not wrong */
    for (size_t i = 0; i < nr; i++)
        recorded[i] =
            (struct xlx__gfn_range){ set[i].gfn, set[i].gfn + set[i].nr };
    xlx__backfill_set_recorded(xlx__pager_backfill(pager), recorded, nr);
}

static int in_unit(const char *text, const char *unit, uint64_t times,
                   uint64_t max, uint64_t *value_r)
{
    char number[24];
    size_t len = strlen(text), tail = strlen(unit);
    if (len <= tail || len - tail >= sizeof(number) ||
        strcmp(text + len - tail, unit))
        return -EINVAL;
    memcpy(number, text, len - tail);
    number[len - tail] = '\0';
    uint64_t value;
    if (xlx__parse_u64(number, 0, max / times, &value))
        return -EINVAL;
    *value_r = value * times;
    return 0;
}

static int in_time(const char *text, uint64_t max, uint64_t *ms_r)
{
    int rc = in_unit(text, "ms", 1, max, ms_r);
    return rc ? in_unit(text, "s", 1000, max, ms_r) : 0;
}

int xlx_lazy_parse_record(const char *text, uint64_t *ms_r)
{
    uint64_t ms;
    if (in_time(text, XLX_LAZY_RECORD_MS_MAX, &ms) || !ms)
        return -EINVAL;
    *ms_r = ms;
    return 0;
}

int xlx_lazy_parse_prefetch(const char *text,
                            struct xlx_lazy_prefetch *prefetch_r)
{
    static const struct {
        const char *unit;
        uint64_t times;
    } sizes[] = { { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
    struct xlx_lazy_prefetch p = { .bytes = UINT64_MAX,
                                   .ms = XLX_LAZY_PREFETCH_MS_MAX };
    int rc = -EINVAL;

    if (!strcmp(text, "0")) {
        p.bytes = 0;
        rc = 0;
    }
    for (size_t i = 0; rc && i < sizeof(sizes) / sizeof(sizes[0]); i++)
        rc = in_unit(text, sizes[i].unit, sizes[i].times, (uint64_t)1 << 50,
                     &p.bytes);
    if (rc)
        rc = in_time(text, XLX_LAZY_PREFETCH_MS_MAX, &p.ms);
    if (!rc)
        *prefetch_r = p;
    return rc;
}

/* --- when it is complete -------------------------------------------------- */

static int keep(xlx_ctx *ctx, const xlx_image *image, const char *sidecar,
                const struct xlx__gfn_range *runs, size_t nr)
{
    struct xlx_image_range *ranges = calloc(nr, sizeof(*ranges));
    if (!ranges)
        return xlx__fail(ctx, ENOMEM, "no memory");
    for (size_t i = 0; i < nr; i++)
        ranges[i] = (struct xlx_image_range){ runs[i].start,
                                              runs[i].end - runs[i].start };
    int rc = xlx_image_working_set_add(ctx, image, sidecar, ranges, nr);
    free(ranges);
    return rc;
}

void xlx__working_set_keep(xlx_ctx *ctx, const xlx_image *image,
                           const char *sidecar,
                           const struct xlx__recorder *recorder)
{
    struct xlx__gfn_range *runs;
    size_t nr;
    if (!xlx__recorder_is_set(recorder))
        return;
    /* Another file may have its name by now, and that file a sidecar. An export
     * has no name of its own: its sidecar says which image it belongs to. */
    if (image->storage->has_folder && !xlx__image_has_its_name(image)) {
        xlx__log(ctx, XLX_LOG_WARN,
                 "%s: not recorded: it is no longer the file that is restored",
                 image->name);
        return;
    }
    int rc = xlx__recorder_runs(recorder, &runs, &nr);
    if (rc)
        xlx__fail(ctx, -rc, "no memory");
    else if (nr)
        rc = keep(ctx, image, sidecar, runs, nr);
    if (rc)
        xlx__log(ctx, XLX_LOG_WARN, "%s: not recorded: %s", image->name,
                 xlx_ctx_error(ctx));
    else
        xlx__log(ctx, XLX_LOG_INFO, "%s: recorded %zu touches in %zu runs",
                 image->name, xlx__recorder_count(recorder), nr);
    free(runs);
}
