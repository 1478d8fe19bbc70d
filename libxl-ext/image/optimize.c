/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Writes a new save file with the pages in a better order.
 *
 * All records stay, but for PAGE_DATA, in whose place all pages are written,
 * each once. A record of 1022 pages has a head of 8 KiB: once one begins at a
 * multiple of 4 KiB all its pages do, and those of the next. What is missing
 * before is filled with a PAGE_DATA record that says of one gfn, again and
 * again, that it has no page (Xen's verify-stream-v2 knows no optional
 * records), and in xl's header, behind whose configuration xl skips what is
 * left.
 *
 * A page of zeros stays in the stream. XALLOC, "allocate only", would not do:
 * what a running guest gives back (balloon) is not scrubbed by Xen
 * (free_domheap_pages), so what is allocated need not be zeros. Left out, the
 * gfn would have no memory at all.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "core/io.h"
#include "host/new_file.h"
#include "image/runs.h"
#include "image/sidecar.h"
#include "image/walk.h"

#define RECORD_PAGES 1022u
#define FORMER_PADDING (FMT_RECORD_OPTIONAL | 0x6c7a78u) /* in older files */
#define CHUNK (256u << 10)

struct head {
    struct fmt_record record;
    struct fmt_page_data data;
};
_Static_assert((sizeof(struct head) + RECORD_PAGES * 8) % XLX_PAGE_SIZE == 0,
               "the pages of a record keep the alignment of its start");

/* The shortest such record has one pfn. */
#define SHORTEST (sizeof(struct head) + sizeof(uint64_t))

struct rewrite {
    xlx_ctx *ctx;
    const struct xlx_image *image;
    struct xlx__source *src;
    struct xlx__new_file file;
    uint64_t at; /* in the new file */
    uint64_t pfn[RECORD_PAGES];
    uint32_t nr;
    unsigned char *buffer; /* RECORD_PAGES pages */
    uint64_t *seen;        /* a bit for each page that was put first */
    xlx_image_progress_fn *progress;
    void *user;
    uint64_t done;
};

/* --- output --------------------------------------------------------------- */

