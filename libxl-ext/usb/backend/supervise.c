/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The life of a backend of ours: started for a domain, watched, started again
 * when it dies, ended with the domain. QEMU itself does not notice that its
 * domain has gone.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "core/clean.h"
#include "core/clock.h"
#include "host/fds.h"
#include "host/process.h"
#include "host/uevent.h"
#include "usb/attach/locks.h"
#include "usb/backend/park.h"
#include "usb/backend/pulled.h"
#include "usb/controller/backend.h"
#include "usb/controller/log.h"
#include "usb/deadline.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

#define LOOK_MS 5000      /* the domain is looked after at least this often */
#define GLANCE_MS 1000    /* the same where it can be tried again */
#define AGAIN_MS 250
#define DEATHS_MAX 5      /* in a row, each within CALM_MS of its start */
#define CALM_MS 60000
#define BACKOFF_MS 200    /* doubled by each death */

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct watch {
    xlx_ctx *ctx;
    uint32_t domid;
    int signals; /* signalfd */
    char pidfile[PATH_MAX];
    char socket[PATH_MAX];
    pid_t qemu; /* 0: not running */
    int64_t started;
    int64_t log_start;           /* of its words in the log */
    char death[XLX__LOG_LINE_MAX]; /* "(exit status 1): its last words" */
    unsigned deaths;
    struct xlx__parked *parked; /* what the next QEMU is to have, or NULL */
    int nr_parked;
    bool look; /* a device may have been pulled out */
};

/* --- QEMU ----------------------------------------------------------------- */

/* Between fork and exec: libxenstore has a thread, so only system calls. */
static _Noreturn void become_qemu(char *const *argv, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* Does not outlive us, even when we are killed. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* Our output is somebody's pipe; the log is where it may write. */
    if (getppid() == parent && dup2(2, 1) == 1) {
        xlx__close_from(3);
        execv(argv[0], argv);
    }
    _exit(127);
}

static int fork_qemu(struct watch *w)
{
    char number[16], name[32], chardev[PATH_MAX + 64];
    snprintf(number, sizeof(number), "%u", w->domid);
    snprintf(name, sizeof(name), "xl-ext-usb-%u", w->domid);
    snprintf(chardev, sizeof(chardev),
             "socket,id=qmp,path=%s,server=on,wait=off", w->socket);
    const char *argv[] = {
        xlx_ctx_path(w->ctx, XLX_PATH_QEMU),
        "-xen-domid", number, "-no-shutdown",
        "-chardev", chardev, "-mon", "chardev=qmp,mode=control",
        "-nodefaults", "-no-user-config", "-xen-attach", "-name", name,
        "-display", "none", "-machine", "xenpv", "-m", "1", NULL,
    };
    pid_t self = getpid();
    unlink(w->socket);
    w->log_start = xlx__usb_log_size(w->ctx, w->domid);
    w->qemu = fork();
    if (w->qemu < 0) {
        w->qemu = 0;
        return xlx__fail_errno(w->ctx, errno, "%s: cannot run", argv[0]);
    }
    if (!w->qemu)
        become_qemu((char *const *)argv, self);
    w->started = xlx__now_ms();
    return 0;
}

static bool reap(struct watch *w, int *status_r)
{
    if (!w->qemu || waitpid(w->qemu, status_r, WNOHANG) != w->qemu)
        return false;
    w->qemu = 0;
    return true;
}

static void note_death(struct watch *w, int status)
{
    char words[XLX__LOG_LINE_MAX];
    xlx__usb_log_last_words(w->ctx, w->domid, w->log_start, words);
    int n = snprintf(w->death, sizeof(w->death), "(%s %d)",
                     WIFSIGNALED(status) ? "signal" : "exit status",
                     WIFSIGNALED(status) ? WTERMSIG(status)
                                         : WEXITSTATUS(status));
    if (*words)
        snprintf(w->death + n, sizeof(w->death) - (size_t)n, ": %.*s",
                 (int)(sizeof(w->death) - (size_t)n - 3), words);
}

