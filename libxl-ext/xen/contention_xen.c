/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/contention.h"

#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "xen/toollog.h"

struct contention_xen {
    struct xlx__contention base;
    xc_interface *xch;
    int nr_cpus; /* that there may be */
    xc_cpuinfo_t cpu[];
};

static struct contention_xen *contention_of(struct xlx__contention *c)
{
    return (struct contention_xen *)c;
}

static int look_at_host(struct contention_xen *x,
                        struct xlx__contention_now *now)
{
    int nr;
    uint64_t idle_ns = 0;
    if (xc_getcpuinfo(x->xch, x->nr_cpus, x->cpu, &nr))
        return -errno;
    for (int i = 0; i < nr; i++)
        idle_ns += x->cpu[i].idletime;
    now->idle_us = idle_ns / 1000;
    return 0;
}

/* One that was never made is no vCPU. */
static int look_at_vcpu(struct contention_xen *x, uint32_t vcpu,
                        struct xlx__contention_now *now)
{
    xc_vcpuinfo_t info;
    if (xc_vcpu_getinfo(x->xch, x->base.domid, vcpu, &info))
        return errno == ESRCH || errno == EINVAL ? 0 : -errno;
    if (!info.online)
        return 0;
    now->vcpus++;
    now->waiting += !info.blocked && !info.running;
    return 0;
}

static int look_at_domain(struct contention_xen *x,
                          struct xlx__contention_now *now)
{
    xc_domaininfo_t info;
    int rc = 0, n = xc_domain_getinfolist(x->xch, x->base.domid, 1, &info);
    if (n < 0)
        return -errno;
    if (n == 0 || info.domain != x->base.domid ||
        (info.flags & XEN_DOMINF_dying))
        return -ESRCH;
    now->paused = info.flags & XEN_DOMINF_paused;
    if (now->paused)
        return 0;
    for (uint32_t i = 0;
         !rc && i < XLX__CONTENTION_VCPUS && now->vcpus < info.nr_online_vcpus;
         i++)
        rc = look_at_vcpu(x, i, now);
    return rc;
}

static int xen_look(struct xlx__contention *c,
                    struct xlx__contention_now *now_r)
{
    struct xlx__contention_now now = { 0 };
    int rc = look_at_host(contention_of(c), &now);
    if (!rc)
        rc = look_at_domain(contention_of(c), &now);
    if (!rc)
        *now_r = now;
    return rc;
}

static void contention_close(struct xlx__contention *c)
{
    xc_interface_close(contention_of(c)->xch);
    free(contention_of(c));
}

static const struct xlx__contention_ops xen_ops = {
    .look = xen_look,
    .close = contention_close,
};

/* NULL without memory. */
static struct contention_xen *make(xc_interface *xch, uint32_t domid, int nr)
{
    struct contention_xen *x =
        calloc(1, sizeof(*x) + (size_t)nr * sizeof(x->cpu[0]));
    if (!x)
        return NULL;
    x->base = (struct xlx__contention){ .ops = &xen_ops, .domid = domid };
    x->xch = xch;
    x->nr_cpus = nr;
    return x;
}

int xlx__contention_open(xlx_ctx *ctx, uint32_t domid,
                         struct xlx__contention **c_r)
{
    xc_interface *xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    if (!xch)
        return xlx__fail_errno(ctx, errno ? errno : EIO,
                               "domain %u: cannot open Xen's interfaces",
                               domid);
    int nr = xc_get_max_cpus(xch), rc = 0;
    if (nr <= 0)
        rc = errno ? -errno : -EIO;
    struct contention_xen *x = rc ? NULL : make(xch, domid, nr);
    if (x) {
        *c_r = &x->base;
        return 0;
    }
    rc = xlx__fail_errno(ctx, rc ? -rc : ENOMEM,
                         "domain %u: the host's processors", domid);
    xc_interface_close(xch);
    return rc;
}
