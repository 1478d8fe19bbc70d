/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/parse.h"
#include "host/sysfs.h"
#include "xen/xenstore.h"

/* Xen's DOMID_FIRST_RESERVED: domids are below. */
#define DOMID_END 0x7ff0u

int xlx__dom_exists(xlx_ctx *ctx, uint32_t domid)
{
    int rc = xlx__xs_exists(ctx, XLX__XS_NO_TX, "/local/domain/%u", domid);
    if (rc == 0)
        return xlx__fail(ctx, ESRCH, "domain %u: no such domain", domid);
    return rc < 0 ? rc : 0;
}

/* `text` as libxl writes it. */
static enum xlx__dom_type type_of(const char *text)
{
    if (!strcmp(text, "pvh"))
        return XLX__DOM_PVH;
    if (!strcmp(text, "hvm"))
        return XLX__DOM_HVM;
    return strcmp(text, "pv") ? XLX__DOM_UNKNOWN : XLX__DOM_PV;
}

int xlx__dom_type(xlx_ctx *ctx, uint32_t domid, enum xlx__dom_type *type_r)
{
    XLX__AUTO_FREE char *text = NULL;
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, "/libxl/%u/type", domid);
    if (rc && rc != -ENOENT)
        return rc;
    *type_r = text ? type_of(text) : XLX__DOM_UNKNOWN;
    return 0;
}

int xlx__dom_alive(xlx_ctx *ctx, uint32_t domid)
{
    int rc = xlx__xs_open(ctx);
    return rc ? rc : ctx->xs->ops->introduced(ctx->xs, domid);
}

int xlx_domain_alive(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__dom_alive(ctx, domid);
}

bool xlx_on_xen(xlx_ctx *ctx)
{
    char type[8];
    return !xlx__sysfs_open(ctx) &&
           !ctx->sysfs->ops->read(ctx->sysfs, "hypervisor/type", type,
                                  sizeof(type)) &&
           !strcmp(type, "xen");
}

bool xlx__dom_possible(xlx_ctx *ctx)
{
    return ctx->xs || xlx_on_xen(ctx);
}

static int has_name(xlx_ctx *ctx, const char *domid, const char *name)
{
    XLX__AUTO_FREE char *text = NULL;
    int rc =
        xlx__xs_read(ctx, XLX__XS_NO_TX, &text, "/local/domain/%s/name", domid);
    if (rc == -ENOENT)
        return 0;
    return rc ? rc : !strcmp(text, name);
}

static int find_name(xlx_ctx *ctx, const char *name, uint32_t *domid_r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    int rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &ids, "/local/domain");
    for (size_t i = 0; !rc && i < ids.nr; i++) {
        rc = has_name(ctx, ids.v[i], name);
        if (rc > 0)
            return xlx__parse_u32(ids.v[i], 0, DOMID_END - 1, domid_r);
    }
    return rc ? rc : xlx__fail(ctx, ESRCH, "domain %s: no such domain", name);
}

int xlx_domain_find(xlx_ctx *ctx, const char *text, uint32_t *domid_r)
{
    uint32_t domid;
    int rc = xlx__parse_u32(text, 0, DOMID_END - 1, &domid);
    if (rc == -EINVAL)
        return find_name(ctx, text, domid_r);
    if (rc)
        return xlx__fail(ctx, ESRCH, "domain %s: no such domain", text);
    rc = xlx__dom_exists(ctx, domid);
    if (!rc)
        *domid_r = domid;
    return rc;
}

/* --- all of them ---------------------------------------------------------- */

/* The text without `start`, "" where it is missing, another or too long. */
static int read_domain_node(xlx_ctx *ctx, uint32_t domid, const char *node,
                            const char *start, char *to, size_t size)
{
    XLX__AUTO_FREE char *text = NULL;
    size_t n = strlen(start);
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &text, "/local/domain/%u/%s",
                          domid, node);
    *to = '\0';
    if (!rc && !strncmp(text, start, n) && strlen(text + n) < size)
        strcpy(to, text + n);
    return rc == -ENOENT ? 0 : rc;
}

int xlx__dom_uuid(xlx_ctx *ctx, uint32_t domid, char uuid_r[XLX__DOM_UUID_MAX])
{
    /* "/vm/UUID", as libxl has it */
    return read_domain_node(ctx, domid, "vm", "/vm/", uuid_r,
                            XLX__DOM_UUID_MAX);
}

/* 1: read, 0: to be left out. */
static int read_dom(xlx_ctx *ctx, const char *id, struct xlx__dom *dom)
{
    if (xlx__parse_u32(id, 1, DOMID_END - 1, &dom->domid))
        return 0;
    int rc = xlx__dom_alive(ctx, dom->domid);
    if (rc <= 0)
        return rc;
    rc = read_domain_node(ctx, dom->domid, "name", "", dom->name,
                          sizeof(dom->name));
    if (!rc)
        rc = xlx__dom_uuid(ctx, dom->domid, dom->uuid);
    return rc ? rc : 1;
}

static int by_domid(const void *a, const void *b)
{
    const struct xlx__dom *x = a, *y = b;
    return (x->domid > y->domid) - (x->domid < y->domid);
}

int xlx__dom_list(xlx_ctx *ctx, struct xlx__dom **list_r)
{
    XLX__AUTO_NAMES struct xlx__names ids = { 0 };
    XLX__AUTO_FREE struct xlx__dom *list = NULL;
    int nr = 0, rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &ids, "/local/domain");
    if (!rc && ids.nr && !(list = calloc(ids.nr, sizeof(*list))))
        rc = xlx__fail(ctx, ENOMEM, "domains: no memory");
    for (size_t i = 0; rc >= 0 && i < ids.nr; i++) {
        rc = read_dom(ctx, ids.v[i], &list[nr]);
        nr += rc > 0;
    }
    if (rc < 0)
        return rc;
    if (nr)
        qsort(list, (size_t)nr, sizeof(*list), by_domid);
    *list_r = xlx__steal(list);
    return nr;
}

_Static_assert(XLX_GUEST_NAME_MAX >= XLX__DOM_NAME_MAX, "any name fits");

int xlx_domain_list(xlx_ctx *ctx, struct xlx_domain **list_r, size_t size)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    char *list = NULL;
    int nr = xlx__dom_list(ctx, &doms);
    if (nr > 0 && !(list = calloc((size_t)nr, size)))
        return xlx__fail(ctx, ENOMEM, "domains: no memory");
    for (int i = 0; i < nr; i++) {
        struct xlx_domain dom = { .domid = doms[i].domid };
        strcpy(dom.name, doms[i].name);
        xlx__copy_sized(list + (size_t)i * size, size, &dom, sizeof(dom));
    }
    if (nr >= 0)
        *list_r = (struct xlx_domain *)list;
    return nr;
}
