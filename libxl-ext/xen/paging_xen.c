/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory paging over libxenctrl and the stable libraries.
 *
 * State of a handle: closed -> ring mapped -> paging on -> ring's gfn taken
 * from the guest; undo() goes back from any of them.
 */
#include "xen/paging.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define __XEN_TOOLS__ 1
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/vm_event.h>

#include "xen/paging_call.h"

struct paging_xen {
    struct xlx__paging base;
    xc_interface *xch;
    xencall_handle *xcall;
    xenforeignmemory_handle *fmem;
    xenevtchn_handle *xce;
    void *ring_page; /* NULL while not mapped */
    vm_event_back_ring_t ring;
    uint64_t ring_gfn;
    xenevtchn_port_or_error_t port; /* ours; -1 while not bound */
    bool enabled;
    bool ring_hidden; /* the guest has no page at ring_gfn */
};

static struct paging_xen *of(struct xlx__paging *p)
{
    return (struct paging_xen *)p;
}

/* --- enable and disable ---------------------------------------------------- */

static int populate_ring_gfn(struct paging_xen *x)
{
    xen_pfn_t gfn = x->ring_gfn;
    return xc_domain_populate_physmap_exact(x->xch, x->base.domid, 1, 0, 0,
                                            &gfn)
               ? -errno
               : 0;
}

static int map_ring(struct paging_xen *x)
{
    xen_pfn_t gfn = x->ring_gfn;
    x->ring_page = xenforeignmemory_map(x->fmem, x->base.domid,
                                        PROT_READ | PROT_WRITE, 1, &gfn, NULL);
    return x->ring_page ? 0 : -errno;
}

/* A restored domain has no page there yet; one that paged before has. */
static int make_ring(struct paging_xen *x)
{
    uint64_t value = 0;
    int rc = map_ring(x);
    if (rc) {
        rc = populate_ring_gfn(x);
        if (!rc)
            rc = map_ring(x);
    }
    if (rc)
        return rc;
    memset(x->ring_page, 0, XC_PAGE_SIZE);
    if (xc_hvm_param_get(x->xch, x->base.domid, HVM_PARAM_PAGING_RING_PFN,
                         &value))
        return -errno;
    if (value != x->ring_gfn &&
        xc_hvm_param_set(x->xch, x->base.domid, HVM_PARAM_PAGING_RING_PFN,
                         x->ring_gfn))
        return -errno;
    return 0;
}

static int start_paging(struct paging_xen *x)
{
    uint32_t remote;
    if (xc_mem_paging_enable(x->xch, x->base.domid, &remote))
        return -errno;
    x->enabled = true;
    x->port = xenevtchn_bind_interdomain(x->xce, x->base.domid, remote);
    if (x->port < 0)
        return -errno;

    SHARED_RING_INIT((vm_event_sring_t *)x->ring_page);
    BACK_RING_INIT(&x->ring, (vm_event_sring_t *)x->ring_page, XC_PAGE_SIZE);

    xen_pfn_t gfn = x->ring_gfn;
    if (xc_domain_decrease_reservation_exact(x->xch, x->base.domid, 1, 0, &gfn))
        return -errno;
    x->ring_hidden = true;
    return 0;
}

static int undo(struct paging_xen *x)
{
    if (x->enabled && xc_mem_paging_disable(x->xch, x->base.domid))
        return -errno;
    x->enabled = false;
    if (x->port >= 0)
        xenevtchn_unbind(x->xce, x->port);
    x->port = -1;
    if (x->ring_page)
        xenforeignmemory_unmap(x->fmem, x->ring_page, 1);
    x->ring_page = NULL;
    if (x->ring_hidden && !populate_ring_gfn(x))
        x->ring_hidden = false;
    return 0;
}

static const char *why_not(int err)
{
    switch (err) {
    case ENODEV:
        return "the domain has no nested paging (HAP)";
    case EMLINK:
        return "a device is passed through to the domain (IOMMU)";
    case EXDEV:
        return "the domain uses populate on demand";
    case EBUSY:
        return "another pager serves the domain";
    case EOPNOTSUPP:
        return "the control domain is HVM or PVH; paging needs a PV one";
    default:
        return strerror(err);
    }
}

static int xen_enable(struct xlx__paging *p, uint64_t ring_gfn)
{
    struct paging_xen *x = of(p);
    x->ring_gfn = ring_gfn;
    int rc = make_ring(x);
    if (!rc)
        rc = start_paging(x);
    if (rc) {
        undo(x);
        return xlx__fail(p->ctx, -rc, "domain %u: cannot page its memory: %s",
                         p->domid, why_not(-rc));
    }
    return 0;
}

static int xen_disable(struct xlx__paging *p)
{
    int rc = undo(of(p));
    if (rc && rc != -EBUSY)
        return xlx__fail_errno(p->ctx, -rc, "domain %u: end of paging",
                               p->domid);
    return rc;
}

/* --- memory ------------------------------------------------------------------ */

