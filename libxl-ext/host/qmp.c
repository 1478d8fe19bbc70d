/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/qmp.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "core/clean.h"
#include "core/clock.h"

#define GREETING_MAX 4096 /* QEMU's has some 200 bytes */
#define NUMBER_MAX 9999   /* of a part of a version */
#define AGAIN_MS 10

/* --- the socket ----------------------------------------------------------- */

/* As long as as many clients wait as QEMU lets wait, there is no room. */
static int connect_until(int fd, const struct sockaddr_un *addr, int64_t until)
{
    while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (xlx__now_ms() >= until)
            return -ETIMEDOUT;
        xlx__sleep_ms(AGAIN_MS);
    }
    return 0;
}

static int wait_readable(int fd, int64_t until)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    for (;;) {
        int rc = poll(&pfd, 1, xlx__ms_left(until, 60000));
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            return -errno;
        if (xlx__now_ms() >= until)
            return -ETIMEDOUT;
    }
}

/* One line without its end, NUL-terminated. */
static int read_line(int fd, int64_t until, char line_r[GREETING_MAX])
{
    size_t n = 0;
    while (n < GREETING_MAX - 1) {
        int rc = wait_readable(fd, until);
        if (rc)
            return rc;
        ssize_t got = read(fd, line_r + n, GREETING_MAX - 1 - n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return got ? -errno : -ENODATA;
        n += (size_t)got;
        line_r[n] = '\0';
        char *end = strpbrk(line_r, "\r\n");
        if (end) {
            *end = '\0';
            return 0;
        }
    }
    return -EPROTO;
}

static int read_greeting(const char *path, int64_t until,
                         char line_r[GREETING_MAX])
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    XLX__AUTO_CLOSE int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = connect_until(fd, &addr, until);
    return rc ? rc : read_line(fd, until, line_r);
}

/* --- what it says --------------------------------------------------------- */

static int take_number(yajl_val tree, const char *key, uint32_t *value_r)
{
    const char *const path[] = { "QMP", "version", "qemu", key, NULL };
    yajl_val v = yajl_tree_get(tree, (const char **)path, yajl_t_number);
    if (!v || !YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0 ||
        YAJL_GET_INTEGER(v) > NUMBER_MAX)
        return -EPROTO;
    *value_r = (uint32_t)YAJL_GET_INTEGER(v);
    return 0;
}

static int parse_greeting(const char *line, struct xlx__qemu_version *version_r)
{
    yajl_val tree = yajl_tree_parse(line, NULL, 0);
    int rc = tree ? take_number(tree, "major", &version_r->major) : -EPROTO;
    if (!rc)
        rc = take_number(tree, "minor", &version_r->minor);
    if (!rc)
        rc = take_number(tree, "micro", &version_r->micro);
    yajl_tree_free(tree);
    return rc;
}

static int host_version(struct xlx__qmp *qmp, const char *path, int64_t until,
                        struct xlx__qemu_version *version_r)
{
    char line[GREETING_MAX];
    (void)qmp;
    int rc = read_greeting(path, until, line);
    return rc ? rc : parse_greeting(line, version_r);
}

/* --- opening -------------------------------------------------------------- */

static void host_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__qmp_ops host_ops = { .version = host_version };

int xlx__qmp_host(xlx_ctx *ctx, struct xlx__qmp **qmp_r)
{
    struct xlx__qmp *qmp = calloc(1, sizeof(*qmp));
    if (!qmp)
        return xlx__fail(ctx, ENOMEM, "QMP: no memory");
    qmp->seam.close = host_close;
    qmp->ops = &host_ops;
    *qmp_r = qmp;
    return 0;
}

int xlx__qmp_open(xlx_ctx *ctx)
{
    return ctx->qmp ? 0 : xlx__qmp_host(ctx, &ctx->qmp);
}
