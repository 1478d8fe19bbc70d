/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The restore; libxl continues only when this process has exited. Lazily:
 *
 *   1 read the image's index                    nothing changed yet
 *   2 the pager turns paging on, marks pages    else: restore fast
 *   3 stock helper on the thinned stream
 *   4 file position behind the libxc stream, as the stock helper leaves it
 *   5 the pager may serve; it answers when it has prefetched; exit 0
 *
 * Fast:
 *
 *   1 read the image's index                    nothing changed yet
 *   2 load everything but the special pages     else: fail
 *   3, 4 as above; exit 0
 *
 * A failure before anything is changed leaves the stream untouched: this
 * process becomes the stock helper, or feeds it where the image is on a server.
 * From then on it fails, and libxl destroys the domain; a pager sees the
 * channel end and leaves.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "helper.h"

static int fail(const char *what, int rc)
{
    fprintf(stderr, "xl-ext-save-helper: %s: %s\n", what, strerror(-rc));
    return EXIT_FAILURE;
}

static void name_of(int fd, char *name, size_t len)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, len - 1);
    name[n > 0 ? n : 0] = '\0';
}

/* Writes what the stock helper is to restore. */
typedef int feed_fn(struct helper *h, void *from, int out);

static int feed_resident(struct helper *h, void *from, int out)
{
    (void)h;
    return xlx_lazy_feed(from, out);
}

static int feed_special(struct helper *h, void *from, int out)
{
    (void)h;
    return xlx_fast_feed(from, out);
}

static int feed_all(struct helper *h, void *from, int out)
{
    const xlx_image *image = from;
    const struct xlx_image_info *info = xlx_image_info(image);
    return xlx_image_copy(h->ctx, image, info->libxc_start, info->libxc_end,
                          out);
}

/* Feeds the stock helper. Its exit status, or -errno. */
static int restore_fed(struct helper *h, feed_fn *feed, void *from)
{
    int pipe_fd[2], status;
    if (pipe2(pipe_fd, O_CLOEXEC))
        return -errno;
    int pid = stock_start(h, pipe_fd[0]);
    close(pipe_fd[0]);
    int fed = pid < 0 ? pid : feed(h, from, pipe_fd[1]);
    close(pipe_fd[1]);
    if (pid < 0)
        return pid;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (!WIFEXITED(status))
        return -EINTR;
    /* Where both failed, the helper has already told libxl why. */
    if (WEXITSTATUS(status) == 0 && fed)
        return fed;
    return WEXITSTATUS(status);
}

/* The same, and leaves the stream where the stock helper would. */
static int restore_stream(struct helper *h, feed_fn *feed, void *from,
                          const xlx_image *image)
{
    int status = restore_fed(h, feed, from);
    if (status)
        return status < 0 ? fail("restore by the stock helper", status)
                          : status;
    uint64_t end = xlx_image_info(image)->libxc_end;
    if (lseek(h->io_fd, (off_t)end, SEEK_SET) < 0)
        return fail("position behind the memory", -errno);
    return EXIT_SUCCESS;
}

static int restore_with_pager(struct helper *h, xlx_lazy *lazy, int channel)
{
    int status = restore_stream(h, feed_resident, lazy, xlx_lazy_image(lazy));
    if (status)
        return status;
    char ready;
    if (send(channel, "g", 1, MSG_NOSIGNAL) != 1 ||
        recv(channel, &ready, 1, 0) != 1)
        return fail("the pager has exited", -EPIPE);
    return EXIT_SUCCESS;
}

static int start_pager(struct helper *h, xlx_lazy *lazy, int *channel_r,
                       char *why, size_t len)
{
    struct pager_reply reply;
    int rc = pager_spawn(h, lazy, channel_r);
    if (rc) {
        snprintf(why, len, "the pager's process: %s", strerror(-rc));
        return rc;
    }
    if (recv(*channel_r, &reply, sizeof(reply), 0) != sizeof(reply)) {
        reply.rc = -EPIPE;
        snprintf(reply.text, sizeof(reply.text), "the pager died");
    }
    reply.text[sizeof(reply.text) - 1] = '\0';
    if (reply.rc) {
        snprintf(why, len, "%s", reply.text);
        close(*channel_r);
    }
    return reply.rc;
}

