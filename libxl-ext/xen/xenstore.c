/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/xenstore.h"

#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/parse.h"

/* Other writers are toolstacks and guests: this many collisions in a row mean
 * that one of them keeps xenstore busy on purpose. */
#define MAX_COLLISIONS 100

struct path {
    char text[XLX__XS_PATH_MAX];
};

int xlx__xs_open(xlx_ctx *ctx)
{
    return ctx->xs ? 0 : xlx__xs_daemon(ctx, &ctx->xs);
}

/* Opens what is needed and composes the path, for every helper. */
static int open_and_compose(xlx_ctx *ctx, struct path *path, const char *fmt,
                            va_list ap)
{
    int rc = xlx__xs_open(ctx);
    if (rc)
        return rc;
    int n = vsnprintf(path->text, sizeof(path->text), fmt, ap);
    if (n < 0 || (size_t)n >= sizeof(path->text))
        return xlx__fail(ctx, ENAMETOOLONG, "xenstore: %s...: path too long",
                         path->text);
    return 0;
}

#define START(ctx, path, fmt)                            \
    ({                                                   \
        va_list ap_;                                     \
        va_start(ap_, fmt);                              \
        int rc_ = open_and_compose(ctx, path, fmt, ap_); \
        va_end(ap_);                                     \
        rc_;                                             \
    })

static int report_failure(xlx_ctx *ctx, int rc, const char *what,
                          const char *path)
{
    return xlx__fail_errno(ctx, -rc, "xenstore: cannot %s %s", what, path);
}

static int read_path(xlx_ctx *ctx, uint32_t t, const char *path, char **value_r)
{
    int rc = ctx->xs->ops->read(ctx->xs, t, path, value_r);
    return rc && rc != -ENOENT ? report_failure(ctx, rc, "read", path) : rc;
}

static int write_path(xlx_ctx *ctx, uint32_t t, const char *path,
                      const char *value)
{
    int rc = ctx->xs->ops->write(ctx->xs, t, path, value);
    return rc ? report_failure(ctx, rc, "write", path) : 0;
}

int xlx__xs_read(xlx_ctx *ctx, uint32_t t, char **value_r, const char *fmt, ...)
{
    struct path path;
    int rc = START(ctx, &path, fmt);
    return rc ? rc : read_path(ctx, t, path.text, value_r);
}

int xlx__xs_read_u32(xlx_ctx *ctx, uint32_t t, uint32_t min, uint32_t max,
                     uint32_t *value_r, const char *fmt, ...)
{
    struct path path;
    XLX__AUTO_FREE char *text = NULL;
    int rc = START(ctx, &path, fmt);
    if (!rc)
        rc = read_path(ctx, t, path.text, &text);
    if (rc)
        return rc;
    return xlx__parse_u32(text, min, max, value_r) ? -EINVAL : 0;
}

int xlx__xs_write(xlx_ctx *ctx, uint32_t t, const char *value, const char *fmt,
                  ...)
{
    struct path path;
    int rc = START(ctx, &path, fmt);
    return rc ? rc : write_path(ctx, t, path.text, value);
}

int xlx__xs_write_u32(xlx_ctx *ctx, uint32_t t, uint32_t value, const char *fmt,
                      ...)
{
    struct path path;
    char text[16];
    int rc = START(ctx, &path, fmt);
    snprintf(text, sizeof(text), "%u", value);
    return rc ? rc : write_path(ctx, t, path.text, text);
}

static int ls_path(xlx_ctx *ctx, uint32_t t, const char *path,
                   struct xlx__names *names)
{
    int rc = ctx->xs->ops->ls(ctx->xs, t, path, names);
    return rc && rc != -ENOENT ? report_failure(ctx, rc, "list", path) : 0;
}

/*
 * -EAGAIN: somebody else has removed, since the transaction has seen it, the
 * node (xenstored, in C: EIO) or what is above it (EINVAL). It could not be
 * committed.
 */
static int rm_path(xlx_ctx *ctx, uint32_t t, const char *path)
{
    int rc = ctx->xs->ops->rm(ctx->xs, t, path);
    if (t != XLX__XS_NO_TX && (rc == -EIO || rc == -EINVAL))
        return -EAGAIN;
    return rc && rc != -ENOENT ? report_failure(ctx, rc, "remove", path) : 0;
}

