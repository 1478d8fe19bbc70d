/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager's process: begins or takes over, gives up its rights, tells the
 * helper, serves.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "helper.h"

struct pager {
    const struct helper *h;
    xlx_lazy *lazy;
    int channel; /* to the helper: its "go" stays in there for the next pager */
    bool first;  /* else it takes over from one that died */
};

/* Of a pager that died before it could say that paging is on. */
static int cancel_start(const struct pager *p, struct pager_reply *reply)
{
    xlx_lazy_cancel(p->lazy);
    reply->rc = -EPIPE;
    snprintf(reply->text, sizeof(reply->text),
             "the pager was killed before it had begun");
    return reply->rc;
}

static int start_paging(const struct pager *p, struct pager_reply *reply)
{
    reply->rc =
        p->first ? xlx_lazy_start(p->lazy) : xlx_lazy_take_over(p->lazy);
    if (reply->rc) {
        snprintf(reply->text, sizeof(reply->text), "%s",
                 xlx_ctx_error(p->h->ctx));
        if (xlx_lazy_started(p->lazy) && reply->rc != -ESRCH)
            xlx_lazy_abandon(p->h->ctx, p->h->domid, reply->text);
        return reply->rc;
    }
    if (!xlx_lazy_started(p->lazy))
        return cancel_start(p, reply);
    if (!p->first)
        fprintf(stderr, "domain %u: continues where the last pager stopped\n",
                p->h->domid);
    return 0;
}

/*
 * Xen's handles are open, and no thread is there yet. The first pager undoes
 * its start; a later one exits, and the supervisor, who has all rights, tries
 * again or gives up. False: do not serve.
 */
static bool give_up_rights(const struct pager *p, struct pager_reply *reply)
{
    if (p->h->unconfined || !pager_confine(p->h, p->lazy))
        return true;
    if (p->first)
        xlx_lazy_cancel(p->lazy);
    reply->rc = -EPERM;
    snprintf(reply->text, sizeof(reply->text),
             "the pager cannot be confined, as its log explains: "
             "XL_EXT_LAZY_CONFINE=off lets it run with all of root's rights");
    return false;
}

/* While the stock helper restores the rest; one that takes over continues
 * what was recorded. What fails is logged, and no reason to stop. */
static void make_ready(const struct pager *p)
{
    if (p->h->record)
        xlx_lazy_record(p->lazy, p->h->record_ms);
    if (p->first)
        xlx_lazy_prefetch(p->lazy, &p->h->prefetch, sizeof(p->h->prefetch));
}

/*
 * Looks only: a pager that takes over has to find it again. A helper that left
 * without reading all that pagers said is an error first, then what it said.
 */
static bool may_serve(const struct pager *p)
{
    char go;
    ssize_t n;
    while ((n = recv(p->channel, &go, 1, MSG_PEEK)) < 0 &&
           (errno == EINTR || errno == ECONNRESET))
        ;
    return n == 1;
}

/* The helper may have it from the pager before, and be gone. */
static void say_ready(const struct pager *p)
{
    if (send(p->channel, "r", 1, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
        errno != ECONNRESET)
        fprintf(stderr, "domain %u: cannot reach the helper: %s\n", p->h->domid,
                strerror(errno));
}

int pager_main(const struct helper *h, xlx_lazy *lazy, int channel, bool first,
               bool *over_r)
{
    const struct pager p = { h, lazy, channel, first };
    struct pager_reply reply = { 0 };
    *over_r = true;
    if (!start_paging(&p, &reply) && !give_up_rights(&p, &reply) && !first) {
        *over_r = false;
        return EXIT_FAILURE;
    }
    if (send(channel, &reply, sizeof(reply), MSG_NOSIGNAL) < 0 && first)
        fprintf(stderr, "domain %u: the helper has exited\n", h->domid);
    if (reply.rc)
        return EXIT_SUCCESS;
    make_ready(&p);
    say_ready(&p);
    /* The stock helper and libxl are at work, and no vCPU runs. */
    xlx_lazy_fill(lazy);
    if (!may_serve(&p)) {
        /* The helper failed or was killed: libxl destroys the domain. */
        xlx_lazy_cancel(lazy);
        return EXIT_SUCCESS;
    }
    int rc = xlx_lazy_serve(lazy);
    return rc && rc != -ESRCH ? EXIT_FAILURE : EXIT_SUCCESS;
}
