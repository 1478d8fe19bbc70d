/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/control.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/clock.h"
#include "lazy/message.h"
#include "lazy/status.h"

struct client {
    int fd; /* -1: free */
    bool watching;
    int64_t until; /* when it must have said what it wants */
    size_t len;
    char line[XLX__REQUEST_MAX];
};

struct xlx__control {
    struct xlx__control_user user;
    struct sockaddr_un addr;
    int listen_fd, end_fd;
    bool deaf; /* until the next tick: there is no descriptor for a client */
    pthread_t thread;
    struct client client[XLX__CLIENTS_MAX];
};

int xlx__control_address(xlx_ctx *ctx, uint32_t domid,
                         struct sockaddr_un *addr_r)
{
    *addr_r = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(addr_r->sun_path, sizeof(addr_r->sun_path),
                     "%s/lazy/%u.sock", xlx_ctx_path(ctx, XLX_PATH_RUN), domid);
    return n < (int)sizeof(addr_r->sun_path) ? 0 : -ENAMETOOLONG;
}

uint32_t xlx__control_count(const xlx_ctx *ctx)
{
    char path[PATH_MAX];
    uint32_t nr = 0;
    if (snprintf(path, sizeof(path), "%s/lazy",
                 xlx_ctx_path(ctx, XLX_PATH_RUN)) >= (int)sizeof(path))
        return 0;
    XLX__AUTO_CLOSEDIR DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        const char *dot = strrchr(d->d_name, '.');
        nr += dot && !strcmp(dot, ".sock");
    }
    return nr;
}

/* --- one client ----------------------------------------------------------- */

static void drop(struct client *c)
{
    close(c->fd);
    *c = (struct client){ .fd = -1 };
}

/* A client that does not read what it asked for is disconnected, never waited
 * for. */
static void say(struct client *c, char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (!len ||
        send(c->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
        drop(c);
    free(text);
}

static char *status_line(struct xlx__control *control)
{
    char *line = NULL;
    XLX__AUTO_FREE char *json = control->user.status(control->user.user);
    if (json && asprintf(&line, "%s\n", json) < 0)
        line = NULL;
    return line;
}

static void refuse_client(struct client *c, const char *why)
{
    say(c, xlx__error_text(why));
    if (c->fd >= 0)
        drop(c);
}

static void handle(struct xlx__control *control, struct client *c)
{
    struct xlx_lazy_change change;
    const char *why;
    bool watch;
    if (xlx__request_parse(c->line, &change, &watch, &why)) {
        refuse_client(c, why);
        return;
    }
    control->user.change(control->user.user, &change);
    c->watching = watch;
    c->len = 0;
    c->until = xlx__now_ms() + control->user.client_ms;
    say(c, status_line(control));
}

static void read_from(struct xlx__control *control, struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len,
                     MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->len += (size_t)n;
    c->line[c->len] = '\0';
    char *end = memchr(c->line, '\n', c->len);
    if (!end && c->len == sizeof(c->line) - 1)
        refuse_client(c, "the request is too long");
    else if (end && end != c->line + c->len - 1)
        refuse_client(c, "one request at a time");
    else if (end)
        handle(control, c);
}

/* --- all of them ---------------------------------------------------------- */

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void take_client(struct xlx__control *control)
{
    int fd =
        accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        /* The client still waits, and poll() would return at once. */
        control->deaf =
            errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
        return;
    }
    for (int i = 0; is_allowed(fd) && i < XLX__CLIENTS_MAX; i++) {
        struct client *c = &control->client[i];
        if (c->fd < 0) {
            *c = (struct client){ .fd = fd,
                                  .until =
                                      xlx__now_ms() + control->user.client_ms };
            return;
        }
    }
    close(fd);
}

static void let_go_of_silent(struct xlx__control *control)
{
    int64_t now = xlx__now_ms();
    for (int i = 0; i < XLX__CLIENTS_MAX; i++) {
        struct client *c = &control->client[i];
        if (c->fd >= 0 && !c->watching && now >= c->until)
            drop(c);
    }
}

static void tell_watchers(struct xlx__control *control)
{
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0 && control->client[i].watching)
            say(&control->client[i], status_line(control));
}

