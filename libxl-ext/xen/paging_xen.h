/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory paging on real Xen, between its files: paging_ring.c has the ring,
 * paging_xen.c everything else.
 */
#ifndef XLX_XEN_PAGING_XEN_H
#define XLX_XEN_PAGING_XEN_H

#define __XEN_TOOLS__ 1
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/vm_event.h>

#include "xen/paging.h"

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

static inline struct paging_xen *of(struct xlx__paging *p)
{
    return (struct paging_xen *)p;
}

/* The slots of struct xlx__paging_ops that are about the ring. */
int xlx__xen_enable(struct xlx__paging *p, uint64_t ring_gfn);
int xlx__xen_take_over(struct xlx__paging *p, uint64_t ring_gfn);
int xlx__xen_disable(struct xlx__paging *p);
int xlx__xen_wait(struct xlx__paging *p, int timeout_ms);
int xlx__xen_next(struct xlx__paging *p, struct xlx__paging_request *req_r);
void xlx__xen_respond(struct xlx__paging *p,
                      const struct xlx__paging_request *req);
int xlx__xen_notify(struct xlx__paging *p);

#endif
