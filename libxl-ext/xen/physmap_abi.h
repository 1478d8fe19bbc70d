/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * XENMEM_load_physmap, which hypervisor/ adds to Xen.
 */
#ifndef XLX_XEN_PHYSMAP_ABI_H
#define XLX_XEN_PHYSMAP_ABI_H

#include <stddef.h>
#include <stdint.h>

/* Of the features that XENVER_get_features reports, in the first submap. */
#define XLX__XENFEAT_LOAD_PHYSMAP (1u << 31)

#define XLX__XENMEM_LOAD_PHYSMAP 60
#define XLX__XENMEM_LOAD_ZEROS (1u << 0)

struct xlx__xen_load_physmap {
    uint16_t domid;
    uint16_t flags;
    uint32_t nr;
    uint64_t gfn;
    uint64_t buffer;
};

_Static_assert(sizeof(struct xlx__xen_load_physmap) == 24, "Xen's structure");
_Static_assert(offsetof(struct xlx__xen_load_physmap, gfn) == 8, "its gfn");

#endif
