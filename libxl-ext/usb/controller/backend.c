/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/controller/backend.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/clean.h"
#include "core/clock.h"
#include "host/lock.h"
#include "host/process.h"
#include "host/program.h"
#include "host/qmp.h"
#include "usb/deadline.h"
#include "usb/controller/hc.h"
#include "usb/controller/log.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

/* libxl looks for the same node before it makes a controller. */
#define DEVICE_MODEL "/local/domain/0/device-model/%u"
#define LINE_MAX_HERE 256

/* As configured, as libxl's builds have it, as distributions have it. */
static const char *const qemu_places[] = {
    XLX_QEMU,
    "/usr/libexec/xen-qemu-system-i386", /* Debian */
    "/usr/lib/xen-%1$u.%2$u/bin/qemu-system-i386",
    "/usr/lib/xen/bin/qemu-system-i386",
    "/usr/lib64/xen/bin/qemu-system-i386",
    "/usr/libexec/xen/bin/qemu-system-i386",
    "/usr/local/lib/xen/bin/qemu-system-i386",
    "/usr/local/libexec/xen/bin/qemu-system-i386",
    "/usr/bin/qemu-system-i386", /* Fedora; Debian's is without Xen */
    NULL,
};

int xlx__backend_path(xlx_ctx *ctx, uint32_t domid, const char *suffix,
                      char *path_r)
{
    char name[64];
    snprintf(name, sizeof(name), "usb/%u.%s", domid, suffix);
    return xlx__run_path(ctx, name, path_r);
}

int xlx__backend_announced(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__xs_exists(ctx, XLX__XS_NO_TX, DEVICE_MODEL "/backends/qusb",
                          domid);
}

int xlx__backend_unannounce(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__xs_rm(ctx, XLX__XS_NO_TX, 1, DEVICE_MODEL, domid);
}

static int look_announced(xlx_ctx *ctx, void *arg)
{
    return xlx__backend_announced(ctx, *(uint32_t *)arg);
}

int xlx__backend_wait(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char path[XLX__XS_PATH_MAX];
    const char *paths[] = { path };
    snprintf(path, sizeof(path), DEVICE_MODEL, domid);
    int rc = xlx__xs_wait_for(ctx, paths, 1, 0, until, look_announced, &domid);
    if (rc == -ETIMEDOUT)
        return xlx__fail(ctx, ETIMEDOUT,
                         "domain %u: its USB backend died and is not back yet: "
                         "the guest may take minutes to let go of what was in "
                         "flight: try again, or with --wait 180",
                         domid);
    return rc < 0 ? rc : 0;
}

/* The paths of this context go along: ours is a new process. */
static int run_daemon(xlx_ctx *ctx, uint32_t domid, const char *program,
                      const char *qemu, int64_t until, char *line)
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
                                 qemu,
                                 NULL };
    rc = ctx->proc->ops->start(ctx->proc, argv, log, until, line,
                               LINE_MAX_HERE);
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

static int find_programs(xlx_ctx *ctx, char *program_r, char *qemu_r)
{
    int rc = xlx__find_program(ctx, XLX_PATH_QEMU,
                               "QEMU for Xen (Debian: qemu-system-xen)",
                               qemu_places, qemu_r);
    return rc ? rc
              : xlx__find_own_program(ctx, XLX_PATH_USB_BACKEND,
                                      "xl-ext-usb-backend", program_r);
}

static int start_ours(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char program[PATH_MAX], qemu[PATH_MAX], line[LINE_MAX_HERE];
    int rc = find_programs(ctx, program, qemu);
    if (!rc)
        rc = run_daemon(ctx, domid, program, qemu, until, line);
    if (!rc && strcmp(line, "ready"))
        rc = xlx__fail(ctx, EIO, "domain %u: USB backend: %s", domid, line);
    return rc;
}

/* --- who serves ----------------------------------------------------------- */

enum server {
    NOBODY,
    OURS,
    DEVICE_MODEL_OF_LIBXL,
};

static int find_server(xlx_ctx *ctx, uint32_t domid, enum server *server_r)
{
    char pidfile[PATH_MAX];
    *server_r = NOBODY;
    int rc = xlx__proc_open(ctx);
    if (!rc)
        rc = xlx__backend_path(ctx, domid, "pid", pidfile);
    if (rc)
        return rc;
    pid_t pid = ctx->proc->ops->find(ctx->proc, pidfile);
    /* What a killed process of ours announced is worth nothing. */
    if (pid == -ESTALE)
        return 0;
    rc = xlx__backend_announced(ctx, domid);
    if (rc > 0)
        *server_r = pid > 0 ? OURS : DEVICE_MODEL_OF_LIBXL;
    if (rc)
        return rc < 0 ? rc : 0;
    /* Ours starts another QEMU as soon as we let go of the domain's lock. */
    if (pid > 0)
        return xlx__fail(ctx, ECONNRESET,
                         "domain %u: the USB backend died and does not come "
                         "back",
                         domid);
    return 0;
}

/* An HVM guest always has a device model; a second one would get in its way. */
static int check_type(xlx_ctx *ctx, uint32_t domid)
{
    enum xlx__dom_type type;
    int rc = xlx__dom_type(ctx, domid, &type);
    if (!rc && type == XLX__DOM_HVM)
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: the device model of this HVM guest does "
                         "not offer PVUSB: use type=devicemodel",
                         domid);
    return rc;
}

