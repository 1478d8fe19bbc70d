/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Writes a libxc stream with the resident pages only.
 *
 * Each record is read again and compared with what was checked when the image
 * was opened, before anything of it is written: the domain that is built from
 * the stream and the index that the pager serves cannot disagree.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "core/io.h"
#include "image/internal.h"

#define BUFFER_SIZE (256u << 10)

struct thin {
    struct xlx__source src;
    const struct xlx_image *image;
    const struct xlx__gfn_range *resident;
    size_t nr_resident;
    int out;
    unsigned char *buffer;
    size_t used;
    uint64_t pages;
};

/* Up to a batch of pfns that stay, and where the pages of some of them are. */
struct batch {
    uint64_t pfn[FMT_PAGE_BATCH];
    uint64_t page[FMT_PAGE_BATCH];
    uint32_t pfns, pages;
};

/* --- output --------------------------------------------------------------- */

static int flush(struct thin *thin)
{
    int rc = xlx__write_all(thin->out, thin->buffer, thin->used);
    thin->used = 0;
    if (rc)
        return xlx__fail_errno(thin->src.ctx, -rc,
                               "%s: cannot pass the thinned stream on",
                               thin->image->name);
    return 0;
}

/* Makes room for one byte at least. */
static int room(struct thin *thin, size_t *room_r)
{
    int rc = thin->used == BUFFER_SIZE ? flush(thin) : 0;
    *room_r = BUFFER_SIZE - thin->used;
    return rc;
}

static int feed_bytes(struct thin *thin, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    while (len) {
        size_t n;
        int rc = room(thin, &n);
        if (rc)
            return rc;
        if (n > len)
            n = len;
        memcpy(thin->buffer + thin->used, from, n);
        thin->used += n;
        from += n;
        len -= n;
    }
    return 0;
}

/* Copies `len` bytes of the file from `offset`. */
static int feed_from(struct thin *thin, uint64_t offset, uint64_t len)
{
    while (len) {
        size_t n;
        int rc = room(thin, &n);
        if (rc)
            return rc;
        if (n > len)
            n = (size_t)len;
        rc =
            xlx__image_pread(thin->image, thin->buffer + thin->used, n, offset);
        if (rc)
            return xlx__fail_errno(thin->src.ctx, -rc,
                                   "%s: cannot read byte %" PRIu64,
                                   thin->image->name, offset);
        thin->used += n;
        offset += n;
        len -= n;
    }
    return 0;
}

/* --- PAGE_DATA ------------------------------------------------------------ */

/*
 * What is resident stays, whatever it says. Of the rest only pfns without a
 * page could: "allocate" (XALLOC), but not when the pager will load the page
 * that a later record has, which wants the gfn empty. XTAB and BROKEN say that
 * there is no page, and so does leaving them out: a guest's address space has a
 * million of them below 4 GiB.
 */
static bool stays(const struct thin *thin, uint64_t pfn)
{
    uint64_t gfn = pfn & FMT_PFN_MASK;
    if (xlx__gfn_in(thin->resident, thin->nr_resident, gfn))
        return true;
    return pfn >> FMT_PFN_TYPE_SHIFT == FMT_PFN_XALLOC &&
           !xlx__image_has(thin->image, gfn);
}

/* Sorts out `n` pfns, the first of whose pages is at *page. */
static void select_pfns(const struct thin *thin, const unsigned char *pfns,
                        size_t n, uint64_t *page, struct batch *batch)
{
    batch->pfns = batch->pages = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t pfn = xlx__load_u64(pfns + i * sizeof(pfn));
        bool has_page =
            fmt_pfn_type_has_page((unsigned)(pfn >> FMT_PFN_TYPE_SHIFT));
        if (stays(thin, pfn)) {
            batch->pfn[batch->pfns++] = pfn;
            if (has_page)
                batch->page[batch->pages++] = *page;
        }
        if (has_page)
            *page += XLX_PAGE_SIZE;
    }
}

