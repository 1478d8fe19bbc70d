/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a pager is once it is confined, as /proc has it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libxl_ext_image.h"
#include "libxl_ext_lazy.h"

static const char *image_name;

static const xlx_image *fake_image(const xlx_lazy *lazy)
{
    (void)lazy;
    return NULL;
}

static const char *fake_name(const xlx_image *image)
{
    (void)image;
    return image_name;
}

#define xlx_lazy_image fake_image
#define xlx_image_name fake_name
#include "save-helper/confine.c"
#undef xlx_lazy_image
#undef xlx_image_name

#define UNCONFINED 42 /* exit status: there was nothing to test */

struct world {
    struct helper h;
    char dir[64]; /* all its files */
    char status[96], log[96], data[96], text[128];
    pid_t pid;
    int done; /* the child ends with it */
};

/* --- in the child --------------------------------------------------------- */

static _Noreturn void child(const struct helper *h, void (*act)(int), int fd)
{
    if (pager_confine(h, NULL))
        _exit(UNCONFINED);
    act(fd);
    _exit(0);
}

/* Tells that it is confined, and waits for the end of its peer. */
static void waits(int fd)
{
    char c = 'x';
    if (write(fd, &c, 1) == 1)
        while (read(fd, &c, 1) > 0)
            ;
}

static char said[256]; /* by the last child, on its standard error */

static int run(const struct helper *h, void (*act)(int))
{
    int status, ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(ends[1], STDERR_FILENO);
        child(h, act, -1);
    }
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    said[n < 0 ? 0 : n] = '\0';
    close(ends[0]);
    return status;
}

/* --- what it has ---------------------------------------------------------- */

static void make_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    strcpy(w->dir, "/tmp/xlx-confine-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->status, sizeof(w->status), "%s/lazy", w->dir);
    snprintf(w->log, sizeof(w->log), "%s/log", w->dir);
    snprintf(w->data, sizeof(w->data), "%s/data", w->dir);
    snprintf(w->text, sizeof(w->text), "%s/text", w->data);
    assert_int_equal(mkdir(w->status, 0755), 0);
    assert_int_equal(mkdir(w->log, 0755), 0);
    assert_int_equal(mkdir(w->data, 0755), 0);
    make_file(w->text, "text");
    assert_int_equal(xlx_ctx_new(&w->h.ctx), 0);
    assert_int_equal(xlx_ctx_set_path(w->h.ctx, XLX_PATH_RUN, w->dir), 0);
    w->h.domid = 5;
    image_name = w->text;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[100];
    snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
    assert_int_equal(system(command), 0);
    xlx_ctx_free(w->h.ctx);
    free(w);
    return 0;
}

static void start(struct world *w)
{
    int ends[2];
    char c;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (!w->pid) {
        close(ends[0]);
        child(&w->h, waits, ends[1]);
    }
    close(ends[1]);
    w->done = ends[0];
    assert_int_equal(read(w->done, &c, 1), 1);
}

static void end(struct world *w)
{
    int status;
    close(w->done);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_int_equal(status, 0);
}

