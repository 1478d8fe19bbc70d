/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Paging by userfaultfd: a process plays the guest, its memory faults at
 * hardware speed, and the very engine that pages for Xen serves it. The guest
 * is another process, so that the pager's memory and CPU time are its own.
 *
 * Unlike Xen, a load wakes those who wait for the page, with no response.
 */
#ifndef PAGING_UFFD_H
#define PAGING_UFFD_H

#include <linux/userfaultfd.h>

#include "xen/paging.h"

#define UFFD_BATCH 16

struct paging_uffd {
    struct xlx__paging base;
    int fd;
    char *memory; /* an address in the guest's process */
    uint64_t nr_gfns;
    bool discards;     /* loads are counted, no memory is given to the guest */
    _Atomic bool gone; /* the guest's process ended */
    _Atomic uint64_t paged;
    struct uffd_msg msg[UFFD_BATCH]; /* read, not yet taken */
    size_t nr_msgs, next_msg;
};

/*
 * In the guest's process: memory of nr_gfns pages that are all absent, and its
 * userfaultfd. Returns that, or -errno; needs no privileges.
 */
int paging_uffd_memory(uint64_t nr_gfns, char **memory_r);

/* In the pager's: takes `fd` over. */
struct paging_uffd *paging_uffd_new(xlx_ctx *ctx, int fd, char *memory,
                                    uint64_t nr_gfns);

#endif
