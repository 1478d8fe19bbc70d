/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Locks and daemons, with real processes.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "host/fds.h"
#include "host/lock.h"
#include "host/process.h"
#include "host/program.h"
#include "libxl_ext_lazy.h"

struct fixture {
    xlx_ctx *ctx;
    struct xlx__proc *proc;
    char dir[32], log[64], pidfile[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-daemon-XXXXXX");
    *state = f;
    if (!mkdtemp(f->dir) || xlx_ctx_new(&f->ctx) || xlx__proc_open(f->ctx))
        return -1;
    f->proc = f->ctx->proc;
    snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
    snprintf(f->pidfile, sizeof(f->pidfile), "%s/pid", f->dir);
    return xlx_ctx_set_path(f->ctx, XLX_PATH_RUN, f->dir);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    xlx_ctx_free(f->ctx);
    free(f);
    *state = NULL;
    return system(command);
}

static int start(struct fixture *f, const char *script, int ms, char *line)
{
    const char *argv[] = { "/bin/sh", "-c", script, "sh", f->pidfile, NULL };
    return f->proc->ops->start(f->proc, argv, f->log, xlx__now_ms() + ms, line,
                               16);
}

static void the_first_line_is_the_answer(void **state)
{
    struct fixture *f = *state;
    char line[16];
    assert_int_equal(start(f, "echo ready; exec >&2; sleep 0.1", 5000, line),
                     0);
    assert_string_equal(line, "ready");
    /* cut to the buffer */
    assert_int_equal(start(f, "echo 0123456789abcdefghi", 5000, line), 0);
    assert_string_equal(line, "0123456789abcde");
    assert_int_equal(start(f, "exit 3", 5000, line), -ESRCH);
    assert_int_equal(start(f, "exec sleep 0.3", 50, line), -ETIMEDOUT);
}

/* What a former one has said last is what is looked for. */
static void the_log_is_continued(void **state)
{
    struct fixture *f = *state;
    char line[16], text[32];
    for (int i = 0; i < 2; i++)
        assert_int_equal(start(f,
                               i ? "echo b >&2; echo x" : "echo a >&2; echo x",
                               5000, line),
                         0);
    FILE *file = fopen(f->log, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, "a\nb\n");
}

static void nothing_of_ours_goes_along(void **state)
{
    struct fixture *f = *state;
    char line[16];
    int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
    char script[128];
    snprintf(script, sizeof(script),
             "[ -e /proc/self/fd/%d ] && echo open || echo closed", fd);
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(start(f, script, 5000, line), 0);
    assert_string_equal(line, "closed");
    assert_int_equal(start(f, "kill -USR1 $$; echo alive", 5000, line), -ESRCH);
    assert_int_equal(start(f, "echo x >&2; cat; echo end", 5000, line), 0);
    assert_string_equal(line, "end");
    signal(SIGUSR1, SIG_DFL);
    close(fd);
}

/* A daemon as ours are: holds the pidfile, ends at SIGTERM. */
static const char holder[] = "trap 'rm $1; exit 0' TERM; exec 9>>$1; "
                             "flock -x 9; echo $$ >$1; echo ready; "
                             "exec >&2; while :; do sleep 0.02; done";

static void a_daemon_is_known_by_its_lock(void **state)
{
    struct fixture *f = *state;
    char line[16];
    assert_int_equal(f->proc->ops->find(f->proc, f->pidfile), 0);
    assert_int_equal(start(f, holder, 5000, line), 0);
    pid_t pid = f->proc->ops->find(f->proc, f->pidfile);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(xlx__pidfile_take(f->pidfile), -EBUSY);
    assert_int_equal(
        f->proc->ops->stop(f->proc, f->pidfile, xlx__now_ms() + 5000), 0);
    assert_int_equal(f->proc->ops->find(f->proc, f->pidfile), 0);
    assert_int_equal(
        f->proc->ops->stop(f->proc, f->pidfile, xlx__now_ms() + 5000), 0);
}

static void a_killed_one_leaves_a_stale_pidfile(void **state)
{
    struct fixture *f = *state;
    char line[16];
    assert_int_equal(start(f, holder, 5000, line), 0);
    kill(f->proc->ops->find(f->proc, f->pidfile), SIGKILL);
    /* The sleep it runs may hold the lock a little longer. */
    for (int i = 0; i < 100; i++) {
        if (f->proc->ops->find(f->proc, f->pidfile) == -ESTALE)
            break;
        xlx__sleep_ms(10);
    }
    assert_int_equal(f->proc->ops->find(f->proc, f->pidfile), -ESTALE);
    assert_int_equal(
        f->proc->ops->stop(f->proc, f->pidfile, xlx__now_ms() + 5000), 0);
    int fd = xlx__pidfile_take(f->pidfile);
    assert_true(fd >= 0);
    assert_int_equal(f->proc->ops->find(f->proc, f->pidfile), getpid());
    close(fd);
}

static void one_that_does_not_end_is_told(void **state)
{
    struct fixture *f = *state;
    char line[16];
    assert_int_equal(start(f,
                           "trap '' TERM; exec 9>>$1; flock -x 9; echo $$ >$1; "
                           "echo ready; exec >&2; sleep 0.5; sleep 0.5",
                           5000, line),
                     0);
    pid_t pid = f->proc->ops->find(f->proc, f->pidfile);
    assert_true(pid > 1);
    assert_int_equal(
        f->proc->ops->stop(f->proc, f->pidfile, xlx__now_ms() + 50),
        -ETIMEDOUT);
    kill(pid, SIGKILL);
}

static void a_lock_has_one_holder(void **state)
{
    struct fixture *f = *state;
    int fd = xlx__lock(f->ctx, "a/b/lock", xlx__now_ms());
    assert_true(fd >= 0);
    int64_t begin = xlx__now_ms();
    assert_int_equal(xlx__lock(f->ctx, "a/b/lock", begin + 50), -EBUSY);
    assert_true(xlx__now_ms() >= begin + 50);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "another command"));
    int other = xlx__lock(f->ctx, "a/b/other", begin);
    assert_true(other >= 0);
    close(fd);
    fd = xlx__lock(f->ctx, "a/b/lock", begin);
    assert_true(fd >= 0);
    close(fd);
    close(other);
}

