/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processes that outlive the save helper:
 *
 *   helper --fork--> pager --fork, once it serves--> supervisor
 *
 * The supervisor only waits for the end of a pipe. When that comes without a
 * farewell, the pager died: it pauses the domain and says so, instead of
 * leaving a guest that hangs at its next fault without a word. Until the pager
 * serves, the helper is there to see its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"

static void log_line(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)user;
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (localtime_r(&now, &tm))
        strftime(when, sizeof(when), "%F %T", &tm);
    fprintf(stderr, "%s pager[%d]: %s\n", when, (int)getpid(), text);
}

/* Nothing of libxl's stays open: its protocol, its stream, its terminal. */
static void detach_from_libxl(const struct helper *h)
{
    char path[PATH_MAX];
    setsid();
    if (chdir("/"))
        return;
    snprintf(path, sizeof(path), "%s/xl-ext-lazy-%u.log",
             xlx_ctx_path(h->ctx, XLX_PATH_LOG), h->domid);
    int null = open("/dev/null", O_RDWR);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log < 0 ? null : log, STDERR_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    if (log > STDERR_FILENO)
        close(log);
    close(h->io_fd);
    setvbuf(stderr, NULL, _IOLBF, 0);
    xlx_ctx_set_log(h->ctx, log_line, NULL, XLX_LOG_INFO);
}

static int supervise(const struct helper *h, int farewell)
{
    static const char reason[] = "the pager died before all memory was there: "
                                 "destroy the domain and restore it again";
    char bye;
    ssize_t n;
    while ((n = read(farewell, &bye, 1)) < 0 && errno == EINTR)
        ;
    if (n == 1)
        return EXIT_SUCCESS;
    fprintf(stderr, "domain %u: %s\n", h->domid, reason);
    xlx_lazy_abandon(h->ctx, h->domid, reason);
    return EXIT_FAILURE;
}

/*
 * Makes the supervisor; returns the pipe for the farewell, or -errno. It keeps
 * nothing else of the pager's open, above all not its event channel.
 */
static int supervisor_spawn(const struct helper *h)
{
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC))
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipe_fd[0], STDERR_FILENO + 1);
        close_range(STDERR_FILENO + 2, ~0U, 0);
        _exit(supervise(h, STDERR_FILENO + 1));
    }
    int rc = pid < 0 ? -errno : pipe_fd[1];
    close(pipe_fd[0]);
    if (pid < 0)
        close(pipe_fd[1]);
    return rc;
}

static int serve(struct helper *h, xlx_lazy *lazy)
{
    int farewell = supervisor_spawn(h);
    if (farewell < 0)
        fprintf(stderr, "domain %u: no supervisor: %s\n", h->domid,
                strerror(-farewell));
    int rc = xlx_lazy_serve(lazy);
    if (farewell >= 0 && write(farewell, ".", 1) != 1)
        fprintf(stderr, "domain %u: the supervisor has gone\n", h->domid);
    return rc && rc != -ESRCH ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* While the stock helper restores the rest. What fails is logged, and no reason
 * to stop. */
static void make_ready(const struct helper *h, xlx_lazy *lazy)
{
    if (h->record)
        xlx_lazy_record(lazy);
    xlx_lazy_prefetch(lazy, &h->prefetch);
}

static int pager_main(struct helper *h, xlx_lazy *lazy, int channel)
{
    struct pager_reply reply = { .rc = xlx_lazy_start(lazy) };
    char go;
    if (reply.rc)
        snprintf(reply.text, sizeof(reply.text), "%s", xlx_ctx_error(h->ctx));
    if (send(channel, &reply, sizeof(reply), MSG_NOSIGNAL) != sizeof(reply) ||
        reply.rc)
        return EXIT_SUCCESS;
    make_ready(h, lazy);
    if (recv(channel, &go, 1, 0) != 1 ||
        send(channel, &go, 1, MSG_NOSIGNAL) != 1) {
        /* The helper failed or was killed: libxl destroys the domain. */
        xlx_lazy_cancel(lazy);
        return EXIT_SUCCESS;
    }
    close(channel);
    return serve(h, lazy);
}

int pager_spawn(struct helper *h, xlx_lazy *lazy, int *channel_r)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int rc = -errno;
        close(pair[0]);
        close(pair[1]);
        return rc;
    }
    if (pid == 0) {
        close(pair[0]);
        detach_from_libxl(h);
        _exit(pager_main(h, lazy, pair[1]));
    }
    close(pair[1]);
    *channel_r = pair[0];
    return 0;
}
