/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A sidecar as it lies in its file, and as it is once read. docs/image.md says
 * what each part is for.
 */
#ifndef XLX_IMAGE_SIDECAR_H
#define XLX_IMAGE_SIDECAR_H

#include <limits.h>

#include "core/crc32c.h"
#include "image/internal.h"

/* --- in the file: little-endian, each part at a multiple of 8 bytes ------- */

#define LZX_MAGIC 0x0a1a787a6c786c78ull /* "xlxlzx", ^Z, newline */
#define LZX_VERSION 1u
#define LZX_SECTIONS_MAX 16u

/* What the sidecar belongs to. */
struct lzx_identity {
    uint64_t stream_len; /* of libxc's stream */
    uint64_t stream_sum; /* xlx__image_sum() */
    uint64_t pages, runs;
};

struct lzx_header {
    uint64_t magic;
    uint32_t version;
    uint32_t sections;
    struct lzx_identity identity;
    int64_t mtime_s; /* of the image when its pages were read */
    uint32_t mtime_ns;
    uint32_t crc; /* crc32c of the header up to here */
};
_Static_assert(sizeof(struct lzx_header) == 64, "sidecar header");

enum lzx_type {
    LZX_RUNS = 1,        /* struct xlx_image_run of the image, all of them */
    LZX_CRC = 2,         /* u32 for each page, in the order of the runs */
    LZX_ZERO = 3,        /* a bit for each page, in the same order */
    LZX_WORKING_SET = 4, /* struct xlx_image_range */
    LZX_TYPES,
};

struct lzx_section {
    uint32_t type;
    uint32_t crc;    /* lzx_section_crc() */
    uint64_t length; /* of the body, without its padding to 8 */
};
_Static_assert(sizeof(struct lzx_section) == 16, "section header");
_Static_assert(sizeof(struct xlx_image_run) == 24, "a run in a section");
_Static_assert(sizeof(struct xlx_image_range) == 16, "a range in a section");

/* crc32c of the body, gone on with this header, its crc 0. */
static inline uint32_t lzx_section_crc(uint32_t body,
                                       const struct lzx_section *section)
{
    struct lzx_section head = *section;
    head.crc = 0;
    return xlx__crc32c(body, &head, sizeof(head));
}

static inline uint64_t lzx_padded(uint64_t length)
{
    return (length + 7) & ~7ull;
}

/* --- once read ------------------------------------------------------------ */

struct xlx_sidecar {
    const struct xlx_image *image;
    int fd;
    char *name;
    struct xlx_sidecar_info info;
    struct lzx_header header;
    uint64_t *ordinal; /* xlx__ordinals() */
    uint64_t crc_at;   /* of the crcs in the file; 0: there are none */
    uint64_t *zero;    /* bits; or NULL */
    struct xlx_image_range *working_set;
    size_t nr_working_set;
};

/* Number of 64-bit words for a bit a page. */
static inline size_t xlx__zero_words(uint64_t pages)
{
    return (size_t)((pages + 63) / 64);
}

/*
 * The number that the first page of each run has when the pages are counted in
 * the order of gfns; behind the last run, the number of all pages. The caller's
 * to free(); NULL without memory.
 */
uint64_t *xlx__ordinals(const struct xlx_image *image);

struct lzx_identity xlx__sidecar_identity(const struct xlx_image *image);

/*
 * When the image was last written to; 0 where that is not known: a block
 * device, NBD.
 */
int xlx__sidecar_mtime(xlx_ctx *ctx, const struct xlx_image *image,
                       int64_t *s_r, uint32_t *ns_r);

/* `path`, or the image's own with ".lzx", into `to` of PATH_MAX. */
int xlx__sidecar_path(xlx_ctx *ctx, const struct xlx_image *image,
                      const char *path, char *to);

/* As xlx_sidecar_check(), but for pages that the sidecar lists as zero. */
int xlx__sidecar_check_data(const xlx_sidecar *sidecar, uint64_t gfn, size_t nr,
                            const void *pages, uint64_t *bad_gfn_r);

/*
 * What is sensible of a working set: in the image, nothing twice, neighbours
 * joined, not more than XLX_WORKING_SET_MAX runs. `ranges` may be anything.
 * The array is the caller's to free(). -ENOMEM
 */
int xlx__working_set_tidy(xlx_ctx *ctx, const struct xlx_image *image,
                          const struct xlx_image_range *ranges, size_t nr,
                          struct xlx_image_range **tidy_r, size_t *nr_r);

#endif
