/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A domain that is being made: which gfns have memory, and what is in it. Fresh
 * memory is full of somebody else's bytes. It asserts that nobody populates a
 * gfn twice or maps one without memory, and can fail the n-th call of each
 * kind. load() works where base.can_load is set, which it is not at first.
 */
#ifndef PHYSMAP_FAKE_H
#define PHYSMAP_FAKE_H

#include "fakes/nth.h"
#include "xen/physmap.h"

/* What is in a page that nobody has written to. */
#define PHYSMAP_FAKE_GARBAGE 0xa5

struct physmap_fake {
    struct xlx__physmap base;
    int memory; /* a file in memory, the page of gfn at gfn * 4 KiB */
    uint64_t nr_gfns;
    unsigned char *order; /* of each gfn: 1 + the order it came in; 0: none */

    struct nth populates, maps, loads;
    bool no_buffer;      /* no memory for one */
    int buffers;         /* that are not freed */
    int fail_err;        /* of the call that fails; default -EIO */
    uint64_t limit;      /* pages that the domain may have; 0: any number */
    uint64_t pages;      /* that it has */
    uint64_t no_2m_from; /* no 2 MiB in one piece for gfns from here ... */
    uint64_t no_2m_end;  /* ... to here */
    uint64_t bad_gfn;    /* one that cannot be mapped */
    bool has_bad_gfn;
    int closed;
};

/* Gfns [0, nr_gfns), none of which has memory. */
struct physmap_fake *physmap_fake_new(uint64_t nr_gfns);
void physmap_fake_free(struct physmap_fake *f);

/* Reads the page of a gfn that has one. */
void physmap_fake_read(const struct physmap_fake *f, uint64_t gfn, void *page);

/* How many gfns came in extents of that order. */
uint64_t physmap_fake_count(const struct physmap_fake *f, unsigned order);

#endif
