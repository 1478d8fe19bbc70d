/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/storage.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io.h"

struct file {
    struct xlx__storage storage;
    int fd;
    int copy; /* what is read: a copy of fd, which has no name; or fd */
};

static struct file *file_of(struct xlx__storage *storage)
{
    return (struct file *)storage;
}

static int file_pread(struct xlx__storage *storage, void *buf, size_t len,
                      uint64_t offset)
{
    /* No file is that long, and pread(2) calls it invalid. */
    if (offset > INT64_MAX || len > INT64_MAX - offset)
        return -ENODATA;
    return xlx__pread_all(file_of(storage)->copy, buf, len, offset);
}

static void file_expect(struct xlx__storage *storage, uint64_t offset,
                        size_t len)
{
    posix_fadvise(file_of(storage)->copy, (off_t)offset, (off_t)len,
                  POSIX_FADV_WILLNEED);
}

static void file_settle(struct xlx__storage *storage)
{
    (void)storage;
}

/* It stays the one that was opened. */
static int file_recognize(struct xlx__storage *storage, uint64_t offset,
                          size_t len)
{
    (void)storage;
    (void)offset;
    (void)len;
    return 0;
}

/* The time of a block device is that of its node. */
static int file_examine(struct xlx__storage *storage, struct timespec *mtime_r,
                        mode_t *mode_r)
{
    struct stat st;
    if (fstat(file_of(storage)->fd, &st))
        return -errno;
    *mtime_r = S_ISREG(st.st_mode) ? st.st_mtim : (struct timespec){ 0 };
    *mode_r = st.st_mode & 0666;
    return 0;
}

static bool file_is_named(struct xlx__storage *storage, const char *name)
{
    struct stat named, open;
    return !stat(name, &named) && !fstat(file_of(storage)->fd, &open) &&
           named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

static bool file_reads_from(struct xlx__storage *storage, uint64_t *dev_r,
                            uint64_t *ino_r)
{
    const struct file *file = file_of(storage);
    struct stat st;
    if (file->copy != file->fd || fstat(file->fd, &st))
        return false;
    *dev_r = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    *ino_r = S_ISBLK(st.st_mode) ? 0 : st.st_ino;
    return true;
}

static void file_close(struct xlx__storage *storage)
{
    struct file *file = file_of(storage);
    if (file->copy != file->fd)
        close(file->copy);
    close(file->fd);
    free(file);
}

static const struct xlx__storage_ops file_ops = {
    .pread = file_pread,
    .expect = file_expect,
    .settle = file_settle,
    .recognize = file_recognize,
    .examine = file_examine,
    .is_named = file_is_named,
    .reads_from = file_reads_from,
    .close = file_close,
};

int xlx__storage_no_positions(xlx_ctx *ctx, const char *name)
{
    return xlx__fail(ctx, ESPIPE,
                     "%s: a pipe, socket or terminal: save to a file first, "
                     "a lazy restore has to read at any offset",
                     name);
}

/* A block device: xl saves to a logical volume as well. */
static int learn_size(xlx_ctx *ctx, int fd, const char *name, uint64_t *size_r)
{
    struct stat st;
    if (fstat(fd, &st))
        return xlx__fail_errno(ctx, errno, "%s: cannot examine it", name);
    if (S_ISREG(st.st_mode)) {
        *size_r = (uint64_t)st.st_size;
        return 0;
    }
    if (S_ISDIR(st.st_mode))
        return xlx__fail(ctx, EISDIR, "%s: a directory, not a save file", name);
    if (!S_ISBLK(st.st_mode))
        return xlx__storage_no_positions(ctx, name);
    if (ioctl(fd, BLKGETSIZE64, size_r))
        return xlx__fail_errno(ctx, errno, "%s: cannot determine its size",
                               name);
    return 0;
}

int xlx__storage_file(xlx_ctx *ctx, int fd, const char *name,
                      struct xlx__storage **storage_r)
{
    uint64_t size;
    int rc = learn_size(ctx, fd, name, &size);
    struct file *file = rc ? NULL : calloc(1, sizeof(*file));
    if (!file) {
        close(fd);
        return rc ? rc : xlx__fail(ctx, ENOMEM, "%s: no memory", name);
    }
    file->storage.ops = &file_ops;
    file->storage.size = size;
    file->storage.has_folder = true;
    file->fd = file->copy = fd;
    *storage_r = &file->storage;
    return 0;
}

/* In the folder of the file: blocks are shared within a file system only. */
static int open_unnamed(const char *name)
{
    const char *slash = strrchr(name, '/');
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof(folder), "%.*s",
                     slash ? (int)(slash - name) + 1 : 1, slash ? name : ".");
    if (n >= (int)sizeof(folder))
        return -1;
    return open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

bool xlx__storage_file_keep(struct xlx__storage *storage, const char *name)
{
    struct file *file = file_of(storage);
    struct stat st;
    if (fstat(file->fd, &st) || !S_ISREG(st.st_mode))
        return false;
    int copy = open_unnamed(name);
    if (copy < 0)
        return false;
    if (ioctl(copy, FICLONE, file->fd)) {
        close(copy);
        return false;
    }
    file->copy = copy;
    return true;
}
