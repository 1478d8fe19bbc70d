/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Save files: what `xl save` wrote, opened by reading its headers only. Names
 * in this header call a save file an image.
 *
 * A save file is xl's header and configuration, then libxl's stream, and inside
 * that libxc's stream with the guest's memory (Xen:
 * docs/specs/libxl-migration-stream.pandoc, libxc-migration-stream.pandoc).
 * Opening it takes one pass over the record headers and pfn arrays, 0.2 % of
 * the file. The open trusts nothing in it, and checks everything before it
 * succeeds. Afterwards the image is read-only.
 *
 * gfn: the guest's frame number, which the stream's specification calls pfn.
 */
#ifndef LIBXL_EXT_IMAGE_H
#define LIBXL_EXT_IMAGE_H

#include <stdbool.h>
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
    XLX_IMAGE_HVM = 2, /* HVM or PVH: the stream does not distinguish them */
};

/*
 * A run: `nr` consecutive gfns whose pages lie one after the other in the file.
 * The page of gfn + i is at offset + i * XLX_PAGE_SIZE.
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
    uint64_t records;              /* of libxc's stream, END included */
};

/*
 * Opens a file that `xl save` wrote and checks all of it: xl's header, libxl's
 * stream up to its END, libxc's stream in it. `path` is copied. The image keeps
 * its own descriptor, so the file may be renamed or unlinked later. `path` may
 * also be the URI of an NBD export, nbd://HOST/EXPORT or
 * nbd+unix:///EXPORT?socket=PATH. If the server does not answer for 10 seconds,
 * this call and each later read fails (-ETIMEDOUT); reads may be repeated.
 *
 * -ENOENT etc. as open(2)
 * -ESPIPE      a pipe or another file without positions
 * -EINVAL      not a save file of xl
 * -EMEDIUMTYPE a compressed file, by xlx_image_packer()
 * -ENODATA     truncated
 * -EBADMSG     an invalid record
 * -ENOTSUP     an unknown mandatory record, or a format too new or too old; an
 *              NBD URI without libnbd
 * -EOVERFLOW   more pages or runs than an image can have
 * -ENOMEM
 */
int xlx_image_open(xlx_ctx *ctx, const char *path, xlx_image **image_r);

/* Whether xlx_image_open() takes it for the URI of an NBD export. */
bool xlx_image_is_uri(const char *path);

/*
 * The name of the program that compressed the file at `path` ("gzip", "zstd",
 * "xz", "lzma", "lz4", "bzip2"), and that unpacks it when it is called with
 * -dc. NULL for a file that is not compressed or cannot be read.
 */
const char *xlx_image_packer(const char *path);

/*
 * Opens the libxc stream that starts at byte `offset` of `fd`, as a save helper
 * gets it, and checks it up to its END record. `fd` is duplicated; its position
 * is not used and not moved. `name` is used in messages and copied. If `fd` is
 * a proxy file of xlx_image_proxy_file(), the call opens the save file that it
 * stands for, under that file's name. Errors as xlx_image_open().
 */
int xlx_image_open_fd(xlx_ctx *ctx, int fd, uint64_t offset, const char *name,
                      xlx_image **image_r);

/* NULL is allowed. */
void xlx_image_close(xlx_image *image);

/* Valid until the image is closed. */
const struct xlx_image_info *xlx_image_info(const xlx_image *image);

/* The path, URI or name that it was opened with. Valid until it is closed. */
const char *xlx_image_name(const xlx_image *image);

/*
 * All pages of the image: runs sorted by gfn, which do not overlap. If the
 * stream has more than one copy of a page, the last one counts. Valid until the
 * image is closed.
 */
const struct xlx_image_run *xlx_image_runs(const xlx_image *image,
                                           size_t *nr_r);

/*
 * Reads the pages of gfns [gfn, gfn + nr), which must all be in the image, into
 * `buf` (nr * XLX_PAGE_SIZE bytes). Any number of threads may read one image at
 * a time; this call keeps no error text and does not log.
 *
 * 0; -ENOENT a gfn is not in the image; -ENODATA the file became shorter;
 * -EIO etc. as pread(2).
 */
int xlx_image_read(const xlx_image *image, uint64_t gfn, size_t nr, void *buf);

/*
 * Writes bytes [from, to) of the file to `out`, unchanged. It leaves out what
 * is behind the end of the stream, so UINT64_MAX stands for all. Blocks. The
 * caller ignores SIGPIPE. Errors as pread(2) and write(2).
 */
int xlx_image_copy(xlx_ctx *ctx, const xlx_image *image, uint64_t from,
                   uint64_t to, int out);

