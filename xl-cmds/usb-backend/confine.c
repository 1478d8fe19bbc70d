/* SPDX-License-Identifier: LGPL-2.1-only */
#include "confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/usbdevice_fs.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../confine/calls.h"
#include "../confine/confine.h"
#include "../confine/failed.h"
#include "usbd/message.h"

#define WHO "USB worker"
#define NR(a) (sizeof(a) / sizeof((a)[0]))

/* One descriptor a port, and what the worker has itself. */
#define FILES_MAX (XLX__USBD_HC_MAX * XLX__USBD_PORTS_MAX + 64)
/* Sixteen controllers with all their requests mapped and copied are a fourth of
 * that. */
#define MEMORY_MAX (512u << 20)

static const struct confine_limit limits[] = {
    { RLIMIT_NPROC, 0 },       { RLIMIT_FSIZE, 0 },
    { RLIMIT_CORE, 0 },        { RLIMIT_NOFILE, FILES_MAX },
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
    { RLIMIT_AS, MEMORY_MAX },
#endif
};

static const struct confine_call requests[] = {
    CONFINE_GNTDEV(0, 24), /* MAP_GRANT_REF */
    CONFINE_GNTDEV(1, 16), /* UNMAP_GRANT_REF */
    CONFINE_GNTDEV(2, 24), /* GET_OFFSET_FOR_VADDR: libxengnttab's unmap asks
                              it */
    CONFINE_GNTDEV(8, 16), /* GRANT_COPY */
    CONFINE_EVTCHN(1, 8),  /* BIND_INTERDOMAIN */
    CONFINE_EVTCHN(3, 4),  /* UNBIND */
    CONFINE_EVTCHN(4, 4),  /* NOTIFY */
    CONFINE_IOCTL(USBDEVFS_SUBMITURB),
    CONFINE_IOCTL(USBDEVFS_REAPURBNDELAY),
    CONFINE_IOCTL(USBDEVFS_DISCARDURB),
    CONFINE_IOCTL(USBDEVFS_SETINTERFACE),
    CONFINE_IOCTL(USBDEVFS_CLEAR_HALT),
    CONFINE_IOCTL(USBDEVFS_GET_CAPABILITIES),
    /* A reset costs the file its claims; it can take again what was dropped to
     * it, and no more. */
    CONFINE_IOCTL(USBDEVFS_RESET),
    CONFINE_IOCTL(USBDEVFS_RELEASEINTERFACE),
    CONFINE_IOCTL(USBDEVFS_CLAIMINTERFACE),
};

static const struct confine_call calls[] = {
    CONFINE_CALL(read),
    CONFINE_CALL(write),
    CONFINE_CALL(readv),
    CONFINE_CALL(writev), /* musl prints with it */
    CONFINE_CALL(pread64),
    CONFINE_CALL(lseek),
    CONFINE_CALL(close),
    CONFINE_CALL(epoll_ctl),
    CONFINE_CALL(epoll_wait),
    CONFINE_CALL(epoll_pwait),
    CONFINE_CALL(poll),
    CONFINE_CALL(ppoll),
    /* The kernel's own, of a poll that was stopped. */
    CONFINE_CALL(restart_syscall),
    CONFINE_CALL(sendmsg),
    CONFINE_CALL(recvmsg),
    CONFINE_NO_CODE(mmap),
    CONFINE_CALL(munmap),
    CONFINE_CALL(mremap),
    CONFINE_CALL(madvise),
    CONFINE_CALL(brk),
    CONFINE_CALL(futex),
    CONFINE_CALL(clock_gettime),
    CONFINE_CALL(getpid),
    CONFINE_CALL(rt_sigreturn),
    CONFINE_CALL(exit),
    CONFINE_CALL(exit_group),
};

static const struct confine_list lists[] = {
    { calls, NR(calls) },
    { requests, NR(requests) },
};

static int change_user(uid_t uid)
{
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
        setresuid(uid, uid, uid))
        return confine_failed(WHO, "uid", errno);
    return 0;
}

/* The kernel forgets it with the change of the uid. */
static int die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        return confine_failed(WHO, "prctl", errno);
    return getppid() == parent ? 0 : confine_failed(WHO, "parent", ESRCH);
}

int usbd_confine(void *user)
{
    const struct usbd_confine *c = user;
    int rc = confine_limits(WHO, limits, NR(limits));
    if (!rc)
        rc = confine_root(WHO, c->root);
    if (!rc)
        rc = confine_bounding_set(WHO, 0);
    if (!rc)
        rc = change_user(USBD_UID_FIRST + c->domid);
    if (!rc)
        rc = confine_capabilities(WHO, 0);
    if (!rc)
        rc = die_with(c->parent);
    if (!rc)
        rc = confine_privileges(WHO);
    return rc ? rc : confine_calls(WHO, lists, NR(lists));
}
