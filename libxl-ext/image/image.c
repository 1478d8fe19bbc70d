/* SPDX-License-Identifier: LGPL-2.1-only */
#include <fcntl.h>
#include <sys/stat.h>
#include <stdlib.h>

#include "core/clean.h"
#include "image/image.h"
#include "image/internal.h"
#include "image/runs.h"
#include "image/proxy_file.h"

/* Takes `storage` over, also when it fails. */
static int new_image(xlx_ctx *ctx, struct xlx__storage *storage,
                     const char *name, struct xlx_image **image_r)
{
    struct xlx_image *image = calloc(1, sizeof(*image));
    if (image) {
        image->storage = storage;
        image->name = strdup(name);
    }
    if (!image || !image->name) {
        if (!image)
            storage->ops->close(storage);
        xlx_image_close(image);
        return xlx__fail(ctx, ENOMEM, "%s: no memory", name);
    }
    *image_r = image;
    return 0;
}

/*
 * The ends of the stream: what is in front of the first pages, and, behind the
 * last, the state of the processors, which no two saves have in common.
 */
static int recognize(xlx_ctx *ctx, const struct xlx_image *image)
{
    const struct xlx_image_info *info = &image->info;
    struct xlx__storage *storage = image->storage;
    uint64_t len = info->libxc_end - info->libxc_start;
    if (len > XLX__MARK_MAX)
        len = XLX__MARK_MAX;
    int rc = storage->ops->recognize(storage, info->libxc_start, (size_t)len);
    if (!rc)
        rc = storage->ops->recognize(storage, info->libxc_end - len,
                                     (size_t)len);
    return rc ? xlx__fail_errno(ctx, -rc, "%s: cannot read it again",
                                image->name)
              : 0;
}

/* Gives the image away if it could be indexed, else closes it. */
static int opened(xlx_ctx *ctx, struct xlx_image *image, int rc,
                  xlx_image **image_r)
{
    image->storage->ops->settle(image->storage);
    if (!rc)
        rc = recognize(ctx, image);
    if (rc)
        xlx_image_close(image);
    else
        *image_r = image;
    return rc;
}

static int open_storage(xlx_ctx *ctx, const char *path,
                        struct xlx__storage **storage_r)
{
    if (xlx_image_is_uri(path))
        return xlx__storage_nbd(ctx, path, XLX__NBD_TIMEOUT_MS, storage_r);
    /*
     * A named pipe is not even opened: its writer would take the close for the
     * end of the reader that comes next. O_NONBLOCK: nor waited for, should it
     * become one meanwhile.
     */
    struct stat st;
    if (!stat(path, &st) && S_ISFIFO(st.st_mode))
        return xlx__storage_no_positions(ctx, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot open", path);
    return xlx__storage_file(ctx, fd, path, storage_r);
}

int xlx_image_open(xlx_ctx *ctx, const char *path, xlx_image **image_r)
{
    struct xlx__storage *storage;
    struct xlx__source src;
    struct xlx_image *image;
    int rc = open_storage(ctx, path, &storage);
    if (!rc)
        rc = new_image(ctx, storage, path, &image);
    if (rc)
        return rc;
    xlx__source_init(&src, ctx, storage, image->name);
    return opened(ctx, image, xlx__save_file_index(&src, image), image_r);
}

/* The image behind the proxy file `fd`. */
static int open_proxied(xlx_ctx *ctx, int fd, uint64_t offset,
                        xlx_image **image_r)
{
    struct xlx__proxied of;
    xlx_image *image;
    int rc = xlx__proxy_file_read(ctx, fd, offset, &of);
    if (!rc)
        rc = xlx_image_open(ctx, of.uri, &image);
    if (rc)
        return rc;
    rc = xlx__proxy_file_check(ctx, &of, image);
    if (rc)
        xlx_image_close(image);
    else
        *image_r = image;
    return rc;
}

static int open_fd(xlx_ctx *ctx, int fd, uint64_t offset, const char *name,
                   bool keep, xlx_image **image_r)
{
    struct xlx__storage *storage;
    struct xlx__source src;
    struct xlx_image *image;
    if (xlx_image_is_proxy_file(fd, offset))
        return open_proxied(ctx, fd, offset, image_r);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return xlx__fail_errno(ctx, errno, "%s: cannot use descriptor %d", name,
                               fd);
    int rc = xlx__storage_file(ctx, own, name, &storage);
    if (!rc && keep && xlx__storage_file_keep(storage, name))
        xlx__debug(ctx, "%s: read from a copy that shares its blocks", name);
    if (!rc)
        rc = new_image(ctx, storage, name, &image);
    if (rc)
        return rc;
    xlx__source_init(&src, ctx, storage, image->name);
    return opened(ctx, image, xlx__libxc_index(&src, offset, image), image_r);
}

int xlx_image_open_fd(xlx_ctx *ctx, int fd, uint64_t offset, const char *name,
                      xlx_image **image_r)
{
    return open_fd(ctx, fd, offset, name, false, image_r);
}

int xlx__image_open_kept(xlx_ctx *ctx, int fd, uint64_t offset,
                         const char *name, xlx_image **image_r)
{
    return open_fd(ctx, fd, offset, name, true, image_r);
}

bool xlx__image_reads_from(const xlx_image *image, uint64_t *dev_r,
                           uint64_t *ino_r)
{
    return image->storage->ops->reads_from(image->storage, dev_r, ino_r);
}

void xlx_image_close(xlx_image *image)
{
    if (!image)
        return;
    image->storage->ops->close(image->storage);
    free(image->name);
    free(image->runs);
    free(image->records);
    free(image->special.range);
    free(image);
}

const struct xlx_image_info *xlx_image_info(const xlx_image *image)
{
    return &image->info;
}

const char *xlx_image_name(const xlx_image *image)
{
    return image->name;
}

const struct xlx_image_run *xlx_image_runs(const xlx_image *image, size_t *nr_r)
{
    *nr_r = image->nr_runs;
    return image->runs;
}

bool xlx__image_has(const struct xlx_image *image, uint64_t gfn)
{
    const struct xlx_image_run *run =
        xlx__runs_from(image->runs, image->nr_runs, gfn);
    return run && run->gfn <= gfn;
}

bool xlx__image_has_its_name(const xlx_image *image)
{
    return !image->storage->has_folder ||
           image->storage->ops->is_named(image->storage, image->name);
}

int xlx_image_read(const xlx_image *image, uint64_t gfn, size_t nr, void *buf)
{
    const struct xlx_image_run *end = image->runs + image->nr_runs;
    const struct xlx_image_run *run =
        xlx__runs_from(image->runs, image->nr_runs, gfn);
    char *to = buf;
    for (; nr; run++) {
        if (!run || run == end || gfn < run->gfn)
            return -ENOENT;
        uint64_t first = gfn - run->gfn, n = run->nr - first;
        if (n > nr)
            n = nr;
        int rc = xlx__image_pread(image, to, n * XLX_PAGE_SIZE,
                                  run->offset + first * XLX_PAGE_SIZE);
        if (rc)
            return rc;
        to += n * XLX_PAGE_SIZE;
        gfn += n;
        nr -= n;
    }
    return 0;
}
