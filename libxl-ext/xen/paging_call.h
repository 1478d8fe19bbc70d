/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the files on Xen's paging share: one sub-operation.
 */
#ifndef XLX_XEN_PAGING_CALL_H
#define XLX_XEN_PAGING_CALL_H

#include <xencall.h>

#include "xen/paging_abi.h"

/* One sub-operation; `op` comes back as Xen left it. 0, a count, -errno. */
int xlx__paging_op(xencall_handle *xcall, struct xlx__xen_paging_op *op);

#endif
