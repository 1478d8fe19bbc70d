/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: xenstore. Below it the daemon (xenstore_daemon.c) or a tree in memory
 * (tests/fakes/xenstore_mem.c); above it helpers that report failures.
 */
#ifndef XLX_XEN_XENSTORE_H
#define XLX_XEN_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ctx.h"
#include "core/names.h"

#define XLX__XS_NO_TX 0u     /* outside a transaction */
#define XLX__XS_PATH_MAX 256 /* longest path used here, with its NUL */
#define XLX__XS_READ 1u
#define XLX__XS_WRITE 2u

/* Who may do what; the first one is the owner, its rights are everybody's. */
struct xlx__xs_perm {
    uint32_t domid;
    unsigned may; /* XLX__XS_READ | XLX__XS_WRITE */
};

struct xlx__xs;

/*
 * One thread at a time. Paths are absolute. `t` is a transaction or
 * XLX__XS_NO_TX. All slots return 0 (or what is said) or -errno: -ENOENT for a
 * node that is not there, -EACCES, -EIO when the daemon is gone, -ENOMEM.
 * None logs.
 */
struct xlx__xs_ops {
    /* The value, NUL-terminated, to be freed by the caller. A value may hold
     * anything a guest wrote, up to 4096 bytes. */
    int (*read)(struct xlx__xs *xs, uint32_t t, const char *path,
                char **value_r);
    /* Creates the node and its parents where missing; new nodes inherit the
     * permissions of their parent. */
    int (*write)(struct xlx__xs *xs, uint32_t t, const char *path,
                 const char *value);
    /* As write with an empty value, but leaves an existing node alone. */
    int (*mkdir)(struct xlx__xs *xs, uint32_t t, const char *path);
    /* Removes the node with all below it. */
    int (*rm)(struct xlx__xs *xs, uint32_t t, const char *path);
    /* Appends the names of the children to an empty list. */
    int (*ls)(struct xlx__xs *xs, uint32_t t, const char *path,
              struct xlx__names *names);
    int (*set_perms)(struct xlx__xs *xs, uint32_t t, const char *path,
                     const struct xlx__xs_perm *perms, size_t nr);
    /* Returns how many there are, of which at most `max` are stored. */
    int (*get_perms)(struct xlx__xs *xs, uint32_t t, const char *path,
                     struct xlx__xs_perm *perms, size_t max);
    int (*begin)(struct xlx__xs *xs, uint32_t *t_r);
    /* Ends the transaction in any case. -EAGAIN: another writer was faster,
     * nothing was done, start over. */
    int (*end)(struct xlx__xs *xs, uint32_t t, bool commit);
    /* From now on wait() returns when the node or one below it changes, and
     * once at the start. The node need not exist. "@releaseDomain" is one. */
    int (*watch)(struct xlx__xs *xs, const char *path);
    int (*unwatch)(struct xlx__xs *xs, const char *path);
    /* 1: something watched has changed since the last call; 0: nothing until
     * `until` (xlx__now_ms()). Says not what: look. */
    int (*wait)(struct xlx__xs *xs, int64_t until);
    /* 1: Xen has that domain and xenstore serves it; 0: not. */
    int (*introduced)(struct xlx__xs *xs, uint32_t domid);
    /* Readable when wait() would return at once. */
    int (*fd)(struct xlx__xs *xs);
};

struct xlx__xs {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__xs_ops *ops;
};

/* Connects to the daemon. Fails with a text that says what is missing. */
int xlx__xs_daemon(xlx_ctx *ctx, struct xlx__xs **xs_r);

/*
 * The helpers open the context's xenstore when it is not yet, compose the path
 * and report a failure once (xlx__fail), except where said.
 */
int xlx__xs_open(xlx_ctx *ctx);

/* -ENOENT is returned without a report. */
int xlx__xs_read(xlx_ctx *ctx, uint32_t t, char **value_r, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A decimal number. -ENOENT and -EINVAL (no number in the range) are returned
 * without a report. */
int xlx__xs_read_u32(xlx_ctx *ctx, uint32_t t, uint32_t min, uint32_t max,
                     uint32_t *value_r, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

int xlx__xs_write(xlx_ctx *ctx, uint32_t t, const char *value, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

int xlx__xs_write_u32(xlx_ctx *ctx, uint32_t t, uint32_t value, const char *fmt,
                      ...) __attribute__((format(printf, 4, 5)));

/* A node that is not there is a success; in a transaction, -EAGAIN is for
 * xlx__xs_transact(). Then removes up to `parents` of the
 * directories above that have become empty. */
int xlx__xs_rm(xlx_ctx *ctx, uint32_t t, unsigned parents, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A directory that is not there is an empty one. `names` starts empty. */
int xlx__xs_ls(xlx_ctx *ctx, uint32_t t, struct xlx__names *names,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Makes a directory with an owner without rights and one reader. */
int xlx__xs_mkdir(xlx_ctx *ctx, uint32_t t, uint32_t owner, uint32_t reader,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* 1 or 0: whether the node is there. */
int xlx__xs_exists(xlx_ctx *ctx, uint32_t t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Runs `body` in a transaction, again when another writer was faster; commits
 * when it returns 0. -EAGAIN is taken for such a writer, any other value ends
 * it without an effect and is returned.
 */
int xlx__xs_transact(xlx_ctx *ctx,
                     int (*body)(xlx_ctx *ctx, uint32_t t, void *arg),
                     void *arg);

/*
 * Calls `look` until it returns other than 0, which is returned: first at
 * once, then whenever one of `paths` changes and at least every `every_ms`
 * (0: only then). -ETIMEDOUT, without a report, when it is still 0 at `until`.
 */
int xlx__xs_wait_for(xlx_ctx *ctx, const char *const *paths, size_t nr,
                     int every_ms, int64_t until,
                     int (*look)(xlx_ctx *ctx, void *arg), void *arg);

#endif
