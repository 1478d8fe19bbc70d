/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processes that outlive the save helper:
 *
 *   helper --fork--> supervisor --fork--> pager
 *
 * Both wait for the end of the bond, a socket between them. The supervisor does
 * nothing else: when it comes without a farewell, the pager died, and it makes
 * another one, which goes on where that was. The pager makes another supervisor
 * when that dies. So either may be killed at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* What both processes have. */
struct guard {
    struct helper *h;
    xlx_lazy *lazy;
    int channel; /* to the helper: its "go" stays in there for the next pager */
    int bond;    /* to the other process */
    _Atomic bool leaving; /* the pager needs no supervisor any more */
};

static int supervise(struct guard *g);

static void farewell(struct guard *g)
{
    atomic_store(&g->leaving, true);
    if (send(g->bond, ".", 1, MSG_NOSIGNAL) != 1)
        fprintf(stderr, "domain %u: the supervisor has gone\n", g->h->domid);
}

/* True when the other process said farewell, false when it died. */
static bool wait_for_farewell(int bond)
{
    char bye;
    ssize_t n;
    while ((n = recv(bond, &bye, 1, 0)) < 0 && errno == EINTR)
        ;
    return n == 1;
}

/* --- the pager ------------------------------------------------------------ */

/* Both ends of a new bond; 0 or -errno. */
static int tie(int bond[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bond) ? -errno
                                                                      : 0;
}

/*
 * Another supervisor, which is not the pager's parent, but as good. It keeps
 * nothing of the pager's open, above all not its event channel.
 */
static int supervisor_again(struct guard *g)
{
    int bond[2], rc = tie(bond);
    if (rc)
        return rc;
    pid_t pid = fork();
    if (pid == 0) {
        xlx_lazy_forget(g->lazy);
        close(bond[1]);
        close(g->bond);
        g->bond = bond[0];
        _exit(supervise(g));
    }
    rc = pid < 0 ? -errno : 0;
    close(bond[0]);
    if (rc)
        close(bond[1]);
    else
        dup3(bond[1], g->bond, O_CLOEXEC);
    if (!rc)
        close(bond[1]);
    return rc;
}

static void *keep_a_supervisor(void *arg)
{
    struct guard *g = arg;
    while (!wait_for_farewell(g->bond) && !atomic_load(&g->leaving)) {
        int rc = supervisor_again(g);
        fprintf(stderr, "domain %u: the supervisor died: %s\n", g->h->domid,
                rc ? strerror(-rc) : "there is another one");
        if (rc)
            break;
    }
    return NULL;
}

static void bind_to_supervisor(struct guard *g)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, keep_a_supervisor, g);
    if (rc)
        fprintf(stderr, "domain %u: the supervisor is not watched: %s\n",
                g->h->domid, strerror(rc));
}

/* Of a pager that died before it could say that paging is on. */
static int cancel_start(struct guard *g, struct pager_reply *reply)
{
    xlx_lazy_cancel(g->lazy);
    reply->rc = -EPIPE;
    snprintf(reply->text, sizeof(reply->text),
             "the pager was killed before it had begun");
    return reply->rc;
}

static int begin(struct guard *g, bool first, struct pager_reply *reply)
{
    reply->rc = first ? xlx_lazy_start(g->lazy) : xlx_lazy_take_over(g->lazy);
    if (reply->rc) {
        snprintf(reply->text, sizeof(reply->text), "%s",
                 xlx_ctx_error(g->h->ctx));
        if (xlx_lazy_started(g->lazy) && reply->rc != -ESRCH)
            xlx_lazy_abandon(g->h->ctx, g->h->domid, reply->text);
        return reply->rc;
    }
    if (!xlx_lazy_started(g->lazy))
        return cancel_start(g, reply);
    if (!first)
        fprintf(stderr, "domain %u: goes on where the last pager was\n",
                g->h->domid);
    return 0;
}

/* While the stock helper restores the rest; one that takes over goes on with
 * what was recorded. What fails is logged, and no reason to stop. */
