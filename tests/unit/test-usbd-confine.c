/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a worker is once it is confined, as /proc has it, and that each thing it
 * may not do is its end.
 */
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux's headers leave them to Xen's. */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
#include <linux/../xen/evtchn.h> /* not ours of that name */
#include <linux/../xen/gntdev.h>

#include "usb-backend/confine.h"

#define DOMID 7u
#define UNCONFINED 42 /* exit status: there was nothing to test */

static char root[64];
static int outside;    /* a descriptor that the child has from before */
static char said[256]; /* by the last child, on its standard error */

static int confine(void)
{
    struct usbd_confine c = { DOMID, root, getppid() };
    return usbd_confine(&c);
}

/* --- in the child --------------------------------------------------------- */

static _Noreturn void child(void (*act)(void))
{
    if (confine())
        syscall(SYS_exit_group, UNCONFINED);
    act();
    syscall(SYS_exit_group, 0);
    abort();
}

/* Its standard error is a pipe, as a worker's is: it may write to no file. */
static int run(void (*act)(void))
{
    int status, ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(ends[1], STDERR_FILENO);
        child(act);
    }
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    said[n < 0 ? 0 : n] = '\0';
    close(ends[0]);
    return status;
}

/* --- what is allowed ------------------------------------------------------ */

static void all_that_a_worker_does(void)
{
    char c = 0;
    struct iovec part = { &c, 1 };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
    struct pollfd pfd = { .fd = outside, .events = POLLIN };
    struct timespec now;
    if (write(outside, "x", 1) != 1 || poll(&pfd, 1, 0) < 0)
        syscall(SYS_exit_group, 1);
    read(-1, &c, 1);
    readv(-1, &part, 1);
    writev(-1, &part, 1);
    pread(-1, &c, 1, 0);
    lseek(-1, 0, SEEK_SET);
    sendmsg(-1, &msg, 0);
    recvmsg(-1, &msg, 0);
    epoll_wait(-1, NULL, 0, 0);
    epoll_ctl(-1, 0, 0, NULL);
    ppoll(&pfd, 1, &(struct timespec){ 0 }, NULL);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    void *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || madvise(p, 4096, MADV_DONTNEED))
        syscall(SYS_exit_group, 2);
    munmap(p, 8 << 20);
    getpid();
    close(outside);
}

static void every_request_of_a_worker(void)
{
    static const unsigned long requests[] = {
        IOCTL_GNTDEV_MAP_GRANT_REF,
        IOCTL_GNTDEV_UNMAP_GRANT_REF,
        IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
        IOCTL_GNTDEV_GRANT_COPY,
        IOCTL_EVTCHN_BIND_INTERDOMAIN,
        IOCTL_EVTCHN_UNBIND,
        IOCTL_EVTCHN_NOTIFY,
        USBDEVFS_SUBMITURB,
        USBDEVFS_REAPURBNDELAY,
        USBDEVFS_DISCARDURB,
        USBDEVFS_SETINTERFACE,
        USBDEVFS_CLEAR_HALT,
        USBDEVFS_RESET,
        USBDEVFS_GET_CAPABILITIES,
        USBDEVFS_CLAIMINTERFACE,
        USBDEVFS_RELEASEINTERFACE,
        /* As a C library whose ioctl() takes an int passes it. */
        (unsigned long)(long)(int)USBDEVFS_SUBMITURB,
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        syscall(SYS_ioctl, -1, requests[i], 0);
}

/* --- what is not ---------------------------------------------------------- */

static void opens(void)
{
    syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY);
}
static void makes_a_socket(void)
{
    syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}
