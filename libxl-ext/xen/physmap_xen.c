/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory of a domain over Xen's stable libraries: no call changes with Xen's
 * releases.
 */
#include "xen/physmap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define __XEN_TOOLS__ 1
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xen/memory.h>
#include <xen/version.h>

#include "core/clean.h"
#include "xen/physmap_abi.h"
#include "xen/toollog.h"

struct physmap_xen {
    struct xlx__physmap base;
    xencall_handle *xcall;
    xenforeignmemory_handle *fmem;
};

static struct physmap_xen *physmap_of(struct xlx__physmap *p)
{
    return (struct physmap_xen *)p;
}

/* The call's argument with what it points at, where Xen can read both. */
struct argument {
    struct xen_memory_reservation reservation;
    xen_pfn_t gfn[];
};

static int xen_populate(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
                        unsigned order, size_t *done_r)
{
    struct argument *arg = xencall_alloc_buffer(
        physmap_of(p)->xcall, sizeof(*arg) + nr * sizeof(arg->gfn[0]));
    *done_r = 0;
    if (!arg)
        return -ENOMEM;
    arg->reservation = (struct xen_memory_reservation){
        .nr_extents = nr,
        .extent_order = order,
        .domid = (domid_t)p->domid,
    };
    set_xen_guest_handle_raw(arg->reservation.extent_start, arg->gfn);
    memcpy(arg->gfn, gfn, nr * sizeof(arg->gfn[0]));
    long rc = xencall2(physmap_of(p)->xcall, __HYPERVISOR_memory_op,
                       XENMEM_populate_physmap, (uint64_t)(uintptr_t)arg);
    int err = rc < 0 ? -errno : 0;
    xencall_free_buffer(physmap_of(p)->xcall, arg);
    if (err)
        return err;
    *done_r = (size_t)rc;
    return *done_r < nr ? -ENOMEM : 0;
}

/* The first that has an error; 0 where the call failed as a whole. */
static size_t find_error(const int *error, size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        if (error[i])
            return i;
    return 0;
}

static int xen_map(struct xlx__physmap *p, const uint64_t *gfn, size_t nr,
                   void **at_r, size_t *bad_r)
{
    XLX__AUTO_FREE int *error = calloc(nr, sizeof(*error));
    *bad_r = 0;
    if (!error)
        return -ENOMEM;
    _Static_assert(sizeof(xen_pfn_t) == sizeof(*gfn), "a gfn is a xen_pfn_t");
    void *at = xenforeignmemory_map(physmap_of(p)->fmem, p->domid,
                                    PROT_READ | PROT_WRITE, nr,
                                    (const xen_pfn_t *)gfn, error);
    if (!at)
        return -errno;
    *bad_r = find_error(error, nr);
    if (error[*bad_r]) {
        xenforeignmemory_unmap(physmap_of(p)->fmem, at, nr);
        return -abs(error[*bad_r]);
    }
    *at_r = at;
    return 0;
}

static int xen_load(struct xlx__physmap *p, uint64_t gfn, uint32_t nr,
                    const void *buffer, uint32_t *done_r)
{
    struct xlx__xen_load_physmap *arg =
        xencall_alloc_buffer(physmap_of(p)->xcall, sizeof(*arg));
    *done_r = 0;
    if (!arg)
        return -ENOMEM;
    *arg = (struct xlx__xen_load_physmap){
        .domid = (uint16_t)p->domid,
        .flags = buffer ? 0 : XLX__XENMEM_LOAD_ZEROS,
        .nr = nr,
        .gfn = gfn,
        .buffer = (uint64_t)(uintptr_t)buffer,
    };
    int rc = xencall2(physmap_of(p)->xcall, __HYPERVISOR_memory_op,
                      XLX__XENMEM_LOAD_PHYSMAP, (uint64_t)(uintptr_t)arg);
    if (rc)
        rc = -errno;
    *done_r = nr - arg->nr;
    xencall_free_buffer(physmap_of(p)->xcall, arg);
    return rc;
}

static void *xen_buffer_alloc(struct xlx__physmap *p, size_t pages)
{
    return xencall_alloc_buffer_pages(physmap_of(p)->xcall, pages);
}

static void xen_buffer_free(struct xlx__physmap *p, void *buffer, size_t pages)
{
    if (buffer)
        xencall_free_buffer_pages(physmap_of(p)->xcall, buffer, pages);
}

/* Where Xen cannot be asked, the other way finds out why. */
static bool ask_load(xencall_handle *xcall)
{
    struct xen_feature_info *info = xencall_alloc_buffer(xcall, sizeof(*info));
    if (!info)
        return false;
    *info = (struct xen_feature_info){ .submap_idx = 0 };
    bool has = !xencall2(xcall, __HYPERVISOR_xen_version, XENVER_get_features,
                         (uint64_t)(uintptr_t)info) &&
               (info->submap & XLX__XENFEAT_LOAD_PHYSMAP);
    xencall_free_buffer(xcall, info);
    return has;
}

static void physmap_close(struct xlx__physmap *p)
{
    if (physmap_of(p)->fmem)
        xenforeignmemory_close(physmap_of(p)->fmem);
    if (physmap_of(p)->xcall)
        xencall_close(physmap_of(p)->xcall);
    free(p);
}

static const struct xlx__physmap_ops xen_ops = {
    .populate = xen_populate,
    .map = xen_map,
    .load = xen_load,
    .buffer_alloc = xen_buffer_alloc,
    .buffer_free = xen_buffer_free,
    .close = physmap_close,
};

int xlx__physmap_open(xlx_ctx *ctx, uint32_t domid, struct xlx__physmap **p_r)
{
    struct physmap_xen *x = calloc(1, sizeof(*x));
    if (!x)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    x->base = (struct xlx__physmap){ .ops = &xen_ops, .domid = domid };
    x->xcall = xencall_open(XLX__NO_LOGGER, 0);
    x->fmem = xenforeignmemory_open(XLX__NO_LOGGER, 0);
    if (!x->xcall || !x->fmem) {
        int rc =
            xlx__fail(ctx, ENODEV, "Xen: no hypervisor here, or not root (%s)",
                      strerror(errno));
        physmap_close(&x->base);
        return rc;
    }
    x->base.can_load = ask_load(x->xcall);
    *p_r = &x->base;
    return 0;
}