/* As before Linux 5.9. */
static bool forbid_close_range(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* struct seccomp_data.nr */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) &&
           syscall(SYS_close_range, 1000u, 1001u, 0) && errno == ENOSYS;
}

/* In a child; its exit status. */
static int close_all_above_9(bool old_kernel)
{
    const struct rlimit few = { 64, 64 };
    if (setrlimit(RLIMIT_NOFILE, &few) || dup2(2, 9) != 9 ||
        dup2(2, 10) != 10 || dup2(2, 63) != 63)
        return 1;
    if (old_kernel && !forbid_close_range())
        return 77;
    xlx__close_from(10);
    return fcntl(9, F_GETFD) < 0 || fcntl(10, F_GETFD) >= 0 ||
           fcntl(63, F_GETFD) >= 0;
}

static void descriptors_are_closed_on_any_kernel(void **state)
{
    (void)state;
    for (int old_kernel = 0; old_kernel < 2; old_kernel++) {
        int status;
        pid_t pid = fork();
        if (!pid)
            _exit(close_all_above_9(old_kernel));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip(); /* no seccomp filters here */
        assert_int_equal(status, 0);
    }
}

static void programs_are_found(void **state)
{
    struct fixture *f = *state;
    static const char *const places[] = { "/nonexistent", "/bin/sh", NULL };
    char path[PATH_MAX];
    assert_int_equal(xlx__find_place(f->ctx, places, path, sizeof(path)), 0);
    assert_string_equal(path, "/bin/sh");
    assert_int_equal(xlx__find_place(f->ctx, places + 2, path, sizeof(path)),
                     -ENOENT);
    assert_int_equal(xlx__find_own_program(f->ctx, XLX_PATH_USB_BACKEND,
                                           "no-such-program", path),
                     -ENOENT);
    assert_string_equal(xlx_ctx_error(f->ctx),
                        "no-such-program: not found: install it");
    /* Beside the library, which is this one in the tests, and executable. */
    assert_int_equal(
        xlx__find_own_program(f->ctx, XLX_PATH_USB_BACKEND, "tested.so", path),
        0);
    xlx_ctx_set_path(f->ctx, XLX_PATH_USB_BACKEND, "/nonexistent");
    assert_int_equal(
        xlx__find_own_program(f->ctx, XLX_PATH_USB_BACKEND, "tested.so", path),
        -ENOENT);
    xlx_ctx_set_path(f->ctx, XLX_PATH_USB_BACKEND, "/bin/true");
    assert_int_equal(
        xlx__find_own_program(f->ctx, XLX_PATH_USB_BACKEND, "tested.so", path),
        0);
    assert_string_equal(path, "/bin/true");
}

static void our_save_helper_is_found(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    xlx_ctx_set_path(f->ctx, XLX_PATH_OWN_SAVE_HELPER, "/nonexistent");
    assert_int_equal(xlx_own_save_helper_path(f->ctx, path, sizeof(path)),
                     -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "/nonexistent"));
    xlx_ctx_set_path(f->ctx, XLX_PATH_OWN_SAVE_HELPER, "/bin/true");
    assert_int_equal(xlx_own_save_helper_path(f->ctx, path, 10), 0);
    assert_string_equal(path, "/bin/true");
    assert_int_equal(xlx_own_save_helper_path(f->ctx, path, 9), -ENAMETOOLONG);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
}

/* Debian has a folder a release of Xen. */
static void places_follow_the_running_release(void **state)
{
    struct fixture *f = *state;
    char version[64], place[64], path[PATH_MAX], want[64];
    const char *const places[] = { "", place, "/bin/sh", NULL };
    snprintf(version, sizeof(version), "mkdir -p %s/hypervisor/version",
             f->dir);
    assert_int_equal(system(version), 0);
    snprintf(version, sizeof(version), "%s/hypervisor/version", f->dir);
    snprintf(place, sizeof(place), "%s/xen-%%1$u.%%2$u", f->dir);
    xlx_ctx_set_path(f->ctx, XLX_PATH_SYSFS, f->dir);

    assert_int_equal(xlx__find_place(f->ctx, places, path, sizeof(path)), 0);
    assert_string_equal(path, "/bin/sh"); /* no Xen runs */
    put(version, "major", "4\n");
    put(version, "minor", "20\n");
    put(f->dir, "xen-4.17", "");
    assert_int_equal(xlx__find_place(f->ctx, places, path, sizeof(path)), 0);
    assert_string_equal(path, "/bin/sh");
    put(f->dir, "xen-4.20", "");
    assert_int_equal(xlx__find_place(f->ctx, places, path, sizeof(path)), 0);
    snprintf(want, sizeof(want), "%s/xen-4.20", f->dir);
    assert_string_equal(path, want);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_line_is_the_answer),
        TEST(the_log_is_continued),
        TEST(nothing_of_ours_goes_along),
        TEST(a_daemon_is_known_by_its_lock),
        TEST(a_killed_one_leaves_a_stale_pidfile),
        TEST(one_that_does_not_end_is_told),
        TEST(a_lock_has_one_holder),
        cmocka_unit_test(descriptors_are_closed_on_any_kernel),
        TEST(programs_are_found),
        TEST(our_save_helper_is_found),
        TEST(places_follow_the_running_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
