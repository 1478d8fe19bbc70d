/* SPDX-License-Identifier: LGPL-2.1-only */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/io.h"
#include "host/fds.h"
#include "usb/controller/log.h"

enum child_nr { WORKER, BROKER, NR_CHILDREN };

static const char *const names[NR_CHILDREN] = { "worker", "broker" };

struct child {
    pid_t pid; /* 0: none */
    int status;
    bool by_itself; /* it ended, not we it */
    struct usbd_log_pipe log;
};

struct run {
    const struct usbd_supervise *s;
    pid_t self;
    int signals;
    struct child child[NR_CHILDREN];
    int line_fd;    /* the broker's line comes out of it, or -1 */
    char line[256]; /* as far as it has come */
    size_t line_nr;
    bool said; /* somebody has been told how the start went */
    bool asked;
    int64_t until; /* of an end that was asked for */
    unsigned deaths;
};

static void ends_of_us(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void say(struct run *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct run *r, const char *fmt, ...)
{
    char text[USBD_LINE_MAX];
    int n = snprintf(text, sizeof(text), "domain %u: ", r->s->domid);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    usbd_log_line(r->s->log, text);
}

/* --- in a child ----------------------------------------------------------- */

/* Leaves `a` as 3, `b` as 4, where they are not -1, and nothing else above 2.
 */
static void keep_only(int a, int b)
{
    int high_a = fcntl(a, F_DUPFD_CLOEXEC, 16);
    int high_b = fcntl(b, F_DUPFD_CLOEXEC, 16);
    if (high_a >= 0)
        dup2(high_a, 3);
    if (high_b >= 0)
        dup2(high_b, 4);
    int first = high_a >= 0 ? 4 : 3;
    xlx__close_from(high_b >= 0 ? 5 : first);
}

/* Nobody outlives main: a socket's end would be noticed too late. */
static void be_child(const struct run *r, int log)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != r->self || null < 0 ||
        dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
        _exit(1);
}

/* Who ends a whole group of processes ends the broker, which then needs its
 * worker to release the devices in order. */
static void be_worker(const struct run *r, int sock, int ready)
{
    sigset_t none;
    (void)ready;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    keep_only(sock, r->s->state);
    _exit(r->s->roles.worker(r->s->roles.user, 3, 4));
}

static void be_broker(const struct run *r, int sock, int ready)
{
    sigset_t set;
    keep_only(sock, ready);
    ends_of_us(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    _exit(signals < 0 ? 1
                      : r->s->roles.broker(r->s->roles.user, 3, 4, signals));
}

/* --- starting ------------------------------------------------------------- */

/* `be` does not return. */
static int fork_child(struct run *r, enum child_nr nr,
                      void (*be)(const struct run *r, int sock, int ready),
                      int sock, int ready)
{
    struct child *c = &r->child[nr];
    int log[2];
    if (pipe2(log, O_CLOEXEC))
        return -errno;
    c->pid = fork();
    if (!c->pid) {
        be_child(r, log[1]);
        be(r, sock, ready);
    }
    int err = errno;
    close(log[1]);
    c->by_itself = false;
    usbd_log_pipe_init(&c->log, log[0]);
    if (c->pid > 0)
        return 0;
    c->pid = 0;
    usbd_log_pipe_close(r->s->log, &c->log);
    return -err;
}

static int start_both(struct run *r, const int socks[2], const int line[2])
{
    int rc = fork_child(r, WORKER, be_worker, socks[0], -1);
    return rc ? rc : fork_child(r, BROKER, be_broker, socks[1], line[1]);
}

static int start(struct run *r)
{
    int socks[2], line[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
        return -errno;
    if (pipe2(line, O_CLOEXEC)) {
        int err = errno;
        close(socks[0]);
        close(socks[1]);
        return -err;
    }
    int rc = start_both(r, socks, line);
    close(socks[0]);
    close(socks[1]);
    close(line[1]);
    r->line_fd = line[0];
    r->line_nr = 0;
    fcntl(line[0], F_SETFL, O_NONBLOCK);
    return rc;
}

/* --- watching ------------------------------------------------------------- */

/* Tells whoever waits for the start, and lets go of the pipe. */
static void tell(struct run *r, const char *line)
{
    char text[sizeof(r->line) + 1];
    if (r->said)
        return;
    r->said = true;
    int n = snprintf(text, sizeof(text), "%s\n", line);
    xlx__write_all(r->s->out, text, (size_t)n);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, r->s->out);
        close(null);
    }
}

static void close_line(struct run *r)
{
    if (r->line_fd >= 0)
        close(r->line_fd);
    r->line_fd = -1;
}

static void read_line(struct run *r)
{
    char c;
    ssize_t n;
    while (r->line_fd >= 0 && (n = read(r->line_fd, &c, 1)) != -1) {
        if (n == 1 && c != '\n') {
            if (r->line_nr + 1 < sizeof(r->line))
                r->line[r->line_nr++] = c;
            continue;
        }
        r->line[r->line_nr] = '\0';
        if (n == 1)
            tell(r, r->line);
        close_line(r);
    }
}

static void ask(struct run *r)
{
    if (!r->asked)
        r->until = xlx__now_ms() + r->s->end_ms;
    r->asked = true;
    if (r->child[BROKER].pid)
        kill(r->child[BROKER].pid, SIGTERM);
}

