/* SPDX-License-Identifier: LGPL-2.1-only */
#include "follow.h"

#include <poll.h>
#include <sys/signalfd.h>
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
