/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef XLX_LAZY_CHECK_H
#define XLX_LAZY_CHECK_H

#include "libxl_ext_lazy.h"
#include "xen/paging.h"

/* The report on a host that has answered like this. */
void xlx__lazy_report(const struct xlx__paging_host *host,
                      struct xlx_lazy_report *report_r);

#endif