/* True once QEMU has ended by itself; reported. */
static bool has_died(struct watch *w)
{
    int status;
    if (!reap(w, &status))
        return false;
    note_death(w, status);
    xlx__warn(w->ctx, "domain %u: " XLX__LOG_DIED " %s", w->domid, w->death);
    /* So that no command counts on it from now on. */
    xlx__backend_unannounce(w->ctx, w->domid);
    return true;
}

static int look_up(xlx_ctx *ctx, void *arg)
{
    struct watch *w = arg;
    if (has_died(w))
        return -ECHILD;
    return xlx__backend_announced(ctx, w->domid);
}

static void end_qemu(struct watch *w)
{
    int status;
    int64_t until = xlx__now_ms() + XLX__END_MS;
    if (w->qemu)
        kill(w->qemu, SIGTERM);
    while (w->qemu && !reap(w, &status)) {
        if (xlx__now_ms() >= until)
            kill(w->qemu, SIGKILL);
        xlx__sleep_ms(10);
    }
}

static int start_qemu(struct watch *w)
{
    xlx__backend_unannounce(w->ctx, w->domid);
    int rc = fork_qemu(w);
    if (!rc)
        rc = xlx__xs_wait_for(w->ctx, NULL, 0, 50, xlx__now_ms() + XLX__START_MS,
                              look_up, w);
    if (rc > 0)
        return 0;
    end_qemu(w);
    if (rc == -ECHILD)
        return xlx__fail(w->ctx, ECHILD, "QEMU does not start %s", w->death);
    if (rc == -ETIMEDOUT)
        return xlx__fail(w->ctx, ECHILD,
                         "QEMU does not start within %d s: see the log",
                         XLX__START_MS / 1000);
    return rc;
}

/* Starts QEMU and hands it the controllers that an earlier one had. A start
 * that fails leaves them to the next one. */
static int start_and_carry_over(struct watch *w)
{
    if (!w->parked)
        w->nr_parked = xlx__park(w->ctx, w->domid, &w->parked);
    int rc = w->nr_parked < 0 ? w->nr_parked : start_qemu(w);
    if (rc)
        return rc;
    xlx__unpark(w->ctx, w->parked, w->nr_parked);
    free(w->parked);
    w->parked = NULL;
    return 0;
}

/* --- the loop ------------------------------------------------------------- */

/* True when we were asked to end. */
static bool take_signals(struct watch *w)
{
    struct signalfd_siginfo info;
    bool end = false;
    while (read(w->signals, &info, sizeof(info)) == sizeof(info))
        end |= info.ssi_signo != SIGCHLD;
    return end;
}

static void take_uevents(struct watch *w)
{
    struct xlx__uevents *u = w->ctx->uevents;
    struct xlx__uevent event;
    int rc;
    while ((rc = u->ops->next(u, &event)) > 0)
        w->look |= !strcmp(event.action, "remove");
    w->look |= rc < 0; /* some were lost */
}

/* Waits for a signal, a change in xenstore, a device that goes, or `ms`. True:
 * end. */
static bool wait_for_news(struct watch *w, int ms)
{
    struct xlx__xs *xs = w->ctx->xs;
    struct xlx__uevents *u = w->ctx->uevents;
    struct pollfd fds[] = { { .fd = w->signals, .events = POLLIN },
                            { .fd = xs->ops->fd(xs), .events = POLLIN },
                            { .fd = u->ops->fd(u), .events = POLLIN } };
    poll(fds, NR(fds), ms);
    take_uevents(w);
    /* Drains; an error means that xenstored is gone, and we with it. */
    return xs->ops->wait(xs, 0) < 0 || take_signals(w) ||
           xlx__dom_alive(w->ctx, w->domid) <= 0;
}

/* The command that holds the lock may be the one that ends us: -ECANCELED. */
static int lock_domain(struct watch *w)
{
    int64_t until = xlx__now_ms() + XLX__COMMAND_MS;
    for (;;) {
        int lock = xlx__usb_lock_domain_quietly(w->ctx, w->domid,
                                                xlx__now_ms() + AGAIN_MS);
        if (lock != -EBUSY || xlx__now_ms() >= until)
            return lock;
        if (wait_for_news(w, 0))
            return -ECANCELED;
    }
}

