/* SPDX-License-Identifier: LGPL-2.1-only */
#include "core/ctx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const char *const default_path[XLX_PATH_NR] = {
    [XLX_PATH_SYSFS] = "/sys",
    [XLX_PATH_PROC] = "/proc",
    [XLX_PATH_RUN] = XLX_RUN_DIR,
    [XLX_PATH_LOG] = "/var/log/xen",
    [XLX_PATH_USB_POLICY] = "/etc/xen/usb-policy.conf",
    [XLX_PATH_STATE] = XLX_STATE_DIR,
    [XLX_PATH_DEV] = "/dev",
    [XLX_PATH_ETC] = "/etc",
};

static int with_paths(const char *const *path, xlx_ctx **ctx_r)
{
    xlx_ctx *ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    for (int i = 0; i < XLX_PATH_NR; i++) {
        if (!path[i])
            continue;
        ctx->path[i] = strdup(path[i]);
        if (!ctx->path[i]) {
            xlx_ctx_free(ctx);
            return -ENOMEM;
        }
    }
    *ctx_r = ctx;
    return 0;
}

int xlx_ctx_new(xlx_ctx **ctx_r)
{
    return with_paths(default_path, ctx_r);
}

int xlx__ctx_twin(const xlx_ctx *ctx, xlx_ctx **twin_r)
{
    int rc = with_paths((const char *const *)ctx->path, twin_r);
    if (!rc)
        xlx_ctx_set_log(*twin_r, ctx->log_fn, ctx->log_user, ctx->log_level);
    return rc;
}

/* A seam's first member is its struct xlx__seam. */
static void close_seam(void *seam)
{
    if (seam)
        ((struct xlx__seam *)seam)->close(seam);
}

void xlx_ctx_free(xlx_ctx *ctx)
{
    if (!ctx)
        return;
    close_seam(ctx->xs);
    close_seam(ctx->sysfs);
    close_seam(ctx->proc);
    close_seam(ctx->libxl);
    close_seam(ctx->uevents);
    close_seam(ctx->evtchn);
    close_seam(ctx->hypervisor);
    for (int i = 0; i < XLX_PATH_NR; i++)
        free(ctx->path[i]);
    free(ctx);
}

void xlx_ctx_set_log(xlx_ctx *ctx, xlx_log_fn *fn, void *user,
                     enum xlx_log_level level)
{
    ctx->log_fn = fn;
    ctx->log_user = user;
    ctx->log_level = level;
}

int xlx_ctx_set_path(xlx_ctx *ctx, enum xlx_path which, const char *path)
{
    if ((unsigned)which >= XLX_PATH_NR || !path || !*path)
        return xlx__fail(ctx, EINVAL, "path %d: no such path, or empty", which);
    char *copy = strdup(path);
    if (!copy)
        return xlx__fail(ctx, ENOMEM, "path %s: no memory", path);
    free(ctx->path[which]);
    ctx->path[which] = copy;
    return 0;
}

const char *xlx_ctx_path(const xlx_ctx *ctx, enum xlx_path which)
{
    return (unsigned)which < XLX_PATH_NR ? ctx->path[which] : NULL;
}

const char *xlx_ctx_error(const xlx_ctx *ctx)
{
    return ctx->error;
}

const char *xlx_version(void)
{
    return PACKAGE_VERSION;
}

static void log_text(xlx_ctx *ctx, enum xlx_log_level level, const char *text)
{
    if (ctx->log_fn && level <= ctx->log_level)
        ctx->log_fn(ctx->log_user, level, text);
}

void xlx__log(xlx_ctx *ctx, enum xlx_log_level level, const char *fmt, ...)
{
    char text[XLX__ERROR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_text(ctx, level, text);
}

/* The text may quote the previous error, hence the second buffer. */
static int fail(xlx_ctx *ctx, int err, bool words, const char *fmt, va_list ap)
{
    char text[XLX__ERROR_MAX];
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    if (words && n >= 0 && (size_t)n < sizeof(text))
        snprintf(text + n, sizeof(text) - n, ": %s", strerror(err));
    memcpy(ctx->error, text, sizeof(text));
    if (!ctx->tolerant)
        log_text(ctx, XLX_LOG_ERROR, text);
    return -err;
}

void xlx__tolerate(xlx_ctx *ctx, int change)
{
    ctx->tolerant += change;
}

int xlx__fail_after_all(xlx_ctx *ctx, int rc)
{
    if (!ctx->tolerant)
        log_text(ctx, XLX_LOG_ERROR, ctx->error);
    return rc;
}

void xlx__reason_keep(const xlx_ctx *ctx, struct xlx__reason *reason)
{
    memcpy(reason->text, ctx->error, sizeof(reason->text));
}

void xlx__reason_put_back(xlx_ctx *ctx, const struct xlx__reason *reason)
{
    memcpy(ctx->error, reason->text, sizeof(ctx->error));
}

int xlx__fail(xlx_ctx *ctx, int err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = fail(ctx, err, false, fmt, ap);
    va_end(ap);
    return rc;
}

int xlx__fail_unlogged(xlx_ctx *ctx, int err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    xlx__tolerate(ctx, 1);
    int rc = fail(ctx, err, false, fmt, ap);
    xlx__tolerate(ctx, -1);
    va_end(ap);
    return rc;
}

int xlx__fail_errno(xlx_ctx *ctx, int err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = fail(ctx, err, true, fmt, ap);
    va_end(ap);
    return rc;
}
