/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The other end of a pager's control socket.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/clock.h"
#include "core/sized.h"
#include "core/io.h"
#include "lazy/control.h"
#include "lazy/message.h"
#include "lazy/status.h"

#define ANSWER_MS 5000

struct xlx_lazy_watch {
    xlx_ctx *ctx;
    uint32_t domid;
    int fd;
    size_t len;
    char text[XLX__ANSWER_MAX];
};

static int not_connected(xlx_ctx *ctx, uint32_t domid)
{
    return xlx__fail_unlogged(ctx, ENOTCONN, "domain %u: no pager listens",
                              domid);
}

static int connect_to(xlx_ctx *ctx, uint32_t domid)
{
    struct sockaddr_un addr;
    int rc = xlx__control_address(ctx, domid, &addr);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "domain %u: control socket", domid);
    XLX__AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return xlx__fail_errno(ctx, errno, "domain %u: control socket", domid);
    if (!connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
        return xlx__steal_fd(&fd);
    if (errno == ENOENT || errno == ECONNREFUSED)
        return not_connected(ctx, domid);
    return xlx__fail_errno(ctx, errno, "domain %u: %s", domid, addr.sun_path);
}

static int refused(xlx_ctx *ctx, uint32_t domid, const char *line)
{
    const char *path[] = { "error", NULL };
    yajl_val tree = yajl_tree_parse(line, NULL, 0);
    const char *why =
        tree ? YAJL_GET_STRING(yajl_tree_get(tree, path, yajl_t_string)) : NULL;
    int rc = xlx__fail(ctx, EBADMSG, "domain %u: its pager %s%s", domid,
                       why ? "refuses: " : "sent a malformed status",
                       why ? why : "");
    yajl_tree_free(tree);
    return rc;
}

/* Takes one line off the text; 1, or 0 when there is no whole one. */
static int take_line(struct xlx_lazy_watch *w, struct xlx_lazy_status *status)
{
    char *end = memchr(w->text, '\n', w->len);
    if (!end)
        return w->len == sizeof(w->text)
                   ? xlx__fail(w->ctx, EBADMSG,
                               "domain %u: its pager's status line is too "
                               "long",
                               w->domid)
                   : 0;
    *end = '\0';
    int rc = xlx__lazy_status_parse(w->text, status);
    rc = rc ? refused(w->ctx, w->domid, w->text) : 1;
    w->len -= (size_t)(end + 1 - w->text);
    memmove(w->text, end + 1, w->len);
    return rc;
}

/* 1 something came, 0 nothing now, -EPIPE the end. */
static int read_some(struct xlx_lazy_watch *w)
{
    ssize_t n =
        recv(w->fd, w->text + w->len, sizeof(w->text) - w->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return xlx__fail_unlogged(w->ctx, EPIPE, "domain %u: its pager exited",
                                  w->domid);
    w->len += (size_t)n;
    return 1;
}

static int send_request(struct xlx_lazy_watch *w,
                        const struct xlx_lazy_change *change, bool watch)
{
    XLX__AUTO_FREE char *line = xlx__request_text(change, watch);
    if (!line)
        return xlx__fail(w->ctx, ENOMEM, "domain %u: no memory", w->domid);
    /* It fits into an empty socket buffer: this does not block. */
    if (send(w->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return not_connected(w->ctx, w->domid);
    return 0;
}

static int ask_pager(xlx_ctx *ctx, uint32_t domid,
                     const struct xlx_lazy_change *change, bool watch,
                     struct xlx_lazy_watch **w_r)
{
    struct xlx_lazy_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    w->ctx = ctx;
    w->domid = domid;
    w->fd = connect_to(ctx, domid);
    int rc = w->fd < 0 ? w->fd : send_request(w, change, watch);
    if (rc) {
        xlx_lazy_watch_free(w);
        return rc;
    }
    *w_r = w;
    return 0;
}

/* Until there is an answer, at most ANSWER_MS. */
static int await_answer(struct xlx_lazy_watch *w,
                        struct xlx_lazy_status *status)
{
    int64_t until = xlx__now_ms() + ANSWER_MS;
    for (;;) {
        int rc = xlx_lazy_watch_dispatch(w, status, sizeof(*status));
        if (rc)
            return rc == -EPIPE ? -ENOTCONN : rc;
        struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
        int left = xlx__ms_left(until, ANSWER_MS);
        if (!left)
            return xlx__fail(w->ctx, ETIMEDOUT,
                             "domain %u: its pager does not answer", w->domid);
        poll(&pfd, 1, left);
    }
}

int xlx_lazy_set(xlx_ctx *ctx, uint32_t domid,
                 const struct xlx_lazy_change *change, size_t change_size,
                 struct xlx_lazy_status *status_r, size_t status_size)
{
    struct xlx_lazy_change what;
    struct xlx_lazy_status status;
    struct xlx_lazy_watch *w;
    int rc = xlx__take_config(ctx, &what, sizeof(what), change, change_size);
    if (!rc && what.set_bwlimit && what.bwlimit > XLX_LAZY_BWLIMIT_MAX)
        rc = xlx__fail(ctx, EINVAL, "domain %u: a limit above 1 TiB/s", domid);
    if (!rc)
        rc = ask_pager(ctx, domid, &what, false, &w);
    if (rc)
        return rc;
    rc = await_answer(w, &status);
    xlx_lazy_watch_free(w);
    if (rc < 0)
        return rc;
    if (status_r)
        xlx__copy_sized(status_r, status_size, &status, sizeof(status));
    return 0;
}

int xlx_lazy_watch_new(xlx_ctx *ctx, uint32_t domid, xlx_lazy_watch **watch_r)
{
    const struct xlx_lazy_change nothing = { 0 };
    return ask_pager(ctx, domid, &nothing, true, watch_r);
}

int xlx_lazy_watch_fd(const xlx_lazy_watch *watch)
{
    return watch->fd;
}

/* The latest of what has come; what is before it is old. */
int xlx_lazy_watch_dispatch(xlx_lazy_watch *w, struct xlx_lazy_status *status_r,
                            size_t size)
{
    struct xlx_lazy_status status;
    int news = 0, rc, more;
    do {
        more = w->len < sizeof(w->text) ? read_some(w) : 0;
        while ((rc = take_line(w, &status)) > 0)
            news = 1;
        if (rc < 0)
            return rc;
    } while (more > 0);
    if (!news)
        return more;
    xlx__copy_sized(status_r, size, &status, sizeof(status));
    return 1;
}

void xlx_lazy_watch_free(xlx_lazy_watch *watch)
{
    if (!watch)
        return;
    if (watch->fd >= 0)
        close(watch->fd);
    free(watch);
}
