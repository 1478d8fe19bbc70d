/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A domain and its paging in memory: gfns with a type and a page, vCPUs that
 * touch them and wait, a ring of eight requests. It asserts the order that Xen
 * demands, and can fail the n-th call of any operation.
 */
#ifndef PAGING_FAKE_H
#define PAGING_FAKE_H

#include <pthread.h>

#include "xen/paging.h"

#define FAKE_RING_SLOTS 8
#define FAKE_VCPUS 8

enum fake_type { FAKE_HOLE, FAKE_PAGED, FAKE_PAGING_IN, FAKE_RAM };

struct paging_fake {
    struct xlx__paging base;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    uint64_t nr_gfns;
    enum fake_type *type;
    unsigned char *memory; /* nr_gfns pages */
    unsigned *loads;       /* how often each gfn was loaded */

    struct xlx__paging_request ring[FAKE_RING_SLOTS];
    unsigned req_prod, req_cons, rsp_prod;
    bool waiting[FAKE_VCPUS]; /* the vCPU waits for an answer */

    bool enabled, dying;
    uint64_t ring_gfn, claimed, paged_pages;
    int paused;           /* pauses minus unpauses */
    int pauses;           /* pauses ever */
    int closed;           /* close() calls */
    uint64_t max_paged;   /* the most that was out */

    /* Failure injection: call number fail_at (from 1) fails with fail_err,
     * and the fail_times - 1 calls behind it. */
    int calls, fail_at, fail_err, fail_times;
    bool fail_loads_only;
};

/* A paused domain without memory, gfns [0, nr_gfns). */
struct paging_fake *paging_fake_new(xlx_ctx *ctx, uint64_t nr_gfns);
void paging_fake_free(struct paging_fake *f);

/* A vCPU touches a gfn: returns when it is RAM, or at once with false when the
 * domain is dying. */
bool paging_fake_touch(struct paging_fake *f, unsigned vcpu, uint64_t gfn);

/* The guest gives a gfn away (balloon): it becomes a hole, a drop request is
 * posted. */
void paging_fake_drop(struct paging_fake *f, uint64_t gfn);

/* The domain is destroyed: vCPUs return, loads fail. */
void paging_fake_kill(struct paging_fake *f);

#endif