static void make_ready(const struct guard *g, bool first)
{
    if (g->h->record)
        xlx_lazy_record(g->lazy, g->h->record_ms);
    if (first)
        xlx_lazy_prefetch(g->lazy, &g->h->prefetch);
}

/*
 * Looks only: a pager that takes over has to find it again. A helper that left
 * without reading all that pagers said is an error first, then what it said.
 */
static bool may_serve(const struct guard *g)
{
    char go;
    ssize_t n;
    while ((n = recv(g->channel, &go, 1, MSG_PEEK)) < 0 &&
           (errno == EINTR || errno == ECONNRESET))
        ;
    return n == 1;
}

/* The helper may have it from the pager before, and be gone. */
static void say_ready(const struct guard *g)
{
    if (send(g->channel, "r", 1, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
        errno != ECONNRESET)
        fprintf(stderr, "domain %u: the helper does not hear: %s\n",
                g->h->domid, strerror(errno));
}

static int pager_main(struct guard *g, bool first)
{
    struct pager_reply reply = { 0 };
    int rc;
    begin(g, first, &reply);
    if (send(g->channel, &reply, sizeof(reply), MSG_NOSIGNAL) < 0 && first)
        fprintf(stderr, "domain %u: the helper has gone\n", g->h->domid);
    if (reply.rc) {
        farewell(g);
        return EXIT_SUCCESS;
    }
    bind_to_supervisor(g);
    make_ready(g, first);
    say_ready(g);
    if (may_serve(g)) {
        rc = xlx_lazy_serve(g->lazy);
    } else {
        /* The helper failed or was killed: libxl destroys the domain. */
        xlx_lazy_cancel(g->lazy);
        rc = 0;
    }
    farewell(g);
    return rc && rc != -ESRCH ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- the supervisor ------------------------------------------------------- */

/* Returns its pid, the bond in g->bond; or -errno. */
static pid_t pager_start(struct guard *g, bool first)
{
    int bond[2], rc = tie(bond);
    if (rc)
        return rc;
    pid_t pid = fork();
    if (pid == 0) {
        close(bond[0]);
        g->bond = bond[1];
        _exit(pager_main(g, first));
    }
    rc = -errno;
    close(bond[1]);
    if (pid < 0) {
        close(bond[0]);
        return rc;
    }
    g->bond = bond[0];
    return pid;
}

static void give_up(const struct guard *g, const char *why)
{
    fprintf(stderr, "domain %u: %s\n", g->h->domid, why);
    xlx_lazy_abandon(g->h->ctx, g->h->domid, why);
}

/* Each pager that dies has time to come further than the one before. */
#define DEATHS_IN_A_ROW 20
#define QUICK_DEATH_S 2

static int supervise(struct guard *g)
{
    int quick = 0;
    time_t begun = time(NULL);
    while (!wait_for_farewell(g->bond)) {
        close(g->bond);
        quick = time(NULL) - begun <= QUICK_DEATH_S ? quick + 1 : 0;
        begun = time(NULL);
        fprintf(stderr, "domain %u: the pager died\n", g->h->domid);
        if (quick == DEATHS_IN_A_ROW) {
            give_up(g, "the pager dies again and again: destroy the domain and "
                       "restore it again");
            return EXIT_FAILURE;
        }
        pid_t pid = pager_start(g, false);
        if (pid < 0) {
            give_up(g, "the pager died, and there is no process for another");
            return EXIT_FAILURE;
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return EXIT_SUCCESS;
}

static int supervisor_main(struct helper *h, xlx_lazy *lazy, int channel)
{
    struct guard g = { .h = h, .lazy = lazy, .channel = channel };
    return pager_start(&g, true) < 0 ? EXIT_FAILURE : supervise(&g);
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
        _exit(supervisor_main(h, lazy, pair[1]));
    }
    close(pair[1]);
    *channel_r = pair[0];
    return 0;
}
