/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An opened image, as the files of this folder share it.
 */
#ifndef XLX_IMAGE_INTERNAL_H
#define XLX_IMAGE_INTERNAL_H

#include "image/format.h"
#include "image/resident.h"
#include "image/source.h"

/*
 * Limits of what a file can make us remember. A guest of 16 TiB, saved while
 * it is paused, has 4 million PAGE_DATA records and as many runs.
 */
#define XLX__RUNS_MAX (1u << 24)
#define XLX__RECORDS_MAX (1u << 23)
#define XLX__SPECIAL_GFNS_MAX (1u << 14)

/* Gfns that the image names, in no order and perhaps more than once. */
struct xlx__special_gfns {
    struct xlx__gfn_range *range;
    size_t nr, cap;
    bool device_model; /* the guest has one, as it has ioreq servers */
};

/*
 * A record as it was checked. `sum` is over all that was looked at: its head
 * and, but for the pages of PAGE_DATA, its body. It tells whether the file was
 * changed since; it is no protection against a forger.
 */
struct xlx__record {
    uint64_t offset; /* of its header */
    uint64_t sum;
    uint32_t type;
    uint32_t length;
};

struct xlx_image {
    struct xlx__storage *storage;
    char *name;
    uint64_t config_at; /* the guest's configuration in xl's header */
    uint32_t config_len;
    uint64_t end; /* behind libxl's END; 0 where only libxc's stream is known */
    struct xlx_image_info info;
    struct fmt_libxc_headers headers; /* as they were checked */
    struct xlx_image_run *runs;
    size_t nr_runs;
    struct xlx__record *records; /* of libxc, END included */
    size_t nr_records;
    struct xlx__special_gfns special;
};

/*
 * Checks xl's header and libxl's stream to its END, and in it the libxc stream
 * as xlx__libxc_index() does.
 */
int xlx__save_file_index(struct xlx__source *src, struct xlx_image *image);

/* Checks the libxc stream at `offset` to its END and fills in `image`. */
int xlx__libxc_index(struct xlx__source *src, uint64_t offset,
                     struct xlx_image *image);

/* Checks the headers at its start, and notes in `image` what they say. */
int xlx__libxc_headers(struct xlx__source *src, uint64_t at,
                       struct xlx_image *image);

/* The offset behind the record and its padding. */
static inline uint64_t xlx__record_end(const struct xlx__record *record)
{
    return record->offset + fmt_record_size(record->length);
}

/* Where the pages of a PAGE_DATA record with `count` pfns begin. */
static inline uint64_t xlx__first_page(const struct xlx__record *record,
                                       uint32_t count)
{
    return record->offset + sizeof(struct fmt_record) +
           sizeof(struct fmt_page_data) + count * (uint64_t)sizeof(uint64_t);
}

/* Reads exactly `len` bytes at `offset`; errors as the storage has them. */
static inline int xlx__image_pread(const struct xlx_image *image, void *buf,
                                   size_t len, uint64_t offset)
{
    return image->storage->ops->pread(image->storage, buf, len, offset);
}

/* A sum of bytes, a multiple of eight, that tells them from others. */
uint64_t xlx__sum(const void *bytes, size_t len);

/* Sums the record up, and everything in it but pages. */
int xlx__record_sum(struct xlx__source *src, const struct xlx__record *record,
                    uint64_t *sum_r);

/* -EBADMSG, reported, when the record is no longer what was checked. */
int xlx__record_recheck(struct xlx__source *src,
                        const struct xlx__record *record);

/* Whether the image has a page for `gfn`. */
bool xlx__image_has(const struct xlx_image *image, uint64_t gfn);

/*
 * Sums up the libxc stream but for its pages, from the sums that were taken
 * when it was checked, wherever in a file it lies.
 */
uint64_t xlx__image_sum(const struct xlx_image *image);

/* Adds the gfns that an HVM_PARAMS record names. -EBADMSG, -EOVERFLOW. */
int xlx__special_gfns_of_params(struct xlx__source *src,
                                const struct xlx__record *record,
                                struct xlx__special_gfns *special);

/* Adds the gfns that Xen reads or maps while an HVM_CONTEXT record is loaded.
 */
int xlx__special_gfns_of_context(struct xlx__source *src,
                                 const struct xlx__record *record,
                                 struct xlx__special_gfns *special);

#endif