static void take_signals(struct run *r)
{
    struct signalfd_siginfo info;
    while (read(r->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            ask(r);
}

/* Waits for news of the children, for what they say, or `ms`. */
static void wait_for_news(struct run *r, int ms)
{
    struct pollfd fds[] = {
        { .fd = r->signals, .events = POLLIN },
        { .fd = r->line_fd, .events = POLLIN },
        { .fd = r->child[WORKER].log.fd, .events = POLLIN },
        { .fd = r->child[BROKER].log.fd, .events = POLLIN },
    };
    poll(fds, sizeof(fds) / sizeof(fds[0]), ms);
    take_signals(r);
    read_line(r);
    for (int i = 0; i < NR_CHILDREN; i++)
        usbd_log_pipe_read(r->s->log, &r->child[i].log);
}

static bool has_ended(struct run *r, enum child_nr nr)
{
    struct child *c = &r->child[nr];
    if (!c->pid || waitpid(c->pid, &c->status, WNOHANG) != c->pid)
        return false;
    c->pid = 0;
    c->by_itself = true;
    return true;
}

static void end_child(struct run *r, enum child_nr nr)
{
    struct child *c = &r->child[nr];
    if (c->pid) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
            ;
    }
    c->pid = 0;
    usbd_log_pipe_close(r->s->log, &c->log);
}

static void note_death(struct run *r, enum child_nr nr)
{
    int s = r->child[nr].status;
    char text[USBD_LINE_MAX];
    snprintf(text, sizeof(text), "domain %u: the USB backend's %s died (%s %d)",
             r->s->domid, names[nr], WIFSIGNALED(s) ? "signal" : "exit status",
             WIFSIGNALED(s) ? WTERMSIG(s) : WEXITSTATUS(s));
    usbd_log_keep(r->s->log, text);
}

/* How a life of both ended. */
enum end { DIED, ENDED, REFUSED };

/* Each ends when the other has, the worker with 0, and which of them is found
 * first says little. */
static enum child_nr who_died(const struct run *r)
{
    const struct child *b = &r->child[BROKER], *w = &r->child[WORKER];
    bool told =
        WIFEXITED(b->status) && WEXITSTATUS(b->status) == USBD_WORKER_GONE;
    bool followed = WIFEXITED(w->status) && !WEXITSTATUS(w->status);
    return told || (w->by_itself && !followed) ? WORKER : BROKER;
}

static enum end judge(struct run *r)
{
    int s = r->child[BROKER].status;
    int code = WIFEXITED(s) ? WEXITSTATUS(s) : -1;
    if (code == USBD_ENDED || code == USBD_GUEST_GONE)
        return ENDED;
    /* Later, when xenstored is gone for example, it may come back. */
    if (code == USBD_REFUSED && r->deaths == 0)
        return REFUSED;
    note_death(r, who_died(r));
    return DIED;
}

/* Until one of them has ended; then the other has, too. */
static enum end look_after(struct run *r)
{
    bool ended = false;
    int left = -1;
    while (!ended && left) {
        wait_for_news(r, left);
        ended = has_ended(r, BROKER) || has_ended(r, WORKER);
        left = r->asked ? xlx__ms_left(r->until, r->s->end_ms) : -1;
    }
    read_line(r);
    end_child(r, BROKER);
    end_child(r, WORKER);
    close_line(r);
    if (ended)
        return judge(r);
    say(r, "the USB backend did not end in time");
    return DIED;
}

static enum end live_once(struct run *r)
{
    int rc = start(r);
    if (!rc)
        return look_after(r);
    say(r, "the USB backend cannot be started: %s", strerror(-rc));
    end_child(r, BROKER);
    end_child(r, WORKER);
    close_line(r);
    return DIED;
}

/* --- giving up ------------------------------------------------------------ */

static void be_last(const struct run *r, int sock, int ready)
{
    keep_only(sock, ready);
    _exit(r->s->roles.give_up(r->s->roles.user));
}

/* In the broker's place; a device that hangs does not keep us for ever. */
static void give_up(struct run *r)
{
    int64_t until = xlx__now_ms() + r->s->end_ms;
    int left = r->s->end_ms;
    int rc = fork_child(r, BROKER, be_last, -1, -1);
    while (!rc && !has_ended(r, BROKER) && left > 0) {
        wait_for_news(r, left);
        left = xlx__ms_left(until, r->s->end_ms);
    }
    if (!rc && left <= 0)
        say(r, "the USB backend does not give its devices back in time");
    end_child(r, BROKER);
}

/* False: that was once too often, or it is to end anyway. */
static bool pause_after_death(struct run *r, int64_t started)
{
    if (xlx__now_ms() - started > r->s->calm_ms)
        r->deaths = 0;
    if (r->asked || ++r->deaths == r->s->deaths_max)
        return false;
    int64_t until = xlx__now_ms() + (r->s->backoff_ms << (r->deaths - 1));
    int left;
    while (!r->asked && (left = xlx__ms_left(until, INT_MAX)) > 0)
        wait_for_news(r, left);
    return !r->asked;
}

static int live(struct run *r)
{
    for (;;) {
        int64_t started = xlx__now_ms();
        enum end end = live_once(r);
        if (end != DIED)
            return end == ENDED ? 0 : -1;
        if (!pause_after_death(r, started))
            break;
    }
    give_up(r);
    if (r->asked)
        return 0;
    say(r, "the USB backend died %u times: given up", r->deaths);
    tell(r, "died repeatedly: see its log");
    return -1;
}

int usbd_supervise(const struct usbd_supervise *s)
{
    struct run r = { .s = s, .self = getpid(), .line_fd = -1 };
    sigset_t set;
    for (int i = 0; i < NR_CHILDREN; i++)
        r.child[i].log.fd = -1;
    ends_of_us(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    say(&r, "%s", XLX__USB_LOG_BEGIN);
    r.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r.signals < 0) {
        say(&r, "signals: %s", strerror(errno));
        tell(&r, "cannot take signals");
        return -1;
    }
    int rc = live(&r);
    close(r.signals);
    return rc;
}
