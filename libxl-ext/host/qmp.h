/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: what a QEMU says of itself on its QMP socket. Below it the socket, or
 * a number in memory (tests/fakes/usb_world.c).
 *
 * The greeting has the version, and comes before any command: nothing is sent,
 * and the connection ends with that line. QEMU serves one client at a time; who
 * connects meanwhile, libxl or we, waits for the other's end.
 */
#ifndef XLX_HOST_QMP_H
#define XLX_HOST_QMP_H

#include "core/ctx.h"

struct xlx__qmp;

struct xlx__qemu_version {
    uint32_t major, minor, micro;
};

struct xlx__qmp_ops {
    /* The version of the QEMU behind the socket `path`. 0, or, without a
     * report: -ENOENT, -ECONNREFUSED no QEMU listens there; -ETIMEDOUT it has
     * not answered by `until`; -ENODATA it went away; -EPROTO what it says is
     * no greeting; -errno. */
    int (*version)(struct xlx__qmp *qmp, const char *path, int64_t until,
                   struct xlx__qemu_version *version_r);
};

struct xlx__qmp {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__qmp_ops *ops;
};

/* The real one. */
int xlx__qmp_host(xlx_ctx *ctx, struct xlx__qmp **qmp_r);

/* Makes the context's one when it is not yet. */
int xlx__qmp_open(xlx_ctx *ctx);

#endif
