/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "config.h"
#include "host/sysfs.h"
#include "xen/toollog.h"

/* --- the hypervisor ------------------------------------------------------- */

/* Domain 0 and its first vCPU are always there. */
static int ask_hypervisor(xc_interface *xch)
{
    xc_physinfo_t physinfo;
    xc_vcpuinfo_t vcpu;
    if (xc_physinfo(xch, &physinfo) || xc_vcpu_getinfo(xch, 0, 0, &vcpu))
        return -errno;
    return 0;
}

static int real_try_calls(struct xlx__hypervisor *hypervisor)
{
    (void)hypervisor;
    xc_interface *xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    if (!xch)
        return -ENXIO;
    int rc = ask_hypervisor(xch);
    xc_interface_close(xch);
    return rc;
}

static const struct xlx__hypervisor_ops real_ops = {
    .try_calls = real_try_calls,
};

static int try_calls(xlx_ctx *ctx)
{
    struct xlx__hypervisor real = { .ops = &real_ops };
    struct xlx__hypervisor *h = ctx->hypervisor ? ctx->hypervisor : &real;
    return h->ops->try_calls(h);
}

/* --- releases ------------------------------------------------------------- */

const char *xlx_xen_built_for(void)
{
    return XLX_XEN_RELEASE;
}

static int read_version(xlx_ctx *ctx, const char *part, char *to, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "hypervisor/version/%s", part);
    return ctx->sysfs->ops->read(ctx->sysfs, path, to, size);
}

const char *xlx_xen_running(xlx_ctx *ctx)
{
    char major[8], minor[8], extra[32];
    if (!xlx_on_xen(ctx) || read_version(ctx, "major", major, sizeof(major)) ||
        read_version(ctx, "minor", minor, sizeof(minor)) ||
        read_version(ctx, "extra", extra, sizeof(extra)))
        return NULL;
    snprintf(ctx->xen_running, sizeof(ctx->xen_running), "%s.%s%s", major,
             minor, extra);
    return ctx->xen_running;
}

/* The length of "4.17" in "4.17.5-pre". */
static int release_length(const char *version)
{
    size_t n = strspn(version, "0123456789");
    if (version[n] == '.')
        n += 1 + strspn(version + n + 1, "0123456789");
    return (int)n;
}

static bool is_release(const char *version, const char *release)
{
    size_t n = (size_t)release_length(version);
    return n == strlen(release) && !strncmp(version, release, n);
}

int xlx__xen_fits(xlx_ctx *ctx)
{
    if (try_calls(ctx) != -EACCES)
        return 0;
    const char *built = xlx_xen_built_for(), *running = xlx_xen_running(ctx);
    if (!running || is_release(running, built))
        return 0;
    int n = release_length(running);
    return xlx__fail(ctx, EACCES,
                     "Xen: this libxl-ext is built for Xen %s, the running "
                     "hypervisor is %.*s: reboot into %s, or use the libxl-ext "
                     "that is built for %.*s",
                     built, n, running, built, n, running);
}
