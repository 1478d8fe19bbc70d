/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What this host has mounted and where it swaps to, as this process sees it:
 * /proc/self/mountinfo and /proc/swaps (proc(5)).
 */
#ifndef XLX_HOST_MOUNTS_H
#define XLX_HOST_MOUNTS_H

#include "core/ctx.h"

struct xlx__mount {
    /* "8:17"; "0:..." is a file system without a device of its own, such as
     * btrfs, which only `source` tells. NULL for swap. */
    const char *dev;
    const char *source; /* "/dev/sdb1"; any text for a file system */
    const char *where;  /* the mount point, NULL for swap */
    char *line;         /* what the others point into */
};

struct xlx__mounts {
    struct xlx__mount *v;
    size_t nr;
};

/*
 * Reads both into an empty list. A kernel without swap has no list of swap; a
 * host without the other is a failure, for nothing would seem to be mounted.
 * 0 or -errno, reported; the list is to be freed either way.
 */
int xlx__mounts_read(xlx_ctx *ctx, struct xlx__mounts *mounts);

void xlx__mounts_free(struct xlx__mounts *mounts);

#endif
