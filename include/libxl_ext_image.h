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
    uint64_t records;              /* of libxc's stream, END included */
};

/*
 * Opens a file that `xl save` wrote and checks all of it: xl's header, libxl's
 * stream up to its END, libxc's stream in it. `path` is copied. The image
 * keeps its own descriptor, so the file may be renamed or unlinked later. It may
 * also be the URI of an NBD export, nbd://HOST/EXPORT or
 * nbd+unix:///EXPORT?socket=PATH; a server that does not answer for 10 seconds
 * fails the call, here and in each later read (-ETIMEDOUT), and reads may be
 * tried again.
 *
 * -ENOENT etc. as open(2)
 * -ESPIPE      a pipe or another file without positions
 * -EINVAL      no xl save file
 * -EMEDIUMTYPE a compressed file, by xlx_image_packer()
 * -ENODATA     truncated
 * -EBADMSG     an invalid record
 * -ENOTSUP     an unknown mandatory record, or a format too new or too old; an
 *              NBD URI without libnbd
 * -EOVERFLOW   more pages or runs than an image can have
 * -ENOMEM
 */
int xlx_image_open(xlx_ctx *ctx, const char *path, xlx_image **image_r);

/* Whether xlx_image_open() takes it for the URI of an NBD export, not a path. */
bool xlx_image_is_uri(const char *path);

/*
 * The name of the program that packed the file at `path` and can unpack it
 * ("gzip", "zstd", "xz", "lzma", "lz4", "bzip2") when it is called with -dc, or
 * NULL for one that is not packed or cannot be read.
 */
const char *xlx_image_packer(const char *path);

/*
 * Opens the libxc stream that starts at byte `offset` of `fd`, as a save helper
 * is handed it, and checks it up to its END record. `fd` is duplicated; its
 * position is not used and not moved. `name` is used in messages and copied. One
 * of xlx_image_stand_in() opens the image it stands in for, by that one's name.
 * Errors as xlx_image_open().
 */
int xlx_image_open_fd(xlx_ctx *ctx, int fd, uint64_t offset, const char *name,
                      xlx_image **image_r);

/* NULL is allowed. */
void xlx_image_close(xlx_image *image);

/* Valid until the image is closed. */
const struct xlx_image_info *xlx_image_info(const xlx_image *image);

/* The path, URI or name that it was opened with; as long valid. */
const char *xlx_image_name(const xlx_image *image);

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

/*
 * Writes bytes [from, to) of the file to `out` as they are; what is behind the
 * stream's end is left out, so that UINT64_MAX stands for all. Blocks. Errors as
 * pread(2) and write(2); SIGPIPE is the caller's to ignore.
 */
int xlx_image_copy(xlx_ctx *ctx, const xlx_image *image, uint64_t from,
                   uint64_t to, int out);

/*
 * Makes a file in memory that stands in for an image on an NBD server, for
 * programs that take a descriptor: xl and libxl find all that they read
 * themselves at its place. Where libxc's stream was is a note that says where
 * the image is, for which xlx_image_open_fd() opens it again and fails with
 * -ESTALE if it is another by then; so a save helper that uses this library
 * restores from it, and any other finds no stream. *fd_r is the caller's, closed
 * on exec. As much memory is used as the image has beside the guest's, until it
 * is closed.
 *
 * -ENOTSUP opened with xlx_image_open_fd(); -EFBIG more than 64 MiB;
 * -ENAMETOOLONG; or as memfd_create(2), pread(2), write(2)
 */
int xlx_image_stand_in(xlx_ctx *ctx, const xlx_image *image, int *fd_r);

/* Whether `fd` is such a file and libxc's stream was at `offset`. */
bool xlx_image_is_stand_in(int fd, uint64_t offset);

/*
 * What the configuration in the file says of the guest. Text is cut to fit, may
 * hold any bytes, and is "" where the configuration does not say; numbers are 0
 * then.
 */
struct xlx_image_config {
    char name[256];
    char uuid[40];
    char type[8]; /* "hvm", "pvh", "pv" */
    uint64_t max_memkb;
    uint32_t max_vcpus;
};

/*
 * Reads the guest's configuration.
 *
 * -ENOENT   the image was opened without (xlx_image_open_fd), or has none
 * -EBADMSG  it is not JSON
 * -ENOMEM; or as pread(2)
 */
int xlx_image_config(xlx_ctx *ctx, const xlx_image *image,
                     struct xlx_image_config *config_r);

/*
 * How far a long job is, in pages, at least once in 2 MiB. false ends the job
 * with -ECANCELED, everything as it was before.
 */
typedef bool xlx_image_progress_fn(void *user, uint64_t done, uint64_t total);

struct xlx_image_survey {
    uint64_t zero_pages;
    uint64_t duplicate_pages; /* as another page with a lower gfn, not zeros */
};

/*
 * Reads all pages and counts those that need not be there. Takes 8 bytes of
 * memory for each page. `progress` may be NULL. Errors as xlx_image_read(), and
 * -ECANCELED, -ENOMEM.
 */
int xlx_image_survey(xlx_ctx *ctx, const xlx_image *image,
                     xlx_image_progress_fn *progress, void *user,
                     struct xlx_image_survey *survey_r);

/* --- the sidecar ---------------------------------------------------------- */

/*
 * FILE.lzx, beside the image FILE: what is known of it beyond its headers. Which
 * pages are zeros, a crc32c of every page, and which gfns a guest touched first
 * when it was restored (its working set). docs/image.md has the format.
 *
 * It is optional and never trusted: what does not belong to the image as it is
 * now, or is not in order, is refused as a whole. It says nothing that reading
 * the image would not say, but for the working set, which is advice.
 */
