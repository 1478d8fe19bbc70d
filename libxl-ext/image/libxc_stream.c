/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The libxc stream: checks every record, notes where each is, and builds the
 * runs of pages. Refuses at once what libxc's restore would refuse half way
 * through, with a domain half built (tools/libs/guest/xg_sr_restore*.c).
 */
#include <stdlib.h>

#include "image/libxc_pv.h"
#include "core/array.h"
#include "image/runs.h"
#include "image/vec.h"

struct index {
    struct xlx__source *src;
    struct xlx_image *image;
    struct xlx__runs runs;
    size_t records_cap;
    bool static_end, params, end;
    struct xlx__record context; /* the last HVM_CONTEXT; at 0 before */
    struct xlx__pv pv;
    uint64_t stride, expected; /* expect_more() */
};

typedef int check_fn(struct index *ix, const struct xlx__record *record);

static check_fn check_end, check_pages, check_static_end, check_context,
    check_params, check_pv, check_frames;

#define HVM (1u << XLX_IMAGE_HVM)
#define PV (1u << XLX_IMAGE_PV)

/* Libxc's checks of lengths; 0: none. */
static const struct record_type {
    const char *name;
    unsigned guests; /* that have it; 0: refused */
    check_fn *check;
    uint32_t least, most, unit; /* bytes of its body */
} types[] = {
    [FMT_END] = { "END", HVM | PV, check_end },
    [FMT_PAGE_DATA] = { "PAGE_DATA", HVM | PV, check_pages },
    [FMT_X86_PV_INFO] = { "X86_PV_INFO", PV, check_pv, 8, 0, 0 },
    [FMT_X86_PV_P2M_FRAMES] = { "X86_PV_P2M_FRAMES", PV, check_frames, 8, 0,
                                0 },
    [FMT_X86_PV_VCPU_BASIC] = { "X86_PV_VCPU_BASIC", PV, check_pv, 8, 0, 0 },
    [FMT_X86_PV_VCPU_EXTENDED] = { "X86_PV_VCPU_EXTENDED", PV, check_pv, 8, 0,
                                   0 },
    [FMT_X86_PV_VCPU_XSAVE] = { "X86_PV_VCPU_XSAVE", PV, check_pv, 8, 0, 0 },
    [FMT_SHARED_INFO] = { "SHARED_INFO", PV, check_pv, XLX_PAGE_SIZE,
                          XLX_PAGE_SIZE, 0 },
    [FMT_X86_TSC_INFO] = { "X86_TSC_INFO", HVM | PV, NULL, 24, 24, 0 },
    [FMT_HVM_CONTEXT] = { "HVM_CONTEXT", HVM, check_context },
    [FMT_HVM_PARAMS] = { "HVM_PARAMS", HVM, check_params },
    [FMT_TOOLSTACK] = { "TOOLSTACK", 0, NULL },
    [FMT_X86_PV_VCPU_MSRS] = { "X86_PV_VCPU_MSRS", PV, check_pv, 8, 0, 0 },
    [FMT_VERIFY] = { "VERIFY", 0, NULL },
    [FMT_CHECKPOINT] = { "CHECKPOINT", 0, NULL },
    [FMT_CHECKPOINT_DIRTY_PFN_LIST] = { "CHECKPOINT_DIRTY_PFN_LIST", 0, NULL },
    [FMT_STATIC_DATA_END] = { "STATIC_DATA_END", HVM | PV, check_static_end },
    [FMT_X86_CPUID_POLICY] = { "X86_CPUID_POLICY", HVM | PV, NULL, 24, 0, 24 },
    [FMT_X86_MSR_POLICY] = { "X86_MSR_POLICY", HVM | PV, NULL, 16, 0, 16 },
};

/* --- PAGE_DATA ------------------------------------------------------------ */

/* Its pages end where its length says, before any padding. */
static uint64_t pages_end(const struct xlx__record *record)
{
    return record->offset + sizeof(struct fmt_record) + record->length;
}

static int bad_pages(struct index *ix, const struct xlx__record *record,
                     const char *why, uint64_t number)
{
    return xlx__source_fail(ix->src, EBADMSG, record->offset,
                            "PAGE_DATA record: %s %#" PRIx64, why, number);
}