/* Returns true when it is to end. */
static bool serve_once(struct xlx__control *control, int timeout_ms)
{
    struct pollfd pfd[2 + XLX__CLIENTS_MAX];
    pfd[0] = (struct pollfd){ .fd = control->end_fd, .events = POLLIN };
    pfd[1] = (struct pollfd){ .fd = control->deaf ? -1 : control->listen_fd,
                              .events = POLLIN };
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        pfd[2 + i] =
            (struct pollfd){ .fd = control->client[i].fd, .events = POLLIN };
    if (poll(pfd, 2 + XLX__CLIENTS_MAX, timeout_ms) <= 0)
        return false;
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        if (pfd[2 + i].revents)
            read_from(control, &control->client[i]);
    if (pfd[1].revents)
        take_client(control);
    return pfd[0].revents;
}

static void *control_thread(void *arg)
{
    struct xlx__control *control = arg;
    int64_t tick = xlx__now_ms() + XLX__CONTROL_TICK_MS;
    while (!serve_once(control, xlx__ms_left(tick, XLX__CONTROL_TICK_MS))) {
        if (xlx__now_ms() < tick)
            continue;
        tick = xlx__now_ms() + XLX__CONTROL_TICK_MS;
        control->deaf = false;
        control->user.tick(control->user.user);
        tell_watchers(control);
        let_go_of_silent(control);
    }
    tell_watchers(control);
    return NULL;
}

/* --- its life ------------------------------------------------------------- */

/* The mode a socket is given before it is bound is the file's. */
static int listen_at(const struct sockaddr_un *addr)
{
    XLX__AUTO_CLOSE int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || fchmod(fd, 0600))
        return -errno;
    if (unlink(addr->sun_path) && errno != ENOENT)
        return -errno;
    if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
        chmod(addr->sun_path, 0600) || listen(fd, XLX__CLIENTS_MAX))
        return -errno;
    return xlx__steal_fd(&fd);
}

static void free_control(struct xlx__control *control)
{
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0)
            close(control->client[i].fd);
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->end_fd >= 0)
        close(control->end_fd);
    free(control);
}

void xlx__control_stop(struct xlx__control *control)
{
    if (!control)
        return;
    eventfd_write(control->end_fd, 1);
    pthread_join(control->thread, NULL);
    unlink(control->addr.sun_path);
    free_control(control);
}

static int start_control(xlx_ctx *ctx, uint32_t domid,
                         struct xlx__control *control)
{
    int rc = xlx__control_address(ctx, domid, &control->addr);
    if (!rc)
        rc = xlx__lazy_make_dirs(xlx_ctx_path(ctx, XLX_PATH_RUN));
    if (rc)
        return rc;
    control->listen_fd = listen_at(&control->addr);
    if (control->listen_fd < 0)
        return control->listen_fd;
    control->end_fd = eventfd(0, EFD_CLOEXEC);
    if (control->end_fd < 0)
        return -errno;
    return -pthread_create(&control->thread, NULL, control_thread, control);
}

int xlx__control_start(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx__control_user *user,
                       struct xlx__control **control_r)
{
    struct xlx__control *control = calloc(1, sizeof(*control));
    if (!control)
        return xlx__fail(ctx, ENOMEM, "domain %u: control socket: no memory",
                         domid);
    control->user = *user;
    control->listen_fd = control->end_fd = -1;
    for (int i = 0; i < XLX__CLIENTS_MAX; i++)
        control->client[i].fd = -1;
    int rc = start_control(ctx, domid, control);
    if (rc) {
        xlx__fail_errno(ctx, -rc, "domain %u: control socket %s", domid,
                        control->addr.sun_path);
        free_control(control);
        return rc;
    }
    *control_r = control;
    return 0;
}
