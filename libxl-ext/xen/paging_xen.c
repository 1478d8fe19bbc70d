/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory paging over libxenctrl and the stable libraries.
 */
#include "xen/paging_xen.h"

#include <stdlib.h>
#include <string.h>

#include <xen/memory.h>

#include "xen/paging_call.h"
#include "xen/toollog.h"

/* --- memory --------------------------------------------------------------- */

static int xen_claim(struct xlx__paging *p, uint64_t pages)
{
    if (!xc_domain_claim_pages(of(p)->xch, p->domid, pages))
        return 0;
    return xlx__fail_errno(p->ctx, errno,
                           "domain %u: reserve %lu pages of host memory",
                           p->domid, (unsigned long)pages);
}

/* Each call may stop early with what it did written back; nr is 32 bits. */
static int xen_mark_run(struct xlx__paging *p, uint64_t gfn, uint64_t nr)
{
    while (nr) {
        uint32_t part = nr > UINT32_MAX ? UINT32_MAX : (uint32_t)nr;
        struct xlx__xen_paging_op op = { .op = XLX__XENMEM_PAGING_MARK_RUN,
                                         .domain = (uint16_t)p->domid,
                                         .nr = part,
                                         .gfn = gfn };
        int rc = xlx__paging_op(of(p)->xcall, &op);
        if (rc < 0)
            return xlx__fail_errno(p->ctx, -rc,
                                   "domain %u: mark gfn 0x%lx as paged",
                                   p->domid, (unsigned long)op.gfn);
        gfn += part;
        nr -= part;
    }
    return 0;
}

static void *xen_buffer_alloc(struct xlx__paging *p, size_t pages)
{
    return xencall_alloc_buffer_pages(of(p)->xcall, pages);
}

static void xen_buffer_free(struct xlx__paging *p, void *buffer, size_t pages)
{
    if (buffer)
        xencall_free_buffer_pages(of(p)->xcall, buffer, pages);
}

/* No text in the context: two threads load at once, and the caller retries. */
static int xen_load_run(struct xlx__paging *p, uint64_t gfn, uint32_t nr,
                        const void *buffer)
{
    struct xlx__xen_paging_op op = {
        .op = buffer ? XLX__XENMEM_PAGING_LOAD_RUN
                     : XLX__XENMEM_PAGING_LOAD_ZEROS,
        .domain = (uint16_t)p->domid,
        .nr = nr,
        .buffer = (uint64_t)(uintptr_t)buffer,
        .gfn = gfn,
    };
    return xlx__paging_op(of(p)->xcall, &op);
}

static int xen_count_2m(struct xlx__paging *p, uint64_t gfn, uint64_t nr,
                        uint64_t *count_r)
{
    uint64_t count = 0;
    while (nr) {
        uint32_t part =
            nr > XLX__XENMEM_COUNT_MAX ? XLX__XENMEM_COUNT_MAX : (uint32_t)nr;
        struct xlx__xen_paging_op op = { .op = XLX__XENMEM_PAGING_COUNT_2M,
                                         .domain = (uint16_t)p->domid,
                                         .nr = part,
                                         .gfn = gfn };
        int rc = xlx__paging_op(of(p)->xcall, &op);
        if (rc < 0)
            return rc;
        count += (uint64_t)rc;
        gfn += part;
        nr -= part;
    }
    *count_r = count;
    return 0;
}

/* --- the domain ----------------------------------------------------------- */

static int xen_pause(struct xlx__paging *p)
{
    return xc_domain_pause(of(p)->xch, p->domid) ? -errno : 0;
}

static int xen_unpause(struct xlx__paging *p)
{
    return xc_domain_unpause(of(p)->xch, p->domid) ? -errno : 0;
}

static int xen_info(struct xlx__paging *p, struct xlx__paging_info *info_r)
{
    xc_domaininfo_t info;
    int n = xc_domain_getinfolist(of(p)->xch, p->domid, 1, &info);
    if (n < 0)
        return -errno;
    memset(info_r, 0, sizeof(*info_r));
    if (n == 0 || info.domain != p->domid || (info.flags & XEN_DOMINF_dying)) {
        info_r->dying = true;
        return 0;
    }
    info_r->paused = info.flags & XEN_DOMINF_paused;
    info_r->paged_pages = info.paged_pages;
    info_r->tot_pages = info.tot_pages;
    return 0;
}

static void paging_close(struct xlx__paging *p)
{
    struct paging_xen *x = of(p);
    if (x->ring_page)
        xenforeignmemory_unmap(x->fmem, x->ring_page, 1);
    if (x->xce)
        xenevtchn_close(x->xce);
    if (x->fmem)
        xenforeignmemory_close(x->fmem);
    if (x->xcall)
        xencall_close(x->xcall);
    if (x->xch)
        xc_interface_close(x->xch);
    free(x);
}

static const struct xlx__paging_ops xen_ops = {
    .enable = xlx__xen_enable,
    .take_over = xlx__xen_take_over,
    .claim = xen_claim,
    .mark_run = xen_mark_run,
    .buffer_alloc = xen_buffer_alloc,
    .buffer_free = xen_buffer_free,
    .load_run = xen_load_run,
    .wait = xlx__xen_wait,
    .next = xlx__xen_next,
    .respond = xlx__xen_respond,
    .notify = xlx__xen_notify,
    .pause = xen_pause,
    .unpause = xen_unpause,
    .disable = xlx__xen_disable,
    .info = xen_info,
    .count_2m = xen_count_2m,
    .close = paging_close,
};

int xlx__paging_open(xlx_ctx *ctx, uint32_t domid, struct xlx__paging **p_r)
{
    struct paging_xen *x = calloc(1, sizeof(*x));
    if (!x)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    x->base =
        (struct xlx__paging){ .ops = &xen_ops, .ctx = ctx, .domid = domid };
    x->port = -1;
    x->xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    x->xcall = xencall_open(XLX__NO_LOGGER, 0);
    x->fmem = xenforeignmemory_open(XLX__NO_LOGGER, 0);
    x->xce = xenevtchn_open(XLX__NO_LOGGER, 0);
    if (!x->xch || !x->xcall || !x->fmem || !x->xce) {
        int rc =
            xlx__fail_errno(ctx, errno ? errno : EIO,
                            "domain %u: cannot open Xen's interfaces", domid);
        paging_close(&x->base);
        return rc;
    }
    *p_r = &x->base;
    return 0;
}
