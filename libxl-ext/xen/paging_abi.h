/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The sub-operations of XENMEM_paging_op that hypervisor/ adds to Xen. The
 * public header's structure has four unused bytes where ours has `nr`.
 */
#ifndef XLX_XEN_PAGING_ABI_H
#define XLX_XEN_PAGING_ABI_H

#include <stddef.h>
#include <stdint.h>

#define XLX__XENMEM_PAGING_FEATURES 0x40
#define XLX__XENMEM_PAGING_MARK_RUN 0x41
#define XLX__XENMEM_PAGING_LOAD_RUN 0x42
#define XLX__XENMEM_PAGING_COUNT_2M 0x43
#define XLX__XENMEM_PAGING_LOAD_ZEROS 0x44

/* COUNT_2M looks at this many gfns in one call at most. */
#define XLX__XENMEM_COUNT_MAX 0x10000u

struct xlx__xen_paging_op {
    uint8_t op;
    uint8_t pad;
    uint16_t domain;
    uint32_t nr;
    uint64_t buffer;
    uint64_t gfn;
};

_Static_assert(sizeof(struct xlx__xen_paging_op) == 24, "Xen's structure");
_Static_assert(offsetof(struct xlx__xen_paging_op, buffer) == 8, "its handle");
_Static_assert(offsetof(struct xlx__xen_paging_op, gfn) == 16, "its gfn");

#endif
