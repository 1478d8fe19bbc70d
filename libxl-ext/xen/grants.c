/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/grants.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xengnttab.h>

struct device {
    struct xlx__grants base;
    xengnttab_handle *gnttab;
};

static int device_peek(struct xlx__grants *grants, uint32_t domid, uint32_t ref,
                       void *to, size_t size)
{
    xengnttab_handle *gnttab = ((struct device *)grants)->gnttab;
    void *page = xengnttab_map_grant_ref(gnttab, domid, ref, PROT_READ);
    if (!page)
        return errno ? -errno : -EIO;
    memcpy(to, page, size);
    xengnttab_unmap(gnttab, page, 1);
    return 0;
}

static void device_close(struct xlx__seam *seam)
{
    struct device *device = (struct device *)seam;
    xengnttab_close(device->gnttab);
    free(device);
}

static const struct xlx__grants_ops device_ops = { .peek = device_peek };

static int open_device(struct xlx__grants **grants_r)
{
    struct device *device = calloc(1, sizeof(*device));
    if (!device)
        return -ENOMEM;
    device->gnttab = xengnttab_open(NULL, 0);
    if (!device->gnttab) {
        int err = errno;
        free(device);
        return err ? -err : -EIO;
    }
    device->base.seam.close = device_close;
    device->base.ops = &device_ops;
    *grants_r = &device->base;
    return 0;
}

int xlx__grants_peek(xlx_ctx *ctx, uint32_t domid, uint32_t ref, void *to,
                     size_t size)
{
    int rc = ctx->grants ? 0 : open_device(&ctx->grants);
    return rc ? rc
              : ctx->grants->ops->peek(ctx->grants, domid, ref, to, size);
}