/*
 * Makes the proxy file of a save file on an NBD server, for programs that take
 * a descriptor. It is a file in memory, in which xl and libxl find everything
 * that they read themselves at its place. In place of libxc's stream it has the
 * URI. xlx_image_open_fd() opens the save file by that, and fails with -ESTALE
 * if a different one is there by then. So a save helper that uses this library
 * restores from it, and any other finds no stream. *fd_r belongs to the caller
 * and is closed on exec. Until it is closed it uses as much memory as the save
 * file has beside the guest's memory.
 *
 * -ENOTSUP opened with xlx_image_open_fd(); -EFBIG more than 64 MiB;
 * -ENAMETOOLONG; or as memfd_create(2), pread(2), write(2)
 */
int xlx_image_proxy_file(xlx_ctx *ctx, const xlx_image *image, int *fd_r);

/* Whether `fd` is a proxy file whose libxc stream was at `offset`. */
bool xlx_image_is_proxy_file(int fd, uint64_t offset);

/*
 * The guest's properties by the configuration in the file. Text is cut to fit
 * and may have any bytes. If the configuration lacks a value, a text is "" and
 * a number is 0.
 */
struct xlx_image_config {
    char name[256];
    char uuid[40];
    char type[8]; /* "hvm", "pvh", "pv" */
    uint64_t max_memkb;
    uint32_t max_vcpus;
};

/*
 * Reads the guest's configuration. `size` is sizeof(*config_r).
 *
 * -ENOENT   the image was opened by xlx_image_open_fd(), or has none
 * -EBADMSG  it is not JSON
 * -ENOMEM; or as pread(2)
 */
int xlx_image_config(xlx_ctx *ctx, const xlx_image *image,
                     struct xlx_image_config *config_r, size_t size);

/*
 * Called with the progress of a long operation, in pages, at least once for
 * 2 MiB. Returning false ends the operation with -ECANCELED, and nothing is
 * changed.
 */
typedef bool xlx_image_progress_fn(void *user, uint64_t done, uint64_t total);

struct xlx_image_survey {
    uint64_t zero_pages;
    uint64_t duplicate_pages; /* equal to a page with a lower gfn, not zero */
};

/*
 * Reads all pages and counts the redundant ones. Takes 8 bytes of memory for
 * each page. `progress` may be NULL, `size` is sizeof(*survey_r). Errors as
 * xlx_image_read(), and -ECANCELED, -ENOMEM.
 */
int xlx_image_survey(xlx_ctx *ctx, const xlx_image *image,
                     xlx_image_progress_fn *progress, void *user,
                     struct xlx_image_survey *survey_r, size_t size);

/* --- the sidecar ---------------------------------------------------------- */

/*
 * FILE.lzx, beside the save file FILE, has what is known of FILE beyond its
 * headers: which pages are zero, a crc32c of every page, and which gfns a guest
 * touched first when it was restored (its working set). docs/image.md has the
 * format.
 *
 * A sidecar is optional and never trusted. One that does not match the image as
 * it is now, or is damaged, is refused as a whole. Except for the working set,
 * which is advice, everything in it can also be computed from the image.
 */
typedef struct xlx_sidecar xlx_sidecar;

/* gfns [gfn, gfn + nr). */
struct xlx_image_range {
    uint64_t gfn, nr;
};

struct xlx_sidecar_info {
    bool has_crc;        /* a crc32c of every page */
    bool has_zero;       /* which pages are zero; left out if the image was
                            modified since, by its time */
    bool time_differs;   /* and therefore it was left out */
    uint64_t zero_pages; /* that are known to be zero */
    uint64_t working_set_pages;
};

/* The most runs that a working set can have; later ones are left out. */
#define XLX_WORKING_SET_MAX (1u << 18)

/*
 * Opens the sidecar of an image, which must stay open as long. `path` NULL
 * means the one beside the image, its name with ".lzx"; an image on an NBD
 * server has none there. Memory: a bit for each page, 8 bytes for each run of
 * the image, 16 for each run of the working set.
 *
 * -ENOENT   there is none; this is not logged
 * -EBADMSG  damaged; -ENOTSUP of a newer version; -EINVAL not a sidecar
 * -ESTALE   of another image, or the guest was saved again
 * -ENOMEM; or as open(2), pread(2)
 */
int xlx_sidecar_open(xlx_ctx *ctx, const xlx_image *image, const char *path,
                     xlx_sidecar **sidecar_r);

/* NULL is allowed. */
void xlx_sidecar_close(xlx_sidecar *sidecar);

/* Valid until the sidecar is closed. */
const struct xlx_sidecar_info *xlx_sidecar_info(const xlx_sidecar *sidecar);

/*
 * Finds the first run of zero pages that ends behind `gfn`, cut to begin there,
 * and at the end of a run of the image. Returns false if there is none. Any
 * number of threads may use one sidecar at a time.
 */
