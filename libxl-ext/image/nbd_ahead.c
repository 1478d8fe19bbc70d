/* SPDX-License-Identifier: LGPL-2.1-only */
#include "config.h"

#ifdef HAVE_LIBNBD

#include "image/nbd_ahead.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void xlx__nbd_ahead_init(struct xlx__nbd_ahead *ahead,
                         const struct xlx__nbd_server *server)
{
    ahead->server = server;
    pthread_mutex_init(&ahead->lock, NULL);
}

/* --- the caller has the lock --- */

static void drop_connection(struct xlx__nbd_ahead *ahead)
{
    xlx__nbd_drop(ahead->server, &ahead->connection);
    for (size_t i = 0; i < XLX__NBD_AHEAD; i++)
        ahead->request[i].cookie = 0;
    atomic_store(&ahead->used, false);
}

static int await_answer(const struct xlx__nbd_ahead *ahead, int64_t cookie)
{
    return xlx__nbd_answer(ahead->server, &ahead->connection, cookie);
}

static int ask_ahead(struct xlx__nbd_ahead *ahead, uint64_t offset, size_t len)
{
    struct xlx__nbd_connection *c = &ahead->connection;
    unsigned i = ahead->next % XLX__NBD_AHEAD;
    int rc = 0;
    if (!xlx__nbd_is_mine(c))
        drop_connection(ahead);
    /* Nobody came for it. Until it is answered its buffer is written to. */
    if (ahead->request[i].cookie)
        rc = await_answer(ahead, ahead->request[i].cookie);
    ahead->request[i].cookie = 0;
    if (!ahead->request[i].buf)
        ahead->request[i].buf = malloc(XLX__NBD_AHEAD_LEN_MAX);
    if (!rc)
        rc = ahead->request[i].buf ? xlx__nbd_connect(ahead->server, c)
                                   : -ENOMEM;
    if (rc)
        return rc;
    ahead->request[i].cookie =
        xlx__nbd_ask(ahead->server, c, ahead->request[i].buf, len, offset);
    ahead->request[i].offset = offset;
    ahead->request[i].len = len;
    ahead->next++;
    return ahead->request[i].cookie < 0 ? -EIO : 0;
}

static bool take_block(struct xlx__nbd_ahead *ahead, void *buf, size_t len,
                       uint64_t offset)
{
    if (!xlx__nbd_is_mine(&ahead->connection)) {
        drop_connection(ahead);
        return false;
    }
    for (size_t i = 0; i < XLX__NBD_AHEAD; i++) {
        if (!ahead->request[i].cookie || ahead->request[i].offset != offset ||
            len > ahead->request[i].len)
            continue;
        if (await_answer(ahead, ahead->request[i].cookie)) {
            drop_connection(ahead); /* the others would be waited for as long */
            return false;
        }
        ahead->request[i].cookie = 0;
        memcpy(buf, ahead->request[i].buf, len);
        return true;
    }
    return false;
}

/*
 * Takes the answers that are still to come: nbdkit 1.32 may end by an assertion
 * when a client leaves before them (raw_send_socket, sock >= 0), and then
 * nobody has an image any more.
 */
static void collect_answers(struct xlx__nbd_ahead *ahead)
{
    bool mine = xlx__nbd_is_mine(&ahead->connection);
    for (size_t i = 0; mine && i < XLX__NBD_AHEAD; i++)
        if (ahead->request[i].cookie)
            mine = !await_answer(ahead, ahead->request[i].cookie);
    drop_connection(ahead);
}

/* --- it has not --- */

void xlx__nbd_ahead_ask(struct xlx__nbd_ahead *ahead, uint64_t offset,
                        size_t len)
{
    pthread_mutex_lock(&ahead->lock);
    if (ask_ahead(ahead, offset, len))
        drop_connection(ahead);
    else
        atomic_store(&ahead->used, true);
    pthread_mutex_unlock(&ahead->lock);
}

bool xlx__nbd_ahead_take(struct xlx__nbd_ahead *ahead, void *buf, size_t len,
                         uint64_t offset)
{
    if (!atomic_load(&ahead->used))
        return false;
    pthread_mutex_lock(&ahead->lock);
    bool taken = take_block(ahead, buf, len, offset);
    pthread_mutex_unlock(&ahead->lock);
    return taken;
}

void xlx__nbd_ahead_settle(struct xlx__nbd_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    collect_answers(ahead);
    for (size_t i = 0; i < XLX__NBD_AHEAD; i++) {
        free(ahead->request[i].buf);
        ahead->request[i].buf = NULL;
    }
    pthread_mutex_unlock(&ahead->lock);
}

void xlx__nbd_ahead_free(struct xlx__nbd_ahead *ahead)
{
    xlx__nbd_ahead_settle(ahead);
    pthread_mutex_destroy(&ahead->lock);
}

#endif
