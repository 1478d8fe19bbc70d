/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processes of a fast restore, one after the other, one a part of the
 * guest's memory: the kernel takes a mapping away at once when its process
 * ends, and page by page when it is asked to.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

/* What a part's process says in the end. */
struct part_reply {
    int rc;
    char text[512];
};

/* With whoever ends this helper, what maps the domain's pages ends: else the
 * domain could not be destroyed. */
static void end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

static int part_main(struct helper *h, xlx_fast *fast, uint64_t gfn,
                     int channel)
{
    struct part_reply reply = { .rc = xlx_fast_load(fast, gfn) };
    if (reply.rc)
        snprintf(reply.text, sizeof(reply.text), "%s", xlx_ctx_error(h->ctx));
    return send(channel, &reply, sizeof(reply), MSG_NOSIGNAL) < 0
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

/* What it said, or that it died. */
static int hear_part(pid_t pid, int channel, char *text, size_t len)
{
    struct part_reply reply = { 0 };
    ssize_t n;
    while ((n = recv(channel, &reply, sizeof(reply), 0)) < 0 && errno == EINTR)
        ;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n != sizeof(reply)) {
        snprintf(text, len, "the process that loads memory died");
        return -EPIPE;
    }
    if (reply.rc)
        snprintf(text, len, "%.*s", (int)sizeof(reply.text), reply.text);
    return reply.rc;
}

/* The pid, or -errno. */
static pid_t start_part(struct helper *h, xlx_fast *fast, uint64_t gfn,
                        const int pair[2])
{
    pid_t self = getpid(), pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        end_with(self);
        close(pair[0]);
        _exit(part_main(h, fast, gfn, pair[1]));
    }
    return pid;
}

static int cannot_start(int rc, char *text, size_t len)
{
    snprintf(text, len, "a process that loads memory: %s", strerror(-rc));
    return rc;
}

static int load_part(struct helper *h, xlx_fast *fast, uint64_t gfn, char *text,
                     size_t len)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return cannot_start(-errno, text, len);
    pid_t pid = start_part(h, fast, gfn, pair);
    close(pair[1]);
    int rc = pid < 0 ? cannot_start((int)pid, text, len)
                     : hear_part(pid, pair[0], text, len);
    close(pair[0]);
    return rc;
}

int fast_load(struct helper *h, xlx_fast *fast, char *text, size_t len)
{
    int rc = 0;
    for (uint64_t gfn = 0; !rc && xlx_fast_more(fast, &gfn);
         gfn += XLX_FAST_PART)
        rc = load_part(h, fast, gfn, text, len);
    return rc;
}
