/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whether this library fits the hypervisor that runs.
 *
 * A toolstack's hypercalls (domctl and sysctl, xen/include/public) carry a
 * version of their interface, which changes from one release to another. Xen
 * answers EACCES to another version than its own, as it does to a caller that a
 * security policy forbids it to.
 */
#ifndef XLX_XEN_RELEASE_H
#define XLX_XEN_RELEASE_H

#include "core/ctx.h"

struct xlx__hypervisor;

struct xlx__hypervisor_ops {
    /* Makes a sysctl and a domctl that change nothing. 0, or the first -errno;
     * -ENXIO without Xen, or without a way to it. Does not log. */
    int (*try_calls)(struct xlx__hypervisor *hypervisor);
};

struct xlx__hypervisor {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__hypervisor_ops *ops;
};

/*
 * To be asked before the first of such hypercalls. 0; -EACCES the hypervisor
 * is of another release and does not take them, reported with both releases. A
 * hypervisor that cannot be asked, or refuses for another reason, gets 0 too:
 * the call itself fails and says why.
 */
int xlx__xen_fits(xlx_ctx *ctx);

#endif
