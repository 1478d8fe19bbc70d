/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/process.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/io.h"
#include "core/parse.h"
#include "host/fds.h"

/* A command that looks whether the daemon lives holds the lock for a moment. */
#define TAKE_TRIES 50
#define TAKE_PAUSE_MS 10

/* --- in the child: only async-signal-safe calls -------------------------- */

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const char *const *argv, const int fds[3])
{
    static const char failed[] = "cannot run the program\n";
    reset_signals();
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(127);
    xlx__close_from(3);
    if (chdir("/"))
        _exit(127);
    execv(argv[0], (char *const *)argv);
    if (write(1, failed, sizeof(failed) - 1) < 0)
        _exit(126);
    _exit(127);
}

/* Forks twice: the daemon is nobody's child and no session leader. */
static int fork_daemon(const char *const *argv, const int fds[3])
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (!pid) {
        setsid();
        pid = fork();
        if (!pid)
            become(argv, fds);
        _exit(pid < 0 ? 1 : 0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EAGAIN;
}

/* --- in the parent -------------------------------------------------------- */

static int read_line(int fd, int64_t until, char *line_r, size_t size)
{
    size_t got = 0;
    for (;;) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int rc = poll(&pfd, 1, xlx__ms_left(until, INT_MAX));
        if (rc < 0 && errno != EINTR)
            return -errno;
        if (rc == 0)
            return -ETIMEDOUT;
        if (rc < 0)
            continue;
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n <= 0)
            return -ESRCH;
        if (c == '\n')
            break;
        if (got + 1 < size)
            line_r[got++] = c;
    }
    line_r[got] = '\0';
    return 0;
}

static int host_start(struct xlx__proc *proc, const char *const *argv,
                      const char *log, int64_t until, char *line_r, size_t size)
{
    (void)proc;
    XLX__AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    XLX__AUTO_CLOSE int err =
        open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int ends[2];
    if (null < 0 || err < 0 || pipe2(ends, O_CLOEXEC))
        return -errno;
    XLX__AUTO_CLOSE int from = ends[0];
    XLX__AUTO_CLOSE int to = ends[1];
    const int fds[3] = { null, to, err };
    int rc = fork_daemon(argv, fds);
    if (rc)
        return rc;
    close(xlx__steal_fd(&to));
    return read_line(from, until, line_r, size);
}

static pid_t read_pid(int fd)
{
    char text[16];
    uint32_t pid;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return xlx__parse_u32(text, 2, INT32_MAX, &pid) ? 0 : (pid_t)pid;
}

static pid_t host_find(struct xlx__proc *proc, const char *pidfile)
{
    (void)proc;
    XLX__AUTO_CLOSE int fd = open(pidfile, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    return flock(fd, LOCK_SH | LOCK_NB) ? read_pid(fd) : -ESTALE;
}

static int host_stop(struct xlx__proc *proc, const char *pidfile, int64_t until)
{
    pid_t pid = host_find(proc, pidfile);
    if (pid <= 0)
        return 0;
    XLX__AUTO_CLOSE int fd = xlx__pidfd_open(pid);
    /* Looked again: what holds the pidfile now is what the pidfd is. */
    if (fd < 0 || host_find(proc, pidfile) != pid)
        return 0;
    xlx__pidfd_signal(fd, SIGTERM);
    for (;;) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        int rc = poll(&pfd, 1, xlx__ms_left(until, INT_MAX));
        if (rc > 0)
            return 0;
        if (rc == 0 || errno != EINTR)
            return rc ? -errno : -ETIMEDOUT;
    }
}

static void host_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__proc_ops host_ops = {
    .start = host_start,
    .find = host_find,
    .stop = host_stop,
};

int xlx__proc_host(xlx_ctx *ctx, struct xlx__proc **proc_r)
{
    struct xlx__proc *proc = calloc(1, sizeof(*proc));
    if (!proc)
        return xlx__fail(ctx, ENOMEM, "processes: no memory");
    proc->seam.close = host_close;
    proc->ops = &host_ops;
    *proc_r = proc;
    return 0;
}

int xlx__proc_open(xlx_ctx *ctx)
{
    return ctx->proc ? 0 : xlx__proc_host(ctx, &ctx->proc);
}

int xlx__pidfile_take(const char *pidfile)
{
    XLX__AUTO_CLOSE int fd = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (i == TAKE_TRIES)
            return -EBUSY;
        xlx__sleep_ms(TAKE_PAUSE_MS);
    }
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", getpid());
    if (ftruncate(fd, 0))
        return -errno;
    int rc = xlx__write_all(fd, text, (size_t)n);
    return rc ? rc : xlx__steal_fd(&fd);
}
