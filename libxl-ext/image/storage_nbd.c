/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The export of an NBD server, read over a few connections, so that a short
 * read need not wait for a long one. A connection that failed, or that another
 * process made before a fork, is given up, and the next read makes a new one:
 * whoever reads decides how often to try.
 */
#include "config.h"

#include "core/array.h"
#include "image/storage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libxl_ext_image.h"

bool xlx_image_is_uri(const char *path)
{
    static const char *const schemes[] = { "nbd://", "nbds://", "nbd+unix://",
                                           "nbds+unix://" };
    for (size_t i = 0; i < XLX__NR(schemes); i++)
        if (!strncasecmp(path, schemes[i], strlen(schemes[i])))
            return true;
    return false;
}

#ifndef HAVE_LIBNBD

int xlx__storage_nbd(xlx_ctx *ctx, const char *uri, int timeout_ms,
                     struct xlx__storage **storage_r)
{
    (void)timeout_ms;
    (void)storage_r;
    return xlx__fail(ctx, ENOTSUP,
                     "%s: this libxl-ext was built without libnbd", uri);
}

#else

#include "core/printable.h"
#include "image/nbd_ahead.h"
#include "image/nbd_server.h"

#define CONNECTIONS 3
#define READ_MAX (4u << 20) /* in one request; servers take 32 MiB */

struct nbd {
    struct xlx__storage storage;
    struct xlx__nbd_server server;
    struct xlx__nbd_ahead ahead;
    pthread_mutex_t lock; /* of `busy` */
    pthread_cond_t freed;
    struct {
        struct xlx__nbd_connection c;
        bool busy;
    } slot[CONNECTIONS];
};

static struct nbd *nbd_of(struct xlx__storage *storage)
{
    return (struct nbd *)storage;
}

/* The number of a slot that nobody else uses until it is given back. */
static size_t take_connection(struct nbd *nbd)
{
    size_t i = 0;
    pthread_mutex_lock(&nbd->lock);
    for (;;) {
        for (i = 0; i < CONNECTIONS && nbd->slot[i].busy; i++)
            ;
        if (i < CONNECTIONS)
            break;
        pthread_cond_wait(&nbd->freed, &nbd->lock);
    }
    nbd->slot[i].busy = true;
    pthread_mutex_unlock(&nbd->lock);
    return i;
}

static void give_back(struct nbd *nbd, size_t i)
{
    pthread_mutex_lock(&nbd->lock);
    nbd->slot[i].busy = false;
    pthread_cond_signal(&nbd->freed);
    pthread_mutex_unlock(&nbd->lock);
}

static int read_over(const struct xlx__nbd_server *server,
                     struct xlx__nbd_connection *c, char *buf, size_t len,
                     uint64_t offset)
{
    int rc = xlx__nbd_connect(server, c);
    for (size_t done = 0, n; !rc && done < len; done += n) {
        n = len - done < READ_MAX ? len - done : READ_MAX;
        rc = xlx__nbd_answer(
            server, c, xlx__nbd_ask(server, c, buf + done, n, offset + done));
    }
    /* What a request that failed left behind is not known. */
    if (rc)
        xlx__nbd_drop(server, c);
    return rc;
}

static int storage_pread(struct xlx__storage *storage, void *buf, size_t len,
                         uint64_t offset)
{
    struct nbd *nbd = nbd_of(storage);
    if (offset > storage->size || len > storage->size - offset)
        return -ENODATA;
    if (xlx__nbd_ahead_take(&nbd->ahead, buf, len, offset))
        return 0;
    size_t i = take_connection(nbd);
    int rc = read_over(&nbd->server, &nbd->slot[i].c, buf, len, offset);
    give_back(nbd, i);
    return rc;
}

static void storage_expect(struct xlx__storage *storage, uint64_t offset,
                           size_t len)
{
    struct nbd *nbd = nbd_of(storage);
    if (offset >= storage->size || len > XLX__NBD_AHEAD_LEN_MAX)
        return;
    if (len > storage->size - offset)
        len = (size_t)(storage->size - offset);
    xlx__nbd_ahead_ask(&nbd->ahead, offset, len);
}

