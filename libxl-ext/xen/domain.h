/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Domains as the toolstack wrote them into xenstore. Needs no hypercall, so
 * the xenstore seam is all a test has to fake.
 */
#ifndef XLX_XEN_DOMAIN_H
#define XLX_XEN_DOMAIN_H

#include "core/ctx.h"

enum xlx__dom_type {
    XLX__DOM_UNKNOWN, /* not made by libxl */
    XLX__DOM_PV,
    XLX__DOM_PVH,
    XLX__DOM_HVM,
};

/* 0, or -ESRCH with the text "domain 7: no such domain". */
int xlx__dom_exists(xlx_ctx *ctx, uint32_t domid);

/* The type libxl gave it. 0 or -errno. */
int xlx__dom_type(xlx_ctx *ctx, uint32_t domid, enum xlx__dom_type *type_r);

/* Whether the domain still runs in Xen: 1, 0 or -errno, without a report. */
int xlx__dom_alive(xlx_ctx *ctx, uint32_t domid);

#endif
