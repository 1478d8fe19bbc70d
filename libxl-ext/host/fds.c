/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * By number: musl has neither <sys/pidfd.h> nor close_range().
 */
#include "host/fds.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void xlx__close_from(int first)
{
#ifdef SYS_close_range
    if (!syscall(SYS_close_range, (unsigned)first, ~0u, 0))
        return;
#endif
    for (long fd = first; fd < sysconf(_SC_OPEN_MAX); fd++) /* Linux < 5.9 */
        close((int)fd);
}

int xlx__pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int xlx__pidfd_signal(int pidfd, int sig)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}
