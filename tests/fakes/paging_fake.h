/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A domain and its paging in memory: gfns with a type and a page, vCPUs that
 * touch them and wait, a ring of eight requests. As in Xen, an answer wakes a
 * vCPU and frees its slot only with the next notify(). It asserts the order
 * that Xen demands, and can fail the n-th call of any operation. All of it is
 * in memory that forked processes share, and one that uses it may be killed.
 */
#ifndef PAGING_FAKE_H
#define PAGING_FAKE_H

#include <pthread.h>

#include "xen/paging.h"

#define FAKE_RING_SLOTS 8
#define FAKE_VCPUS 8
#define FAKE_DEATH 77 /* exit status of a process that died in a call */

enum fake_type { FAKE_HOLE, FAKE_PAGED, FAKE_PAGING_IN, FAKE_RAM };

struct paging_fake {
    struct xlx__paging base;
    pthread_mutex_t lock;

    uint64_t nr_gfns;
    enum fake_type *type;
    unsigned char *memory; /* nr_gfns pages */
    unsigned *loads;       /* how often each gfn was loaded */
    unsigned zero_loads;   /* pages loaded without a buffer */
    bool needs_buffer;     /* it has no operation for that */

    struct xlx__paging_request ring[FAKE_RING_SLOTS];
    unsigned req_prod, req_cons, rsp_prod;
    unsigned rsp_cons; /* answers that the domain's Xen was notified of */
    bool waiting[FAKE_VCPUS]; /* the vCPU waits for an answer */

    bool enabled, dying;
    uint64_t ring_gfn, claimed, paged_pages;
    int paused;         /* pauses minus unpauses */
    int pauses;         /* pauses ever */
    int closed;         /* close() calls */
    uint64_t max_paged; /* the most that was out */

    /* Failure injection: call number fail_at (from 1) fails with fail_err,
     * and the fail_times - 1 calls behind it. */
    int calls, fail_at, fail_err, fail_times;
    bool fail_loads_only;

    /* The process that makes call number die_at (from 1, of those counted in
     * all_calls) ends there: before it has an effect or, if die_after, behind
     * that. */
    int all_calls, die_at;
    bool die_after;

    /* vCPUs that wait for room in the ring, or have not run since they got it:
     * paging is not ended with them. After that was tried, waits take no time,
     * and somebody's pause, one of `paused`, ends with so many of them. */
    int sleepers, paused_waits;
    bool refused, stuck; /* stuck: they sleep on whatever happens */

    bool hang_loads; /* a load does not return */

    /* Of a vCPU that saw this gfn absent, and posts its request only when the
     * domain is paused for the end: its page is there by then. 0: none. */
    uint64_t late_gfn;
};

/* A paused domain without memory, gfns [0, nr_gfns). */
struct paging_fake *paging_fake_new(xlx_ctx *ctx, uint64_t nr_gfns);
void paging_fake_free(struct paging_fake *f);

void paging_fake_lock(struct paging_fake *f);
void paging_fake_unlock(struct paging_fake *f);

/* A vCPU touches a gfn: returns when it is RAM, or at once with false when the
 * domain is dying. */
bool paging_fake_touch(struct paging_fake *f, unsigned vcpu, uint64_t gfn);

/* The guest gives a gfn away (balloon): it becomes a hole, a drop request is
 * posted if the ring has room for it. */
void paging_fake_drop(struct paging_fake *f, uint64_t gfn);

/* The domain is destroyed: vCPUs return, loads fail. */
void paging_fake_kill(struct paging_fake *f);

#endif
