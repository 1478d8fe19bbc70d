/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: where an image lies. A file or block device (storage_file.c), or the
 * export of an NBD server (storage_nbd.c).
 */
#ifndef XLX_IMAGE_STORAGE_H
#define XLX_IMAGE_STORAGE_H

#include <sys/types.h>

#include "core/ctx.h"

#define XLX__MARKS 2
#define XLX__MARK_MAX ((size_t)64 << 10)

struct xlx__storage;

struct xlx__storage_ops {
    /*
     * Reads exactly `len` bytes at `offset`. Any number of threads at a time,
     * also after a fork in both processes. Says nothing: 0; -ENODATA the end
     * came before; -ETIMEDOUT; -errno.
     */
    int (*pread)(struct xlx__storage *storage, void *buf, size_t len,
                 uint64_t offset);
    /* These bytes will be wanted soon; it may do nothing. */
    void (*expect)(struct xlx__storage *storage, uint64_t offset, size_t len);
    /* Nothing that was expected will be wanted any more. */
    void (*settle)(struct xlx__storage *storage);
    /*
     * These bytes tell this storage from another one: where a connection has to
     * be made again, they must be the same there. XLX__MARKS ranges at most, of
     * XLX__MARK_MAX bytes. 0, -ENOMEM, or as pread().
     */
    int (*recognize)(struct xlx__storage *storage, uint64_t offset, size_t len);
    /*
     * When it was last written to, 0 where that is not known, and which
     * permissions a file made of its contents should have. 0 or -errno.
     */
    int (*examine)(struct xlx__storage *storage, struct timespec *mtime_r,
                   mode_t *mode_r);
    /* Whether it is the file that has this name now. */
    bool (*is_named)(struct xlx__storage *storage, const char *name);
    /*
     * Which file or block device (its number, inode 0) must not be written to
     * while this is read. False: there is none, the bytes are elsewhere.
     */
    bool (*reads_from)(struct xlx__storage *storage, uint64_t *dev_r,
                       uint64_t *ino_r);
    void (*close)(struct xlx__storage *storage); /* frees it too */
};

struct xlx__storage {
    const struct xlx__storage_ops *ops;
    uint64_t size;   /* in bytes, when it was opened */
    bool has_folder; /* its name is one of a file, others can lie beside it */
};

/*
 * A file or block device; takes `fd` over, also when it fails.
 * -ESPIPE a pipe or the like; -EISDIR; -ENOMEM; or as fstat(2). Reported.
 */
int xlx__storage_file(xlx_ctx *ctx, int fd, const char *name,
                      struct xlx__storage **storage_r);

/*
 * From now on reads a copy that shares its blocks with the file, where the file
 * system can do that (reflink), and otherwise still the file: nothing
 * that is done to the file changes what is read. The copy has no name. False
 * where that is not possible: the file itself is read.
 */
bool xlx__storage_file_keep(struct xlx__storage *storage, const char *name);

/* Refuses what cannot be read at any place: -ESPIPE. */
int xlx__storage_no_positions(xlx_ctx *ctx, const char *name);

/* How long an NBD server may take to answer. */
#define XLX__NBD_TIMEOUT_MS 10000

/*
 * Connects to an NBD server. `timeout_ms` is for connecting, and for each read
 * later. Reported: -ENOTSUP built without libnbd;
 * -ETIMEDOUT; -ENOMEM; -errno.
 */
int xlx__storage_nbd(xlx_ctx *ctx, const char *uri, int timeout_ms,
                     struct xlx__storage **storage_r);

#endif
