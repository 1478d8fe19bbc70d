/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The steps of a fast restore.
 */
#include "libxl_ext_fast.h"

#include <stdlib.h>

#include "fast/load.h"
#include "fast/window.h"
#include "image/resident.h"

struct xlx_fast {
    xlx_ctx *ctx;
    uint32_t domid;
    xlx_image *image;
    xlx_sidecar *sidecar; /* NULL: none */
};

/* The interfaces are opened again by each process that uses them. */
static int check_xen(const xlx_fast *fast)
{
    struct xlx__physmap *physmap;
    int rc = xlx__physmap_open(fast->ctx, fast->domid, &physmap);
    if (!rc)
        physmap->ops->close(physmap);
    return rc;
}

static int check_guest(const xlx_fast *fast)
{
    if (xlx_image_info(fast->image)->guest == XLX_IMAGE_HVM)
        return 0;
    return xlx__fail(fast->ctx, ENOTSUP, "%s: a PV guest",
                     xlx_image_name(fast->image));
}

static void open_sidecar(xlx_fast *fast, const char *path)
{
    xlx_ctx *ctx = fast->ctx;
    int rc = xlx_sidecar_open(ctx, fast->image, path, &fast->sidecar);
    if (rc)
        fast->sidecar = NULL;
    if (rc == -ENOENT && path)
        xlx__info(ctx, "%s: there is no such sidecar", path);
    else if (rc && rc != -ENOENT)
        xlx__info(ctx, "the sidecar is not used: %s", xlx_ctx_error(ctx));
    else if (!rc && xlx_sidecar_info(fast->sidecar)->time_differs)
        xlx__info(ctx,
                  "%s: was modified since its sidecar was written: zero "
                  "pages are read like all others",
                  xlx_image_name(fast->image));
}

int xlx_fast_open(xlx_ctx *ctx, uint32_t domid, int io_fd, uint64_t offset,
                  const char *name, const char *sidecar, xlx_fast **fast_r)
{
    xlx_fast *fast = calloc(1, sizeof(*fast));
    if (!fast)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    fast->ctx = ctx;
    fast->domid = domid;
    int rc = xlx_image_open_fd(ctx, io_fd, offset, name, &fast->image);
    if (!rc)
        rc = check_guest(fast);
    if (!rc)
        rc = check_xen(fast);
    if (rc) {
        xlx_fast_close(fast);
        return rc;
    }
    open_sidecar(fast, sidecar);
    *fast_r = fast;
    return 0;
}

void xlx_fast_close(xlx_fast *fast)
{
    if (!fast)
        return;
    xlx_sidecar_close(fast->sidecar);
    xlx_image_close(fast->image);
    free(fast);
}

const xlx_image *xlx_fast_image(const xlx_fast *fast)
{
    return fast->image;
}

bool xlx_fast_more(const xlx_fast *fast, uint64_t *gfn)
{
    size_t nr;
    const struct xlx_image_run *runs = xlx_image_runs(fast->image, &nr);
    bool more = xlx__fast_first(runs, nr, *gfn, gfn);
    *gfn -= *gfn % XLX_FAST_PART;
    return more;
}

int xlx_fast_load(xlx_fast *fast, uint64_t gfn)
{
    struct xlx__fast_job job = { .image = fast->image,
                                 .sidecar = fast->sidecar,
                                 .start = gfn,
                                 .end = gfn + XLX_FAST_PART };
    int rc = xlx__physmap_open(fast->ctx, fast->domid, &job.physmap);
    if (rc)
        return rc;
    rc = xlx__fast_load(fast->ctx, &job);
    job.physmap->ops->close(job.physmap);
    return rc;
}

int xlx_fast_feed(xlx_fast *fast, int out)
{
    static const struct xlx__gfn_range stock = { XLX__FAST_STOCK_START,
                                                 XLX__FAST_STOCK_END };
    uint64_t pages;
    return xlx__image_thin(fast->ctx, fast->image, &stock, 1, out, &pages);
}