static int restart(struct watch *w)
{
    XLX__AUTO_CLOSE int lock = lock_domain(w);
    return lock < 0 ? lock : start_and_carry_over(w);
}

/* How long to wait before the next start, -1 for no more of them. */
static int next_backoff(struct watch *w)
{
    if (xlx__now_ms() - w->started > CALM_MS)
        w->deaths = 0;
    if (w->deaths == DEATHS_MAX)
        return -1;
    return BACKOFF_MS << w->deaths++;
}

/* The guest loses its controllers, the host gets its devices back. */
static int give_up(struct watch *w)
{
    XLX__AUTO_CLOSE int lock =
        xlx__usb_lock_domain(w->ctx, w->domid, xlx__now_ms() + XLX__COMMAND_MS);
    if (lock >= 0)
        xlx__close_all(w->ctx, w->domid);
    xlx__give_all_back(w->ctx, w->domid);
    return xlx__fail(w->ctx, ECHILD,
                     "domain %u: the USB backend died %u times: given up",
                     w->domid, DEATHS_MAX);
}

/* QEMU is told before the guest uses what is gone, or it may end. */
static void look_for_pulled(struct watch *w)
{
    w->look = xlx__usb_free_pulled(w->ctx, w->domid,
                                   xlx__now_ms() + GLANCE_MS) < 0;
}

static int look_after(struct watch *w)
{
    while (!wait_for_news(w, w->look ? AGAIN_MS : LOOK_MS)) {
        if (!has_died(w)) {
            if (w->look)
                look_for_pulled(w);
            continue;
        }
        int rc;
        do {
            int ms = next_backoff(w);
            if (ms < 0)
                return give_up(w);
            if (wait_for_news(w, ms))
                return 0;
            rc = restart(w);
        } while (rc && rc != -ECANCELED);
        if (rc)
            return 0;
    }
    return 0;
}

/* --- start and end -------------------------------------------------------- */

static int block_signals(struct watch *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals < 0
               ? xlx__fail_errno(w->ctx, errno, "USB backend: signals")
               : 0;
}

/* libxl removes a domain's backend nodes, but not those of a controller whose
 * device was pulled out. */
static void clean_up(struct watch *w)
{
    end_qemu(w);
    xlx__backend_unannounce(w->ctx, w->domid);
    if (xlx__dom_alive(w->ctx, w->domid) == 0) {
        xlx__give_all_back(w->ctx, w->domid);
        xlx__xs_rm(w->ctx, XLX__XS_NO_TX, 1,
                   "/local/domain/0/backend/qusb/%u", w->domid);
    }
    unlink(w->socket);
    unlink(w->pidfile);
}

static int run(struct watch *w, xlx_usb_ready_fn *ready, void *user)
{
    int rc = xlx__xs_open(w->ctx);
    if (!rc && (rc = w->ctx->xs->ops->watch(w->ctx->xs, "@releaseDomain")))
        rc = xlx__fail_errno(w->ctx, -rc, "xenstore: cannot watch domains");
    if (!rc)
        rc = xlx__uevents_open(w->ctx);
    if (!rc)
        rc = start_and_carry_over(w);
    ready(user, rc ? xlx_ctx_error(w->ctx) : "ready");
    return rc ? rc : look_after(w);
}

int xlx_usb_backend_run(xlx_ctx *ctx, uint32_t domid, xlx_usb_ready_fn *ready,
                        void *user)
{
    struct watch w = { .ctx = ctx, .domid = domid };
    int rc = block_signals(&w);
    XLX__AUTO_CLOSE int signals = rc ? -1 : w.signals;
    if (!rc)
        rc = xlx__backend_path(ctx, domid, "pid", w.pidfile);
    if (!rc)
        rc = xlx__backend_path(ctx, domid, "qmp", w.socket);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int pidfile = xlx__pidfile_take(w.pidfile);
    if (pidfile < 0) {
        rc = xlx__fail_errno(ctx, -pidfile, "%s: cannot take it", w.pidfile);
        ready(user, xlx_ctx_error(ctx));
        return rc;
    }
    rc = run(&w, ready, user);
    clean_up(&w);
    free(w.parked);
    return rc;
}