bool xlx_sidecar_next_zero(const xlx_sidecar *sidecar, uint64_t gfn,
                           struct xlx_image_range *zero_r);

/*
 * Checks the pages of gfns [gfn, gfn + nr), as they were read, against their
 * crcs. Any number of threads may do so at a time; keeps no error text.
 *
 * 0        they are right, or there are no crcs
 * -EILSEQ  one is not: *bad_gfn_r is the first
 * -ENOENT  a gfn is not in the image; -ENODATA, -EIO etc. the sidecar cannot be
 *          read any more
 */
int xlx_sidecar_check(const xlx_sidecar *sidecar, uint64_t gfn, size_t nr,
                      const void *pages, uint64_t *bad_gfn_r);

/*
 * The recorded working set in the order of first touch: no gfn twice, each in
 * the image. NULL and 0 without one. Valid until the sidecar is closed.
 */
const struct xlx_image_range *
xlx_sidecar_working_set(const xlx_sidecar *sidecar, size_t *nr_r);

/*
 * Reads all pages of the image and writes its sidecar to `path`, or beside the
 * image (NULL), whole or not at all. Keeps a working set that the sidecar there
 * has. `progress` may be NULL.
 *
 * -ECANCELED by progress; -ESTALE the image was modified meanwhile; -ENODATA it
 * became shorter; -EINVAL a file that is not a sidecar is there, which stays
 * unchanged, or the image is not a file and has nothing beside it; -ENOMEM;
 * or as open(2), write(2), pread(2)
 */
int xlx_sidecar_write(xlx_ctx *ctx, const xlx_image *image, const char *path,
                      xlx_image_progress_fn *progress, void *user);

/*
 * Checks whether a sidecar can be written to `path`, or beside the image
 * (NULL), as far as possible beforehand: it creates a file in that folder and
 * removes it. Errors as xlx_sidecar_write().
 */
int xlx_sidecar_can_write(xlx_ctx *ctx, const xlx_image *image,
                          const char *path);

/*
 * Called for a wrong page. `error` is -EILSEQ if its crc differs, otherwise the
 * error of reading it.
 */
typedef void xlx_image_bad_fn(void *user, uint64_t gfn, int error);

/*
 * Reads all pages and checks them against the crcs of `sidecar`. With NULL, or
 * a sidecar without crcs, it only checks that they can be read. `progress` and
 * `bad` may be NULL.
 *
 * 0 all are right; -EILSEQ some are not, `bad` was called for each; -ECANCELED;
 * -ENOMEM; or the error of reading the sidecar.
 */
int xlx_image_verify(xlx_ctx *ctx, const xlx_image *image,
                     const xlx_sidecar *sidecar,
                     xlx_image_progress_fn *progress, xlx_image_bad_fn *bad,
                     void *user);

/*
 * Replaces the working set in the sidecar, which is created if there is none
 * that matches; its other contents stay. `ranges` are in the order of first
 * touch. Pages that are repeated, or not in the image, are left out, and
 * neighbours are joined. nr 0 removes the working set. Errors as
 * xlx_sidecar_write().
 */
int xlx_sidecar_working_set_write(xlx_ctx *ctx, const xlx_image *image,
                                  const char *path,
                                  const struct xlx_image_range *ranges,
                                  size_t nr);

/*
 * The same, but adds to the working set that is there. After a restore that
 * used that, the touch log has only the pages that it lacked.
 */
int xlx_sidecar_working_set_add(xlx_ctx *ctx, const xlx_image *image,
                                const char *path,
                                const struct xlx_image_range *ranges,
                                size_t nr);

/*
 * Writes a save file of the same guest to `out`, whole or not at all; every
 * xl restore reads it. The pages of `first` (as xlx_sidecar_working_set()
 * returns them; pages that are repeated or not in the image are left out) are
 * first and in that order. All others follow by gfn, each once and at a
 * multiple of 4 KiB of the file. Zero pages are holes of the file, which take
 * no space and no reading. The new file is compared with the image before it
 * gets its name, which may be that of the image.
 *
 * -ENOTSUP  a PV guest, or opened with xlx_image_open_fd()
 * -EBADMSG  the image was changed meanwhile; -EIO the new file differs
 * -ECANCELED by progress, which sees all pages twice; -ENOMEM; or as open(2),
 * write(2), pread(2)
 */
int xlx_image_optimize(xlx_ctx *ctx, const xlx_image *image,
                       const struct xlx_image_range *first, size_t nr,
                       const char *out, xlx_image_progress_fn *progress,
                       void *user);

#ifdef __cplusplus
}
#endif

#endif