static int write_part(struct rewrite *w, const void *bytes, size_t len)
{
    const char *from = bytes;
    while (len) {
        ssize_t n = pwrite(w->file.fd, from, len, (off_t)w->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return xlx__fail_errno(w->ctx, n ? errno : ENOSPC,
                                   "%s: cannot write", w->file.path);
        from += n;
        len -= (size_t)n;
        w->at += (uint64_t)n;
    }
    return 0;
}

/* Copies bytes [from, to) of the image. */
static int write_part_from(struct rewrite *w, uint64_t from, uint64_t to)
{
    while (from < to) {
        size_t n = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
        int rc = xlx__image_pread(w->image, w->buffer, n, from);
        if (rc)
            return xlx__fail_errno(w->ctx, -rc, "%s: cannot read byte %" PRIu64,
                                   w->image->name, from);
        rc = write_part(w, w->buffer, n);
        if (rc)
            return rc;
        from += n;
    }
    return 0;
}

/* --- PAGE_DATA
 * ---------------------------------------------------------------- */

/* A record of `len` bytes that says nothing new: the gfn had no page. */
static int put_padding(struct rewrite *w, uint64_t len)
{
    uint64_t pfn[(XLX_PAGE_SIZE + SHORTEST) / sizeof(uint64_t)];
    size_t pfns = (size_t)len - sizeof(struct head);
    struct head head = { .record.type = FMT_PAGE_DATA };
    head.record.length = (uint32_t)(sizeof(head.data) + pfns);
    head.data.count = (uint32_t)(pfns / sizeof(pfn[0]));
    for (uint32_t i = 0; i < head.data.count; i++)
        pfn[i] = (uint64_t)FMT_PFN_XTAB << FMT_PFN_TYPE_SHIFT |
                 (w->image->info.max_gfn + 1);
    int rc = write_part(w, &head, sizeof(head));
    return rc ? rc : write_part(w, pfn, pfns);
}

/* Makes what follows in `ahead` bytes begin at a page of the file. */
static int pad(struct rewrite *w, uint64_t ahead)
{
    uint64_t gap = -(w->at + ahead) % XLX_PAGE_SIZE;
    if (!gap || gap % FMT_RECORD_ALIGN)
        return 0;
    return put_padding(w, gap < SHORTEST ? gap + XLX_PAGE_SIZE : gap);
}

/* Those that are not zeros; the file has holes for the others. */
static int write_pages(struct rewrite *w, const unsigned char *bytes, size_t nr)
{
    int rc = 0;
    for (size_t i = 0, n; !rc && i < nr; i += n) {
        bool zero = xlx__page_is_zero(bytes + i * XLX_PAGE_SIZE);
        for (n = 1; i + n < nr; n++)
            if (xlx__page_is_zero(bytes + (i + n) * XLX_PAGE_SIZE) != zero)
                break;
        if (zero)
            w->at += n * XLX_PAGE_SIZE;
        else
            rc = write_part(w, bytes + i * XLX_PAGE_SIZE, n * XLX_PAGE_SIZE);
    }
    return rc;
}

static int read_pages(struct rewrite *w)
{
    int rc = 0;
    for (uint32_t i = 0, n; !rc && i < w->nr; i += n) {
        for (n = 1; i + n < w->nr && w->pfn[i + n] == w->pfn[i] + n; n++)
            ;
        rc = xlx_image_read(w->image, w->pfn[i], n,
                            w->buffer + (size_t)i * XLX_PAGE_SIZE);
    }
    if (rc)
        return xlx__fail_errno(w->ctx, -rc, "%s: cannot read its pages",
                               w->image->name);
    return 0;
}

/* The record of the pfns that were gathered. */
static int put_record(struct rewrite *w, bool with_pages)
{
    size_t pages = with_pages ? w->nr : 0, pfns = w->nr * sizeof(w->pfn[0]);
    struct head head = { .record.type = FMT_PAGE_DATA, .data.count = w->nr };
    head.record.length =
        (uint32_t)(sizeof(head.data) + pfns + pages * XLX_PAGE_SIZE);
    if (!w->nr)
        return 0;
    if (w->progress && !w->progress(w->user, w->done, 2 * w->image->info.pages))
        return xlx__fail(w->ctx, ECANCELED, "%s: interrupted", w->file.path);
    int rc = pages ? read_pages(w) : 0;
    if (!rc && pages)
        rc = pad(w, sizeof(head) + pfns);
    if (!rc)
        rc = write_part(w, &head, sizeof(head));
    if (!rc)
        rc = write_part(w, w->pfn, pfns);
    if (!rc)
        rc = write_pages(w, w->buffer, pages);
    w->done += pages;
    w->nr = 0;
    return rc;
}

static int put_pfn(struct rewrite *w, uint64_t pfn, bool with_page)
{
    w->pfn[w->nr++] = pfn;
    return w->nr == RECORD_PAGES ? put_record(w, with_page) : 0;
}

static void mark_as_first(struct rewrite *w, const uint64_t *ordinal,
                          uint64_t gfn)
{
    const struct xlx_image *image = w->image;
    size_t i = (size_t)(xlx__runs_from(image->runs, image->nr_runs, gfn) -
                        image->runs);
    uint64_t page = ordinal[i] + gfn - image->runs[i].gfn;
    w->seen[page / 64] |= 1ull << page % 64;
}

static int put_first(struct rewrite *w, const struct xlx_image_range *first,
                     size_t nr)
{
    XLX__AUTO_FREE uint64_t *ordinal = xlx__ordinals(w->image);
    XLX__AUTO_FREE struct xlx_image_range *tidy = NULL;
    size_t nr_tidy;
    int rc =
        xlx__working_set_tidy(w->ctx, w->image, first, nr, &tidy, &nr_tidy);
    if (!rc && !ordinal)
        rc = xlx__fail(w->ctx, ENOMEM, "%s: no memory", w->image->name);
    for (size_t i = 0; !rc && i < nr_tidy; i++) {
        for (uint64_t k = 0; !rc && k < tidy[i].nr; k++) {
            mark_as_first(w, ordinal, tidy[i].gfn + k);
            rc = put_pfn(w, tidy[i].gfn + k, true);
        }
    }
    return rc;
}

static int put_rest(struct rewrite *w)
{
    uint64_t page = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < w->image->nr_runs; i++) {
        const struct xlx_image_run *run = &w->image->runs[i];
        for (uint64_t k = 0; !rc && k < run->nr; k++, page++)
            if (!(w->seen[page / 64] >> page % 64 & 1))
                rc = put_pfn(w, run->gfn + k, true);
    }
    return rc ? rc : put_record(w, true);
}

