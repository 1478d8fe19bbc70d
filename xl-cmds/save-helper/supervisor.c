/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processes that outlive the save helper:
 *
 *   helper --fork--> supervisor --fork--> pager
 *                          +------fork--> standby
 *
 * A pager has threads, and the copy of a process with threads has locks that
 * nobody will ever open: so no pager forks. The supervisor does nothing but
 * wait. When the pager dies it makes another one, which takes over; when the
 * standby dies, another standby. That waits for the supervisor's end, and is
 * the supervisor from then on. So each may be killed at any time, the pager and
 * one of the others at once.
 *
 * Who has ended is told by sockets that the kernel closes. Whether it was done
 * is in memory that all share, so that no word about it can get lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* What all processes see. */
struct common {
    _Atomic bool over; /* nobody is needed any more */
};

/* What each process has. */
struct guard {
    struct helper *h;
    xlx_lazy *lazy;
    struct common *common;
    int channel; /* to the helper: its "go" stays in there for the next pager */
    int bond;    /* ends with the pager; of the pager, its own end; -1: none */
    int partner; /* between supervisor and standby: ends with either */
};

static void dismiss_all(const struct guard *g)
{
    atomic_store(&g->common->over, true);
}

/* Both ends of a socket; 0 or -errno. */
static int make_bond(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ? -errno
                                                                       : 0;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- the standby ---------------------------------------------------------- */

/* Tells the standby which bond is the pager's. One that is dead is replaced by
 * another, which has it from the start. */
static void hand_over(int partner, int bond)
{
    char space[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec word = { .iov_base = "b", .iov_len = 1 };
    struct msghdr m = { .msg_iov = &word,
                        .msg_iovlen = 1,
                        .msg_control = space,
                        .msg_controllen = sizeof(space) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &bond, sizeof(int));
    if (partner >= 0 && sendmsg(partner, &m, MSG_NOSIGNAL) < 0 &&
        errno != EPIPE && errno != ECONNRESET)
        fprintf(stderr, "cannot reach the standby: %s\n", strerror(errno));
}

/* False when the supervisor has ended. */
static bool take_bond(struct guard *g)
{
    char space[CMSG_SPACE(sizeof(int))], byte;
    struct iovec word = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &word,
                        .msg_iovlen = 1,
                        .msg_control = space,
                        .msg_controllen = sizeof(space) };
    ssize_t n;
    while ((n = recvmsg(g->partner, &m, MSG_CMSG_CLOEXEC)) < 0 &&
           errno == EINTR)
        ;
    if (n <= 0)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS) {
        close_end(&g->bond);
        memcpy(&g->bond, CMSG_DATA(c), sizeof(int));
    }
    return true;
}

static int supervise(struct guard *g);

static int stand_by(struct guard *g)
{
    while (take_bond(g))
        ;
    close_end(&g->partner);
    if (atomic_load(&g->common->over))
        return EXIT_SUCCESS;
    fprintf(stderr,
            "domain %u: the supervisor died: the standby has "
            "replaced it\n",
            g->h->domid);
    return supervise(g);
}

/* Without one the guest is served all the same. */
static void start_standby(struct guard *g)
{
    int ends[2];
    close_end(&g->partner);
    int rc = make_bond(ends);
    if (!rc) {
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            g->partner = ends[1];
            _exit(stand_by(g));
        }
        rc = pid < 0 ? -errno : 0;
        close(ends[1]);
        g->partner = ends[0];
    }
    if (!rc)
        return;
    close_end(&g->partner);
    fprintf(stderr, "domain %u: the supervisor has no standby: %s\n",
            g->h->domid, strerror(-rc));
}

/* --- the supervisor ------------------------------------------------------- */

static int be_pager(const struct guard *g, bool first)
{
    bool over;
    int status = pager_main(g->h, g->lazy, g->channel, first, &over);
    if (over)
        dismiss_all(g);
    return status;
}

/* The bond is the standby's before there is a pager: where this process dies in
 * between, its end is that of the pager. 0 or -errno. */
static int start_pager(struct guard *g, bool first)
{
    int ends[2], rc = make_bond(ends);
    if (rc)
        return rc;
    hand_over(g->partner, ends[0]);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        close_end(&g->bond);
        close_end(&g->partner);
        g->bond = ends[1];
        _exit(be_pager(g, first));
    }
    rc = pid < 0 ? -errno : 0;
    close(ends[1]);
    close_end(&g->bond);
    g->bond = ends[0];
    return rc;
}

static int give_up(const struct guard *g, const char *why)
{
    fprintf(stderr, "domain %u: %s\n", g->h->domid, why);
    xlx_lazy_abandon(g->h->ctx, g->h->domid, why);
    dismiss_all(g);
    return EXIT_FAILURE;
}

/* Each pager that dies has time to come further than the one before. */
#define DEATHS_IN_A_ROW 20
#define QUICK_DEATH_S 2

/* Returns when the pager has ended; until then there is a standby. */
static void wait_for_the_pager(struct guard *g)
{
    while (g->bond >= 0) {
        struct pollfd pfd[2] = { { .fd = g->bond }, { .fd = g->partner } };
        poll(pfd, 2, -1);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (pfd[0].revents)
            return;
        if (pfd[1].revents) {
            fprintf(stderr, "domain %u: the standby died\n", g->h->domid);
            start_standby(g);
        }
    }
}

static int supervise(struct guard *g)
{
    int quick = 0;
    time_t begun = time(NULL);
    if (g->partner < 0)
        start_standby(g);
    for (;;) {
        wait_for_the_pager(g);
        if (atomic_load(&g->common->over))
            return EXIT_SUCCESS;
        quick = time(NULL) - begun <= QUICK_DEATH_S ? quick + 1 : 0;
        begun = time(NULL);
        fprintf(stderr, "domain %u: the pager died\n", g->h->domid);
        if (quick == DEATHS_IN_A_ROW)
            return give_up(g, "the pager dies repeatedly: destroy the domain "
                              "and restore it again");
        if (start_pager(g, false))
            return give_up(g, "the pager died, and no process is left to "
                              "start another");
    }
}

static int be_supervisor(struct helper *h, xlx_lazy *lazy, int channel)
{
    struct guard g = {
        .h = h, .lazy = lazy, .channel = channel, .bond = -1, .partner = -1
    };
    g.common = mmap(NULL, sizeof(*g.common), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g.common == MAP_FAILED)
        return EXIT_FAILURE;
    start_standby(&g);
    if (!start_pager(&g, true))
        return supervise(&g);
    dismiss_all(&g);
    return EXIT_FAILURE;
}

/* --- the helper ----------------------------------------------------------- */

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
        _exit(be_supervisor(h, lazy, pair[1]));
    }
    close(pair[1]);
    *channel_r = pair[0];
    return 0;
}
