/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: memory for a domain that is being made, and a look into it. Any Xen has
 * this, and its calls are the same in every release; but load() is only in one
 * with the patch of hypervisor/. One thread, but many processes at once for one
 * domain, each with a handle of its own.
 */
#ifndef XLX_XEN_PHYSMAP_H
#define XLX_XEN_PHYSMAP_H

#include "core/ctx.h"

/* 2 MiB in one extent, and in pages. */
#define XLX__PHYSMAP_ORDER_2M 9u
#define XLX__PHYSMAP_PAGES_2M (1u << XLX__PHYSMAP_ORDER_2M)

struct xlx__physmap;

struct xlx__physmap_ops {
    /*
     * Gives the domain memory at each of `nr` gfns, 2^order pages from there
     * on, that have none yet. What is in it is not known: it may be anything
     * that was in the host's memory. *done_r extents, from the first on, have
     * theirs, also when it fails. No text is kept.
     * 0; -ENOMEM Xen has no such memory, or the domain may have no more;
     * -ESRCH the domain is gone; -errno.
     */
    int (*populate)(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
                    unsigned order, size_t *done_r);

    /*
     * Maps the pages of `nr` gfns one after the other, to be written. They stay
     * mapped until the process ends, or calls exec. No text is kept. 0, or
     * -errno: nothing is mapped, and *bad_r is the first gfn's index for which
     * it does not work.
     */
    int (*map)(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
               void **at_r, size_t *bad_r);

    /*
     * Where can_load is set: both at once, without a mapping. Gives the domain
     * memory at gfns [gfn, gfn + nr) that have none yet, whole 2 MiB blocks as
     * such where Xen has them, with the content in `buffer`, which
     * buffer_alloc() made, or zeros if that is NULL. *done_r gfns, from the
     * first on, have theirs, also when it fails. No text is kept. Errors as
     * populate(); -EEXIST the gfn has memory.
     */
    int (*load)(struct xlx__physmap *p, uint64_t gfn, uint32_t nr,
                const void *buffer, uint32_t *done_r);

    /* NULL without memory. It is freed with buffer_free(), or with the
     * process. */
    void *(*buffer_alloc)(struct xlx__physmap *p, size_t pages);
    void (*buffer_free)(struct xlx__physmap *p, void *buffer, size_t pages);

    /* Frees the handle. */
    void (*close)(struct xlx__physmap *p);
};

/* The base of every implementation. */
struct xlx__physmap {
    const struct xlx__physmap_ops *ops;
    uint32_t domid;
    bool can_load; /* this Xen has load() */
};

/*
 * Opens real Xen's, for use in this process: what it is used for does not
 * survive a fork. -ENODEV no Xen here, or not root; -ENOMEM.
 */
int xlx__physmap_open(xlx_ctx *ctx, uint32_t domid, struct xlx__physmap **p_r);

#endif
