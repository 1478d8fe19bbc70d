/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: pages that guests share with this host.
 */
#ifndef XLX_XEN_GRANTS_H
#define XLX_XEN_GRANTS_H

#include "core/ctx.h"

struct xlx__grants;

struct xlx__grants_ops {
    /* Copies the first `size` bytes, at most 4096, of the page that the guest
     * granted under `ref`. 0 or -errno, without a report. The guest may write
     * meanwhile. */
    int (*peek)(struct xlx__grants *grants, uint32_t domid, uint32_t ref,
                void *to, size_t size);
};

struct xlx__grants {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__grants_ops *ops;
};

/* As the slot; opens the context's when it is not yet. */
int xlx__grants_peek(xlx_ctx *ctx, uint32_t domid, uint32_t ref, void *to,
                     size_t size);

#endif
