/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The doctor: the host's Xen, restore and event channels.
 */
#include "doctor/doctor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"
#include "lazy/check.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#define INSTALL "install the hypervisor that 'make hypervisor' builds"

/* --- Xen ------------------------------------------------------------------ */

static bool runs_xen(struct xlx__doctor *d)
{
    const char *running = xlx_xen_running(d->ctx);
    bool xen = xlx_on_xen(d->ctx);
    if (!xen)
        xlx__doctor_find(d, "xen", XLX_DOCTOR_MISSING,
                         "this host does not run Xen: install the "
                         "distribution's Xen, and choose it at boot");
    else if (running)
        xlx__doctor_find(d, "xen", XLX_DOCTOR_OK, "Xen %s runs", running);
    else
        xlx__doctor_find(d, "xen", XLX_DOCTOR_OK,
                         "Xen runs, of an unknown version");
    return xen;
}

/* The length, or -errno. */
static long read_capabilities(const char *path, char *text, size_t size)
{
    XLX__AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -errno : xlx__read_upto(fd, text, size - 1);
    if (n >= 0)
        text[n] = '\0';
    return n;
}

/* False where it is known to be a guest. The services look at this file too. */
static bool is_control_domain(struct xlx__doctor *d)
{
    char path[PATH_MAX], text[128];
    snprintf(path, sizeof(path), "%s/xen/capabilities",
             xlx_ctx_path(d->ctx, XLX_PATH_PROC));
    long n = read_capabilities(path, text, sizeof(text));
    if (n < 0) {
        xlx__doctor_find(d, "control-domain", XLX_DOCTOR_MISSING,
                         "%s: %s: mount it: mount -t xenfs xenfs /proc/xen",
                         path, strerror((int)-n));
        return true;
    }
    bool control = strstr(text, "control_d") != NULL;
    if (control)
        xlx__doctor_find(d, "control-domain", XLX_DOCTOR_OK,
                         "this is the control domain");
    else
        xlx__doctor_find(d, "control-domain", XLX_DOCTOR_MISSING,
                         "this is a guest: run this in the control domain");
    return control;
}

static void check_hypercalls(struct xlx__doctor *d,
                             const struct xlx__paging_host *host)
{
    if (host->xen)
        xlx__doctor_find(d, "hypercalls", XLX_DOCTOR_OK,
                         "this process can call the hypervisor");
    else
        xlx__doctor_find(d, "hypercalls", XLX_DOCTOR_MISSING,
                         "this process cannot call the hypervisor: run this "
                         "as root, with the module xen-privcmd loaded");
}

static void check_xenstore(struct xlx__doctor *d)
{
    int rc = xlx__xs_exists(d->ctx, XLX__XS_NO_TX, "/local/domain");
    xlx__doctor_judge(d, "xenstore", rc < 0 ? rc : 0, XLX_DOCTOR_MISSING,
                      "xenstored answers");
}

/* --- restore -------------------------------------------------------------- */

static void check_save_helpers(struct xlx__doctor *d)
{
    char path[PATH_MAX];
    int rc = xlx_own_save_helper_path(d->ctx, path, sizeof(path));
    xlx__doctor_judge(d, "save-helper", rc, XLX_DOCTOR_MISSING, path);
    rc = xlx_save_helper_path(d->ctx, path, sizeof(path));
    if (!rc && access(path, X_OK))
        rc = xlx__fail_errno(d->ctx, errno, "%s", path);
    xlx__doctor_judge(d, "libxl-save-helper", rc, XLX_DOCTOR_MISSING, path);
}

/* Without what a lazy restore wants guests are restored fast. */
static void check_feature(struct xlx__doctor *d, const char *check,
                          const struct xlx_lazy_feature *f,
                          enum xlx_doctor_state without)
{
    if (f->answer == XLX_LAZY_UNKNOWN)
        xlx__doctor_find(d, check, XLX_DOCTOR_UNKNOWN, "Xen does not tell");
    else
        xlx__doctor_find(d, check,
                         f->answer == XLX_LAZY_YES ? XLX_DOCTOR_OK : without,
                         "%s", f->text);
}

/* As lazy-check has them; what every call needs has a check of its own. */
static bool is_of_host(const struct xlx_lazy_feature *f)
{
    return !strcmp(f->name, "xen") || !strcmp(f->name, "release");
}

static void check_release(struct xlx__doctor *d,
                          const struct xlx_lazy_report *report)
{
    for (int i = 0; i < XLX__LAZY_FEATURES; i++)
        if (!strcmp(report->features[i].name, "release"))
            check_feature(d, "release", &report->features[i],
                          XLX_DOCTOR_MISSING);
}

static void check_paging(struct xlx__doctor *d,
                         const struct xlx_lazy_report *report)
{
    for (int i = 0; i < XLX__LAZY_FEATURES; i++) {
        char check[64];
        if (is_of_host(&report->features[i]))
            continue;
        snprintf(check, sizeof(check), "lazy-%s", report->features[i].name);
        check_feature(d, check, &report->features[i], XLX_DOCTOR_OPTIONAL);
    }
}

/* --- event channels ------------------------------------------------------- */

/* What the hypervisor has it has for every domain. */
static void check_vectors(struct xlx__doctor *d)
{
    struct xlx__evtchn_features features = { 0 };
    int rc = xlx__evtchn_open(d->ctx);
    if (!rc) {
        rc = d->ctx->evtchn->ops->features(d->ctx->evtchn, 0, &features);
        if (rc)
            rc = xlx__fail_errno(d->ctx, -rc, "event channels");
    }
    if (rc || features.vectors)
        xlx__doctor_judge(d, "evtchn-vectors", rc, XLX_DOCTOR_UNKNOWN,
                          "event channels can have interrupt vectors of their "
                          "own");
    else
        xlx__doctor_find(
            d, "evtchn-vectors", XLX_DOCTOR_OPTIONAL,
            "event channels cannot have interrupt vectors of "
            "their own: for evtchn-bind and evtchn-spread " INSTALL);
}

/* --- all ------------------------------------------------------------------ */

static void check_all(struct xlx__doctor *d,
                      const struct xlx__paging_host *host)
{
    struct xlx_lazy_report report;
    xlx__lazy_report(host, &report);
    check_hypercalls(d, host);
    check_release(d, &report);
    check_xenstore(d);
    xlx__doctor_check_usb(d);
    check_save_helpers(d);
    check_paging(d, &report);
    check_vectors(d);
    xlx__doctor_check_guests(d);
}

int xlx__doctor(xlx_ctx *ctx, const struct xlx__paging_host *host,
                xlx_doctor_fn *report, void *user)
{
    struct xlx__doctor d = {
        .ctx = ctx, .report = report, .user = user, .guest = ""
    };
    xlx__tolerate(ctx, 1);
    bool works = runs_xen(&d) && is_control_domain(&d);
    if (works)
        check_all(&d, host);
    xlx__tolerate(ctx, -1);
    return works ? d.missing : -ENODEV;
}

int xlx_doctor(xlx_ctx *ctx, xlx_doctor_fn *report, void *user)
{
    struct xlx__paging_host host;
    xlx__tolerate(ctx, 1);
    xlx__paging_host(ctx, &host);
    xlx__tolerate(ctx, -1);
    return xlx__doctor(ctx, &host, report, user);
}
