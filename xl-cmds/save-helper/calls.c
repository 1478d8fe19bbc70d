/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The system calls that a pager makes once paging is on. Each is there because
 * a case of the rig or a C library needs it: SECURITY.md sums them up.
 */
#include "../confine/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "helper.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define LIST(a)    \
    {              \
        (a), NR(a) \
    }

static const struct confine_call xen[] = {
    CONFINE_PRIVCMD(0, 48), /* HYPERCALL */
    CONFINE_EVTCHN(3, 4),   /* UNBIND */
    CONFINE_EVTCHN(4, 4),   /* NOTIFY */
};

/* Of what is open: the save file, its sidecar, clients, the log. */
static const struct confine_call files[] = {
    CONFINE_CALL(read),
    CONFINE_CALL(write),
    CONFINE_CALL(readv),
    CONFINE_CALL(writev),
    CONFINE_CALL(pread64),
    CONFINE_CALL(pwrite64),
    CONFINE_CALL(lseek),
    CONFINE_CALL(close),
    CONFINE_CALL(fadvise64),
    CONFINE_CALL(fsync),
    CONFINE_CALL(fstat),
    CONFINE_CALL(poll),
    CONFINE_CALL(ppoll),
    CONFINE_CALL(sendto),
    CONFINE_CALL(sendmsg),
    CONFINE_CALL(recvfrom),
    CONFINE_CALL(recvmsg),
    CONFINE_CALL_IF(fcntl, 1, UINT32_MAX, F_GETFD),
    CONFINE_CALL_IF(fcntl, 1, UINT32_MAX, F_SETFD),
    CONFINE_CALL_IF(fcntl, 1, UINT32_MAX, F_GETFL),
    CONFINE_CALL_IF(fcntl, 1, UINT32_MAX, F_SETFL),
};

/* The status, the control socket, a sidecar that is recorded. */
static const struct confine_call names[] = {
    CONFINE_CALL(open),
    CONFINE_CALL(openat),
    CONFINE_CALL(stat),
    CONFINE_CALL(newfstatat),
    CONFINE_CALL(statx),
    CONFINE_CALL(getdents64),
    CONFINE_CALL(mkdir),
    CONFINE_CALL(mkdirat),
    CONFINE_CALL(rename),
    CONFINE_CALL(renameat),
    CONFINE_CALL(renameat2),
    CONFINE_CALL(unlink),
    CONFINE_CALL(unlinkat),
    CONFINE_CALL(chmod),
    CONFINE_CALL(fchmod),
    CONFINE_CALL(fchmodat),
    CONFINE_CALL_IF(socket, 0, UINT32_MAX, AF_UNIX),
    CONFINE_CALL(bind),
    CONFINE_CALL(listen),
    CONFINE_CALL(accept4),
    CONFINE_CALL(getsockopt),
    CONFINE_CALL(eventfd2),
};

static const struct confine_call memory[] = {
    CONFINE_NO_CODE(mmap), CONFINE_NO_CODE(mprotect),
    CONFINE_CALL(munmap),  CONFINE_CALL(mremap),
    CONFINE_CALL(madvise), CONFINE_CALL(mlock),
    CONFINE_CALL(munlock), CONFINE_CALL(brk),
    CONFINE_CALL(sysinfo), /* qsort() asks how much there is */
};

#define NAMESPACES                                               \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
     CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

/* Threads of its own, and no process. A filter cannot look into the arguments
 * of clone3(): without it the C library calls clone(). */
static const struct confine_call threads[] = {
    CONFINE_CALL_IF(clone, 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD),
    CONFINE_NO_CALL(clone3, ENOSYS),
    CONFINE_CALL(set_robust_list),
    CONFINE_CALL(rseq),
    CONFINE_CALL(rt_sigprocmask),
    CONFINE_CALL(rt_sigreturn),
    /* The C library's own signals, 32 to 34, with the first thread; not SIGSYS.
     */
    CONFINE_CALL_IF(rt_sigaction, 0, 32, 32),
    /* libxenstore's, around each request. */
    CONFINE_CALL_IF(rt_sigaction, 0, UINT32_MAX, SIGPIPE),
    CONFINE_CALL(restart_syscall),
#ifdef __SANITIZE_ADDRESS__ /* at the end of each thread */
    CONFINE_CALL(sigaltstack),
#endif
    CONFINE_CALL(sched_getaffinity),
    CONFINE_CALL(sched_yield),
    CONFINE_CALL(setpriority),
    CONFINE_CALL(futex),
    CONFINE_CALL(getpid),
    CONFINE_CALL(gettid),
    CONFINE_CALL(getuid),
    CONFINE_CALL(geteuid),
    /* Whether the pager of another guest's status is there. */
    CONFINE_CALL_IF(kill, 1, UINT32_MAX, 0),
    CONFINE_CALL(exit),
    CONFINE_CALL(exit_group),
};

static const struct confine_call time_and_chance[] = {
    CONFINE_CALL(clock_gettime),
    CONFINE_CALL(gettimeofday),
    CONFINE_CALL(time),
    CONFINE_CALL(nanosleep),
    CONFINE_CALL(clock_nanosleep),
    CONFINE_CALL(getrandom),
};

/* A connection that is made again: libnbd, with the C library's resolver and
 * GnuTLS. */
static const struct confine_call server[] = {
    CONFINE_CALL_IF(socket, 0, UINT32_MAX, AF_INET),
    CONFINE_CALL_IF(socket, 0, UINT32_MAX, AF_INET6),
    CONFINE_CALL_IF(socket, 0, UINT32_MAX, AF_NETLINK), /* addresses of ours */
    CONFINE_CALL(connect),
    CONFINE_CALL(setsockopt),
    CONFINE_CALL(getsockname),
    CONFINE_CALL(getpeername),
    CONFINE_CALL(sendmmsg),
    CONFINE_IOCTL(FIONREAD),
    CONFINE_CALL(access),
    CONFINE_CALL(faccessat),
    CONFINE_CALL(faccessat2),
    CONFINE_CALL(readlink),
    CONFINE_CALL(lstat),
    CONFINE_CALL(getrusage),
    CONFINE_CALL(uname),
};

/* The last is left out where there is no server. */
static const struct confine_list lists[] = {
    LIST(xen),     LIST(files),           LIST(names),  LIST(memory),
    LIST(threads), LIST(time_and_chance), LIST(server),
};

int pager_confine_calls(const char *who, bool has_server)
{
    return confine_calls(who, lists, NR(lists) - (has_server ? 0 : 1));
}
