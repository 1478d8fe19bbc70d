/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The real xenstore, through libxenstore.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "core/clock.h"
#include "xen/xenstore.h"

#define MAX_PERMS 8

struct daemon {
    struct xlx__xs base;
    struct xs_handle *handle;
};

static struct xs_handle *handle_of(struct xlx__xs *xs)
{
    return ((struct daemon *)xs)->handle;
}

static int result(bool ok)
{
    if (ok)
        return 0;
    return errno ? -errno : -EIO;
}

static int daemon_read(struct xlx__xs *xs, uint32_t t, const char *path,
                       char **value_r)
{
    unsigned len;
    char *value = xs_read(handle_of(xs), t, path, &len);
    if (!value)
        return result(false);
    *value_r = value;
    return 0;
}

static int daemon_write(struct xlx__xs *xs, uint32_t t, const char *path,
                        const char *value)
{
    return result(
        xs_write(handle_of(xs), t, path, value, (unsigned)strlen(value)));
}

static int daemon_mkdir(struct xlx__xs *xs, uint32_t t, const char *path)
{
    return result(xs_mkdir(handle_of(xs), t, path));
}

static int daemon_rm(struct xlx__xs *xs, uint32_t t, const char *path)
{
    return result(xs_rm(handle_of(xs), t, path));
}

static int daemon_ls(struct xlx__xs *xs, uint32_t t, const char *path,
                     struct xlx__names *names)
{
    unsigned nr;
    char **list = xs_directory(handle_of(xs), t, path, &nr);
    if (!list)
        return result(false);
    int rc = 0;
    for (unsigned i = 0; i < nr && !rc; i++)
        rc = xlx__names_add(names, list[i]);
    free(list);
    return rc;
}

static int daemon_set_perms(struct xlx__xs *xs, uint32_t t, const char *path,
                            const struct xlx__xs_perm *perms, size_t nr)
{
    struct xs_permissions list[MAX_PERMS];
    if (nr > MAX_PERMS)
        return -E2BIG;
    for (size_t i = 0; i < nr; i++)
        list[i] = (struct xs_permissions){
            .id = perms[i].domid,
            .perms = (perms[i].may & XLX__XS_READ ? XS_PERM_READ : 0) |
                     (perms[i].may & XLX__XS_WRITE ? XS_PERM_WRITE : 0),
        };
    return result(
        xs_set_permissions(handle_of(xs), t, path, list, (unsigned)nr));
}

static int daemon_get_perms(struct xlx__xs *xs, uint32_t t, const char *path,
                            struct xlx__xs_perm *perms, size_t max)
{
    unsigned nr;
    struct xs_permissions *list =
        xs_get_permissions(handle_of(xs), t, path, &nr);
    if (!list)
        return result(false);
    for (size_t i = 0; i < nr && i < max; i++)
        perms[i] = (struct xlx__xs_perm){
            .domid = list[i].id,
            .may = (list[i].perms & XS_PERM_READ ? XLX__XS_READ : 0) |
                   (list[i].perms & XS_PERM_WRITE ? XLX__XS_WRITE : 0),
        };
    free(list);
    return (int)nr;
}

static int daemon_begin(struct xlx__xs *xs, uint32_t *t_r)
{
    xs_transaction_t t = xs_transaction_start(handle_of(xs));
    if (t == XBT_NULL)
        return result(false);
    *t_r = t;
    return 0;
}

static int daemon_end(struct xlx__xs *xs, uint32_t t, bool commit)
{
    return result(xs_transaction_end(handle_of(xs), t, !commit));
}

static int daemon_watch(struct xlx__xs *xs, const char *path)
{
    return result(xs_watch(handle_of(xs), path, path));
}

static int daemon_unwatch(struct xlx__xs *xs, const char *path)
{
    return result(xs_unwatch(handle_of(xs), path, path));
}

/* Takes all that is queued. Returns how much, or -errno. */
static int drain(struct xs_handle *handle)
{
    int nr = 0;
    char **event;
    while ((event = xs_check_watch(handle))) {
        free(event);
        nr++;
    }
    return errno == EAGAIN ? nr : result(false);
}

static int daemon_wait(struct xlx__xs *xs, int64_t until)
{
    struct xs_handle *handle = handle_of(xs);
    struct pollfd pfd = { .fd = xs_fileno(handle), .events = POLLIN };
    for (;;) {
        int rc = drain(handle);
        if (rc)
            return rc < 0 ? rc : 1;
        int left = xlx__ms_left(until, 60000);
        if (!left)
            return 0;
        if (poll(&pfd, 1, left) < 0 && errno != EINTR)
            return -errno;
    }
}

static int daemon_introduced(struct xlx__xs *xs, uint32_t domid)
{
    return xs_is_domain_introduced(handle_of(xs), domid) ? 1 : 0;
}

static int daemon_fd(struct xlx__xs *xs)
{
    return xs_fileno(handle_of(xs));
}

static void daemon_close(struct xlx__seam *seam)
{
    struct daemon *d = (struct daemon *)seam;
    xs_close(d->handle);
    free(d);
}

static const struct xlx__xs_ops daemon_ops = {
    .read = daemon_read,
    .write = daemon_write,
    .mkdir = daemon_mkdir,
    .rm = daemon_rm,
    .ls = daemon_ls,
    .set_perms = daemon_set_perms,
    .get_perms = daemon_get_perms,
    .begin = daemon_begin,
    .end = daemon_end,
    .watch = daemon_watch,
    .unwatch = daemon_unwatch,
    .wait = daemon_wait,
    .introduced = daemon_introduced,
    .fd = daemon_fd,
};

static int no_daemon(xlx_ctx *ctx, int err)
{
    if ((err == EACCES || err == EPERM) && geteuid())
        return xlx__fail(ctx, EACCES,
                         "xenstore: permission denied: run this as root");
    return xlx__fail(ctx, ENXIO,
                     "xenstore: not reachable (%s): this needs a running Xen "
                     "host with xenstored",
                     strerror(err));
}

int xlx__xs_daemon(xlx_ctx *ctx, struct xlx__xs **xs_r)
{
    struct daemon *d = calloc(1, sizeof(*d));
    if (!d)
        return xlx__fail(ctx, ENOMEM, "xenstore: no memory");
    d->base.seam.close = daemon_close;
    d->base.ops = &daemon_ops;
    errno = 0;
    d->handle = xs_open(0);
    if (!d->handle) {
        int err = errno ? errno : ENXIO;
        free(d);
        return no_daemon(ctx, err);
    }
    *xs_r = &d->base;
    return 0;
}
