/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What this host's Xen can do for paging; no domain is needed.
 */
#include "xen/paging.h"

#include <string.h>

#define __XEN_TOOLS__ 1
#include <xenctrl.h>
#include <xen/memory.h>

#include "xen/paging_call.h"
#include "xen/release.h"
#include "xen/toollog.h"

int xlx__paging_op(xencall_handle *xcall, struct xlx__xen_paging_op *op)
{
    struct xlx__xen_paging_op *arg = xencall_alloc_buffer(xcall, sizeof(*arg));
    if (!arg)
        return -ENOMEM;
    *arg = *op;
    int rc = xencall2(xcall, __HYPERVISOR_memory_op, XENMEM_paging_op,
                      (uint64_t)(uintptr_t)arg);
    if (rc < 0)
        rc = -errno;
    *op = *arg;
    xencall_free_buffer(xcall, arg);
    return rc;
}

static int explain_features(xlx_ctx *ctx, int rc)
{
    switch (rc) {
    case -ENOSYS:
    case -EOPNOTSUPP:
        return xlx__fail(ctx, ENOTSUP,
                         "Xen: this hypervisor is built without memory paging "
                         "(CONFIG_MEM_PAGING): install the one that "
                         "'make hypervisor' builds");
    case -EPERM:
    case -EACCES:
        return xlx__fail_errno(ctx, EACCES, "Xen: memory paging");
    default:
        return xlx__fail(ctx, ENOTSUP,
                         "Xen: this hypervisor has memory paging, but not "
                         "everything that guests with paged out memory and "
                         "their backends need (lazy-check lists it): install "
                         "the one that 'make hypervisor' builds");
    }
}

/* A mask, or -errno. */
static int ask_features(xencall_handle *xcall)
{
    struct xlx__xen_paging_op op = { .op = XLX__XENMEM_PAGING_FEATURES,
                                     .domain = DOMID_INVALID };
    return xlx__paging_op(xcall, &op);
}

int xlx__paging_features(xlx_ctx *ctx, uint32_t *features_r)
{
    if (xlx__xen_fits(ctx))
        return -ENOTSUP;
    xencall_handle *xcall = xencall_open(XLX__NO_LOGGER, 0);
    if (!xcall)
        return xlx__fail(ctx, ENODEV,
                         "Xen: no hypervisor here, or not root (%s)",
                         strerror(errno));
    int rc = ask_features(xcall);
    xencall_close(xcall);
    if (rc <= 0)
        return explain_features(ctx, rc);
    *features_r = (uint32_t)rc;
    if ((*features_r & XLX__PAGING_NEEDED) != XLX__PAGING_NEEDED)
        return explain_features(ctx, 0);
    return 0;
}

static void ask_control(struct xlx__paging_host *host)
{
    xc_interface *xch = xc_interface_open(XLX__NO_LOGGER, XLX__NO_LOGGER, 0);
    xc_physinfo_t physinfo;
    xc_domaininfo_t dom0;
    if (!xch)
        return;
    host->hap = xc_physinfo(xch, &physinfo)
                    ? -errno
                    : !!(physinfo.capabilities & XEN_SYSCTL_PHYSCAP_hap);
    host->pv_control = xc_domain_getinfolist(xch, 0, 1, &dom0) != 1
                           ? -EIO
                           : !(dom0.flags & XEN_DOMINF_hvm_guest);
    xc_interface_close(xch);
}

void xlx__paging_host(xlx_ctx *ctx, struct xlx__paging_host *host_r)
{
    *host_r = (struct xlx__paging_host){ .features = -ENODEV,
                                         .hap = -ENODEV,
                                         .pv_control = -ENODEV };
    xencall_handle *xcall = xencall_open(XLX__NO_LOGGER, 0);
    if (!xcall)
        return;
    host_r->xen = true;
    host_r->other = xlx__xen_fits(ctx) != 0;
    host_r->features = ask_features(xcall);
    xencall_close(xcall);
    ask_control(host_r);
}
