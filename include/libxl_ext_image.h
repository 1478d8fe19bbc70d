/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Save images: what `xl save` wrote, read by its headers only.
 *
 * A save file is xl's header and configuration, then libxl's stream, then
 * inside it libxc's stream with the guest's memory (Xen:
 * docs/specs/libxl-migration-stream.pandoc, libxc-migration-stream.pandoc).
 * An image is opened by one pass over the record headers and pfn arrays, 0.2 %
 * of the file; everything in it is taken as hostile and checked before the
 * open succeeds. Afterwards it is read-only.
 *
 * gfn: the guest's frame number, which the stream's specification calls pfn.
 */
#ifndef LIBXL_EXT_IMAGE_H
#define LIBXL_EXT_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XLX_PAGE_SIZE 4096u

typedef struct xlx_image xlx_image;

enum xlx_image_guest {
    XLX_IMAGE_PV = 1,
    XLX_IMAGE_HVM = 2, /* HVM and PVH: libxc's stream does not tell them apart */
};

/*
 * `nr` consecutive gfns whose pages lie one after the other in the file: the
 * page of gfn + i is at offset + i * XLX_PAGE_SIZE.
 */
struct xlx_image_run {
    uint64_t gfn;
    uint64_t nr;
    uint64_t offset; /* bytes from the start of the file */
};

struct xlx_image_info {
    enum xlx_image_guest guest;
    uint32_t xen_major, xen_minor; /* the Xen that wrote it */
    uint32_t libxc_version;        /* of libxc's stream: 2 or 3 */
    uint64_t pages;                /* gfns that have a page in the file */
    uint64_t max_gfn;              /* the highest of them; 0 without pages */
    uint64_t libxc_start;          /* offset of libxc's image header */
    uint64_t libxc_end;            /* offset just behind libxc's END record */
};

/*
 * Opens a file that `xl save` wrote and checks all of it: xl's header, libxl's
 * stream up to its END, libxc's stream in it. `path` is copied. The image
 * keeps its own descriptor, so the file may be renamed or unlinked later.
 *
 * -ENOENT etc. as open(2)
 * -ESPIPE      a pipe or another file without positions
 * -EINVAL      no xl save file
 * -EMEDIUMTYPE a compressed file, by xlx_image_packer()
 * -ENODATA     truncated
 * -EBADMSG     an invalid record
 * -ENOTSUP     an unknown mandatory record, or a format too new or too old
 * -EOVERFLOW   more pages or runs than an image can have
 * -ENOMEM
 */
int xlx_image_open(xlx_ctx *ctx, const char *path, xlx_image **image_r);

/*
 * The name of the program that packed the file at `path` and can unpack it
 * ("gzip", "zstd", "xz", "lz4", "bzip2"), or NULL for one that is not packed or
 * cannot be read.
 */
const char *xlx_image_packer(const char *path);

/*
 * Opens the libxc stream that starts at byte `offset` of `fd`, as a save helper
 * is handed it, and checks it up to its END record. `fd` is duplicated; its
 * position is not used and not moved. `name` is used in messages and copied.
 * Errors as xlx_image_open().
 */
int xlx_image_open_fd(xlx_ctx *ctx, int fd, uint64_t offset, const char *name,
                      xlx_image **image_r);

/* NULL is allowed. */
void xlx_image_close(xlx_image *image);

/* Valid until the image is closed. */
const struct xlx_image_info *xlx_image_info(const xlx_image *image);

/*
 * All pages of the image: runs sorted by gfn, not overlapping, the last copy of
 * a page that the stream holds more than once. Valid until the image is closed.
 */
const struct xlx_image_run *xlx_image_runs(const xlx_image *image,
                                           size_t *nr_r);

/*
 * Reads the pages of gfns [gfn, gfn + nr) into `buf` (nr * XLX_PAGE_SIZE
 * bytes), each of which must be in the image. Any number of threads may read
 * one image at a time; this call keeps no error text and does not log.
 *
 * 0; -ENOENT a gfn is not in the image; -ENODATA the file became shorter;
 * -EIO etc. as pread(2).
 */
int xlx_image_read(const xlx_image *image, uint64_t gfn, size_t nr, void *buf);

#ifdef __cplusplus
}
#endif

#endif
