/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An NBD server's export by libnbd: connections that are made when they are
 * needed, and requests on them, one thread a connection at a time.
 */
#ifndef XLX_IMAGE_NBD_SERVER_H
#define XLX_IMAGE_NBD_SERVER_H

#include <libnbd.h>
#include <unistd.h>

#include "core/ctx.h"
#include "image/storage.h"

/*
 * Libnbd is loaded when an image is on a server, and only then: it loads 20
 * more libraries, and a host without it can do all else.
 */
#define XLX__NBD_CALLS(X) \
    X(create)             \
    X(close)              \
    X(get_error)          \
    X(get_errno)          \
    X(get_size)           \
    X(poll)               \
    X(aio_connect_uri)    \
    X(aio_is_connecting)  \
    X(aio_is_ready)       \
    X(aio_pread)          \
    X(aio_command_completed)
#define XLX__NBD_MEMBER(name) __typeof__(nbd_##name) *name;

struct xlx__nbd_server {
    char *uri;      /* owned */
    int timeout_ms; /* of a connect, and of a request */
    uint64_t size;  /* of the export; 0: not known yet */
    struct {
        char *bytes; /* owned */
        uint64_t offset;
        size_t len;
    } mark[XLX__MARKS]; /* of the export; NULL: none yet */
    void *library;
    struct {
        XLX__NBD_CALLS(XLX__NBD_MEMBER)
    } lib;
};

struct xlx__nbd_connection {
    struct nbd_handle *nbd; /* NULL: to be made */
    pid_t owner;
};

/* Loads libnbd. -ENOTSUP, -ENOMEM, reported; free() it in any case. */
int xlx__nbd_server_init(xlx_ctx *ctx, const char *uri, int timeout_ms,
                         struct xlx__nbd_server *server);
void xlx__nbd_server_free(struct xlx__nbd_server *server);

/*
 * Makes the connection where there is none, or one that another process made
 * before a fork. -ESTALE another export is there by now: its size or its marks
 * differ; -ETIMEDOUT; -errno. Not reported; libnbd's get_error() may tell more.
 */
int xlx__nbd_connect(const struct xlx__nbd_server *server,
                     struct xlx__nbd_connection *c);

/* No answer comes any more to what was asked of it. */
void xlx__nbd_drop(const struct xlx__nbd_server *server,
                   struct xlx__nbd_connection *c);

/* Whether there is one, and it is this process's. */
bool xlx__nbd_is_mine(const struct xlx__nbd_connection *c);

/* Sends a request; `buf` is written to until it is answered. A cookie, or -1.
 */
int64_t xlx__nbd_ask(const struct xlx__nbd_server *server,
                     const struct xlx__nbd_connection *c, void *buf, size_t len,
                     uint64_t offset);

/* Waits for the answer to what was asked. 0; -ETIMEDOUT; -errno. */
int xlx__nbd_answer(const struct xlx__nbd_server *server,
                    const struct xlx__nbd_connection *c, int64_t cookie);

/* The last call's error, as -errno. */
int xlx__nbd_error(const struct xlx__nbd_server *server);

#endif
