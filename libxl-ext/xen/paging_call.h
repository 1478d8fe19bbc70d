/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the files on Xen's paging share: one sub-operation, and silence.
 */
#ifndef XLX_XEN_PAGING_CALL_H
#define XLX_XEN_PAGING_CALL_H

#include <xencall.h>
#include <xentoollog.h>

#include "xen/paging_abi.h"

/* Xen's libraries would print what is reported here with its reason. */
extern const xentoollog_logger xlx__no_logger;

/* Their prototypes take it without const; none changes it. */
#define XLX__NO_LOGGER ((xentoollog_logger *)(uintptr_t)&xlx__no_logger)

/* One sub-operation; `op` comes back as Xen left it. 0, a count, -errno. */
int xlx__paging_op(xencall_handle *xcall, struct xlx__xen_paging_op *op);

#endif