/* The stock helper cannot read what is not in the file. */
static int restore_elsewhere(struct helper *h, uint64_t start)
{
    xlx_image *image;
    if (xlx_image_open_fd(h->ctx, h->io_fd, start, "", &image)) {
        fprintf(stderr, "xl-ext-save-helper: %s\n", xlx_ctx_error(h->ctx));
        return EXIT_FAILURE;
    }
    int status = restore_stream(h, feed_all, image, image);
    xlx_image_close(image);
    return status;
}

/* By the stock helper, as if we were not there. */
static int restore_stock(struct helper *h, off_t start)
{
    if (start >= 0 && xlx_image_is_proxy_file(h->io_fd, (uint64_t)start))
        return restore_elsewhere(h, (uint64_t)start);
    return stock_become(h);
}

/* The stream, and what messages call it. */
struct stream {
    off_t start; /* of libxc's part; -1 for a pipe */
    char name[PATH_MAX];
};

/* --- fast ----------------------------------------------------------------- */

static int restore_loaded(struct helper *h, xlx_fast *fast)
{
    char why[512];
    if (fast_load(h, fast, why, sizeof(why))) {
        fprintf(stderr, "xl-ext-save-helper: %s\n", why);
        return EXIT_FAILURE;
    }
    return restore_stream(h, feed_special, fast, xlx_fast_image(fast));
}

static int not_fast(struct helper *h, const struct stream *stream,
                    const char *why)
{
    fprintf(stderr,
            "xl-ext-save-helper: fast restore is not possible: %s. "
            "Restoring by %s.\n",
            why, h->stock);
    return restore_stock(h, stream->start);
}

static int restore_fast(struct helper *h, const struct stream *stream)
{
    xlx_fast *fast;
    if (stream->start < 0)
        return not_fast(h, stream, "the stream is a pipe");
    if (xlx_fast_open(h->ctx, h->domid, h->io_fd, (uint64_t)stream->start,
                      stream->name, h->sidecar, &fast))
        return not_fast(h, stream, xlx_ctx_error(h->ctx));
    int status = restore_loaded(h, fast);
    xlx_fast_close(fast);
    return status;
}

/* --- lazily --------------------------------------------------------------- */

static int not_lazy(struct helper *h, const struct stream *stream,
                    const char *why)
{
    if (h->require) {
        fprintf(stderr,
                "xl-ext-save-helper: lazy restore is not possible: "
                "%s\n",
                why);
        return EXIT_FAILURE;
    }
    fprintf(stderr,
            "xl-ext-save-helper: lazy restore is not possible: %s. "
            "Restoring eagerly.\n",
            why);
    return restore_fast(h, stream);
}

static int restore_lazily(struct helper *h, const struct stream *stream)
{
    char why[PATH_MAX + 128];
    xlx_lazy *lazy;
    int channel;
    if (stream->start < 0) {
        snprintf(why, sizeof(why),
                 "%s: a pipe, not a file: it cannot be "
                 "read at any offset",
                 stream->name);
        return not_lazy(h, stream, why);
    }
    if (xlx_lazy_open(h->ctx, h->domid, h->io_fd, (uint64_t)stream->start,
                      stream->name, h->sidecar, &lazy)) {
        snprintf(why, sizeof(why), "%s", xlx_ctx_error(h->ctx));
        return not_lazy(h, stream, why);
    }
    xlx_lazy_limit(lazy, h->bwlimit);
    if (start_pager(h, lazy, &channel, why, sizeof(why))) {
        xlx_lazy_close(lazy);
        return not_lazy(h, stream, why);
    }
    int status = restore_with_pager(h, lazy, channel);
    close(channel);
    xlx_lazy_close(lazy);
    return status;
}

int helper_restore(struct helper *h)
{
    struct stream stream;
    signal(SIGPIPE, SIG_IGN);
    name_of(h->io_fd, stream.name, sizeof(stream.name));
    stream.start = lseek(h->io_fd, 0, SEEK_CUR);
    return h->fast ? restore_fast(h, &stream) : restore_lazily(h, &stream);
}
