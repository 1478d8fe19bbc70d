/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The doctor: what PVUSB wants of the host.
 */
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor/doctor.h"
#include "core/array.h"
#include "host/process.h"
#include "host/program.h"
#include "libxl_ext_usb.h"
#include "usb/assign/intent.h"
#include "usb/assign/reconcile.h"

#define SERVICE "libxl-ext-usb"

/* --- devices of Linux ----------------------------------------------------- */

static const struct device {
    const char *check, *path, *there, *missing;
} devices[] = {
    { "usbfs", "bus/usb", "programs can use this host's USB devices",
      "load the module usbcore, with CONFIG_USB_DEVICEFS" },
    { "gntdev", "xen/gntdev", "programs can use what guests grant",
      "load the module xen-gntdev" },
    { "evtchn", "xen/evtchn", "programs can use event channels",
      "load the module xen-evtchn" },
};

static void check_device(struct xlx__doctor *d, const struct device *device)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", xlx_ctx_path(d->ctx, XLX_PATH_DEV),
             device->path);
    int rc = 0;
    if (access(path, R_OK | W_OK))
        rc = xlx__fail(d->ctx, errno, "%s: %s: %s", path,
                       errno == ENOENT ? "not there" : "not usable: not root?",
                       device->missing);
    xlx__doctor_judge(d, device->check, rc, XLX_DOCTOR_MISSING, device->there);
}

/* --- what is installed, and the policy ------------------------------------ */

static void check_backend(struct xlx__doctor *d)
{
    char path[PATH_MAX];
    int rc = xlx__find_own_program(d->ctx, XLX_PATH_USB_BACKEND,
                                   "xl-ext-usb-backend", path);
    xlx__doctor_judge(d, "usb-backend", rc, XLX_DOCTOR_MISSING, path);
}

/* Without a policy there is one rule: everything is allowed. */
static void check_policy(struct xlx__doctor *d)
{
    struct xlx_usb_policy_rule *rules;
    const char *path = xlx_ctx_path(d->ctx, XLX_PATH_USB_POLICY);
    int nr = xlx_usb_policy_rules(d->ctx, &rules);
    if (nr < 0) {
        xlx__doctor_judge(d, "usb-policy", nr, XLX_DOCTOR_MISSING, "");
        return;
    }
    if (nr == 1 && rules[0].allow)
        xlx__doctor_find(d, "usb-policy", XLX_DOCTOR_OK,
                         "no policy: guests may have every device (%s)", path);
    else
        xlx__doctor_find(d, "usb-policy", XLX_DOCTOR_OK, "%s: %d rule%s", path,
                         nr - 1, nr == 2 ? "" : "s");
    free(rules);
}

/* --- the service ---------------------------------------------------------- */

/* The links that systemd, System V's init and OpenRC start a service by. */
static bool starts_with_host(xlx_ctx *ctx)
{
    static const char *const links[] = {
        "systemd/system/*.wants/" SERVICE ".service",
        "rc[2345].d/S[0-9][0-9]" SERVICE,
        "runlevels/*/" SERVICE,
    };
    bool found = false;
    for (size_t i = 0; !found && i < XLX__NR(links); i++) {
        char pattern[PATH_MAX];
        glob_t paths;
        snprintf(pattern, sizeof(pattern), "%s/%s",
                 xlx_ctx_path(ctx, XLX_PATH_ETC), links[i]);
        found = !glob(pattern, 0, NULL, &paths);
        globfree(&paths);
    }
    return found;
}

static pid_t find_watch(xlx_ctx *ctx)
{
    char pidfile[PATH_MAX];
    snprintf(pidfile, sizeof(pidfile), "%s/" XLX__USB_WATCH_PIDFILE,
             xlx_ctx_path(ctx, XLX_PATH_RUN));
    return xlx__proc_open(ctx) ? 0 : ctx->proc->ops->find(ctx->proc, pidfile);
}

/* How many guests have something assigned to them, or -errno. */
static int count_assigned(xlx_ctx *ctx)
{
    struct xlx__intent *list = NULL;
    int nr = xlx__intent_list(ctx, NULL, &list);
    free(list);
    return nr;
}

static void find_stopped(struct xlx__doctor *d, int assigned)
{
    if (assigned < 0)
        xlx__doctor_judge(d, "usb-service", assigned, XLX_DOCTOR_MISSING, "");
    else if (assigned)
        xlx__doctor_find(d, "usb-service", XLX_DOCTOR_MISSING,
                         SERVICE " does not run, and %d guest%s assigned "
                                 "devices: enable and start it",
                         assigned, assigned == 1 ? " has" : "s have");
    else
        xlx__doctor_find(d, "usb-service", XLX_DOCTOR_OPTIONAL,
                         SERVICE " does not run: no device is assigned; "
                                 "before you assign one, enable and start it");
}

static void check_service(struct xlx__doctor *d)
{
    pid_t pid = find_watch(d->ctx);
    if (pid <= 0)
        find_stopped(d, count_assigned(d->ctx));
    else if (starts_with_host(d->ctx))
        xlx__doctor_find(d, "usb-service", XLX_DOCTOR_OK,
                         SERVICE " runs (pid %d), and starts with the host",
                         (int)pid);
    else
        xlx__doctor_find(d, "usb-service", XLX_DOCTOR_OPTIONAL,
                         "usb-reconcile --watch runs (pid %d), but does not "
                         "start with the host: enable " SERVICE,
                         (int)pid);
}

void xlx__doctor_check_usb(struct xlx__doctor *d)
{
    for (size_t i = 0; i < XLX__NR(devices); i++)
        check_device(d, &devices[i]);
    check_backend(d);
    check_policy(d);
    check_service(d);
}
