/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/backend.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "host/lock.h"
#include "host/process.h"
#include "host/program.h"
#include "usb/controller/hc.h"
#include "usb/controller/log.h"
#include "usbd/port_status.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define RIVALS "/local/domain/0/device-model/%u/backends"
#define LINE_MAX_HERE 256

static int find_pidfile(xlx_ctx *ctx, uint32_t domid, char *path_r)
{
    char name[64];
    snprintf(name, sizeof(name), "usb/%u.pid", domid);
    return xlx__run_path(ctx, name, path_r);
}

/* The pidfile is locked as long as it runs. */
static int find_process(xlx_ctx *ctx, uint32_t domid, pid_t *pid_r)
{
    char pidfile[PATH_MAX];
    int rc = xlx__proc_open(ctx);
    if (!rc)
        rc = find_pidfile(ctx, domid, pidfile);
    if (!rc)
        *pid_r = ctx->proc->ops->find(ctx->proc, pidfile);
    return rc;
}

int xlx__backend_alive(xlx_ctx *ctx, uint32_t domid)
{
    pid_t pid;
    int rc = find_process(ctx, domid, &pid);
    return rc ? rc : pid > 0;
}

int xlx__backend_killed(xlx_ctx *ctx, uint32_t domid)
{
    pid_t pid;
    int rc = find_process(ctx, domid, &pid);
    return rc ? rc : pid == -ESTALE;
}

/* A QEMU says that it serves qusb, and more; ours says qusb only. An HVM guest
 * has one that may be about to start. */
int xlx__backend_has_rival(xlx_ctx *ctx, uint32_t domid)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    enum xlx__dom_type type;
    int rc = xlx__dom_type(ctx, domid, &type);
    if (!rc && type == XLX__DOM_HVM)
        return 1;
    if (!rc)
        rc = xlx__xs_ls(ctx, XLX__XS_NO_TX, &names, RIVALS, domid);
    for (size_t i = 0; !rc && i < names.nr; i++)
        rc = strcmp(names.v[i], "qusb") != 0;
    return rc;
}

/* --- its start ------------------------------------------------------------ */

/* The paths of this context go along: ours is a new process. */
static int run_daemon(xlx_ctx *ctx, uint32_t domid, const char *program,
                      int64_t until, char *line)
{
    char number[16], log[PATH_MAX];
    snprintf(number, sizeof(number), "%u", domid);
    int rc = xlx__usb_log_path(ctx, domid, log);
    if (rc)
        return rc;
    const char *const argv[] = { program,
                                 number,
                                 xlx_ctx_path(ctx, XLX_PATH_RUN),
                                 xlx_ctx_path(ctx, XLX_PATH_LOG),
                                 xlx_ctx_path(ctx, XLX_PATH_SYSFS),
                                 NULL };
    rc =
        ctx->proc->ops->start(ctx->proc, argv, log, until, line, LINE_MAX_HERE);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "domain %u: the USB backend does not start in time: "
                         "see %s",
                         domid, log);
    if (rc == -ESRCH)
        return xlx__fail(ctx, EIO,
                         "domain %u: the USB backend ended at its start: see "
                         "%s",
                         domid, log);
    return rc ? xlx__fail_errno(ctx, -rc, "%s: cannot run (log %s)", program,
                                log)
              : 0;
}

static int find_program(xlx_ctx *ctx, char *program_r)
{
    return xlx__find_own_program(ctx, XLX_PATH_USB_BACKEND,
                                 "xl-ext-usb-backend", program_r);
}

int xlx__backend_check(xlx_ctx *ctx, uint32_t domid)
{
    char program[PATH_MAX];
    int rc = xlx__backend_alive(ctx, domid);
    if (rc)
        return rc < 0 ? rc : 0;
    return find_program(ctx, program);
}

int xlx__backend_start(xlx_ctx *ctx, uint32_t domid, int64_t until,
                       bool *started_r)
{
    char program[PATH_MAX], line[LINE_MAX_HERE];
    *started_r = false;
    int rc = xlx__backend_alive(ctx, domid);
    if (rc)
        return rc < 0 ? rc : 0;
    rc = find_program(ctx, program);
    if (rc)
        return rc;
    *started_r = true;
    rc = run_daemon(ctx, domid, program, until, line);
    if (!rc && strcmp(line, "ready"))
        rc = xlx__fail(ctx, EIO, "domain %u: USB backend: %s", domid, line);
    return rc;
}

/* --- its end -------------------------------------------------------------- */

int xlx__backend_stop(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char pidfile[PATH_MAX];
    int rc = xlx__proc_open(ctx);
    if (!rc)
        rc = find_pidfile(ctx, domid, pidfile);
    if (rc)
        return rc;
    rc = ctx->proc->ops->stop(ctx->proc, pidfile, until);
    return rc ? xlx__fail_errno(ctx, -rc,
                                "domain %u: cannot end the USB backend (%s)",
                                domid, pidfile)
              : 0;
}

int xlx__backend_stop_unused(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    XLX__AUTO_FREE struct xlx__hc *list = NULL;
    int nr = xlx__hc_list(ctx, domid, &list);
    for (int i = 0; i < nr; i++)
        if (list[i].type != XLX_USB_DEVICEMODEL && list[i].backend_domid == 0)
            return 0;
    return nr < 0 ? nr : xlx__backend_stop(ctx, domid, until);
}

/* --- what is left of it --------------------------------------------------- */

struct forgotten {
    xlx_ctx *ctx;
    uint32_t domid;
    const char *busid;
};

static int forget_port(void *arg, uint32_t devid, uint32_t port,
                       const struct xlx__usbd_status *s)
{
    const struct forgotten *f = arg;
    if (strcmp(s->busid, f->busid))
        return 0;
    return xlx__usbd_status_remove(f->ctx, f->domid, devid, port);
}

int xlx__backend_forget(xlx_ctx *ctx, uint32_t domid, const char *busid)
{
    struct forgotten f = { ctx, domid, busid };
    int rc = xlx__backend_alive(ctx, domid);
    if (rc)
        return rc < 0 ? rc : 0;
    return xlx__usbd_status_each(ctx, domid, forget_port, &f);
}
