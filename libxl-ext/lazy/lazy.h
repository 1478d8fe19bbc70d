/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A lazy restore, as its steps (lazy.c) and its service (serve.c) share it.
 */
#ifndef XLX_LAZY_LAZY_H
#define XLX_LAZY_LAZY_H

#include "lazy/pager.h"
#include "lazy/reporter.h"
#include "libxl_ext_lazy.h"

struct xlx_lazy {
    xlx_ctx *ctx;
    uint32_t domid;
    xlx_image *image;
    char *sidecar_path;   /* its absolute path; NULL: beside the image */
    xlx_sidecar *sidecar; /* NULL: none */
    struct xlx__gfn_range *resident;
    size_t nr_resident;
    struct xlx__paging *paging;         /* opened by xlx_lazy_start() */
    struct xlx__contention *contention; /* as paging; NULL: it cannot be */
    struct xlx__pager *pager;
    struct xlx__reporter *reporter;
    unsigned ticks; /* of the control thread */
};

static inline struct xlx__throttle *xlx__lazy_throttle(xlx_lazy *lazy)
{
    return xlx__backfill_throttle(xlx__pager_backfill(lazy->pager));
}

#endif