static void read_proc(const struct world *w, const char *file, char *text,
                      size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)w->pid, file);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void assert_has(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static void it_has_no_privilege(void **state)
{
    struct world *w = *state;
    char text[8192];
    start(w);
    read_proc(w, "status", text, sizeof(text));
    assert_has(text, "\nCapInh:\t0000000000000000\n");
    assert_has(text, "\nCapPrm:\t0000000000000000\n");
    assert_has(text, "\nCapEff:\t0000000000000000\n");
    assert_has(text, "\nCapBnd:\t0000000000000000\n");
    assert_has(text, "\nCapAmb:\t0000000000000000\n");
    assert_has(text, "\nNoNewPrivs:\t1\n");
    assert_has(text, "\nSeccomp:\t2\n");
    end(w);
}

static void assert_capabilities(struct world *w, const char *line)
{
    char text[8192];
    start(w);
    read_proc(w, "status", text, sizeof(text));
    assert_has(text, line);
    end(w);
}

static void it_writes_to_the_folder_of_another_user(void **state)
{
    struct world *w = *state;
    w->h.record = true;
    assert_capabilities(w, "\nCapEff:\t000000000000000a\n");
}

static void it_reaches_the_socket_of_another_user(void **state)
{
    image_name = "nbd+unix:///?socket=/some/where";
    assert_capabilities(*state, "\nCapEff:\t0000000000000002\n");
    image_name = "nbd://server/export";
    assert_capabilities(*state, "\nCapEff:\t0000000000000000\n");
}

/* Soft and hard. */
static void assert_limit(const char *text, const char *limit, const char *max)
{
    const char *line = strstr(text, limit);
    char soft[32], hard[32];
    assert_non_null(line);
    assert_int_equal(sscanf(line + 25, "%31s %31s", soft, hard), 2);
    assert_string_equal(soft, max);
    assert_string_equal(hard, max);
}

static bool can_raise(void)
{
    const struct rlimit limit = { 30, 30 };
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(setrlimit(RLIMIT_NICE, &limit) ? 1 : 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void it_has_limits(void **state)
{
    struct world *w = *state;
    char text[8192];
    start(w);
    read_proc(w, "limits", text, sizeof(text));
    assert_limit(text, "Max core file size", "0");
    assert_limit(text, "Max open files", "256");
    if (can_raise()) {
        assert_limit(text, "Max nice priority", "30");
        assert_limit(text, "Max locked memory", "unlimited");
    }
    end(w);
}

/* As the fault thread, and not more. */
static void raises_its_priority(int fd)
{
    (void)fd;
    if (setpriority(PRIO_PROCESS, 0, -10))
        _exit(1);
    if (!setpriority(PRIO_PROCESS, 0, -11))
        _exit(2);
}

static void its_fault_thread_comes_first(void **state)
{
    struct world *w = *state;
    if (!can_raise())
        skip();
    assert_int_equal(run(&w->h, raises_its_priority), 0);
}

static void does_nothing(int fd)
{
    (void)fd;
}

/* --- the files it has ----------------------------------------------------- */

#define WELL(what)                                     \
    do {                                               \
        if (!(what)) {                                 \
            dprintf(STDERR_FILENO, "%s: %m\n", #what); \
            _exit(1);                                  \
        }                                              \
    } while (0)

static const struct world *here; /* of the child */

static void assert_well(struct world *w, void (*act)(int))
{
    here = w;
    int status = run(&w->h, act);
    if (status)
        fail_msg("status %#x: %s", (unsigned)status, said);
}

static bool can_write(const char *folder)
{
    char path[128], to[128];
    snprintf(path, sizeof(path), "%s/new", folder);
    snprintf(to, sizeof(to), "%s/new.2", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return false;
    WELL(write(fd, "x", 1) == 1 && !fchmod(fd, 0644) && !close(fd));
    WELL(!rename(path, to) && !unlink(to));
    return true;
}

static bool is_not_there(const char *path)
{
    return open(path, O_RDONLY) < 0 && errno == ENOENT;
}

static void sees_its_status_only(int fd)
{
    char load[8] = "";
    (void)fd;
    WELL(can_write(here->status));
    int in = open("/proc/loadavg", O_RDONLY);
    WELL(in >= 0 && read(in, load, sizeof(load)) > 0);
    WELL(open("/proc/loadavg", O_WRONLY) < 0);
    WELL(is_not_there("/proc/self/status") && is_not_there("/etc/passwd"));
    WELL(is_not_there("/dev/null") && is_not_there("/bin/sh"));
    WELL(is_not_there(here->data) && is_not_there(here->log));
    WELL(is_not_there("/../../etc/passwd"));
    WELL(!can_write("/") && errno == EROFS);
    WELL(!can_write(here->dir) && errno == EROFS);
}

static void its_status_is_all_it_sees(void **state)
{
    assert_well(*state, sees_its_status_only);
}

static void writes_data(int fd)
{
    (void)fd;
    WELL(can_write(here->data));
    WELL(is_not_there("/etc/passwd"));
}

static void reads_data(int fd)
{
    (void)fd;
    WELL(!can_write(here->data) && errno == EROFS);
    WELL(open(here->text, O_RDONLY) >= 0);
    WELL(is_not_there("/etc/passwd"));
}

/* The save file is looked at by its name in the end. */
static void a_recorded_file_is_there(void **state)
{
    struct world *w = *state;
    char path[160];
    w->h.record = true;
    snprintf(path, sizeof(path), "%s/side", w->log);
    w->h.sidecar = path;
    assert_well(w, reads_data);
}

/* Beside the save file, or where it is said. */
static void a_sidecar_is_written_in_its_folder(void **state)
{
    struct world *w = *state;
    char path[160];
    w->h.record = true;
    assert_well(w, writes_data);
    image_name = "nbd://server/export";
    snprintf(path, sizeof(path), "%s/side", w->data);
    w->h.sidecar = path;
    assert_well(w, writes_data);
    w->h.sidecar = "side";
    w->h.folder = w->data;
    assert_well(w, writes_data);
    w->h.sidecar = "data/side";
    w->h.folder = w->dir;
    assert_well(w, writes_data);
    /* Where the server's socket is, too. */
    char uri[160];
    image_name = uri;
    snprintf(uri, sizeof(uri), "nbd+unix:///a?socket=%s/s", w->data);
    assert_well(w, writes_data);
}

/* The whole file system is not given away for one file. */
static void beside_the_root_nothing_is_recorded(void **state)
{
    struct world *w = *state;
    w->h.record = true;
    image_name = "/file";
    assert_well(w, sees_its_status_only);
}

static void the_socket_of_a_server_is_there(void **state)
{
    struct world *w = *state;
    char uri[160];
    image_name = uri;
    snprintf(uri, sizeof(uri), "nbd+unix:///a?socket=%s/s", w->data);
    assert_well(w, reads_data);
    snprintf(uri, sizeof(uri), "nbd+unix:///?tls=1&socket=%%2ftmp%s/s&b=c",
             w->data + strlen("/tmp"));
    assert_well(w, reads_data);
    snprintf(uri, sizeof(uri), "nbd+unix:///?websocket=%s/s", w->data);
    assert_well(w, sees_its_status_only);
}

/* Not in an initramfs or below a changed root. */
static bool can_pivot(struct world *w)
{
    char text[8192];
    w->pid = getpid();
    read_proc(w, "mountinfo", text, sizeof(text));
    return strstr(text, " / / ") && !strstr(text, " rootfs ");
}

static void nothing_else_stays_mounted(void **state)
{
    struct world *w = *state;
    char text[8192], *line = text;
    int nr = 0;
    if (!can_pivot(w))
        skip();
    start(w);
    read_proc(w, "mountinfo", text, sizeof(text));
    for (; (line = strchr(line, '\n')); line++)
        nr++;
    if (nr != 3)
        fail_msg("not three:\n%s", text);
    end(w);
}

/* Then it is no longer confined by anything. */
static void without_a_view_it_is_not_confined(void **state)
{
    struct world *w = *state;
    char path[96];
    snprintf(path, sizeof(path), "%s/lazy-root", w->dir);
    make_file(path, "no folder");
    int status = run(&w->h, does_nothing);
    assert_int_equal(status, UNCONFINED << 8);
    assert_has(said, "lazy-root: Not a directory\n");
}

/* --- what it may call ----------------------------------------------------- */

static void *thread(void *arg)
{
    free(malloc(1 << 20));
    WELL(!setpriority(PRIO_PROCESS, 0, 19));
    return arg;
}

/* With a C library as it comes. */
static void does_its_work(int fd)
{
    pthread_t id;
    char word[4];
    (void)fd;
    WELL(!pthread_create(&id, NULL, thread, NULL));
    WELL(!pthread_join(id, NULL));
    void *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    WELL(p != MAP_FAILED && !munmap(p, 8 << 20));
    int event = eventfd(0, EFD_CLOEXEC);
    WELL(event >= 0 && !eventfd_write(event, 1));
    WELL(pread(-1, word, 1, 0) < 0 && errno == EBADF);
    WELL(!kill(getpid(), 0));
    WELL(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    syscall(SYS_ioctl, -1, _IOC(_IOC_NONE, 'P', 0, 48), 0);
    syscall(SYS_ioctl, -1, _IOC(_IOC_NONE, 'E', 4, 4), 0);
    usleep(1);
}

static void connects_to_a_server(int fd)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX,
                                .sun_path = "/nonexistent/socket" };
    (void)fd;
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    WELL(s >= 0 && connect(s, (void *)&addr, sizeof(addr)) < 0);
    s = socket(AF_INET, SOCK_STREAM, 0);
    WELL(s >= 0 || errno == EAFNOSUPPORT);
}

static void what_it_needs_it_may(void **state)
{
    assert_well(*state, does_its_work);
    image_name = "nbd://server/export";
    assert_well(*state, connects_to_a_server);
}

/* --- what it may not ------------------------------------------------------ */

#define FORBIDDEN(name, call) \
    static void name(int fd)  \
    {                         \
        (void)fd;             \
        call;                 \
    }

FORBIDDEN(connects, syscall(SYS_connect, -1, NULL, 0))
FORBIDDEN(makes_an_internet_socket,
          syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
FORBIDDEN(makes_a_packet_socket, syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0))
FORBIDDEN(executes, syscall(SYS_execve, "/bin/true", NULL, NULL))
FORBIDDEN(forks, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
FORBIDDEN(makes_a_namespace,
          syscall(SYS_clone, CLONE_THREAD | CLONE_NEWNS, 0, 0, 0, 0))
FORBIDDEN(leaves_its_namespace, syscall(SYS_unshare, CLONE_NEWNS))
FORBIDDEN(joins_a_namespace, syscall(SYS_setns, -1, 0))
FORBIDDEN(traces, syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0))
FORBIDDEN(reads_another, syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0))
FORBIDDEN(mounts, syscall(SYS_mount, "a", "/", NULL, MS_BIND, NULL))
FORBIDDEN(changes_its_root, syscall(SYS_chroot, "."))
FORBIDDEN(makes_a_device, syscall(SYS_mknodat, AT_FDCWD, "/a", S_IFCHR, 0))
FORBIDDEN(changes_its_uid, syscall(SYS_setresuid, 0, 0, 0))
FORBIDDEN(takes_capabilities, syscall(SYS_capset, NULL, NULL))
FORBIDDEN(changes_its_limits,
          syscall(SYS_prlimit64, 0, RLIMIT_NICE, NULL, NULL))
FORBIDDEN(kills, syscall(SYS_kill, getpid(), SIGKILL))
FORBIDDEN(kills_a_thread, syscall(SYS_tgkill, getpid(), getpid(), SIGKILL))
FORBIDDEN(catches_a_signal, syscall(SYS_rt_sigaction, SIGSYS, NULL, NULL, 8))
FORBIDDEN(becomes_dumpable, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
FORBIDDEN(loads_a_filter, syscall(SYS_seccomp, 1, 0, NULL))
FORBIDDEN(loads_a_module, syscall(SYS_finit_module, -1, "", 0))
FORBIDDEN(uses_bpf, syscall(SYS_bpf, 0, NULL, 0))
FORBIDDEN(makes_code, syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
FORBIDDEN(makes_code_of_memory,
          syscall(SYS_mprotect, said, 4096, PROT_READ | PROT_EXEC))
/* IOCTL_PRIVCMD_MMAPBATCH_V2 */
FORBIDDEN(maps_a_guest, syscall(SYS_ioctl, -1, _IOC(_IOC_NONE, 'P', 4, 32), 0))
/* IOCTL_EVTCHN_BIND_INTERDOMAIN */
FORBIDDEN(binds_a_port, syscall(SYS_ioctl, -1, _IOC(_IOC_NONE, 'E', 1, 8), 0))
FORBIDDEN(types_into_a_terminal, syscall(SYS_ioctl, -1, TIOCSTI, 0))
FORBIDDEN(becomes_an_owner, syscall(SYS_fcntl, -1, F_SETOWN, 1))

static const struct {
    const char *call;
    void (*act)(int);
} forbidden[] = {
    { "connect", connects },
    { "socket", makes_an_internet_socket },
    { "socket", makes_a_packet_socket },
    { "execve", executes },
    { "clone", forks },
    { "clone", makes_a_namespace },
    { "unshare", leaves_its_namespace },
    { "setns", joins_a_namespace },
    { "ptrace", traces },
    { "process_vm_readv", reads_another },
    { "mount", mounts },
    { "chroot", changes_its_root },
    { "mknodat", makes_a_device },
    { "setresuid", changes_its_uid },
    { "capset", takes_capabilities },
    { "prlimit64", changes_its_limits },
    { "kill", kills },
    { "tgkill", kills_a_thread },
    { "rt_sigaction", catches_a_signal },
    { "prctl", becomes_dumpable },
    { "seccomp", loads_a_filter },
    { "finit_module", loads_a_module },
    { "bpf", uses_bpf },
    { "mmap", makes_code },
    { "mprotect", makes_code_of_memory },
    { "ioctl", maps_a_guest },
    { "ioctl", binds_a_port },
    { "ioctl", types_into_a_terminal },
    { "fcntl", becomes_an_owner },
};

static void anything_else_is_its_end(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < NR(forbidden); i++) {
        char end[128];
        int status = run(&w->h, forbidden[i].act);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%zu, %s: status %#x", i, forbidden[i].call,
                     (unsigned)status);
        snprintf(end, sizeof(end),
                 "]: ended: the system call %s is not allowed\n",
                 forbidden[i].call);
        assert_has(said, end);
        assert_has(said, "domain 5: pager[");
    }
}

/* Also root may not be allowed to, in a container. */
static bool can_confine(void)
{
    void *state;
    setup(&state);
    const struct world *w = state;
    int status = run(&w->h, does_nothing);
    teardown(&state);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != UNCONFINED)
        return true;
    printf("skipped: this needs root with all its capabilities\n%s", said);
    return false;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_no_privilege),
        TEST(it_writes_to_the_folder_of_another_user),
        TEST(it_reaches_the_socket_of_another_user),
        TEST(it_has_limits),
        TEST(its_fault_thread_comes_first),
        TEST(its_status_is_all_it_sees),
        TEST(a_sidecar_is_written_in_its_folder),
        TEST(a_recorded_file_is_there),
        TEST(beside_the_root_nothing_is_recorded),
        TEST(the_socket_of_a_server_is_there),
        TEST(nothing_else_stays_mounted),
        TEST(without_a_view_it_is_not_confined),
        TEST(what_it_needs_it_may),
        TEST(anything_else_is_its_end),
    };
    return can_confine() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
