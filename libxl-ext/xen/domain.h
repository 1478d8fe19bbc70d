/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Domains as the toolstack wrote them into xenstore. Needs no hypercall, so
 * the xenstore seam is all a test has to fake.
 */
#ifndef XLX_XEN_DOMAIN_H
#define XLX_XEN_DOMAIN_H

#include "core/ctx.h"

#define XLX__DOM_NAME_MAX 256
#define XLX__DOM_UUID_MAX 37

enum xlx__dom_type {
    XLX__DOM_UNKNOWN, /* not made by libxl */
    XLX__DOM_PV,
    XLX__DOM_PVH,
    XLX__DOM_HVM,
};

/*
 * False where no Xen runs: there are no domains, and no xenstore to be asked. A
 * xenstore that is open already is asked.
 */
bool xlx__dom_possible(xlx_ctx *ctx);

/* 0, or -ESRCH with the text "domain 7: no such domain". */
int xlx__dom_exists(xlx_ctx *ctx, uint32_t domid);

/* The type libxl gave it. 0 or -errno. */
int xlx__dom_type(xlx_ctx *ctx, uint32_t domid, enum xlx__dom_type *type_r);

/* Whether the domain still runs in Xen: 1, 0 or -errno, without a report. */
int xlx__dom_alive(xlx_ctx *ctx, uint32_t domid);

/* Its UUID as it stands in xenstore; "" for none. 0 or -errno. */
int xlx__dom_uuid(xlx_ctx *ctx, uint32_t domid, char uuid_r[XLX__DOM_UUID_MAX]);

/* A guest that runs, as the toolstack knows it. */
struct xlx__dom {
    uint32_t domid;
    char name[XLX__DOM_NAME_MAX]; /* "" for none, or one that is too long */
    char uuid[XLX__DOM_UUID_MAX]; /* as it stands in xenstore; "" for none */
};

/* All guests that Xen has, this host not among them, sorted by domid; *list_r
 * for free(). Returns how many. */
int xlx__dom_list(xlx_ctx *ctx, struct xlx__dom **list_r);

#endif
