/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Xen's memory paging of one domain: absent gfns are marked as paged, a guest
 * that touches one waits and a request appears in a ring, loading the page lets
 * it continue.
 *
 * Rests on xen/include/public/vm_event.h (ring), memory.h (XENMEM_paging_op)
 * and the operations that hypervisor/ adds (docs/hypervisor.md).
 *
 * Threads: load_run() and info() may be called from any thread, each with a
 * buffer of its own; all else belongs to the thread that serves the ring.
 */
#ifndef XLX_XEN_PAGING_H
#define XLX_XEN_PAGING_H

#include "core/ctx.h"

/* What this library needs of the hypervisor, as bits that it reports. */
#define XLX__PAGING_MARK_RUN (1u << 0)   /* mark a run of absent gfns */
#define XLX__PAGING_LOAD_RUN (1u << 1)   /* load a run of pages */
#define XLX__PAGING_RESTARTS (1u << 2)   /* vcpu_info registration restarts */
#define XLX__PAGING_COUNT_2M (1u << 3)   /* count gfns mapped by 2 MiB pages */
#define XLX__PAGING_ALL_SLEEP (1u << 4)  /* each waiting vCPU is paused */
#define XLX__PAGING_HYPERCALLS (1u << 5) /* hypercalls wait for arguments */
#define XLX__PAGING_REFUSES (1u << 6)    /* Xen does not save paged out pages */
#define XLX__PAGING_GRANTS (1u << 7)     /* a guest waits for what it grants */
#define XLX__PAGING_NEEDED                                                \
    (XLX__PAGING_MARK_RUN | XLX__PAGING_LOAD_RUN | XLX__PAGING_RESTARTS | \
     XLX__PAGING_HYPERCALLS | XLX__PAGING_GRANTS)

/* Pages in the largest run that one load takes: a 2 MiB page. */
#define XLX__PAGING_RUN_MAX 512u

struct xlx__paging_request {
    uint64_t gfn;
    uint32_t vcpu;
    bool paused; /* the vCPU waits for the response */
    bool drop;   /* the guest gave the gfn away: nothing to load. With the ring
                    full nobody is told, and a load of the gfn does nothing */
};

struct xlx__paging_info {
    bool dying;           /* being destroyed, or gone */
    bool paused;          /* by a toolstack or us, once or more */
    uint64_t paged_pages; /* gfns marked as paged and not yet loaded */
    uint64_t tot_pages;   /* pages the domain has */
};

struct xlx__paging;

struct xlx__paging_ops {
    /*
     * Starts paging on the domain, with the ring in gfn `ring_gfn`, which the
     * guest does not see afterwards. The domain must not run yet.
     * 0; -ENODEV no nested paging; -EMLINK a device is passed through;
     * -EXDEV populate on demand; -EBUSY somebody else pages this domain;
     * -EOPNOTSUPP the control domain is HVM or PVH. Undone when it fails.
     */
    int (*enable)(struct xlx__paging *p, uint64_t ring_gfn);

    /*
     * Takes over from a pager that died: continues with its ring, or starts
     * paging where it had not. The domain must be paused, as the ring's gfn is
     * in its sight for a moment. No text is kept: the caller tries again.
     * 0; -EBUSY the other one is not (quite) dead, or this hypervisor does not
     * know how (docs/hypervisor.md); -errno. When it fails, close().
     */
    int (*take_over)(struct xlx__paging *p, uint64_t ring_gfn);

    /* Sets aside memory for the domain to have `pages` in all, so that no load
     * runs out; 0 ends that. 0 or -ENOMEM. */
    int (*claim)(struct xlx__paging *p, uint64_t pages);

    /* Marks absent gfns [gfn, gfn + nr) as paged. 0 or -errno. */
    int (*mark_run)(struct xlx__paging *p, uint64_t gfn, uint64_t nr);

    /* Memory that load_run() takes pages from. NULL without memory. */
    void *(*buffer_alloc)(struct xlx__paging *p, size_t pages);
    void (*buffer_free)(struct xlx__paging *p, void *buffer, size_t pages);

    /*
     * Gives gfns [gfn, gfn + nr) their content, nr at most
     * XLX__PAGING_RUN_MAX. A gfn that is not marked as paged (any more) is left
     * as it is, which is no error: the guest's own writes are never undone.
     * Without a buffer they are all zeros. 0; -ENOMEM no memory, may work
     * later; -ESRCH the domain is gone; -ENOSYS this hypervisor needs a buffer.
     */
    int (*load_run)(struct xlx__paging *p, uint64_t gfn, uint32_t nr,
                    const void *buffer);

    /* Waits until there may be requests, with every answer passed on. 1 yes, 0
     * time is over, -errno. */
    int (*wait)(struct xlx__paging *p, int timeout_ms);

    /* Takes the next request. 1, or 0 when there is none. */
    int (*next)(struct xlx__paging *p, struct xlx__paging_request *req_r);

    /*
     * Answers a request, once each, whether or not something was loaded: it
     * frees the ring's slot and lets the vCPU continue. notify() passes answers
     * on to Xen: until then neither happens.
     */
    void (*respond)(struct xlx__paging *p,
                    const struct xlx__paging_request *req);
    int (*notify)(struct xlx__paging *p);

    /* Stops and restarts all of the domain's vCPUs; counted. */
    int (*pause)(struct xlx__paging *p);
    int (*unpause)(struct xlx__paging *p);

    /*
     * Ends paging and gives the ring's gfn an empty page again. The domain must
     * be paused and every request answered, and that passed on. 0; -EBUSY a
     * vCPU of another domain is posting a request, or, in a hypervisor with an
     * older series, vCPUs sleep for a slot in the ring, or have got one and not
     * run since: drain it, let the domain run, and call again.
     */
    int (*disable)(struct xlx__paging *p);

    int (*info)(struct xlx__paging *p, struct xlx__paging_info *info_r);

    /* Counts the gfns of [gfn, gfn + nr) that 2 MiB pages back. */
    int (*count_2m)(struct xlx__paging *p, uint64_t gfn, uint64_t nr,
                    uint64_t *count_r);

    /* Frees the handle; paging that is on stays on. */
    void (*close)(struct xlx__paging *p);
};

/* The base of every implementation. */
struct xlx__paging {
    const struct xlx__paging_ops *ops;
    xlx_ctx *ctx;
    uint32_t domid;
};

/*
 * Which of the operations above this hypervisor has: XLX__PAGING_* bits.
 * Needs no domain. 0; -ENOTSUP paging is not built in, or without our
 * operations; -ENODEV this is no Xen host; -EACCES not allowed. The text says
 * what is missing and what to do.
 */
int xlx__paging_features(xlx_ctx *ctx, uint32_t *features_r);

/* This host, for a report: what was asked is a number, or -errno. */
struct xlx__paging_host {
    bool xen;       /* there is a hypervisor to ask */
    bool other;     /* of another release, so that it refuses our calls */
    int features;   /* XLX__PAGING_* bits; -ENOSYS paging is not built in;
                       another -errno: it is, without our operations */
    int hap;        /* 1 the processor has nested paging */
    int pv_control; /* 1 the control domain is a PV one */
};

void xlx__paging_host(xlx_ctx *ctx, struct xlx__paging_host *host_r);

/* Opens real Xen's paging of a domain. Nothing is changed yet. */
int xlx__paging_open(xlx_ctx *ctx, uint32_t domid, struct xlx__paging **p_r);

#endif
