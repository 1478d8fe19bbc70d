/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Prefetches from an NBD server. Record headers are small and far apart:
 * without this, a page index would take a round trip to the server for each. On
 * a connection of its own. Any thread; nothing is reported: what fails here is
 * read, and told, when it is wanted.
 */
#ifndef XLX_IMAGE_NBD_AHEAD_H
#define XLX_IMAGE_NBD_AHEAD_H

#include <pthread.h>

#include "image/nbd_server.h"

#define XLX__NBD_AHEAD 32u
#define XLX__NBD_AHEAD_LEN_MAX (16u << 10)

struct xlx__nbd_ahead {
    const struct xlx__nbd_server *server;
    pthread_mutex_t lock;
    _Atomic bool used; /* there may be something in it */
    struct xlx__nbd_connection connection;
    unsigned next; /* to be used */
    struct {
        int64_t cookie; /* 0: none */
        uint64_t offset;
        size_t len;
        char *buf; /* of XLX__NBD_AHEAD_LEN_MAX */
    } request[XLX__NBD_AHEAD];
};

/* `ahead` is all zeros; the server must outlive it. */
void xlx__nbd_ahead_init(struct xlx__nbd_ahead *ahead,
                         const struct xlx__nbd_server *server);
void xlx__nbd_ahead_free(struct xlx__nbd_ahead *ahead);

/* Asks for at most XLX__NBD_AHEAD_LEN_MAX bytes, which must exist. */
void xlx__nbd_ahead_ask(struct xlx__nbd_ahead *ahead, uint64_t offset,
                        size_t len);

/* Whether they were asked for; they are in `buf` then. */
bool xlx__nbd_ahead_take(struct xlx__nbd_ahead *ahead, void *buf, size_t len,
                         uint64_t offset);

/* Nothing more will be taken: waits for the answers, and leaves the server. */
void xlx__nbd_ahead_settle(struct xlx__nbd_ahead *ahead);

#endif