/* 1 when `path` was an empty directory and is gone, 0 when it stays. */
static int rm_if_empty(xlx_ctx *ctx, uint32_t t, const char *path)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    int rc = ls_path(ctx, t, path, &names);
    if (rc || names.nr)
        return rc;
    rc = rm_path(ctx, t, path);
    return rc ? rc : 1;
}

int xlx__xs_rm(xlx_ctx *ctx, uint32_t t, unsigned parents, const char *fmt, ...)
{
    struct path path;
    int rc = START(ctx, &path, fmt);
    if (rc)
        return rc;
    rc = rm_path(ctx, t, path.text);
    if (rc)
        return rc;
    for (rc = 1; rc == 1 && parents; parents--) {
        *strrchr(path.text, '/') = '\0';
        rc = rm_if_empty(ctx, t, path.text);
    }
    return rc < 0 ? rc : 0;
}

int xlx__xs_ls(xlx_ctx *ctx, uint32_t t, struct xlx__names *names,
               const char *fmt, ...)
{
    struct path path;
    int rc = START(ctx, &path, fmt);
    return rc ? rc : ls_path(ctx, t, path.text, names);
}

int xlx__xs_mkdir(xlx_ctx *ctx, uint32_t t, uint32_t owner, uint32_t reader,
                  const char *fmt, ...)
{
    struct path path;
    const struct xlx__xs_perm perms[] = { { owner, 0 },
                                          { reader, XLX__XS_READ } };
    int rc = START(ctx, &path, fmt);
    if (rc)
        return rc;
    rc = ctx->xs->ops->mkdir(ctx->xs, t, path.text);
    if (!rc)
        rc = ctx->xs->ops->set_perms(ctx->xs, t, path.text, perms, 2);
    return rc ? report_failure(ctx, rc, "make", path.text) : 0;
}

int xlx__xs_exists(xlx_ctx *ctx, uint32_t t, const char *fmt, ...)
{
    struct path path;
    XLX__AUTO_FREE char *text = NULL;
    int rc = START(ctx, &path, fmt);
    if (!rc)
        rc = read_path(ctx, t, path.text, &text);
    if (rc == -ENOENT)
        return 0;
    return rc ? rc : 1;
}

int xlx__xs_transact(xlx_ctx *ctx,
                     int (*body)(xlx_ctx *ctx, uint32_t t, void *arg),
                     void *arg)
{
    int rc = xlx__xs_open(ctx);
    for (int i = 0; !rc && i < MAX_COLLISIONS; i++) {
        uint32_t t;
        rc = ctx->xs->ops->begin(ctx->xs, &t);
        if (rc)
            return report_failure(ctx, rc, "start", "a transaction");
        rc = body(ctx, t, arg);
        if (rc && rc != -EAGAIN) {
            ctx->xs->ops->end(ctx->xs, t, false);
            return rc;
        }
        int end = ctx->xs->ops->end(ctx->xs, t, !rc);
        rc = rc ? rc : end;
        if (!rc)
            return 0;
        if (rc == -EAGAIN)
            rc = 0;
        else
            return report_failure(ctx, rc, "commit", "a transaction");
    }
    return rc ? rc : report_failure(ctx, -EAGAIN, "commit", "a transaction");
}

static int loop_until(xlx_ctx *ctx, int every_ms, int64_t until,
                      int (*look)(xlx_ctx *ctx, void *arg), void *arg)
{
    for (;;) {
        bool last = xlx__now_ms() >= until;
        int rc = look(ctx, arg);
        if (rc)
            return rc;
        if (last)
            return -ETIMEDOUT;
        int64_t next = every_ms ? xlx__now_ms() + every_ms : until;
        rc = ctx->xs->ops->wait(ctx->xs, next < until ? next : until);
        if (rc < 0)
            return report_failure(ctx, rc, "wait", "for changes");
    }
}

int xlx__xs_wait_for(xlx_ctx *ctx, const char *const *paths, size_t nr,
                     int every_ms, int64_t until,
                     int (*look)(xlx_ctx *ctx, void *arg), void *arg)
{
    size_t watched = 0;
    int rc = xlx__xs_open(ctx);
    while (!rc && watched < nr) {
        rc = ctx->xs->ops->watch(ctx->xs, paths[watched]);
        if (rc)
            report_failure(ctx, rc, "watch", paths[watched]);
        else
            watched++;
    }
    if (!rc)
        rc = loop_until(ctx, every_ms, until, look, arg);
    while (watched)
        ctx->xs->ops->unwatch(ctx->xs, paths[--watched]);
    return rc;
}
