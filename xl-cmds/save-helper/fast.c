/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processes of a fast restore, one a part of the guest's memory, two at a
 * time. Most of their time goes to mapping the guest's pages: the kernel lets
 * one thread of a process do that at a time, so that threads would not help,
 * and takes a mapping away at once when its process ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

#define LOADERS 2

/* What the process of a part says in the end. */
struct part_reply {
    int rc;
    char text[512];
};

struct loads {
    struct helper *h;
    xlx_fast *fast;
    /* Those that run are the first `running` of each. */
    pid_t pid[LOADERS];
    struct pollfd channel[LOADERS];
    nfds_t running;
    /* The first failure. */
    int rc;
    char *text;
    size_t len;
};

/* --- the process of a part ------------------------------------------------ */

/* With whoever ends this helper, what maps the domain's pages ends: else the
 * domain could not be destroyed. */
static void end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

static int part_main(const struct loads *loads, uint64_t gfn, int channel)
{
    struct part_reply reply = { .rc = xlx_fast_load(loads->fast, gfn) };
    if (reply.rc)
        snprintf(reply.text, sizeof(reply.text), "%s",
                 xlx_ctx_error(loads->h->ctx));
    return send(channel, &reply, sizeof(reply), MSG_NOSIGNAL) < 0
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}

/* --- the helper ----------------------------------------------------------- */

/* Those that still run are not waited for: nobody needs what they load. */
static void tell_failure(struct loads *loads, int rc, const char *text)
{
    if (loads->rc)
        return;
    loads->rc = rc;
    snprintf(loads->text, loads->len, "%s", text);
    for (nfds_t i = 0; i < loads->running; i++)
        kill(loads->pid[i], SIGKILL);
}

static void cannot_start(struct loads *loads, int rc)
{
    char text[128];
    snprintf(text, sizeof(text), "a process that loads memory: %s",
             strerror(-rc));
    tell_failure(loads, rc, text);
}

static void start_part(struct loads *loads, uint64_t gfn)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        cannot_start(loads, -errno);
        return;
    }
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        end_with(self);
        close(pair[0]);
        _exit(part_main(loads, gfn, pair[1]));
    }
    int rc = -errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        cannot_start(loads, rc);
        return;
    }
    loads->pid[loads->running] = pid;
    loads->channel[loads->running++] =
        (struct pollfd){ .fd = pair[0], .events = POLLIN };
}

/* What it said, or that it died; then it has ended. */
static void hear_part(struct loads *loads, nfds_t i)
{
    struct part_reply reply = { 0 };
    pid_t pid = loads->pid[i];
    int channel = loads->channel[i].fd;
    ssize_t n = recv(channel, &reply, sizeof(reply), 0);
    close(channel);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    loads->running--;
    loads->pid[i] = loads->pid[loads->running];
    loads->channel[i] = loads->channel[loads->running];
    reply.text[sizeof(reply.text) - 1] = '\0';
    if (n != sizeof(reply))
        tell_failure(loads, -EPIPE, "a process that loads memory died");
    else if (reply.rc)
        tell_failure(loads, reply.rc, reply.text);
}

static void hear_one(struct loads *loads)
{
    for (nfds_t i = 0; i < loads->running; i++)
        loads->channel[i].revents = 0;
    poll(loads->channel, loads->running, -1);
    for (nfds_t i = 0; i < loads->running; i++) {
        if (!loads->channel[i].revents)
            continue;
        hear_part(loads, i);
        return;
    }
}

/* Starts what there is room for. */
static void start_parts(struct loads *loads, uint64_t *gfn)
{
    while (!loads->rc && loads->running < LOADERS &&
           xlx_fast_more(loads->fast, gfn)) {
        start_part(loads, *gfn);
        *gfn += XLX_FAST_PART;
    }
}

int fast_load(struct helper *h, xlx_fast *fast, char *text, size_t len)
{
    struct loads loads = { .h = h, .fast = fast, .text = text, .len = len };
    uint64_t gfn = 0;
    for (start_parts(&loads, &gfn); loads.running; start_parts(&loads, &gfn))
        hear_one(&loads);
    return loads.rc;
}
