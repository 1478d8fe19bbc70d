/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * With LD_PRELOAD, a program sees a Xen without XENMEM_load_physmap: what it
 * does then is measured beside what it does with it, in one run.
 */
#include <dlfcn.h>
#include <stdint.h>

#include <xencall.h>
#include <xen/version.h>
#include <xen/xen.h>

#define LOAD_PHYSMAP (1u << 31)

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
             uint64_t arg2)
{
    int (*next)(xencall_handle *, unsigned int, uint64_t, uint64_t) =
        (int (*)(xencall_handle *, unsigned int, uint64_t, uint64_t))dlsym(
            RTLD_NEXT, "xencall2");
    int rc = next(xcall, op, arg1, arg2);
    if (!rc && op == __HYPERVISOR_xen_version && arg1 == XENVER_get_features)
        ((struct xen_feature_info *)(uintptr_t)arg2)->submap &= ~LOAD_PHYSMAP;
    return rc;
}