static void storage_settle(struct xlx__storage *storage)
{
    xlx__nbd_ahead_settle(&nbd_of(storage)->ahead);
}

static int storage_recognize(struct xlx__storage *storage, uint64_t offset,
                             size_t len)
{
    struct xlx__nbd_server *server = &nbd_of(storage)->server;
    size_t i = 0;
    while (i < XLX__MARKS && server->mark[i].bytes)
        i++;
    assert(i < XLX__MARKS && len && len <= XLX__MARK_MAX);
    char *bytes = malloc(len);
    int rc = bytes ? storage_pread(storage, bytes, len, offset) : -ENOMEM;
    if (rc) {
        free(bytes);
        return rc;
    }
    server->mark[i].offset = offset;
    server->mark[i].len = len;
    server->mark[i].bytes = bytes;
    return 0;
}

static int storage_examine(struct xlx__storage *storage,
                           struct timespec *mtime_r, mode_t *mode_r)
{
    (void)storage;
    *mtime_r = (struct timespec){ 0 };
    *mode_r = 0600;
    return 0;
}

static bool storage_is_named(struct xlx__storage *storage, const char *name)
{
    (void)storage;
    (void)name;
    return false;
}

static bool storage_reads_from(struct xlx__storage *storage, uint64_t *dev_r,
                               uint64_t *ino_r)
{
    (void)storage;
    (void)dev_r;
    (void)ino_r;
    return false;
}

static void storage_close(struct xlx__storage *storage)
{
    struct nbd *nbd = nbd_of(storage);
    for (size_t i = 0; i < CONNECTIONS; i++)
        xlx__nbd_drop(&nbd->server, &nbd->slot[i].c);
    xlx__nbd_ahead_free(&nbd->ahead);
    xlx__nbd_server_free(&nbd->server);
    pthread_cond_destroy(&nbd->freed);
    pthread_mutex_destroy(&nbd->lock);
    free(nbd);
}

static const struct xlx__storage_ops nbd_ops = {
    .pread = storage_pread,
    .expect = storage_expect,
    .settle = storage_settle,
    .recognize = storage_recognize,
    .examine = storage_examine,
    .is_named = storage_is_named,
    .reads_from = storage_reads_from,
    .close = storage_close,
};

static int cannot_connect(xlx_ctx *ctx, const struct xlx__nbd_server *server,
                          int rc)
{
    char why[256];
    const char *text = rc == -ETIMEDOUT ? NULL : server->lib.get_error();
    if (!text)
        return xlx__fail_errno(ctx, -rc, "%s: cannot connect", server->uri);
    xlx__printable(why, sizeof(why), text);
    return xlx__fail(ctx, -rc, "%s: cannot connect: %s", server->uri, why);
}

/* The server says how much there is. */
static int connect_first(xlx_ctx *ctx, struct nbd *nbd)
{
    struct xlx__nbd_connection *c = &nbd->slot[0].c;
    int rc = xlx__nbd_connect(&nbd->server, c);
    int64_t size = rc ? 0 : nbd->server.lib.get_size(c->nbd);
    if (size < 0)
        rc = xlx__nbd_error(&nbd->server);
    if (rc)
        return cannot_connect(ctx, &nbd->server, rc);
    nbd->storage.size = nbd->server.size = (uint64_t)size;
    return 0;
}

int xlx__storage_nbd(xlx_ctx *ctx, const char *uri, int timeout_ms,
                     struct xlx__storage **storage_r)
{
    struct nbd *nbd = calloc(1, sizeof(*nbd));
    if (!nbd)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", uri);
    nbd->storage.ops = &nbd_ops;
    pthread_mutex_init(&nbd->lock, NULL);
    pthread_cond_init(&nbd->freed, NULL);
    xlx__nbd_ahead_init(&nbd->ahead, &nbd->server);
    int rc = xlx__nbd_server_init(ctx, uri, timeout_ms, &nbd->server);
    if (!rc)
        rc = connect_first(ctx, nbd);
    if (rc)
        storage_close(&nbd->storage);
    else
        *storage_r = &nbd->storage;
    return rc;
}

#endif