static int runs_failed(struct index *ix, uint64_t at, int rc)
{
    if (!rc)
        return 0;
    if (rc == -EOVERFLOW)
        return xlx__source_fail(ix->src, EOVERFLOW, at,
                                "pages in more than %u runs", XLX__RUNS_MAX);
    return xlx__source_fail(ix->src, ENOMEM, at, "no memory for its index");
}

/* A pfn and its type as libxc sees them. */
static uint64_t load_pfn(const unsigned char *pfns, size_t i)
{
    return xlx__load_u64(pfns + i * sizeof(uint64_t)) & ~FMT_PFN_RESERVED;
}

/* How many of `n` pfns, the first at least, follow each other. */
static size_t stretch(const unsigned char *pfns, size_t n)
{
    uint64_t first = load_pfn(pfns, 0);
    size_t nr = 1;
    while (nr < n && load_pfn(pfns, nr) == first + nr)
        nr++;
    return nr;
}

/*
 * No pfn of that type is as large. Of a PV guest libxc keeps a list, of others
 * only that there is memory, with a page or without.
 */
static uint64_t pfn_limit(const struct index *ix, unsigned type)
{
    if (ix->image->info.guest == XLX_IMAGE_PV)
        return ix->pv.end_pfn;
    return fmt_pfn_type_has_page(type) || type == FMT_PFN_XALLOC
               ? FMT_GFN_LIMIT
               : FMT_PFN_MASK + 1;
}

/* The pfns [pfn, pfn + nr), whose pages would be at *page. */
static int add_stretch(struct index *ix, const struct xlx__record *record,
                       uint64_t pfn, size_t nr, uint64_t *page)
{
    unsigned type = (unsigned)(pfn >> FMT_PFN_TYPE_SHIFT);
    uint64_t gfn = pfn & FMT_PFN_MASK;
    if (!fmt_pfn_type_known(type))
        return bad_pages(ix, record, "unknown type of pfn", pfn);
    if (gfn + nr > pfn_limit(ix, type))
        return bad_pages(ix, record,
                         ix->image->info.guest == XLX_IMAGE_PV
                             ? "X86_PV_P2M_FRAMES do not have its pfn"
                             : "no guest has a pfn",
                         gfn + nr - 1);
    if (type == FMT_PFN_XALLOC)
        return 0; /* a page that is there stays as it is, as in libxc */
    if (!fmt_pfn_type_has_page(type))
        return runs_failed(ix, record->offset,
                           xlx__runs_remove(&ix->runs, gfn, nr, *page));
    int rc = runs_failed(ix, record->offset,
                         xlx__runs_add(&ix->runs, gfn, nr, *page));
    *page += nr * XLX_PAGE_SIZE;
    return rc;
}

/* The pfns [from, from + n) of a record; n is at most a batch. */
static int add_batch(struct index *ix, const struct xlx__record *record,
                     uint64_t from, size_t n, uint64_t *page)
{
    const unsigned char *pfns;
    int rc = xlx__source_get(ix->src, from, n * sizeof(uint64_t), "PAGE_DATA",
                             &pfns);
    while (!rc && n) {
        size_t nr = stretch(pfns, n);
        rc = add_stretch(ix, record, load_pfn(pfns, 0), nr, page);
        pfns += nr * sizeof(uint64_t);
        n -= nr;
    }
    return rc;
}

static int read_page_count(struct index *ix, const struct xlx__record *record,
                           uint32_t *count_r)
{
    struct fmt_page_data head;
    if (record->length < sizeof(head))
        return bad_pages(ix, record, "too short for its header: length",
                         record->length);
    int rc =
        xlx__source_copy(ix->src, record->offset + sizeof(struct fmt_record),
                         &head, sizeof(head), "PAGE_DATA");
    if (rc)
        return rc;
    if (!head.count || xlx__first_page(record, head.count) > pages_end(record))
        return bad_pages(ix, record, "invalid number of pfns", head.count);
    *count_r = head.count;
    return 0;
}

/*
 * Where one full record follows another, more of that size will: without this
 * each head would wait for the disk in turn.
 */
#define EXPECT_RECORDS 32

