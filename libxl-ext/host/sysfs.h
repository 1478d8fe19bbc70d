/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: sysfs, and the files of block and USB devices. Below it a root folder
 * (XLX_PATH_SYSFS) or a tree in memory that reacts as the kernel does
 * (tests/fakes/sysfs_mem.c).
 */
#ifndef XLX_HOST_SYSFS_H
#define XLX_HOST_SYSFS_H

#include "core/ctx.h"
#include "core/names.h"

struct xlx__sysfs;

/*
 * One thread at a time. Paths are relative to the root, without a leading
 * slash. All slots return 0 (or what is said) or -errno: -ENOENT for what is
 * not there. None logs.
 */
struct xlx__sysfs_ops {
    /* An attribute without its trailing newline, cut to size - 1 bytes and
     * NUL-terminated. A device chooses the content of some. */
    int (*read)(struct xlx__sysfs *fs, const char *path, char *buf,
                size_t size);
    /* An attribute of any bytes, cut to `size`; returns how many. */
    int (*read_bytes)(struct xlx__sysfs *fs, const char *path, void *buf,
                      size_t size);
    /* Appends the names in a folder to an empty list. */
    int (*list)(struct xlx__sysfs *fs, const char *path,
                struct xlx__names *names);
    /* The last component of what the link at `path` points to. */
    int (*link)(struct xlx__sysfs *fs, const char *path, char *buf,
                size_t size);
    /* All of what the link at `path` says, "../../devices/..." in most cases;
     * -ENAMETOOLONG when `size` is too small for it. */
    int (*target)(struct xlx__sysfs *fs, const char *path, char *buf,
                  size_t size);
    /* Writes an attribute in one write(2); the kernel's refusal is the
     * result. */
    int (*write)(struct xlx__sysfs *fs, const char *path, const char *value);

    /* The number, "8:17", of the block device that the file at an absolute path
     * is, through links; -ENOTBLK for any other file. */
    int (*block_number)(struct xlx__sysfs *fs, const char *path, char *buf,
                        size_t size);
    /* Whether somebody has the block device of that name in class/block open
     * exclusively: 1 or 0, also 0 when it cannot be opened for lack of a
     * medium. Opens it exclusively itself for a moment. */
    int (*block_held)(struct xlx__sysfs *fs, const char *name);

    /* Resets the port that a USB device is in (USBDEVFS_RESET of linux/
     * usbdevice_fs.h); the kernel configures the device as it was. -ENODEV also
     * when it turns out to be another one then. May take seconds. */
    int (*usb_reset)(struct xlx__sysfs *fs, uint32_t bus, uint32_t address);
};

struct xlx__sysfs {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__sysfs_ops *ops;
};

/* Opens the folder. */
int xlx__sysfs_root(xlx_ctx *ctx, struct xlx__sysfs **fs_r);

/* Opens the context's sysfs when it is not yet. */
int xlx__sysfs_open(xlx_ctx *ctx);

/*
 * As the slots read, list and target of the context's open sysfs, for what may
 * be missing: what is not there, or goes meanwhile, is an empty text or list
 * and a success. A failure is reported.
 */
int xlx__sysfs_read_any(xlx_ctx *ctx, const char *path, char *buf, size_t size);
int xlx__sysfs_list_any(xlx_ctx *ctx, const char *path,
                        struct xlx__names *names);
int xlx__sysfs_target_any(xlx_ctx *ctx, const char *path, char *buf,
                          size_t size);

#endif
