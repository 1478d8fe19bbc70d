/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What xen/paging.h promises, as cases that run over each implementation: the
 * fake, userfaultfd, and real Xen in the rig (tests/rig/paging/). Where one of
 * them cannot promise something, its subject says so.
 */
#ifndef PAGING_CONTRACT_H
#define PAGING_CONTRACT_H

#include <pthread.h>

#include "xen/paging.h"

/* Absent gfns that a case may use. */
#define PAGING_CONTRACT_GFNS 8u

struct paging_subject;

struct paging_subject_ops {
    /* Somebody touches `gfn`, in a thread of his own, until it is there. */
    void (*touch)(struct paging_subject *s, uint64_t gfn);

    /* Whether he still waits, where that can be known; waits for his end and
     * copies the page that he read: false when he does not end. */
    bool (*waits)(struct paging_subject *s);
    bool (*join)(struct paging_subject *s, void *page);

    /* A page that is present, as the guest reads and writes it. */
    void (*read)(struct paging_subject *s, uint64_t gfn, void *page);
    void (*write)(struct paging_subject *s, uint64_t gfn, const void *page);

    /* The pager dies: s->paging is another one's afterwards, for take_over().
     * NULL: nobody can take over. */
    void (*die)(struct paging_subject *s);
};

struct paging_subject {
    const struct paging_subject_ops *ops;
    struct xlx__paging *paging; /* not enabled */
    uint64_t ring_gfn;
    uint64_t first;     /* of the absent gfns */
    bool wakes_at_load; /* who touches a page goes on when it is loaded */
    bool no_holes;      /* there is no gfn without memory to come */
    bool no_pauses;     /* pauses have no effect */
};

/* pthread_join(), but for a thread that waits for ever. */
bool paging_contract_join(pthread_t thread);

struct paging_case {
    const char *name;
    /* NULL, or what was not as it should be. */
    const char *(*run)(struct paging_subject *s);
};

/* The last one has no name. */
extern const struct paging_case paging_cases[];

#endif
