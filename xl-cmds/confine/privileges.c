/* SPDX-License-Identifier: LGPL-2.1-only */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failed.h"

static int set_limit(const struct confine_limit *l)
{
    struct rlimit limit = { l->max, l->max };
    if (!setrlimit(l->which, &limit))
        return 0;
    if (errno != EPERM || getrlimit(l->which, &limit))
        return -1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(l->which, &limit);
}

int confine_limits(const char *who, const struct confine_limit *limits,
                   size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        if (set_limit(&limits[i]))
            return confine_failed(who, "limits", errno);
    return 0;
}

int confine_root(const char *who, const char *root)
{
    if (chdir(root) || chroot(".") || chdir("/"))
        return confine_failed(who, root, errno);
    return 0;
}

/* What there is to drop only this kernel knows. */
int confine_bounding_set(const char *who, uint64_t keep)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (!(keep & CONFINE_CAP(cap)) && prctl(PR_CAPBSET_DROP, cap))
            return confine_failed(who, "capabilities", errno);
    return 0;
}

/* Those that this process has: none can be added. */
static int read_permitted(struct __user_cap_header_struct *head,
                          uint64_t *permitted_r)
{
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, head, sets))
        return -1;
    *permitted_r = sets[0].permitted | (uint64_t)sets[1].permitted << 32;
    return 0;
}

/* Those that are inherited would outlive a change of the uid. The ambient ones
 * end with them, also where a kernel does not have that call. */
int confine_capabilities(const char *who, uint64_t keep)
{
    struct __user_cap_header_struct head = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    uint64_t has;
    if (read_permitted(&head, &has))
        return confine_failed(who, "capabilities", errno);
    keep &= has;
    const uint32_t low = (uint32_t)keep, high = (uint32_t)(keep >> 32);
    const struct __user_cap_data_struct sets[2] = {
        { .effective = low, .permitted = low },
        { .effective = high, .permitted = high },
    };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, sets)
               ? confine_failed(who, "capabilities", errno)
               : 0;
}

int confine_privileges(const char *who)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0))
        return confine_failed(who, "prctl", errno);
    return 0;
}