static void expect_more(struct index *ix, const struct xlx__record *record)
{
    uint64_t size = fmt_record_size(record->length);
    if (size <= XLX__SOURCE_WINDOW)
        return; /* what is behind it is read with it, or continues there */
    if (size != ix->stride || ix->expected < record->offset) {
        ix->stride = size;
        ix->expected = xlx__record_end(record);
        return;
    }
    while (ix->expected < record->offset + EXPECT_RECORDS * size) {
        ix->expected += size;
        xlx__source_expect(ix->src, ix->expected);
    }
}

/* In version 2 the first record that is no static data ends these. */
static int end_static_data(struct index *ix, const struct xlx__record *record,
                           const char *name)
{
    if (!ix->static_end && ix->image->info.libxc_version >= 3)
        return xlx__source_fail(ix->src, EBADMSG, record->offset,
                                "%s record before STATIC_DATA_END", name);
    ix->static_end = true;
    return 0;
}

static int check_pages(struct index *ix, const struct xlx__record *record)
{
    uint32_t count = 0;
    int rc = end_static_data(ix, record, "PAGE_DATA");
    expect_more(ix, record);
    if (!rc)
        rc = read_page_count(ix, record, &count);
    if (rc)
        return rc;
    uint64_t page = xlx__first_page(record, count), end = page;
    uint64_t at = xlx__first_page(record, 0);
    while (!rc && at < end) {
        size_t n = (size_t)((end - at) / sizeof(uint64_t));
        if (n > FMT_PAGE_BATCH)
            n = FMT_PAGE_BATCH;
        rc = add_batch(ix, record, at, n, &page);
        at += n * sizeof(uint64_t);
    }
    if (!rc && page != pages_end(record))
        return bad_pages(ix, record, "its pages do not fill its length",
                         record->length);
    return rc;
}

/* --- the other records ---------------------------------------------------- */

static int check_static_end(struct index *ix, const struct xlx__record *record)
{
    if (ix->static_end)
        return xlx__source_fail(ix->src, EBADMSG, record->offset,
                                "STATIC_DATA_END record: not the first, or "
                                "behind pages");
    ix->static_end = true;
    return 0;
}

/* One that another follows is not looked at, as libxc does not. */
static int check_context(struct index *ix, const struct xlx__record *record)
{
    ix->context = *record;
    return 0;
}

static int check_params(struct index *ix, const struct xlx__record *record)
{
    ix->params = true;
    return xlx__special_gfns_of_params(ix->src, record, &ix->image->special);
}

static int check_pv(struct index *ix, const struct xlx__record *record)
{
    return xlx__pv_record(ix->src, record, types[record->type].name, &ix->pv);
}

static int check_frames(struct index *ix, const struct xlx__record *record)
{
    int rc = end_static_data(ix, record, types[record->type].name);
    return rc ? rc : check_pv(ix, record);
}

/* Of the records that a guest needs, one that was not there; or NULL. */
static const char *missing(const struct index *ix)
{
    if (ix->image->info.libxc_version >= 3 && !ix->static_end)
        return "STATIC_DATA_END";
    if (ix->image->info.guest == XLX_IMAGE_PV)
        return xlx__pv_missing(&ix->pv);
    if (!ix->context.offset)
        return "HVM_CONTEXT";
    return ix->params ? NULL : "HVM_PARAMS";
}

static int check_end(struct index *ix, const struct xlx__record *record)
{
    const char *name = missing(ix);
    if (name)
        return xlx__source_fail(ix->src, EBADMSG, record->offset,
                                "END record: no %s record before it", name);
    ix->end = true;
    if (ix->image->info.guest != XLX_IMAGE_HVM)
        return 0;
    return xlx__special_gfns_of_context(ix->src, &ix->context,
                                        &ix->image->special);
}

static int refuse_record(struct index *ix, const struct xlx__record *record,
                         const struct record_type *type)
{
    bool checkpoint = record->type == FMT_CHECKPOINT ||
                      record->type == FMT_CHECKPOINT_DIRTY_PFN_LIST;
    if (checkpoint)
        return xlx__source_fail(ix->src, ENOTSUP, record->offset,
                                "%s record: a checkpointed stream (Remus, "
                                "COLO), not a save file",
                                type->name);
    if (!type->guests)
        return xlx__source_fail(ix->src, ENOTSUP, record->offset,
                                "%s record: not part of a save file that can "
                                "be restored lazily",
                                type->name);
    return xlx__source_fail(ix->src, EBADMSG, record->offset,
                            "%s record: not of a guest of this kind",
                            type->name);
}