/* What a record says is allocated only, and no record has a page for. */
static int put_allocated(struct rewrite *w, const struct xlx__record *record)
{
    struct fmt_page_data data;
    int rc =
        xlx__source_copy(w->src, record->offset + sizeof(struct fmt_record),
                         &data, sizeof(data), "PAGE_DATA");
    for (uint32_t i = 0; !rc && i < data.count; i++) {
        uint64_t pfn;
        rc = xlx__source_copy(w->src, xlx__first_page(record, i), &pfn,
                              sizeof(pfn), "PAGE_DATA");
        if (!rc && pfn >> FMT_PFN_TYPE_SHIFT == FMT_PFN_XALLOC &&
            !xlx__image_has(w->image, pfn & FMT_PFN_MASK))
            rc = put_pfn(w, pfn & ~FMT_PFN_RESERVED, false);
    }
    return rc ? rc : put_record(w, false);
}

/* --- the file
 * ------------------------------------------------------------------ */

/*
 * xl's header, with so much behind the configuration that libxc's stream, whose
 * parts are multiples of 8, begins at one.
 */
static int put_front(struct rewrite *w)
{
    static const unsigned char nothing[FMT_RECORD_ALIGN];
    const struct xlx_image *image = w->image;
    struct fmt_xl_header header;
    uint64_t end = sizeof(header);
    uint32_t gap = 0;
    int rc =
        xlx__source_copy(w->src, 0, &header, sizeof(header), "xl's header");
    if (rc)
        return rc;
    end += header.optional_data_len;
    if (end > image->info.libxc_start)
        return xlx__source_fail(w->src, EBADMSG, 0,
                                "the file was changed since it was opened");
    if (header.optional_data_len)
        gap = (uint32_t)(-image->info.libxc_start % FMT_RECORD_ALIGN);
    header.optional_data_len += gap;
    rc = write_part(w, &header, sizeof(header));
    if (!rc)
        rc = write_part_from(w, sizeof(header), end);
    if (!rc)
        rc = write_part(w, nothing, gap);
    return rc ? rc : write_part_from(w, end, image->info.libxc_start);
}

/* All pages in the place of the first PAGE_DATA record. */
static int put_records(struct rewrite *w, const struct xlx_image_range *first,
                       size_t nr)
{
    const struct xlx_image *image = w->image;
    bool pages_put = false;
    int rc = write_part(w, &image->headers, sizeof(image->headers));
    for (size_t i = 0; !rc && i < image->nr_records; i++) {
        const struct xlx__record *record = &image->records[i];
        rc = xlx__record_recheck(w->src, record);
        if (!rc && record->type != FMT_PAGE_DATA &&
            record->type != FORMER_PADDING)
            rc = write_part_from(w, record->offset, xlx__record_end(record));
        if (rc || record->type != FMT_PAGE_DATA)
            continue;
        if (!pages_put) {
            rc = put_first(w, first, nr);
            if (!rc)
                rc = put_rest(w);
        }
        pages_put = true;
        if (!rc)
            rc = put_allocated(w, record);
    }
    return rc;
}

static int put_all(struct rewrite *w, const struct xlx_image_range *first,
                   size_t nr)
{
    const struct xlx_image *image = w->image;
    int rc = put_front(w);
    if (!rc)
        rc = put_records(w, first, nr);
    return rc ? rc : write_part_from(w, image->info.libxc_end, image->end);
}