int xlx__backend_check(xlx_ctx *ctx, uint32_t domid)
{
    char program[PATH_MAX], qemu[PATH_MAX];
    enum server server;
    int rc = find_server(ctx, domid, &server);
    if (rc || server != NOBODY)
        return rc;
    rc = check_type(ctx, domid);
    return rc ? rc : find_programs(ctx, program, qemu);
}

int xlx__backend_start(xlx_ctx *ctx, uint32_t domid, int64_t until,
                       bool *started_r)
{
    enum server server;
    *started_r = false;
    int rc = find_server(ctx, domid, &server);
    if (rc || server != NOBODY)
        return rc;
    *started_r = true;
    return start_ours(ctx, domid, until);
}

/* --- room for a controller ------------------------------------------------ */

static int ask_version(xlx_ctx *ctx, const char *socket, int64_t until,
                       struct xlx__qemu_version *version_r)
{
    int64_t own = xlx__now_ms() + XLX__ASK_MS;
    int rc = xlx__qmp_open(ctx);
    return rc ? rc
              : ctx->qmp->ops->version(ctx->qmp, socket,
                                       own < until ? own : until, version_r);
}

static bool takes_controllers(const struct xlx__qemu_version *version)
{
    return version->major < 10;
}

static const char *way_out(enum xlx__dom_type type)
{
    return type == XLX__DOM_HVM
               ? "use type=devicemodel"
               : "start the guest with disks as phy: and without vfb, so that "
                 "it needs no QEMU of its own";
}

/* libxl's, which also serves the guest's disks or is its whole machine. */
static int check_device_model(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    struct xlx__qemu_version v;
    enum xlx__dom_type type;
    char socket[PATH_MAX];
    int rc = xlx__dom_type(ctx, domid, &type);
    if (rc)
        return rc;
    snprintf(socket, sizeof(socket), "%s/qmp-libxl-%u",
             xlx_ctx_path(ctx, XLX_PATH_XEN_RUN), domid);
    rc = ask_version(ctx, socket, until, &v);
    if (rc)
        return xlx__fail_errno(ctx, -rc,
                               "domain %u: USB controller: its device model "
                               "does not say whether it is older than QEMU "
                               "10.0, which ends when it gets one: %s (%s)",
                               domid, way_out(type), socket);
    if (takes_controllers(&v))
        return 0;
    return xlx__fail(ctx, ENOTSUP,
                     "domain %u: USB controller: its device model is QEMU "
                     "%u.%u.%u, which ends when it gets one (10.0 and later): "
                     "%s",
                     domid, v.major, v.minor, v.micro, way_out(type));
}

/* Whether any of its controllers has a device: 1, 0 or -errno. */
static int has_devices(xlx_ctx *ctx, uint32_t domid)
{
    XLX__AUTO_FREE struct xlx__hc *list = NULL;
    char busid[XLX_USB_BUSID_MAX] = "";
    int nr = xlx__hc_list(ctx, domid, &list), rc = nr < 0 ? nr : 0;
    for (int i = 0; !rc && i < nr; i++) {
        if (list[i].type != XLX_USB_QUSB || list[i].backend_domid)
            continue;
        for (uint32_t p = 1; !rc && !*busid && p <= list[i].nr_ports; p++)
            rc = xlx__hc_port(ctx, XLX__XS_NO_TX, &list[i], p, busid);
    }
    return rc ? rc : *busid != '\0';
}

/* A restart costs the guest a replug of what it has, so there must be nothing
 * in use. One that does not answer is no older one. */
static int make_room_in_ours(xlx_ctx *ctx, uint32_t domid, int64_t until,
                             bool *ended_r)
{
    struct xlx__qemu_version v;
    char socket[PATH_MAX];
    int rc = xlx__backend_path(ctx, domid, "qmp", socket);
    if (rc)
        return rc;
    if (!ask_version(ctx, socket, until, &v) && takes_controllers(&v))
        return 0;
    rc = has_devices(ctx, domid);
    if (rc > 0)
        return xlx__fail(ctx, EBUSY,
                         "domain %u: another USB controller: its backend, QEMU "
                         "10.0 or later, takes one only when it starts, and "
                         "has devices now: detach them first, or use a free "
                         "port (usb-hc-create with ports= makes up to %d)",
                         domid, XLX_USB_PORTS_MAX);
    if (!rc)
        rc = xlx__backend_stop(ctx, domid, until);
    *ended_r = !rc;
    return rc;
}

int xlx__backend_make_room(xlx_ctx *ctx, uint32_t domid, int64_t until,
                           bool *ended_r)
{
    enum server server;
    *ended_r = false;
    int rc = find_server(ctx, domid, &server);
    if (rc || server == NOBODY)
        return rc;
    return server == OURS ? make_room_in_ours(ctx, domid, until, ended_r)
                          : check_device_model(ctx, domid, until);
}

/* --- its end -------------------------------------------------------------- */

int xlx__backend_stop(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    char pidfile[PATH_MAX];
    int rc = xlx__proc_open(ctx);
    if (!rc)
        rc = xlx__backend_path(ctx, domid, "pid", pidfile);
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
        if (list[i].type == XLX_USB_QUSB && list[i].backend_domid == 0)
            return 0;
    return nr < 0 ? nr : xlx__backend_stop(ctx, domid, until);
}
