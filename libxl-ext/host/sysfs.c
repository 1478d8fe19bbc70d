/* SPDX-License-Identifier: LGPL-2.1-only */
#include "host/sysfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/clean.h"
#include "core/io.h"

struct root {
    struct xlx__sysfs base;
    int fd;
};

static int fd_of(struct xlx__sysfs *fs)
{
    return ((struct root *)fs)->fd;
}

static int root_read(struct xlx__sysfs *fs, const char *path, char *buf,
                     size_t size)
{
    XLX__AUTO_CLOSE int fd = openat(fd_of(fs), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    long n = xlx__read_upto(fd, buf, size - 1);
    if (n < 0)
        return (int)n;
    if (n && buf[n - 1] == '\n')
        n--;
    buf[n] = '\0';
    return 0;
}

static int root_read_bytes(struct xlx__sysfs *fs, const char *path, void *buf,
                           size_t size)
{
    XLX__AUTO_CLOSE int fd = openat(fd_of(fs), path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : (int)xlx__read_upto(fd, buf, size);
}

static int root_list(struct xlx__sysfs *fs, const char *path,
                     struct xlx__names *names)
{
    int fd = openat(fd_of(fs), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    XLX__AUTO_CLOSEDIR DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -ENOMEM;
    }
    int rc = 0;
    struct dirent *e;
    while (!rc && (e = readdir(dir)))
        if (e->d_name[0] != '.')
            rc = xlx__names_add(names, e->d_name);
    return rc;
}

static int root_target(struct xlx__sysfs *fs, const char *path, char *buf,
                       size_t size)
{
    ssize_t n = readlinkat(fd_of(fs), path, buf, size);
    if (n < 0)
        return -errno;
    if ((size_t)n == size)
        return -ENAMETOOLONG;
    buf[n] = '\0';
    return 0;
}

static int root_link(struct xlx__sysfs *fs, const char *path, char *buf,
                     size_t size)
{
    char target[PATH_MAX];
    int rc = root_target(fs, path, target, sizeof(target));
    if (rc)
        return rc;
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (strlen(name) >= size)
        return -ENAMETOOLONG;
    strcpy(buf, name);
    return 0;
}

static int root_write(struct xlx__sysfs *fs, const char *path,
                      const char *value)
{
    XLX__AUTO_CLOSE int fd = openat(fd_of(fs), path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return xlx__write_all(fd, value, strlen(value));
}

static int root_block_number(struct xlx__sysfs *fs, const char *path, char *buf,
                             size_t size)
{
    struct stat st;
    (void)fs;
    if (stat(path, &st))
        return -errno;
    if (!S_ISBLK(st.st_mode))
        return -ENOTBLK;
    snprintf(buf, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
    return 0;
}

/* In sysfs a '!' stands for the '/' of a name: "cciss!c0d0". */
static int device_path(const char *name, char *path)
{
    if (snprintf(path, PATH_MAX, "/dev/%s", name) >= PATH_MAX)
        return -ENAMETOOLONG;
    for (char *p = path; (p = strchr(p, '!'));)
        *p = '/';
    return 0;
}

/* Of a drive without a disk, or one that was pulled. */
static bool is_gone(int err)
{
    return err == ENOMEDIUM || err == ENXIO || err == ENODEV || err == ENOENT;
}

static int root_block_held(struct xlx__sysfs *fs, const char *name)
{
    char path[PATH_MAX];
    (void)fs;
    int rc = device_path(name, path);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int fd =
        open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        return 0;
    if (errno == EBUSY)
        return 1;
    return is_gone(errno) ? 0 : -errno;
}

static int root_usb_reset(struct xlx__sysfs *fs, uint32_t bus, uint32_t address)
{
    char path[48];
    (void)fs;
    snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", bus, address);
    XLX__AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || ioctl(fd, USBDEVFS_RESET, NULL) ? -errno : 0;
}

static void root_close(struct xlx__seam *seam)
{
    struct root *root = (struct root *)seam;
    close(root->fd);
    free(root);
}

static const struct xlx__sysfs_ops root_ops = {
    .read = root_read,
    .read_bytes = root_read_bytes,
    .list = root_list,
    .link = root_link,
    .target = root_target,
    .write = root_write,
    .block_number = root_block_number,
    .block_held = root_block_held,
    .usb_reset = root_usb_reset,
};

int xlx__sysfs_root(xlx_ctx *ctx, struct xlx__sysfs **fs_r)
{
    const char *path = xlx_ctx_path(ctx, XLX_PATH_SYSFS);
    struct root *root = calloc(1, sizeof(*root));
    if (!root)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", path);
    root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0) {
        int err = errno;
        free(root);
        return xlx__fail_errno(ctx, err, "%s: cannot open", path);
    }
    root->base.seam.close = root_close;
    root->base.ops = &root_ops;
    *fs_r = &root->base;
    return 0;
}

int xlx__sysfs_open(xlx_ctx *ctx)
{
    return ctx->sysfs ? 0 : xlx__sysfs_root(ctx, &ctx->sysfs);
}

/* A device that goes while it is read makes the kernel say ENODEV. */
static int settle(xlx_ctx *ctx, int rc, const char *path)
{
    if (!rc || rc == -ENOENT || rc == -ENODEV)
        return 0;
    return xlx__fail_errno(ctx, -rc, "sysfs: cannot read %s", path);
}

int xlx__sysfs_read_any(xlx_ctx *ctx, const char *path, char *buf, size_t size)
{
    int rc = ctx->sysfs->ops->read(ctx->sysfs, path, buf, size);
    if (rc)
        *buf = '\0';
    return settle(ctx, rc, path);
}

int xlx__sysfs_list_any(xlx_ctx *ctx, const char *path,
                        struct xlx__names *names)
{
    int rc = ctx->sysfs->ops->list(ctx->sysfs, path, names);
    if (rc)
        xlx__names_free(names);
    return settle(ctx, rc, path);
}

int xlx__sysfs_target_any(xlx_ctx *ctx, const char *path, char *buf,
                          size_t size)
{
    int rc = ctx->sysfs->ops->target(ctx->sysfs, path, buf, size);
    if (rc)
        *buf = '\0';
    return settle(ctx, rc, path);
}