static void forks(void)
{
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static void executes(void)
{
    syscall(SYS_execve, "/bin/true", NULL, NULL);
}
static void kills(void)
{
    syscall(SYS_kill, getpid(), 0);
}
static void traces(void)
{
    syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}
static void changes_its_uid(void)
{
    syscall(SYS_setresuid, 0, 0, 0);
}
static void changes_its_limits(void)
{
    syscall(SYS_prlimit64, 0, RLIMIT_NPROC, NULL, NULL);
}
static void changes_its_root(void)
{
    syscall(SYS_chroot, ".");
}
static void duplicates(void)
{
    syscall(SYS_dup, 0);
}
static void makes_code(void)
{
    syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void makes_code_of_memory(void)
{
    syscall(SYS_mprotect, &outside, 4096, PROT_READ | PROT_EXEC);
}
static void loads_a_filter(void)
{
    syscall(SYS_seccomp, 1, 0, NULL);
}
static void becomes_dumpable(void)
{
    syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static void sets_a_configuration(void)
{
    syscall(SYS_ioctl, -1, USBDEVFS_SETCONFIGURATION, 0);
}
static void calls_a_driver(void)
{
    syscall(SYS_ioctl, -1, USBDEVFS_IOCTL, 0);
}
static void takes_from_a_driver(void)
{
    syscall(SYS_ioctl, -1, USBDEVFS_DISCONNECT_CLAIM, 0);
}
static void sends_a_control_request(void)
{
    syscall(SYS_ioctl, -1, USBDEVFS_CONTROL, 0);
}
static void binds_an_event_channel_of_another_kind(void)
{
    syscall(SYS_ioctl, -1, IOCTL_EVTCHN_BIND_UNBOUND_PORT, 0);
}
static void types_into_a_terminal(void)
{
    syscall(SYS_ioctl, -1, TIOCSTI, 0);
}

static const struct {
    const char *what, *call;
    void (*act)(void);
} forbidden[] = {
    { "open", "openat", opens },
    { "socket", "socket", makes_a_socket },
    { "clone", "clone", forks },
    { "execve", "execve", executes },
    { "kill", "kill", kills },
    { "ptrace", "ptrace", traces },
    { "setresuid", "setresuid", changes_its_uid },
    { "prlimit64", "prlimit64", changes_its_limits },
    { "chroot", "chroot", changes_its_root },
    { "dup", "dup", duplicates },
    { "mmap PROT_EXEC", "mmap", makes_code },
    { "mprotect", "mprotect", makes_code_of_memory },
    { "seccomp", "seccomp", loads_a_filter },
    { "prctl", "prctl", becomes_dumpable },
    { "USBDEVFS_SETCONFIGURATION", "ioctl", sets_a_configuration },
    { "USBDEVFS_IOCTL", "ioctl", calls_a_driver },
    { "USBDEVFS_DISCONNECT_CLAIM", "ioctl", takes_from_a_driver },
    { "USBDEVFS_CONTROL", "ioctl", sends_a_control_request },
    { "IOCTL_EVTCHN_BIND_UNBOUND_PORT", "ioctl",
      binds_an_event_channel_of_another_kind },
    { "TIOCSTI", "ioctl", types_into_a_terminal },
};

static void what_it_needs_it_may(void **state)
{
    (void)state;
    assert_int_equal(run(all_that_a_worker_does), 0);
    assert_int_equal(run(every_request_of_a_worker), 0);
}

static void anything_else_is_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        int status = run(forbidden[i].act);
        char line[128];
        snprintf(line, sizeof(line),
                 "USB worker: ended: the system call %s is not allowed\n",
                 forbidden[i].call);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: status %#x", forbidden[i].what, (unsigned)status);
        assert_string_equal(said, line);
    }
}

/* --- what /proc has ------------------------------------------------------- */

static void waits(void)
{
    char c = 'x';
    while (write(outside, &c, 1) == 1)
        poll(NULL, 0, -1);
}

static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Soft and hard. */
static void assert_limit(const char *limits, const char *name, unsigned max)
{
    const char *line = strstr(limits, name);
    unsigned soft, hard;
    assert_non_null(line);
    assert_int_equal(sscanf(line + 25, "%u %u", &soft, &hard), 2);
    assert_int_equal(soft, max);
    assert_int_equal(hard, max);
}

/* What a process may have from whoever started it. */
static void inherit(void)
{
    struct __user_cap_header_struct head = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct caps[2];
    const gid_t groups[] = { 4, 27 };
    if (syscall(SYS_capget, &head, caps))
        _exit(UNCONFINED);
    caps[0].inheritable = caps[0].permitted;
    caps[1].inheritable = caps[1].permitted;
    if (syscall(SYS_capset, &head, caps) || setgroups(2, groups))
        _exit(UNCONFINED);
}

static void assert_has(const char *status, const char *line)
{
    if (!strstr(status, line))
        fail_msg("no \"%s\" in:\n%s", line, status);
}

static void it_has_no_privilege(void **state)
{
    char path[64], text[8192], c, line[64];
    int ends[2], saved = outside;
    struct stat st;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    outside = ends[1];
    pid_t pid = fork();
    if (!pid) {
        inherit();
        child(waits);
    }
    outside = saved;
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    read_proc(pid, "status", text, sizeof(text));
    snprintf(line, sizeof(line), "\nUid:\t%u\t%u\t%u\t%u\n", 1879048199u,
             1879048199u, 1879048199u, 1879048199u);
    assert_has(text, line);
    assert_has(text,
               "\nGid:\t1879048199\t1879048199\t1879048199\t1879048199\n");
    assert_has(text, "\nGroups:\t \n");
    assert_has(text, "\nCapInh:\t0000000000000000\n");
    assert_has(text, "\nCapPrm:\t0000000000000000\n");
    assert_has(text, "\nCapEff:\t0000000000000000\n");
    assert_has(text, "\nCapBnd:\t0000000000000000\n");
    assert_has(text, "\nCapAmb:\t0000000000000000\n");
    assert_has(text, "\nNoNewPrivs:\t1\n");
    assert_has(text, "\nSeccomp:\t2\n");
    /* Not its own: nobody of the same uid can look into it. */
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0);
    snprintf(path, sizeof(path), "/proc/%d/root", pid);
    ssize_t n = readlink(path, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    assert_string_equal(text, root);
    read_proc(pid, "limits", text, sizeof(text));
    assert_limit(text, "Max processes", 0);
    assert_limit(text, "Max file size", 0);
    assert_limit(text, "Max core file size", 0);
    assert_limit(text, "Max open files", 16 * 31 + 64);
#ifndef __SANITIZE_ADDRESS__
    assert_limit(text, "Max address space", 512 << 20);
#endif
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

/* The kernel forgets that when the uid changes. */
static void it_dies_with_its_parent(void **state)
{
    int ends[2], saved = outside;
    char c;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (!parent) {
        outside = ends[1];
        if (!fork())
            child(waits);
        close(ends[1]);
        close(ends[0]);
        for (;;)
            pause();
    }
    outside = saved;
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], &c, 1), 0);
    close(ends[0]);
}

static void without_its_folder_it_is_not_confined(void **state)
{
    struct usbd_confine c = { DOMID, "/nonexistent", getpid() };
    int status;
    (void)state;
    pid_t pid = fork();
    if (!pid) {
        c.parent = getppid();
        fclose(stderr);
        _exit(usbd_confine(&c) == -ENOENT ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void does_nothing(void)
{
}

/* Also root may not be allowed to, in a container. */
static bool can_confine(void)
{
    if (!geteuid() && run(does_nothing) == 0)
        return true;
    printf("skipped: this needs root with all its capabilities\n");
    return false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_needs_it_may),
        cmocka_unit_test(anything_else_is_its_end),
        cmocka_unit_test(it_has_no_privilege),
        cmocka_unit_test(it_dies_with_its_parent),
        cmocka_unit_test(without_its_folder_it_is_not_confined),
    };
    snprintf(root, sizeof(root), "/tmp/xlx-root-XXXXXX");
    outside = open("/dev/null", O_RDWR);
    if (!mkdtemp(root) || outside < 0)
        return 1;
    int rc = can_confine() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
    rmdir(root);
    return rc;
}
