/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The export of an NBD server, read over a few connections, so that a short
 * read need not wait for a long one. A connection that failed, or that another
 * process made before a fork, is given up, and the next read makes a new one:
 * whoever reads decides how often to try.
 */
#include "image/storage.h"

#include "libxl_ext_image.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"

bool xlx_image_is_uri(const char *path)
{
    static const char *const schemes[] = { "nbd://", "nbds://", "nbd+unix://",
                                           "nbds+unix://" };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
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

#include <dlfcn.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/printable.h"

#define CONNECTIONS 3
#define READ_MAX (4u << 20) /* in one request; servers take 32 MiB */

/*
 * Libnbd is loaded when an image is on a server, and only then: it brings 20
 * libraries along, and a host without it can do all else.
 */
#define NBD_CALLS(X)                                                 \
    X(create)                                                        \
    X(close)                                                         \
    X(get_error) X(get_errno) X(get_size) X(poll) X(aio_connect_uri) \
        X(aio_is_connecting) X(aio_is_ready) X(aio_pread)            \
            X(aio_command_completed)
#define NBD_MEMBER(name) __typeof__(nbd_##name) *name;

struct nbd_calls {
    void *library;
    NBD_CALLS(NBD_MEMBER)
};

struct connection {
    struct nbd_handle *nbd; /* NULL: to be made */
    pid_t owner;
    bool busy;
};

/*
 * The heads of records are small and far apart: without these, an index would
 * take a journey to the server for each. On a connection of their own.
 */
#define AHEAD 32u
#define AHEAD_LEN_MAX (16u << 10)

struct ahead {
    struct connection connection;
    unsigned next; /* to be used */
    struct request {
        int64_t cookie; /* 0: none */
        uint64_t offset;
        size_t len;
        char *buf; /* of AHEAD_LEN_MAX */
    } request[AHEAD];
};

struct nbd {
    struct xlx__storage storage;
    struct nbd_calls lib;
    char *uri;
    int timeout_ms;       /* of a connect, and of a request */
    pthread_mutex_t lock; /* of `busy` */
    pthread_cond_t freed;
    pthread_mutex_t ahead_lock;
    _Atomic bool has_ahead; /* there may be something in it */
    struct ahead ahead;
    struct connection connection[CONNECTIONS];
};

static struct nbd *nbd_of(struct xlx__storage *storage)
{
    return (struct nbd *)storage;
}

static int nbd_error(const struct nbd *nbd)
{
    int err = nbd->lib.get_errno();
    return err > 0 ? -err : -EIO;
}

/* --- one connection
 * ----------------------------------------------------------- */

/* Waits for the server until `until`. */
static int wait_for_server(const struct nbd *nbd, struct nbd_handle *h,
                           int64_t until)
{
    int left = xlx__ms_left(until, INT_MAX);
    int n = left ? nbd->lib.poll(h, left) : 0;
    return n < 0 ? nbd_error(nbd) : n ? 0 : -ETIMEDOUT;
}

static int make_connection(const struct nbd *nbd, struct nbd_handle *h)
{
    int64_t until = xlx__now_ms() + nbd->timeout_ms;
    int rc = nbd->lib.aio_connect_uri(h, nbd->uri) ? nbd_error(nbd) : 0;
    while (!rc && nbd->lib.aio_is_connecting(h) > 0)
        rc = wait_for_server(nbd, h, until);
    if (!rc && nbd->lib.aio_is_ready(h) <= 0)
        rc = -ECONNREFUSED;
    return rc;
}

static void drop_connection(const struct nbd *nbd, struct connection *c)
{
    if (c->nbd)
        nbd->lib.close(c->nbd);
    c->nbd = NULL;
}

static int ensure_connection(const struct nbd *nbd, struct connection *c)
{
    if (c->nbd && c->owner != getpid())
        drop_connection(nbd, c); /* closes our copy of the socket, no more */
    if (c->nbd)
        return 0;
    c->nbd = nbd->lib.create();
    if (!c->nbd)
        return -ENOMEM;
    c->owner = getpid();
    int rc = make_connection(nbd, c->nbd);
    if (!rc && nbd->storage.size &&
        nbd->lib.get_size(c->nbd) != (int64_t)nbd->storage.size)
        rc = -ESTALE; /* another export by now */
    return rc;
}

static int64_t ask(const struct nbd *nbd, const struct connection *c,
                   void *buf, size_t len, uint64_t offset)
{
    return nbd->lib.aio_pread(c->nbd, buf, len, offset, NBD_NULL_COMPLETION, 0);
}

/* Waits for the answer to what was asked. */
static int answer(const struct nbd *nbd, const struct connection *c,
                  int64_t cookie)
{
    int64_t until = xlx__now_ms() + nbd->timeout_ms;
    int done = cookie < 0 ? -1 : 0, rc = 0;
    while (!rc && !done) {
        /* It may have come while another answer was waited for. */
        done = nbd->lib.aio_command_completed(c->nbd, (uint64_t)cookie);
        if (!done)
            rc = wait_for_server(nbd, c->nbd, until);
    }
    return rc ? rc : done < 0 ? nbd_error(nbd) : 0;
}

/* --- the storage
 * ---------------------------------------------------------------- */

static struct connection *take(struct nbd *nbd)
{
    struct connection *free = NULL;
    pthread_mutex_lock(&nbd->lock);
    while (!free) {
        for (size_t i = 0; i < CONNECTIONS && !free; i++)
            if (!nbd->connection[i].busy)
                free = &nbd->connection[i];
        if (!free)
            pthread_cond_wait(&nbd->freed, &nbd->lock);
    }
    free->busy = true;
    pthread_mutex_unlock(&nbd->lock);
    return free;
}

static void give_back(struct nbd *nbd, struct connection *c)
{
    pthread_mutex_lock(&nbd->lock);
    c->busy = false;
    pthread_cond_signal(&nbd->freed);
    pthread_mutex_unlock(&nbd->lock);
}

/* --- reading ahead; the caller has ahead_lock --- */

/* No answer comes to what was asked of a connection that is closed. */
static void forget_ahead(struct nbd *nbd)
{
    drop_connection(nbd, &nbd->ahead.connection);
    for (size_t i = 0; i < AHEAD; i++)
        nbd->ahead.request[i].cookie = 0;
    atomic_store(&nbd->has_ahead, false);
}

/*
 * Takes the answers that are still to come: nbdkit 1.32 may end by an assertion
 * when a client leaves before them (raw_send_socket, sock >= 0), and then
 * nobody has an image any more.
 */
static void finish_ahead(struct nbd *nbd)
{
    const struct connection *c = &nbd->ahead.connection;
    bool mine = c->nbd && c->owner == getpid();
    for (size_t i = 0; mine && i < AHEAD; i++)
        if (nbd->ahead.request[i].cookie)
            mine = !answer(nbd, c, nbd->ahead.request[i].cookie);
    forget_ahead(nbd);
}

static int ask_ahead(struct nbd *nbd, uint64_t offset, size_t len)
{
    struct connection *c = &nbd->ahead.connection;
    struct request *r = &nbd->ahead.request[nbd->ahead.next % AHEAD];
    int rc = 0;
    if (c->nbd && c->owner != getpid())
        forget_ahead(nbd);
    /* Nobody came for it. Until it is answered its buffer is written to. */
    if (r->cookie)
        rc = answer(nbd, c, r->cookie);
    r->cookie = 0;
    if (!r->buf)
        r->buf = malloc(AHEAD_LEN_MAX);
    if (!rc)
        rc = r->buf ? ensure_connection(nbd, c) : -ENOMEM;
    if (rc)
        return rc;
    r->cookie = ask(nbd, c, r->buf, len, offset);
    r->offset = offset;
    r->len = len;
    nbd->ahead.next++;
    return r->cookie < 0 ? -EIO : 0;
}

/* Whether it was asked for; the bytes are in `buf` then. */
static bool take_ahead(struct nbd *nbd, void *buf, size_t len, uint64_t offset)
{
    const struct connection *c = &nbd->ahead.connection;
    if (!c->nbd || c->owner != getpid()) {
        forget_ahead(nbd);
        return false;
    }
    for (size_t i = 0; i < AHEAD; i++) {
        struct request *r = &nbd->ahead.request[i];
        if (!r->cookie || r->offset != offset || len > r->len)
            continue;
        if (answer(nbd, c, r->cookie)) {
            forget_ahead(nbd); /* the others would be waited for as long */
            return false;
        }
        r->cookie = 0;
        memcpy(buf, r->buf, len);
        return true;
    }
    return false;
}

/* --- the storage again --- */

static bool was_ahead(struct nbd *nbd, void *buf, size_t len, uint64_t offset)
{
    if (!atomic_load(&nbd->has_ahead))
        return false;
    pthread_mutex_lock(&nbd->ahead_lock);
    bool taken = take_ahead(nbd, buf, len, offset);
    pthread_mutex_unlock(&nbd->ahead_lock);
    return taken;
}

static int storage_pread(struct xlx__storage *storage, void *buf, size_t len,
                         uint64_t offset)
{
    struct nbd *nbd = nbd_of(storage);
    if (offset > storage->size || len > storage->size - offset)
        return -ENODATA;
    if (was_ahead(nbd, buf, len, offset))
        return 0;
    struct connection *c = take(nbd);
    int rc = ensure_connection(nbd, c);
    for (size_t done = 0, n; !rc && done < len; done += n) {
        n = len - done < READ_MAX ? len - done : READ_MAX;
        rc = answer(nbd, c,
                    ask(nbd, c, (char *)buf + done, n, offset + done));
    }
    /* What a request that failed left behind is not known. */
    if (rc)
        drop_connection(nbd, c);
    give_back(nbd, c);
    return rc;
}

/* What fails here is read, and told, when it is wanted. */
static void storage_expect(struct xlx__storage *storage, uint64_t offset,
                           size_t len)
{
    struct nbd *nbd = nbd_of(storage);
    if (offset >= storage->size || len > AHEAD_LEN_MAX)
        return;
    if (len > storage->size - offset)
        len = (size_t)(storage->size - offset);
    pthread_mutex_lock(&nbd->ahead_lock);
    atomic_store(&nbd->has_ahead, true);
    if (ask_ahead(nbd, offset, len))
        forget_ahead(nbd);
    pthread_mutex_unlock(&nbd->ahead_lock);
}

static void storage_settle(struct xlx__storage *storage)
{
    struct nbd *nbd = nbd_of(storage);
    pthread_mutex_lock(&nbd->ahead_lock);
    finish_ahead(nbd);
    for (size_t i = 0; i < AHEAD; i++) {
        free(nbd->ahead.request[i].buf);
        nbd->ahead.request[i].buf = NULL;
    }
    pthread_mutex_unlock(&nbd->ahead_lock);
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

static void storage_close(struct xlx__storage *storage)
{
    struct nbd *nbd = nbd_of(storage);
    for (size_t i = 0; i < CONNECTIONS; i++)
        drop_connection(nbd, &nbd->connection[i]);
    storage_settle(storage);
    pthread_mutex_destroy(&nbd->ahead_lock);
    pthread_cond_destroy(&nbd->freed);
    pthread_mutex_destroy(&nbd->lock);
    if (nbd->lib.library)
        dlclose(nbd->lib.library);
    free(nbd->uri);
    free(nbd);
}

static const struct xlx__storage_ops nbd_ops = {
    .pread = storage_pread,
    .expect = storage_expect,
    .settle = storage_settle,
    .examine = storage_examine,
    .is_named = storage_is_named,
    .close = storage_close,
};

static int cannot_connect(xlx_ctx *ctx, const struct nbd *nbd, int rc)
{
    char why[256];
    const char *text = rc == -ETIMEDOUT ? NULL : nbd->lib.get_error();
    if (!text)
        return xlx__fail_errno(ctx, -rc, "%s: cannot connect", nbd->uri);
    xlx__printable(why, sizeof(why), text);
    return xlx__fail(ctx, -rc, "%s: cannot connect: %s", nbd->uri, why);
}

/* The server says how much there is. */
static int connect_first(xlx_ctx *ctx, struct nbd *nbd)
{
    int rc = ensure_connection(nbd, &nbd->connection[0]);
    int64_t size = rc ? 0 : nbd->lib.get_size(nbd->connection[0].nbd);
    if (size < 0)
        rc = nbd_error(nbd);
    if (rc)
        return cannot_connect(ctx, nbd, rc);
    nbd->storage.size = (uint64_t)size;
    return 0;
}

#define NBD_LOAD(name) \
    ok = ok && (*(void **)&lib->name = dlsym(lib->library, "nbd_" #name));

static int load(xlx_ctx *ctx, const char *uri, struct nbd_calls *lib)
{
    bool ok;
    lib->library = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    ok = lib->library;
    NBD_CALLS(NBD_LOAD)
    if (ok)
        return 0;
    return xlx__fail(ctx, ENOTSUP, "%s: needs libnbd: %s", uri, dlerror());
}

int xlx__storage_nbd(xlx_ctx *ctx, const char *uri, int timeout_ms,
                     struct xlx__storage **storage_r)
{
    struct nbd *nbd = calloc(1, sizeof(*nbd));
    if (nbd)
        nbd->uri = strdup(uri);
    if (!nbd || !nbd->uri) {
        free(nbd);
        return xlx__fail(ctx, ENOMEM, "%s: no memory", uri);
    }
    nbd->storage.ops = &nbd_ops;
    nbd->timeout_ms = timeout_ms;
    pthread_mutex_init(&nbd->lock, NULL);
    pthread_cond_init(&nbd->freed, NULL);
    pthread_mutex_init(&nbd->ahead_lock, NULL);
    int rc = load(ctx, uri, &nbd->lib);
    if (!rc)
        rc = connect_first(ctx, nbd);
    if (rc)
        storage_close(&nbd->storage);
    else
        *storage_r = &nbd->storage;
    return rc;
}

#endif
