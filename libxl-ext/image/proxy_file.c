/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/proxy_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/io.h"

#define MAGIC 0x5858534e49444e41ull

/* xl's and libxl's own parts stay in memory as long as the proxy file is open;
 * the largest is the device model's state, some 100 KiB. */
#define KEPT_MAX (64u << 20)

/*
 * Nobody can have changed what is sealed, and a file of a file system, which
 * may come from anywhere, cannot be: no save file makes us connect to a server.
 */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* What is written where libxc's stream was; then the URI. */
struct note {
    uint64_t magic;
    uint64_t sum; /* of the stream that was there, xlx__image_sum() */
    uint64_t end; /* of the image */
    uint32_t uri_len;
    uint32_t reserved;
};

/* --- making one ----------------------------------------------------------- */

static int fail_proxy_file(xlx_ctx *ctx, const xlx_image *image, int rc)
{
    return xlx__fail_errno(ctx, -rc, "%s: a proxy file in memory", image->name);
}

static int seek_to(xlx_ctx *ctx, const xlx_image *image, int fd, uint64_t at)
{
    return lseek(fd, (off_t)at, SEEK_SET) < 0
               ? fail_proxy_file(ctx, image, -errno)
               : 0;
}

static int put_note(xlx_ctx *ctx, const xlx_image *image, int fd)
{
    const struct xlx_image_info *info = &image->info;
    struct note note = { .magic = MAGIC,
                         .sum = xlx__image_sum(image),
                         .end = image->end,
                         .uri_len = (uint32_t)strlen(image->name) };
    if (note.uri_len > XLX__URI_MAX ||
        sizeof(note) + note.uri_len > info->libxc_end - info->libxc_start)
        return xlx__fail(ctx, ENAMETOOLONG,
                         "%s: a name of more than %u bytes cannot be passed on",
                         image->name, XLX__URI_MAX);
    int rc = xlx__write_all(fd, &note, sizeof(note));
    if (!rc)
        rc = xlx__write_all(fd, image->name, note.uri_len);
    return rc ? fail_proxy_file(ctx, image, rc) : 0;
}

/* Each part at the place where it was. */
static int write_proxy_file(xlx_ctx *ctx, const xlx_image *image, int fd)
{
    const struct xlx_image_info *info = &image->info;
    if (info->libxc_start > KEPT_MAX || image->end - info->libxc_end > KEPT_MAX)
        return xlx__fail(ctx, EFBIG,
                         "%s: more than %u MiB beside the guest's memory",
                         image->name, KEPT_MAX >> 20);
    int rc = xlx_image_copy(ctx, image, 0, info->libxc_start, fd);
    if (!rc)
        rc = put_note(ctx, image, fd);
    if (!rc)
        rc = seek_to(ctx, image, fd, info->libxc_end);
    if (!rc)
        rc = xlx_image_copy(ctx, image, info->libxc_end, image->end, fd);
    if (!rc)
        rc = seek_to(ctx, image, fd, 0);
    if (!rc && fcntl(fd, F_ADD_SEALS, SEALS))
        rc = fail_proxy_file(ctx, image, -errno);
    return rc;
}

int xlx_image_proxy_file(xlx_ctx *ctx, const xlx_image *image, int *fd_r)
{
    if (!image->end)
        return xlx__fail(ctx, ENOTSUP,
                         "%s: opened without xl's part of the file",
                         image->name);
    int fd = memfd_create("save-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fail_proxy_file(ctx, image, -errno);
    int rc = write_proxy_file(ctx, image, fd);
    if (rc)
        close(fd);
    else
        *fd_r = fd;
    return rc;
}

/* --- reading one ---------------------------------------------------------- */

static int read_note(int fd, uint64_t offset, struct note *note)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return -EINVAL;
    int rc = xlx__pread_all(fd, note, sizeof(*note), offset);
    return !rc && note->magic != MAGIC ? -EINVAL : rc;
}

bool xlx_image_is_proxy_file(int fd, uint64_t offset)
{
    struct note note;
    return !read_note(fd, offset, &note);
}

int xlx__proxy_file_read(xlx_ctx *ctx, int fd, uint64_t offset,
                         struct xlx__proxied *of_r)
{
    struct note note;
    int rc = read_note(fd, offset, &note);
    if (!rc && note.uri_len > XLX__URI_MAX)
        rc = -EINVAL;
    if (!rc)
        rc = xlx__pread_all(fd, of_r->uri, note.uri_len, offset + sizeof(note));
    if (rc)
        return xlx__fail_errno(ctx, -rc, "a proxy file");
    of_r->uri[note.uri_len] = '\0';
    of_r->offset = offset;
    of_r->end = note.end;
    of_r->sum = note.sum;
    return 0;
}

int xlx__proxy_file_check(xlx_ctx *ctx, const struct xlx__proxied *of,
                          const struct xlx_image *image)
{
    if (image->info.libxc_start == of->offset && image->end == of->end &&
        xlx__image_sum(image) == of->sum)
        return 0;
    return xlx__fail(ctx, ESTALE, "%s: the save file there has changed",
                     image->name);
}