/* --- and back
 * -------------------------------------------------------------------- */

struct compare {
    const struct xlx_image *image;
    unsigned char *buffer;
    struct rewrite *w;
};

static int compare_pages(void *arg, uint64_t gfn, size_t nr,
                         const unsigned char *bytes)
{
    struct compare *c = arg;
    struct rewrite *w = c->w;
    int rc = xlx_image_read(c->image, gfn, nr, c->buffer);
    if (rc && rc != -ENOENT)
        return xlx__fail_errno(w->ctx, -rc, "%s: cannot read its pages",
                               c->image->name);
    if (rc || memcmp(c->buffer, bytes, nr * XLX_PAGE_SIZE))
        return xlx__fail(w->ctx, EIO,
                         "%s: the new file differs from the save file, from "
                         "gfn %#" PRIx64,
                         w->file.path, gfn);
    w->done += nr;
    if (w->progress && !w->progress(w->user, w->done, 2 * c->image->info.pages))
        return xlx__fail(w->ctx, ECANCELED, "%s: interrupted", w->file.path);
    return 0;
}

static int compare(struct rewrite *w)
{
    struct xlx_image *written;
    struct compare c = { w->image, w->buffer, w };
    int rc = xlx_image_open(w->ctx, w->file.temp, &written);
    if (rc)
        return rc;
    const struct xlx__walk walk = {
        .ctx = w->ctx, .image = written, .pages = compare_pages, .arg = &c
    };
    const struct xlx__special_gfns *a = &w->image->special,
                                   *b = &written->special;
    if (written->info.pages != w->image->info.pages || a->nr != b->nr ||
        (a->nr && memcmp(a->range, b->range, a->nr * sizeof(*a->range))))
        rc = xlx__fail(w->ctx, EIO, "%s: the new file contains another guest",
                       w->file.path);
    if (!rc)
        rc = xlx__walk_pages(&walk);
    xlx_image_close(written);
    return rc;
}

static int check_possible(xlx_ctx *ctx, const struct xlx_image *image)
{
    if (image->info.guest != XLX_IMAGE_HVM)
        return xlx__fail(ctx, ENOTSUP,
                         "%s: a PV guest, whose pages cannot be reordered",
                         image->name);
    if (!image->end)
        return xlx__fail(ctx, ENOTSUP, "%s: not opened as a save file",
                         image->name);
    return 0;
}

int xlx_image_optimize(xlx_ctx *ctx, const xlx_image *image,
                       const struct xlx_image_range *first, size_t nr,
                       const char *out, xlx_image_progress_fn *progress,
                       void *user)
{
    struct timespec mtime;
    mode_t mode;
    struct xlx__source src;
    XLX__AUTO_FREE struct rewrite *w = calloc(1, sizeof(*w));
    XLX__AUTO_FREE unsigned char *buffer = malloc(RECORD_PAGES * XLX_PAGE_SIZE);
    XLX__AUTO_FREE uint64_t *seen =
        calloc(xlx__zero_words(image->info.pages) + 1, sizeof(*seen));
    int rc = check_possible(ctx, image);
    if (rc)
        return rc;
    if (!w || !buffer || !seen)
        return xlx__fail(ctx, ENOMEM, "%s: no memory", image->name);
    rc = image->storage->ops->examine(image->storage, &mtime, &mode);
    if (rc)
        return xlx__fail_errno(ctx, -rc, "%s: cannot examine it", image->name);
    xlx__source_init(&src, ctx, image->storage, image->name);
    w->ctx = ctx;
    w->image = image;
    w->src = &src;
    w->buffer = buffer;
    w->seen = seen;
    w->progress = progress;
    w->user = user;
    rc = xlx__new_file_open(ctx, out, mode, &w->file);
    if (rc)
        return rc;
    rc = put_all(w, first, nr);
    if (!rc)
        rc = compare(w);
    if (!rc)
        return xlx__new_file_commit(ctx, &w->file);
    xlx__new_file_drop(&w->file);
    return rc;
}
