/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Event channels in memory: domains with ports, and a hypervisor that is
 * upstream's or has vectors for single channels.
 */
#ifndef FAKES_EVTCHN_MEM_H
#define FAKES_EVTCHN_MEM_H

#include "fakes/nth.h"
#include "xen/evtchn.h"

#define EVTCHN_MEM_PORTS 1024
#define EVTCHN_MEM_DOMAINS 4
#define EVTCHN_MEM_VCPUS 16

struct evtchn_mem_domain {
    uint32_t domid;
    bool gone; /* Xen has it no more */
    struct xlx__evtchn_domain is;
    uint32_t nr_ports; /* closed ones too: behind them there is none */
    struct xlx_evtchn_port port[EVTCHN_MEM_PORTS];
    bool forbidden, counting;
    uint64_t offers[EVTCHN_MEM_VCPUS][4];
    uint64_t busy[EVTCHN_MEM_PORTS];     /* events while somebody counts */
    uint32_t was_vcpu[EVTCHN_MEM_PORTS]; /* where the guest had what has a
                                            vector now */
};

struct evtchn_mem {
    struct xlx__evtchn base;
    struct nth *nth;
    bool patched;      /* the domctl is there */
    uint32_t list_max; /* what one list gives at most; 0: all */
    bool stuck;        /* the list does not go on */
    unsigned nr_domains;
    struct evtchn_mem_domain domain[EVTCHN_MEM_DOMAINS];
};

/* Freed by its seam's close, so by xlx_ctx_free() once it is ctx->evtchn. */
struct evtchn_mem *evtchn_mem_new(struct nth *nth);

/* Valid as long as the fake. */
struct evtchn_mem_domain *evtchn_mem_add(struct evtchn_mem *mem, uint32_t domid,
                                         bool hvm, uint32_t vcpus);

/* The guest, or who acts for it, offers `nr` vectors from `first` on. */
void evtchn_mem_offer(struct evtchn_mem_domain *d, uint32_t vcpu,
                      unsigned first, unsigned nr);

/* "port: vcpu vector" of all that have one, and offers; for free(). */
char *evtchn_mem_dump(const struct evtchn_mem_domain *d);

/* Opens a port of that type on vCPU 0, without or with the other end. */
struct xlx_evtchn_port *evtchn_mem_open(struct evtchn_mem_domain *d,
                                        uint32_t port,
                                        enum xlx_evtchn_type type);
struct xlx_evtchn_port *evtchn_mem_connect(struct evtchn_mem_domain *d,
                                           uint32_t port, uint32_t remote_domid,
                                           uint32_t remote_port);

#endif
