/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The ring of requests and answers: made, taken over, read, written, ended.
 *
 * State of a handle: closed -> ring mapped -> paging on -> ring's gfn taken
 * from the guest; undo() goes back from any of them.
 */
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "xen/paging_xen.h"

#include <xen/hvm/params.h>

/* --- enable and disable --------------------------------------------------- */

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

/* The old page is in nobody's reach. One that is in the gfn may be a ring that
 * a pager died with before it could hide it: never to be written to. */
static int make_new_ring(struct paging_xen *x)
{
    xen_pfn_t gfn = x->ring_gfn;
    xc_domain_decrease_reservation_exact(x->xch, x->base.domid, 1, 0, &gfn);
    return make_ring(x);
}

/* From here on nobody but the guest's Xen and we can reach the ring. */
static int hide_ring(struct paging_xen *x)
{
    xen_pfn_t gfn = x->ring_gfn;
    if (xc_domain_decrease_reservation_exact(x->xch, x->base.domid, 1, 0, &gfn))
        return -errno;
    x->ring_hidden = true;
    return 0;
}

/* Also how a ring whose pager died is had: see hypervisor/'s take-over. */
static int bind_ring(struct paging_xen *x)
{
    uint32_t remote;
    if (xc_mem_paging_enable(x->xch, x->base.domid, &remote))
        return -errno;
    x->enabled = true;
    x->port = xenevtchn_bind_interdomain(x->xce, x->base.domid, remote);
    return x->port < 0 ? -errno : 0;
}

static int start_paging(struct paging_xen *x)
{
    int rc = bind_ring(x);
    if (rc)
        return rc;
    SHARED_RING_INIT((vm_event_sring_t *)x->ring_page);
    BACK_RING_INIT(&x->ring, (vm_event_sring_t *)x->ring_page, XC_PAGE_SIZE);
    return hide_ring(x);
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

int xlx__xen_enable(struct xlx__paging *p, uint64_t ring_gfn)
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

/*
 * What was asked for and not answered is where the dead pager left it: answers
 * go out in the order of the requests, so it starts behind the last answer. A
 * half-written answer lies over the request it is for, and says the same.
 */
static void go_on_with_ring(struct paging_xen *x)
{
    vm_event_sring_t *sring = x->ring_page;
    RING_IDX at = sring->rsp_prod;
    BACK_RING_ATTACH(&x->ring, sring, at, XC_PAGE_SIZE);
}

int xlx__xen_take_over(struct xlx__paging *p, uint64_t ring_gfn)
{
    struct paging_xen *x = of(p);
    x->ring_gfn = ring_gfn;
    int rc = make_new_ring(x);
    if (!rc)
        rc = bind_ring(x);
    if (!rc) {
        go_on_with_ring(x);
        rc = hide_ring(x);
    }
    /* The last answers may not have been announced. */
    if (!rc && xenevtchn_notify(x->xce, (evtchn_port_t)x->port))
        rc = -errno;
    return rc;
}

int xlx__xen_disable(struct xlx__paging *p)
{
    int rc = undo(of(p));
    if (rc && rc != -EBUSY)
        return xlx__fail_errno(p->ctx, -rc, "domain %u: disable paging",
                               p->domid);
    return rc;
}

/* --- ring ----------------------------------------------------------------- */

int xlx__xen_wait(struct xlx__paging *p, int timeout_ms)
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

int xlx__xen_next(struct xlx__paging *p, struct xlx__paging_request *req_r)
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
void xlx__xen_respond(struct xlx__paging *p,
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

int xlx__xen_notify(struct xlx__paging *p)
{
    struct paging_xen *x = of(p);
    if (!xenevtchn_notify(x->xce, (evtchn_port_t)x->port))
        return 0;
    return xlx__fail_errno(p->ctx, errno, "domain %u: notify Xen", p->domid);
}