typedef struct xlx_image_index xlx_image_index;

/* gfns [gfn, gfn + nr). */
struct xlx_image_range {
    uint64_t gfn, nr;
};

struct xlx_image_index_info {
    bool has_crc;        /* a crc32c of every page */
    bool has_zero;       /* which pages are zeros; of an image that was written
                            to since, by its time, this is left out */
    bool time_differs;   /* so that it was left out */
    uint64_t zero_pages; /* that are known to be zeros */
    uint64_t working_set_pages;
};

/* The most runs that a working set can have; later ones are left out. */
#define XLX_WORKING_SET_MAX (1u << 18)

/*
 * Opens the sidecar of an image, which must stay open as long. `path` NULL:
 * beside the image, its name with ".lzx"; there is none beside an image on an
 * NBD server. Memory: a bit for each page, 8 bytes for each run of the image,
 * 16 for each run of the working set.
 *
 * -ENOENT   there is none; this is not reported
 * -EBADMSG  damaged; -ENOTSUP of a newer version; -EINVAL no sidecar
 * -ESTALE   of another image, or the image was saved anew
 * -ENOMEM; or as open(2), pread(2)
 */
int xlx_image_index_open(xlx_ctx *ctx, const xlx_image *image, const char *path,
                         xlx_image_index **index_r);

/* NULL is allowed. */
void xlx_image_index_close(xlx_image_index *index);

/* Valid until the index is closed. */
const struct xlx_image_index_info *
xlx_image_index_info(const xlx_image_index *index);

/*
 * The first run of zero pages that ends behind `gfn`, cut to begin there, and
 * at the end of a run of the image. False when there is none. Any number of
 * threads may ask one index at a time.
 */
bool xlx_image_index_next_zero(const xlx_image_index *index, uint64_t gfn,
                               struct xlx_image_range *zero_r);

/*
 * Holds the pages of gfns [gfn, gfn + nr), as they were read, against their
 * crc. Any number of threads may do so at a time; keeps no error text.
 *
 * 0        they are right, or there are no crcs
 * -EILSEQ  one is not: *bad_gfn_r is the first
 * -ENOENT  a gfn is not in the image; -ENODATA, -EIO etc. the sidecar cannot be
 *          read any more
 */
int xlx_image_index_check(const xlx_image_index *index, uint64_t gfn, size_t nr,
                          const void *pages, uint64_t *bad_gfn_r);

/*
 * The recorded working set in the order of first touch: no gfn twice, each in
 * the image. NULL and 0 without one. Valid until the index is closed.
 */
const struct xlx_image_range *
xlx_image_working_set(const xlx_image_index *index, size_t *nr_r);

/*
 * Reads all pages of the image and writes its sidecar to `path`, or beside it
 * (NULL), whole or not at all. A working set that the sidecar there has is
 * kept. `progress` may be NULL.
 *
 * -ECANCELED by progress; -ESTALE the image was written to meanwhile; -ENODATA
 * it became shorter; -EINVAL something that is no sidecar is there, which is
 * left as it is, or the image is not a file and has nothing beside it; -ENOMEM;
 * or as open(2), write(2), pread(2)
 */
int xlx_image_index_write(xlx_ctx *ctx, const xlx_image *image,
                          const char *path, xlx_image_progress_fn *progress,
                          void *user);

/*
 * Whether a sidecar can be written to `path`, or beside the image (NULL), as
 * far as can be told beforehand: a new file is made in that folder and removed.
 * Errors as xlx_image_index_write().
 */
int xlx_image_index_can_write(xlx_ctx *ctx, const xlx_image *image,
                              const char *path);

/*
 * The page of `gfn` is not what it was: -EILSEQ, its crc is another; else the
 * error of reading it.
 */
typedef void xlx_image_bad_fn(void *user, uint64_t gfn, int error);

/*
 * Reads all pages and holds them against the crcs of `index`; with NULL, or an
 * index without crcs, whether they can be read is all that is seen. `progress`
 * and `bad` may be NULL.
 *
 * 0 all are right; -EILSEQ some are not, each told to `bad`; -ECANCELED; -ENOMEM;
 * or the error of reading the sidecar.
 */
int xlx_image_verify(xlx_ctx *ctx, const xlx_image *image,
                     const xlx_image_index *index,
                     xlx_image_progress_fn *progress, xlx_image_bad_fn *bad,
                     void *user);

/*
 * Replaces the working set in the sidecar, which is made if there is none or
 * none that fits; its other contents stay. `ranges` are in the order of first
 * touch: what is repeated, or not in the image, is left out, and neighbours are
 * joined. nr 0 takes the working set away. Errors as xlx_image_index_write().
 */
int xlx_image_working_set_write(xlx_ctx *ctx, const xlx_image *image,
                                const char *path,
                                const struct xlx_image_range *ranges,
                                size_t nr);

/*
 * The same, behind the working set that is there: where that was replayed, only
 * what it lacked was seen as touched.
 */
int xlx_image_working_set_add(xlx_ctx *ctx, const xlx_image *image,
                              const char *path,
                              const struct xlx_image_range *ranges, size_t nr);

/*
 * Writes the image anew to `out`, whole or not at all: a save file that every
 * xl restore reads, with the same guest in it. The pages of `first` (as
 * xlx_image_working_set() has them; what is repeated or not in the image is left
 * out) come first and in that order, then all others by gfn, each once and at a
 * multiple of 4 KiB of the file. Pages of zeros are holes of the file, which take
 * no space and no reading. What was written is compared with the image before
 * it gets its name, which may be that of the image.
 *
 * -ENOTSUP  a PV guest, or opened with xlx_image_open_fd()
 * -EBADMSG  the image was changed meanwhile; -EIO what was written differs
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
