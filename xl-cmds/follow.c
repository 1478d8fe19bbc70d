/* SPDX-License-Identifier: LGPL-2.1-only */
#include "follow.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

bool follow_begin(struct follow *follow)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, &follow->old);
    follow->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return follow->signals >= 0;
}

/* One that stays pending would kill us once it is not blocked any more. */
static bool take_signal(int signals)
{
    struct signalfd_siginfo info;
    return read(signals, &info, sizeof(info)) == sizeof(info);
}

int follow_run(struct follow *follow, int fd, int (*dispatch)(void *watch),
               void *watch)
{
    struct pollfd fds[] = { { .fd = follow->signals, .events = POLLIN },
                            { .fd = fd, .events = POLLIN } };
    for (;;) {
        poll(fds, 2, -1);
        if (fds[0].revents && take_signal(follow->signals))
            return CMD_OK;
        if (dispatch(watch))
            return CMD_FAILED;
    }
}

void follow_end(struct follow *follow)
{
    if (follow->signals >= 0)
        close(follow->signals);
    sigprocmask(SIG_SETMASK, &follow->old, NULL);
}

/* --- a list, each second -------------------------------------------------- */

struct seconds {
    struct cmd_env *env;
    bool clear;
    int timer;
    int (*list)(void *user);
    void *user;
};

static int dispatch_second(void *user)
{
    struct seconds *s = user;
    uint64_t times;
    if (read(s->timer, &times, sizeof(times)) != sizeof(times))
        return errno == EAGAIN ? 0 : -errno;
    if (s->clear)
        fputs("\033[H\033[J", s->env->out);
    int status = s->list(s->user);
    fflush(s->env->out); /* somebody may be following it */
    return status ? -EIO : 0;
}

int follow_seconds(struct cmd_env *env, const char *command, bool clear,
                   int (*list)(void *user), void *user)
{
    static const struct itimerspec each = { { 1, 0 }, { 0, 1 } };
    struct follow follow;
    int status = CMD_FAILED;
    struct seconds s = {
        env, clear && isatty(fileno(env->out)),
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), list, user
    };
    if (s.timer < 0) {
        fprintf(env->err, "%s: %s: no timer: %s\n", cmd_program(env), command,
                strerror(errno));
        return CMD_FAILED;
    }
    if (follow_begin(&follow) && !timerfd_settime(s.timer, 0, &each, NULL))
        status = follow_run(&follow, s.timer, dispatch_second, &s);
    follow_end(&follow);
    close(s.timer);
    return status;
}