static int xen_claim(struct xlx__paging *p, uint64_t pages)
{
    if (!xc_domain_claim_pages(of(p)->xch, p->domid, pages))
        return 0;
    return xlx__fail_errno(p->ctx, errno,
                           "domain %u: claim of %lu pages of host memory",
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
        .op = XLX__XENMEM_PAGING_LOAD_RUN,
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
        uint32_t part = nr > XLX__XENMEM_COUNT_MAX ? XLX__XENMEM_COUNT_MAX
                                                   : (uint32_t)nr;
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

/* --- ring -------------------------------------------------------------------- */

static int xen_wait(struct xlx__paging *p, int timeout_ms)
{
    struct paging_xen *x = of(p);
    struct pollfd pfd = { .fd = xenevtchn_fd(x->xce), .events = POLLIN };
    int rc = poll(&pfd, 1, timeout_ms);
    if (rc < 0 && errno != EINTR)
        return xlx__fail_errno(p->ctx, errno, "event channel");
    if (rc <= 0)
        return 0;
    xenevtchn_port_or_error_t port = xenevtchn_pending(x->xce);
    if (port < 0 || xenevtchn_unmask(x->xce, (evtchn_port_t)port))
        return xlx__fail_errno(p->ctx, errno, "event channel");
    return 1;
}

static int xen_next(struct xlx__paging *p, struct xlx__paging_request *req_r)
{
    struct paging_xen *x = of(p);
    vm_event_request_t req;
    RING_IDX cons = x->ring.req_cons;

    if (!RING_HAS_UNCONSUMED_REQUESTS(&x->ring))
        return 0;
    memcpy(&req, RING_GET_REQUEST(&x->ring, cons), sizeof(req));
    x->ring.req_cons = cons + 1;
    x->ring.sring->req_event = cons + 2;

    req_r->gfn = req.u.mem_paging.gfn;
    req_r->vcpu = req.vcpu_id;
    req_r->paused = req.flags & VM_EVENT_FLAG_VCPU_PAUSED;
    req_r->drop = req.u.mem_paging.flags & MEM_PAGING_DROP_PAGE;
    return 1;
}

/* Xen ignores a response without version and reason (vm_event_resume()). */
static void xen_respond(struct xlx__paging *p,
                        const struct xlx__paging_request *req)
{
    struct paging_xen *x = of(p);
    vm_event_response_t rsp = {
        .version = VM_EVENT_INTERFACE_VERSION,
        .reason = VM_EVENT_REASON_MEM_PAGING,
        .vcpu_id = req->vcpu,
        .flags = req->paused ? VM_EVENT_FLAG_VCPU_PAUSED : 0,
        .u.mem_paging.gfn = req->gfn,
        .u.mem_paging.flags = req->drop ? MEM_PAGING_DROP_PAGE : 0,
    };
    memcpy(RING_GET_RESPONSE(&x->ring, x->ring.rsp_prod_pvt), &rsp,
           sizeof(rsp));
    x->ring.rsp_prod_pvt++;
    RING_PUSH_RESPONSES(&x->ring);
}

static int xen_notify(struct xlx__paging *p)
{
    struct paging_xen *x = of(p);
    if (!xenevtchn_notify(x->xce, (evtchn_port_t)x->port))
        return 0;
    return xlx__fail_errno(p->ctx, errno, "domain %u: notify Xen", p->domid);
}

/* --- the domain -------------------------------------------------------------- */

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
    if (n == 0 || info.domain != p->domid ||
        (info.flags & XEN_DOMINF_dying)) {
        info_r->dying = true;
        return 0;
    }
    info_r->paged_pages = info.paged_pages;
    info_r->tot_pages = info.tot_pages;
    return 0;
}

static void xen_close(struct xlx__paging *p)
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
    .enable = xen_enable,
    .claim = xen_claim,
    .mark_run = xen_mark_run,
    .buffer_alloc = xen_buffer_alloc,
    .buffer_free = xen_buffer_free,
    .load_run = xen_load_run,
    .wait = xen_wait,
    .next = xen_next,
    .respond = xen_respond,
    .notify = xen_notify,
    .pause = xen_pause,
    .unpause = xen_unpause,
    .disable = xen_disable,
    .info = xen_info,
    .count_2m = xen_count_2m,
    .close = xen_close,
};

int xlx__paging_open(xlx_ctx *ctx, uint32_t domid, struct xlx__paging **p_r)
{
    struct paging_xen *x = calloc(1, sizeof(*x));
    if (!x)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    x->base = (struct xlx__paging){ .ops = &xen_ops, .ctx = ctx,
                                    .domid = domid };
    x->port = -1;
    x->xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    x->xcall = xencall_open(XLX__NO_LOGGER, 0);
    x->fmem = xenforeignmemory_open(XLX__NO_LOGGER, 0);
    x->xce = xenevtchn_open(XLX__NO_LOGGER, 0);
    if (!x->xch || !x->xcall || !x->fmem || !x->xce) {
        int rc = xlx__fail_errno(ctx, errno ? errno : EIO,
                                 "domain %u: cannot open Xen's interfaces",
                                 domid);
        xen_close(&x->base);
        return rc;
    }
    *p_r = &x->base;
    return 0;
}
