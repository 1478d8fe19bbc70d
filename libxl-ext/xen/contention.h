/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: whether the processors of this host are short, and whether one domain
 * has to wait for them. Below it Xen (contention_xen.c) or a host in memory
 * (tests/fakes/contention_fake.c).
 *
 * Rests on XEN_SYSCTL_getcpuinfo, XEN_DOMCTL_getdomaininfo and
 * XEN_DOMCTL_getvcpuinfo, which are the same in Xen 4.17 to 4.20. Xen knows how
 * long a vCPU could run and had no processor (RUNSTATE_runnable), but tells
 * only the domain itself (VCPUOP_get_runstate_info): from outside there is what
 * a vCPU does at one moment, so that one has to look again and again.
 */
#ifndef XLX_XEN_CONTENTION_H
#define XLX_XEN_CONTENTION_H

#include "core/ctx.h"

/* Each vCPU that is looked at takes a hypercall: no more than the first. */
#define XLX__CONTENTION_VCPUS 8u

struct xlx__contention_now {
    uint64_t idle_us; /* what the host's processors idled so far, together; less
                         than before when one was taken offline */
    uint32_t vcpus;   /* of the first XLX__CONTENTION_VCPUS of the domain: those
                         that are online; 0 while it is paused */
    uint32_t waiting; /* of them: neither blocked nor on a processor. One that
                         waits for a page is among them */
    bool paused;      /* the domain, by a toolstack or us */
};

struct xlx__contention;

/* Any thread, one at a time. */
struct xlx__contention_ops {
    /* 0; -ESRCH the domain is gone; -errno. Does not log: it is asked often. */
    int (*look)(struct xlx__contention *c, struct xlx__contention_now *now_r);
    void (*close)(struct xlx__contention *c);
};

/* The base of every implementation. */
struct xlx__contention {
    const struct xlx__contention_ops *ops;
    uint32_t domid;
};

/* Opens real Xen's. 0 or -errno, reported. */
int xlx__contention_open(xlx_ctx *ctx, uint32_t domid,
                         struct xlx__contention **c_r);

#endif
