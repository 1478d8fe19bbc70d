/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef XLX_LAZY_CHECK_H
#define XLX_LAZY_CHECK_H

#include "libxl_ext_lazy.h"
#include "xen/paging.h"

#define XLX__LAZY_FEATURES 11

struct xlx_lazy_report {
    char reason[256]; /* "": none */
    struct xlx_lazy_feature features[XLX__LAZY_FEATURES];
};

/* Fills in the report on a host that has answered like this. */
void xlx__lazy_report(const struct xlx__paging_host *host,
                      struct xlx_lazy_report *report_r);

#endif
