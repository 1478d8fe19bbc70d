/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes in the page of a pager's ring, which the next pager takes over from
 * one that died: what is read stays in the page, each request has one answer,
 * and any gfn in it leaves the states of the pages in order. libFuzzer's entry;
 * tests/unit/test-fuzz.c runs it without libFuzzer.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz/must.h"
#include "lazy/pages.h"
#include "xen/paging_xen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_PAGE 4096u
#define RING_GFNS 256u
#define RING_HELD 64u /* withheld: gfns from RING_HELD on, as many */
#define RING_STEPS 64

struct ring_world {
    const uint8_t *data; /* what is left of the input */
    size_t size;
    struct paging_xen x; /* its page is of malloc: ASan knows its end */
    struct xlx__pages *pages;
};

/* Zeros behind the end. */
static void take_bytes(struct ring_world *w, void *to, size_t size)
{
    size_t n = size < w->size ? size : w->size;
    memset(to, 0, size);
    memcpy(to, w->data, n);
    w->data += n;
    w->size -= n;
}

/* As a new pager does, wherever the ring is said to be. */
static void attach_ring(struct ring_world *w)
{
    vm_event_sring_t *sring = w->x.ring_page;
    take_bytes(w, sring, offsetof(vm_event_sring_t, ring));
    BACK_RING_ATTACH(&w->x.ring, sring, sring->rsp_prod, RING_PAGE);
}

/* Xen's side. */
static void post_event(struct ring_world *w)
{
    vm_event_sring_t *sring = w->x.ring_page;
    vm_event_request_t req;
    uint8_t what[4];
    take_bytes(w, what, sizeof(what));
    memset(&req, what[0], sizeof(req));
    req.flags = what[1];
    req.vcpu_id = what[2];
    req.u.mem_paging.flags = what[2] & 1 ? MEM_PAGING_DROP_PAGE : 0;
    req.u.mem_paging.gfn = what[3] == 0xff ? UINT64_MAX : what[3];
    uint32_t i = sring->req_prod & (RING_SIZE(&w->x.ring) - 1);
    memcpy((uint8_t *)w->x.ring_page + offsetof(vm_event_sring_t, ring) +
               i * sizeof(sring->ring[0]),
           &req, sizeof(req));
    sring->req_prod++;
}

static void resolve_page(struct ring_world *w,
                         const struct xlx__paging_request *req)
{
    bool withheld = req->gfn >= RING_HELD && req->gfn < 2 * RING_HELD;
    if (req->drop)
        xlx__pages_drop(w->pages, req->gfn);
    else if (xlx__pages_claim(w->pages, req->gfn) == XLX__PAGE_ABSENT)
        xlx__pages_settle(w->pages, req->gfn, 1);
    MUST(xlx__pages_state(w->pages, req->gfn) ==
         (withheld ? XLX__PAGE_DONE : XLX__PAGE_NONE));
    MUST(xlx__pages_total(w->pages) == RING_HELD);
    MUST(xlx__pages_done(w->pages) <= RING_HELD);
}

static void serve_request(struct ring_world *w)
{
    const vm_event_sring_t *sring = w->x.ring_page;
    struct xlx__paging_request req;
    uint32_t cons = w->x.ring.req_cons, prod = w->x.ring.rsp_prod_pvt;
    int rc = xlx__xen_next(&w->x.base, &req);
    MUST(rc == 0 || rc == 1);
    MUST(w->x.ring.req_cons == cons + (uint32_t)rc);
    if (!rc)
        return;
    resolve_page(w, &req);
    xlx__xen_respond(&w->x.base, &req);
    MUST(sring->rsp_prod == prod + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring_world w = { .data = data,
                            .size = size,
                            .x.ring_page = calloc(1, RING_PAGE),
                            .pages = xlx__pages_new(RING_GFNS) };
    MUST(w.x.ring_page && w.pages);
    xlx__pages_hold_back(w.pages, RING_HELD, RING_HELD);
    attach_ring(&w);
    for (int i = 0; i < RING_STEPS && w.size; i++) {
        uint8_t what;
        take_bytes(&w, &what, 1);
        if (what & 1)
            post_event(&w);
        else
            serve_request(&w);
    }
    MUST(w.x.ring.req_cons == w.x.ring.rsp_prod_pvt);
    xlx__pages_free(w.pages);
    free(w.x.ring_page);
    return 0;
}