static int put_batch_pages(struct thin *thin, const struct batch *batch)
{
    int rc = 0;
    for (uint32_t i = 0, n; !rc && i < batch->pages; i += n) {
        /* Pages that follow each other in the file are read at once. */
        for (n = 1; i + n < batch->pages; n++)
            if (batch->page[i + n] != batch->page[i] + n * XLX_PAGE_SIZE)
                break;
        rc = feed_from(thin, batch->page[i], (uint64_t)n * XLX_PAGE_SIZE);
    }
    thin->pages += batch->pages;
    return rc;
}

static int put_batch(struct thin *thin, const struct batch *batch)
{
    struct {
        struct fmt_record record;
        struct fmt_page_data data;
    } head = {
        .record.type = FMT_PAGE_DATA,
        .record.length =
            (uint32_t)(sizeof(head.data) + batch->pfns * sizeof(uint64_t) +
                       batch->pages * XLX_PAGE_SIZE),
        .data.count = batch->pfns,
    };
    if (!batch->pfns)
        return 0;
    int rc = feed_bytes(thin, &head, sizeof(head));
    if (!rc)
        rc = feed_bytes(thin, batch->pfn, batch->pfns * sizeof(uint64_t));
    if (!rc)
        rc = put_batch_pages(thin, batch);
    return rc;
}

/* A larger record than libxc writes becomes several. */
static int thin_pages(struct thin *thin, const struct xlx__record *record)
{
    struct fmt_page_data head;
    struct batch batch;
    int rc =
        xlx__source_copy(&thin->src, record->offset + sizeof(struct fmt_record),
                         &head, sizeof(head), "PAGE_DATA");
    if (rc)
        return rc;
    uint64_t at = xlx__first_page(record, 0);
    uint64_t page = xlx__first_page(record, head.count);
    for (uint32_t left = head.count, n; !rc && left; left -= n) {
        const unsigned char *pfns;
        n = left < FMT_PAGE_BATCH ? left : FMT_PAGE_BATCH;
        rc = xlx__source_get(&thin->src, at, n * sizeof(uint64_t), "PAGE_DATA",
                             &pfns);
        if (rc)
            return rc;
        select_pfns(thin, pfns, n, &page, &batch);
        rc = put_batch(thin, &batch);
        at += n * sizeof(uint64_t);
    }
    return rc;
}

/* --- the stream ----------------------------------------------------------- */

static int thin_stream(struct thin *thin)
{
    const struct xlx_image *image = thin->image;
    int rc = feed_bytes(thin, &image->headers, sizeof(image->headers));
    for (size_t i = 0; !rc && i < image->nr_records; i++) {
        const struct xlx__record *record = &image->records[i];
        rc = xlx__record_recheck(&thin->src, record);
        if (rc)
            break;
        if (record->type == FMT_PAGE_DATA)
            rc = thin_pages(thin, record);
        else
            rc = feed_from(thin, record->offset,
                           fmt_record_size(record->length));
    }
    return rc ? rc : flush(thin);
}

int xlx__image_thin(xlx_ctx *ctx, const xlx_image *image,
                    const struct xlx__gfn_range *resident, size_t nr, int out,
                    uint64_t *pages_r)
{
    struct thin thin = {
        .image = image, .resident = resident, .nr_resident = nr, .out = out
    };
    if (image->info.guest != XLX_IMAGE_HVM)
        return xlx__fail(ctx, ENOTSUP,
                         "%s: a PV guest, which cannot be restored lazily",
                         image->name);
    xlx__source_init(&thin.src, ctx, image->storage, image->name);
    XLX__AUTO_FREE unsigned char *buffer = malloc(BUFFER_SIZE);
    if (!buffer)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    thin.buffer = buffer;
    int rc = thin_stream(&thin);
    if (!rc)
        *pages_r = thin.pages;
    return rc;
}
