/* SPDX-License-Identifier: LGPL-2.1-only */
#include "image/internal.h"

/* FxHash: one multiplication for eight bytes. */
static uint64_t sum_bytes(uint64_t sum, const unsigned char *bytes, size_t len)
{
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t)) {
        sum = ((sum << 5 | sum >> 59) ^ xlx__load_u64(bytes)) *
              0x517cc1b727220a95ull;
        bytes += sizeof(uint64_t);
    }
    return sum;
}

uint64_t xlx__sum(const void *bytes, size_t len)
{
    return sum_bytes(0, bytes, len);
}

/* The end of what is summed up, which begins at the record's header. */
static int summed_end(struct xlx__source *src, const struct xlx__record *record,
                      uint64_t *end_r)
{
    uint64_t end = xlx__record_end(record);
    if (record->type == FMT_PAGE_DATA) {
        struct {
            struct fmt_record record; /* what is read next begins with it */
            struct fmt_page_data data;
        } head;
        int rc = xlx__source_copy(src, record->offset, &head, sizeof(head),
                                  "PAGE_DATA");
        if (rc)
            return rc;
        /* A count that was changed since changes the sum, however far. */
        if (xlx__first_page(record, head.data.count) < end)
            end = xlx__first_page(record, head.data.count);
    }
    *end_r = end;
    return 0;
}

int xlx__record_sum(struct xlx__source *src, const struct xlx__record *record,
                    uint64_t *sum_r)
{
    uint64_t end, sum = 0;
    int rc = summed_end(src, record, &end);
    for (uint64_t at = record->offset, n; !rc && at < end; at += n) {
        const unsigned char *bytes;
        n = end - at < XLX__SOURCE_WINDOW ? end - at : XLX__SOURCE_WINDOW;
        rc = xlx__source_get(src, at, (size_t)n, "a record", &bytes);
        if (!rc)
            sum = sum_bytes(sum, bytes, (size_t)n);
    }
    *sum_r = sum;
    return rc;
}

int xlx__record_recheck(struct xlx__source *src,
                        const struct xlx__record *record)
{
    uint64_t sum;
    int rc = xlx__record_sum(src, record, &sum);
    if (!rc && sum != record->sum)
        rc = xlx__source_fail(src, EBADMSG, record->offset,
                              "the file was changed since it was opened");
    return rc;
}

uint64_t xlx__image_sum(const struct xlx_image *image)
{
    uint64_t sum = sum_bytes(0, (const unsigned char *)&image->headers,
                             sizeof(image->headers));
    for (size_t i = 0; i < image->nr_records; i++) {
        const struct xlx__record *record = &image->records[i];
        const uint64_t words[] = { record->offset - image->info.libxc_start,
                                   (uint64_t)record->type << 32 |
                                       record->length,
                                   record->sum };
        sum = sum_bytes(sum, (const unsigned char *)words, sizeof(words));
    }
    return sum;
}
