/* SPDX-License-Identifier: LGPL-2.1-only */
#include "confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/usbdevice_fs.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "usbd/message.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* One descriptor a port, and what the worker has itself. */
#define FILES_MAX (XLX__USBD_HC_MAX * XLX__USBD_PORTS_MAX + 64)
/* Sixteen controllers with all their requests mapped and copied are a fourth of
 * that. */
#define MEMORY_MAX (512u << 20)

static int failed(const char *what, int err)
{
    fprintf(stderr, "USB worker: cannot be confined: %s: %s\n", what,
            strerror(err));
    return -err;
}

/* --- limits --------------------------------------------------------------- */

static const struct {
    int which;
    rlim_t max;
} limits[] = {
    { RLIMIT_NPROC, 0 },       { RLIMIT_FSIZE, 0 },
    { RLIMIT_CORE, 0 },        { RLIMIT_NOFILE, FILES_MAX },
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
    { RLIMIT_AS, MEMORY_MAX },
#endif
};

static int set_limits(void)
{
    for (size_t i = 0; i < NR(limits); i++) {
        const struct rlimit limit = { limits[i].max, limits[i].max };
        if (setrlimit(limits[i].which, &limit))
            return failed("limits", errno);
    }
    return 0;
}

static int change_root(const char *root)
{
    if (chdir(root) || chroot(".") || chdir("/"))
        return failed(root, errno);
    return 0;
}

/* --- privileges ----------------------------------------------------------- */

/* What there is to drop only this kernel knows. */
static int drop_bounding_set(void)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap))
            return failed("capabilities", errno);
    return 0;
}

/* Those that are inherited would outlive the change of the uid. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    const struct __user_cap_data_struct none[2] = { 0 };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, none) ? failed("capabilities", errno) : 0;
}

static int change_user(uid_t uid)
{
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
        setresuid(uid, uid, uid))
        return failed("uid", errno);
    return 0;
}

/* The kernel forgets the first with the change of the uid. */
static int close_doors(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0))
        return failed("prctl", errno);
    return getppid() == parent ? 0 : failed("parent", ESRCH);
}

/* --- system calls --------------------------------------------------------- */

/*
 * Of the Xen drivers, by the layout of their arguments in Linux's xen/gntdev.h
 * and xen/evtchn.h, which not every system has: both number their requests
 * without a direction.
 */
#define GNTDEV(nr, size) _IOC(_IOC_NONE, 'G', nr, size)
#define EVTCHN(nr, size) _IOC(_IOC_NONE, 'E', nr, size)

static const unsigned requests[] = {
    GNTDEV(0, 24), /* MAP_GRANT_REF */
    GNTDEV(1, 16), /* UNMAP_GRANT_REF */
    GNTDEV(2, 24), /* GET_OFFSET_FOR_VADDR: libxengnttab's unmap asks it */
    GNTDEV(8, 16), /* GRANT_COPY */
    EVTCHN(1, 8),  /* BIND_INTERDOMAIN */
    EVTCHN(3, 4),  /* UNBIND */
    EVTCHN(4, 4),  /* NOTIFY */
    USBDEVFS_SUBMITURB,
    USBDEVFS_REAPURBNDELAY,
    USBDEVFS_DISCARDURB,
    USBDEVFS_SETINTERFACE,
    USBDEVFS_CLEAR_HALT,
    USBDEVFS_GET_CAPABILITIES,
    /* A reset costs the file its claims; it can take again what was dropped to
     * it, and no more. */
    USBDEVFS_RESET,
    USBDEVFS_RELEASEINTERFACE,
    USBDEVFS_CLAIMINTERFACE,
};

static const int calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev), /* musl prints with it */
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(
        restart_syscall), /* the kernel's own, of a poll that was stopped */
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(getpid),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* The kernel looks at 32 bits of a request; musl extends their sign. */
static int allow_requests(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < NR(requests); i++)
        rc = seccomp_rule_add(
            filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
            SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
    return rc;
}

static int allow_calls(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < NR(calls); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    /* Memory that is no code. */
    return rc ? rc
              : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return failed("seccomp", ENOMEM);
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                              SCMP_ACT_KILL_PROCESS);
    if (!rc)
        rc = allow_calls(filter);
    if (!rc)
        rc = allow_requests(filter);
    if (!rc)
        rc = seccomp_load(filter);
    if (rc)
        failed("seccomp", -rc);
    seccomp_release(filter);
    return rc;
}

int usbd_confine(void *user)
{
    const struct usbd_confine *c = user;
    int rc = set_limits();
    if (!rc)
        rc = change_root(c->root);
    if (!rc)
        rc = drop_bounding_set();
    if (!rc)
        rc = change_user(USBD_UID_FIRST + c->domid);
    if (!rc)
        rc = drop_capabilities();
    if (!rc)
        rc = close_doors(c->parent);
    return rc ? rc : filter_calls();
}
