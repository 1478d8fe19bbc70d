/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The context as the library sees it, and the one way to report a failure.
 */
#ifndef XLX_CORE_CTX_H
#define XLX_CORE_CTX_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"

struct xlx__xs;         /* xen/xenstore.h */
struct xlx__sysfs;      /* host/sysfs.h */
struct xlx__proc;       /* host/process.h */
struct xlx__libxl;      /* xen/libxl_usb.h */
struct xlx__uevents;    /* host/uevent.h */
struct xlx__paging;     /* xen/paging.h */
struct xlx__evtchn;     /* xen/evtchn.h */
struct xlx__hypervisor; /* xen/release.h */

#define XLX__ERROR_MAX 512

/* What every seam starts with. */
struct xlx__seam {
    void (*close)(struct xlx__seam *seam); /* frees it too */
};

struct xlx_ctx {
    xlx_log_fn *log_fn;
    void *log_user;
    enum xlx_log_level log_level;
    char *path[XLX_PATH_NR];
    char error[XLX__ERROR_MAX];
    int tolerant;         /* xlx__tolerate() */
    char xen_running[48]; /* what xlx_xen_running() returned */

    /*
     * Seams. NULL until first used; a test puts its fake here before. Owned
     * by the context, closed through their own ops.
     */
    struct xlx__xs *xs;
    struct xlx__sysfs *sysfs;
    struct xlx__proc *proc;
    struct xlx__libxl *libxl;
    struct xlx__uevents *uevents;
    struct xlx__evtchn *evtchn;
    struct xlx__hypervisor *hypervisor; /* stays NULL but in a test */
};

/*
 * Another context for a thread of the library's own: the same paths and log, an
 * error text and seams of its own. 0 or -ENOMEM, not reported.
 */
int xlx__ctx_twin(const xlx_ctx *ctx, xlx_ctx **twin_r);

/*
 * Reports one failure: composes the text, keeps it for xlx_ctx_error(), logs
 * it once and returns -err, so that callers write
 *     return xlx__fail(ctx, ENOENT, "domain %u: no such domain", domid);
 * `err` is a positive errno. Called where the failure happened and nowhere
 * above it.
 */
int xlx__fail(xlx_ctx *ctx, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As xlx__fail(), with ": " and the errno's own words appended. */
int xlx__fail_errno(xlx_ctx *ctx, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As xlx__fail(), and not logged: what most callers take as an answer. */
int xlx__fail_unlogged(xlx_ctx *ctx, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * From +1 to -1 failures are kept for xlx_ctx_error() and not logged. A caller
 * that continues after one reports it itself, so that a command that succeeds
 * prints no error. Nests.
 */
void xlx__tolerate(xlx_ctx *ctx, int change);

/*
 * Logs, where nobody tolerates it, the failure that xlx__tolerate() has kept:
 * it is one for this caller's caller. Returns `rc`.
 */
int xlx__fail_after_all(xlx_ctx *ctx, int rc);

/*
 * The reason of a failure, while something is undone that may fail too: kept
 * before, and again what xlx_ctx_error() returns when it is put back.
 */
struct xlx__reason {
    char text[XLX__ERROR_MAX];
};
void xlx__reason_keep(const xlx_ctx *ctx, struct xlx__reason *reason);
void xlx__reason_put_back(xlx_ctx *ctx, const struct xlx__reason *reason);

void xlx__log(xlx_ctx *ctx, enum xlx_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define xlx__warn(ctx, ...) xlx__log(ctx, XLX_LOG_WARN, __VA_ARGS__)
#define xlx__info(ctx, ...) xlx__log(ctx, XLX_LOG_INFO, __VA_ARGS__)
#define xlx__debug(ctx, ...) xlx__log(ctx, XLX_LOG_DEBUG, __VA_ARGS__)

#endif
