/* SPDX-License-Identifier: LGPL-2.1-only */
#include "config.h"

#ifdef HAVE_LIBNBD

#include "image/nbd_server.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

int xlx__nbd_error(const struct xlx__nbd_server *server)
{
    int err = server->lib.get_errno();
    return err > 0 ? -err : -EIO;
}

/* Waits for the server until `until`. */
static int wait_for_server(const struct xlx__nbd_server *server,
                           struct nbd_handle *h, int64_t until)
{
    int left = xlx__ms_left(until, INT_MAX);
    int n = left ? server->lib.poll(h, left) : 0;
    if (n < 0)
        return xlx__nbd_error(server);
    return n ? 0 : -ETIMEDOUT;
}

static int make_connection(const struct xlx__nbd_server *server,
                           struct nbd_handle *h)
{
    int64_t until = xlx__now_ms() + server->timeout_ms;
    int rc = 0;
    if (server->lib.aio_connect_uri(h, server->uri))
        rc = xlx__nbd_error(server);
    while (!rc && server->lib.aio_is_connecting(h) > 0)
        rc = wait_for_server(server, h, until);
    if (!rc && server->lib.aio_is_ready(h) <= 0)
        rc = -ECONNREFUSED;
    return rc;
}

void xlx__nbd_drop(const struct xlx__nbd_server *server,
                   struct xlx__nbd_connection *c)
{
    if (c->nbd)
        server->lib.close(c->nbd);
    c->nbd = NULL;
}

bool xlx__nbd_is_mine(const struct xlx__nbd_connection *c)
{
    return c->nbd && c->owner == getpid();
}

int64_t xlx__nbd_ask(const struct xlx__nbd_server *server,
                     const struct xlx__nbd_connection *c, void *buf, size_t len,
                     uint64_t offset)
{
    return server->lib.aio_pread(c->nbd, buf, len, offset, NBD_NULL_COMPLETION,
                                 0);
}

int xlx__nbd_answer(const struct xlx__nbd_server *server,
                    const struct xlx__nbd_connection *c, int64_t cookie)
{
    int64_t until = xlx__now_ms() + server->timeout_ms;
    int done = cookie < 0 ? -1 : 0, rc = 0;
    while (!rc && !done) {
        /* It may have come while another answer was waited for. */
        done = server->lib.aio_command_completed(c->nbd, (uint64_t)cookie);
        if (!done)
            rc = wait_for_server(server, c->nbd, until);
    }
    if (!rc && done < 0)
        rc = xlx__nbd_error(server);
    return rc;
}

static int has_mark(const struct xlx__nbd_server *server,
                    struct xlx__nbd_connection *c, size_t i)
{
    size_t len = server->mark[i].len;
    char *found = malloc(len);
    if (!found)
        return -ENOMEM;
    int rc = xlx__nbd_answer(
        server, c, xlx__nbd_ask(server, c, found, len, server->mark[i].offset));
    if (!rc && memcmp(found, server->mark[i].bytes, len))
        rc = -ESTALE;
    if (rc)
        xlx__nbd_drop(server, c); /* before its buffer */
    free(found);
    return rc;
}

/* An export is known by its name, which says nothing of what it has. */
static int is_the_same(const struct xlx__nbd_server *server,
                       struct xlx__nbd_connection *c)
{
    int rc = 0;
    if (server->size && server->lib.get_size(c->nbd) != (int64_t)server->size)
        rc = -ESTALE;
    for (size_t i = 0; !rc && i < XLX__MARKS; i++)
        if (server->mark[i].bytes)
            rc = has_mark(server, c, i);
    return rc;
}

int xlx__nbd_connect(const struct xlx__nbd_server *server,
                     struct xlx__nbd_connection *c)
{
    if (xlx__nbd_is_mine(c))
        return 0;
    xlx__nbd_drop(server, c); /* closes our copy of the socket, no more */
    c->nbd = server->lib.create();
    if (!c->nbd)
        return -ENOMEM;
    c->owner = getpid();
    int rc = make_connection(server, c->nbd);
    if (!rc)
        rc = is_the_same(server, c);
    if (rc) /* it is not to be taken for one */
        xlx__nbd_drop(server, c);
    return rc;
}

#define LOAD(name) \
    ok = ok && (*(void **)&server->lib.name = dlsym(library, "nbd_" #name));

int xlx__nbd_server_init(xlx_ctx *ctx, const char *uri, int timeout_ms,
                         struct xlx__nbd_server *server)
{
    *server = (struct xlx__nbd_server){ .uri = strdup(uri),
                                        .timeout_ms = timeout_ms };
    if (!server->uri)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", uri);
    void *library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    bool ok = library;
    server->library = library;
    XLX__NBD_CALLS(LOAD)
    if (ok)
        return 0;
    return xlx__fail(ctx, ENOTSUP, "%s: needs libnbd: %s", uri, dlerror());
}

void xlx__nbd_server_free(struct xlx__nbd_server *server)
{
    for (size_t i = 0; i < XLX__MARKS; i++)
        free(server->mark[i].bytes);
    if (server->library)
        dlclose(server->library);
    free(server->uri);
}

#endif