/* --- records -------------------------------------------------------------- */

static const struct record_type *type_of(uint32_t type)
{
    return type < XLX__NR(types) ? &types[type] : NULL;
}

static int read_record(struct index *ix, uint64_t at,
                       struct xlx__record *record)
{
    struct fmt_record head;
    int rc =
        xlx__source_copy(ix->src, at, &head, sizeof(head), "record header");
    if (rc)
        return rc;
    const struct record_type *type = type_of(head.type);
    const char *name = type ? type->name : "unknown type of";
    if (head.length > FMT_LIBXC_RECORD_MAX)
        return xlx__source_fail(ix->src, EBADMSG, at,
                                "%s record: length %" PRIu32
                                " is over Xen's limit of %u",
                                name, head.length, FMT_LIBXC_RECORD_MAX);
    *record = (struct xlx__record){ at, 0, head.type, head.length };
    return xlx__source_has(ix->src, at, fmt_record_size(head.length), name);
}

static int note_record(struct index *ix, const struct xlx__record *record)
{
    struct xlx_image *image = ix->image;
    if (image->nr_records >= XLX__RECORDS_MAX)
        return xlx__source_fail(ix->src, EOVERFLOW, record->offset,
                                "more than %u records", XLX__RECORDS_MAX);
    if (!xlx__vec_room(image->records, image->nr_records, ix->records_cap))
        return xlx__source_fail(ix->src, ENOMEM, record->offset,
                                "no memory for its index");
    image->records[image->nr_records++] = *record;
    return 0;
}

static int check_length(struct index *ix, const struct xlx__record *record,
                        const struct record_type *type)
{
    uint32_t length = record->length;
    if (length >= type->least && (!type->most || length <= type->most) &&
        (!type->unit || length % type->unit == 0))
        return 0;
    return xlx__source_fail(ix->src, EBADMSG, record->offset,
                            "%s record: invalid length %" PRIu32, type->name,
                            length);
}

static int check_known(struct index *ix, const struct xlx__record *record,
                       const struct record_type *type)
{
    if (!(type->guests & 1u << ix->image->info.guest))
        return refuse_record(ix, record, type);
    int rc = check_length(ix, record, type);
    return rc || !type->check ? rc : type->check(ix, record);
}

static int check_record(struct index *ix, const struct xlx__record *record)
{
    const struct record_type *type = type_of(record->type);
    if (type)
        return check_known(ix, record, type);
    if (record->type & FMT_RECORD_OPTIONAL)
        return 0;
    return xlx__source_fail(ix->src, ENOTSUP, record->offset,
                            "libxc's stream: unknown mandatory record type "
                            "%#" PRIx32 ": written by a newer Xen",
                            record->type);
}

/* --- the whole ------------------------------------------------------------ */

static int finish_index(struct index *ix, uint64_t at)
{
    int rc = runs_failed(ix, at, xlx__runs_finish(&ix->runs));
    if (rc)
        return rc;
    struct xlx_image_info *info = &ix->image->info;
    info->libxc_end = at;
    info->records = ix->image->nr_records;
    for (size_t i = 0; i < ix->runs.nr; i++) {
        info->pages += ix->runs.run[i].nr;
        info->max_gfn = ix->runs.run[i].gfn + ix->runs.run[i].nr - 1;
    }
    ix->image->runs = ix->runs.run;
    ix->image->nr_runs = ix->runs.nr;
    ix->runs.run = NULL;
    return 0;
}

int xlx__libxc_index(struct xlx__source *src, uint64_t offset,
                     struct xlx_image *image)
{
    struct index ix = { .src = src,
                        .image = image,
                        .runs = { .limit = XLX__RUNS_MAX } };
    int rc = xlx__libxc_headers(src, offset, image);
    uint64_t at = offset + sizeof(struct fmt_libxc_headers);
    while (!rc && !ix.end) {
        struct xlx__record record;
        rc = read_record(&ix, at, &record);
        if (!rc)
            rc = check_record(&ix, &record);
        if (!rc)
            rc = xlx__record_sum(src, &record, &record.sum);
        if (!rc)
            rc = note_record(&ix, &record);
        if (!rc)
            at = xlx__record_end(&record);
    }
    if (!rc)
        rc = finish_index(&ix, at);
    free(ix.runs.run);
    return rc;
}
