/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A file read by position, a little at a time: the one place that touches the
 * file while it is checked, and that knows where it ends.
 */
#ifndef XLX_IMAGE_SOURCE_H
#define XLX_IMAGE_SOURCE_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/ctx.h"
#include "image/format.h"
#include "image/storage.h"

/*
 * One read takes the head of a full PAGE_DATA record: its header and the pfns
 * of a batch. More would copy page data that nobody looks at. But where one
 * read continues at the end of another there is none, and each takes twice as
 * much as the one before, up to XLX__SOURCE_MAX: the pfns without pages below
 * 4 GiB alone are a thousand records.
 */
#define XLX__SOURCE_WINDOW                                      \
    (sizeof(struct fmt_record) + sizeof(struct fmt_page_data) + \
     FMT_PAGE_BATCH * sizeof(uint64_t))

#define XLX__SOURCE_MAX (8 * XLX__SOURCE_WINDOW)

struct xlx__source {
    xlx_ctx *ctx;
    const char *name; /* of the file, for messages */
    struct xlx__storage *storage;
    uint64_t size;  /* of the file */
    uint64_t start; /* what the window holds: [start, start + len) */
    size_t len;
    size_t take; /* bytes that the last read was for */
    unsigned char window[XLX__SOURCE_MAX];
};

/* Prepares to read `storage`, which is borrowed. */
void xlx__source_init(struct xlx__source *src, xlx_ctx *ctx,
                      struct xlx__storage *storage, const char *name);

/*
 * Points *bytes_r at `len` bytes (at most XLX__SOURCE_WINDOW) from `offset`;
 * valid until the next call. `what` they are is named when the file ends
 * before. -ENODATA truncated; or as pread(2).
 */
int xlx__source_get(struct xlx__source *src, uint64_t offset, size_t len,
                    const char *what, const unsigned char **bytes_r);

/* Copies `len` bytes from `offset` to `to`; errors as xlx__source_get(). */
int xlx__source_copy(struct xlx__source *src, uint64_t offset, void *to,
                     size_t len, const char *what);

/* Checks that `len` bytes from `offset` are in the file. -ENODATA */
int xlx__source_has(const struct xlx__source *src, uint64_t offset,
                    uint64_t len, const char *what);

/* Says that the window at `offset` will be wanted soon: the disk may start. */
void xlx__source_expect(const struct xlx__source *src, uint64_t offset);

/* Reports what is wrong at one place of the file, and returns -err. */
#define xlx__source_fail(src, err, offset, fmt, ...)                      \
    xlx__fail((src)->ctx, err, "%s: byte %" PRIu64 ": " fmt, (src)->name, \
              (uint64_t)(offset), ##__VA_ARGS__)

static inline uint64_t xlx__load_u64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

#endif
