/* SPDX-License-Identifier: LGPL-2.1-only */
/* Which gfns must be resident, and the stream that carries only those. */
#include "test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "image/resident.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    int fd, out;
    xlx_image *image, *thinned;
    struct xlx__gfn_range *ranges;
    size_t nr_ranges;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->fd = -1;
    f->out = memfd_create("out", MFD_CLOEXEC);
    *state = f;
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    xlx_image_close(f->thinned);
    if (f->fd >= 0)
        close(f->fd);
    close(f->out);
    free(f->ranges);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

static void must_open(struct fixture *f)
{
    f->fd = build_fd(&f->b);
    int rc = xlx_image_open_fd(f->ctx, f->fd, f->b.libxc, "image", &f->image);
    if (rc)
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* --- resident ------------------------------------------------------------- */

static void expect_ranges(struct fixture *f, const uint64_t (*want)[2],
                          size_t nr)
{
    free(f->ranges);
    assert_int_equal(
        xlx__image_resident(f->ctx, f->image, &f->ranges, &f->nr_ranges), 0);
    assert_int_equal(f->nr_ranges, nr);
    for (size_t i = 0; i < nr; i++) {
        assert_int_equal(f->ranges[i].start, want[i][0]);
        assert_int_equal(f->ranges[i].end, want[i][1]);
    }
}

static void build_tail(struct fixture *f, const uint64_t (*params)[2],
                       uint32_t nr_params, const uint64_t *cr3, size_t nr_cr3)
{
    build_context(&f->b, cr3, nr_cr3);
    build_params(&f->b, params, nr_params);
    build_ends(&f->b);
}

static void every_gfn_that_is_named_is_resident(void **state)
{
    struct fixture *f = *state;
    static const uint64_t params[][2] = {
        { FMT_PARAM_STORE_PFN, 0xfeffc }, /* in the hole already */
        { FMT_PARAM_CONSOLE_PFN, 0x1000 },
        { FMT_PARAM_IOREQ_PFN, 0x1100 },
        { FMT_PARAM_BUFIOREQ_PFN, 0x1101 },
        { FMT_PARAM_PAGING_RING_PFN, 0x1200 },
        { FMT_PARAM_MONITOR_RING_PFN, 0x1300 },
        { FMT_PARAM_SHARING_RING_PFN, 0x1400 },
        { FMT_PARAM_IOREQ_SERVER_PFN, 0x1500 },
        { FMT_PARAM_IDENT_PT, 0x1600000 },
        { FMT_PARAM_VM_GENERATION_ID_ADDR, 0x1700ff8 }, /* goes on in 0x1701 */
        { FMT_PARAM_VM86_TSS, 0x1800080 },
        { FMT_PARAM_VM86_TSS_SIZED, 0x2088ull << 32 | 0x1900000 },
        { 99, 0x2222 }, /* no gfn at all */
    };
    static const uint64_t cr3[] = { 0x3000 | 7, 0x8000000004000, 0x3000,
                                    1ull << 63 | 0x6000 };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_tail(f, params, NR(params), cr3, NR(cr3));
    must_open(f);
    expect_ranges(f,
                  (const uint64_t[][2]){
                      { 0x3, 0x4 },
                      { 0x6, 0x7 },
                      { 0x1000, 0x1001 },
                      { 0x1100, 0x1102 },
                      { 0x1200, 0x1201 },
                      { 0x1300, 0x1301 },
                      { 0x1400, 0x1401 },
                      { 0x1500, 0x1508 },
                      { 0x1600, 0x1601 },
                      { 0x1700, 0x1702 },
                      { 0x1800, 0x1801 },
                      { 0x1900, 0x1903 },
                      { 0xf0000, 0x100000 },
                      { 0x8000000004, 0x8000000005 },
                  },
                  14);
}

static void pages_of_enlightenments_are_resident(void **state)
{
    struct fixture *f = *state;
    /* hypercall page, guest OS, time, reference TSC */
    static const uint64_t domain[] = { 0x2000 | 1, 0x3001, 0x4001,
                                       0x5000 | 0xffe | 1 };
    /* VP assist, pending, SIMP, and others that look like a page */
    static const uint64_t vcpu0[] = { 0x10001, 0x11001, 0x12001, 0x13001 };
    static const uint64_t off[] = { 0x20000, 0, 0x21000, 0x22001 };
    static const uint64_t wild[] = { FMT_GFN_LIMIT << 12 | 1, 0,
                                     (FMT_GFN_LIMIT - 1) << 12 | 1 };
    const struct build_entry entries[] = {
        { FMT_SAVE_VIRIDIAN_DOMAIN, 0, sizeof(domain), domain },
        { FMT_SAVE_VIRIDIAN_VCPU, 0, sizeof(vcpu0), vcpu0 },
        { FMT_SAVE_VIRIDIAN_VCPU, 1, sizeof(off), off },
        { FMT_SAVE_VIRIDIAN_VCPU, 2, sizeof(wild), wild },
        { 16, 0, sizeof(vcpu0), (const uint64_t[]){ 0x30001, 1, 1, 1 } },
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_context_of(&f->b, entries, NR(entries));
    build_params(&f->b, NULL, 0);
    build_ends(&f->b);
    must_open(f);
    expect_ranges(f,
                  (const uint64_t[][2]){ { 0x0, 0x1 },
                                         { 0x2, 0x3 },
                                         { 0x5, 0x6 },
                                         { 0x10, 0x11 },
                                         { 0x12, 0x13 },
                                         { 0xfc000, 0x100000 },
                                         { FMT_GFN_LIMIT - 1, FMT_GFN_LIMIT } },
                  7);
}

/* Of an older Xen: what is not in there is zero. */
static void a_short_enlightenment_is_read_as_far_as_it_goes(void **state)
{
    struct fixture *f = *state;
    static const uint64_t domain[] = { 0x2001, 0, 0, 0x5001 };
    static const uint64_t vcpu[] = { 0x10001, 0, 0x12001 };
    const struct build_entry entries[] = {
        { FMT_SAVE_VIRIDIAN_DOMAIN, 0, 31, domain },
        { FMT_SAVE_VIRIDIAN_VCPU, 0, 23, vcpu },
        { FMT_SAVE_VIRIDIAN_VCPU, 1, 7, vcpu },
        { FMT_SAVE_VIRIDIAN_VCPU, 2, 0, vcpu },
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_context_of(&f->b, entries, NR(entries));
    build_params(&f->b, NULL, 0);
    build_ends(&f->b);
    must_open(f);
    expect_ranges(
        f,
        (const uint64_t[][2]){
            { 0x0, 0x1 }, { 0x2, 0x3 }, { 0x10, 0x11 }, { 0xfc000, 0x100000 } },
        4);
}

static void numbers_that_are_no_gfn_are_left_out(void **state)
{
    struct fixture *f = *state;
    static const uint64_t params[][2] = {
        { FMT_PARAM_STORE_PFN, UINT64_MAX },
        { FMT_PARAM_CONSOLE_PFN, FMT_GFN_LIMIT },
        { FMT_PARAM_IOREQ_PFN, FMT_GFN_LIMIT - 1 },
        { FMT_PARAM_BUFIOREQ_PFN, 0 },
        { FMT_PARAM_IOREQ_SERVER_PFN, FMT_GFN_LIMIT - 7 },
        { FMT_PARAM_IDENT_PT, UINT64_MAX },
        { FMT_PARAM_VM86_TSS_SIZED, 0x5000 }, /* of no bytes */
        { FMT_PARAM_VM86_TSS_SIZED, 0xffffffff00000000ull | 0xffffffff },
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_tail(f, params, NR(params), NULL, 0);
    must_open(f);
    expect_ranges(f,
                  (const uint64_t[][2]){
                      { 0xf0000, 0x100003 }, /* the TSS, cut to its size */
                      { FMT_GFN_LIMIT - 1, FMT_GFN_LIMIT } },
                  2);
}

/* Its memory goes on where others have the hole. */
static void without_a_device_model_the_hole_is_smaller(void **state)
{
    struct fixture *f = *state;
    static const uint64_t params[][2] = { { FMT_PARAM_STORE_PFN, 0xfeffc } };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_tail(f, params, NR(params), NULL, 0);
    must_open(f);
    expect_ranges(f, (const uint64_t[][2]){ { 0xfc000, 0x100000 } }, 1);
}

static void ranges_are_searched_by_their_ends(void **state)
{
    (void)state;
    static const struct xlx__gfn_range ranges[] = { { 3, 5 }, { 9, 10 } };
    static const bool in[] = { 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0 };
    for (uint64_t gfn = 0; gfn < NR(in); gfn++)
        assert_int_equal(xlx__gfn_in(ranges, 2, gfn), in[gfn]);
    assert_false(xlx__gfn_in(ranges, 0, 3));
    assert_false(xlx__gfn_in(NULL, 0, 3));
}

/* --- thin ----------------------------------------------------------------- */

static int thin(struct fixture *f, const struct xlx__gfn_range *ranges,
                size_t nr, uint64_t *pages)
{
    return xlx__image_thin(f->ctx, f->image, ranges, nr, f->out, pages);
}

/* Opens what was written; it ends where its END record does. */
static void must_open_thinned(struct fixture *f)
{
    int rc = xlx_image_open_fd(f->ctx, f->out, 0, "thinned", &f->thinned);
    if (rc)
        fail_msg("%s", xlx_ctx_error(f->ctx));
    assert_int_equal(xlx_image_info(f->thinned)->libxc_end,
                     lseek(f->out, 0, SEEK_END));
}

static void expect_thinned(struct fixture *f, uint64_t gfn, int round)
{
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    int rc = xlx_image_read(f->thinned, gfn, 1, page);
    assert_int_equal(rc, round < 0 ? -ENOENT : 0);
    if (rc)
        return;
    build_page(gfn, (unsigned)round, want);
    assert_memory_equal(page, want, sizeof(want));
}

static void resident_pages_are_left(void **state)
{
    struct fixture *f = *state;
    static const struct xlx__gfn_range keep[] = { { 2, 4 }, { 1500, 1501 } };
    uint64_t pages = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 1024);
    build_range(&f->b, 1024, 1024);
    build_range(&f->b, 4096, 1024); /* nothing is left of it */
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, keep, 2, &pages), 0);
    assert_int_equal(pages, 3);
    must_open_thinned(f);
    assert_int_equal(xlx_image_info(f->thinned)->pages, 3);
    expect_thinned(f, 1, -1);
    expect_thinned(f, 2, 0);
    expect_thinned(f, 3, 0);
    expect_thinned(f, 1500, 0);

    /* Two headers with two arrays, three pages; the rest as it was. */
    size_t without = f->b.tail - f->b.libxc - 3 * (16 + 1024 * (8 + 4096));
    size_t with = without + 2 * 16 + 3 * (8 + 4096);
    size_t behind = f->b.end + 8 - f->b.tail;
    assert_int_equal(lseek(f->out, 0, SEEK_END), with + behind);
    char *got = malloc(behind);
    assert_int_equal(pread(f->out, got, behind, (off_t)with), behind);
    assert_memory_equal(got, f->b.bytes + f->b.tail, behind);
    free(got);
}

static void all_pages_can_be_resident(void **state)
{
    struct fixture *f = *state;
    static const struct xlx__gfn_range all = { 0, FMT_GFN_LIMIT };
    uint64_t pages = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 200); /* more than the copying buffer */
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, &all, 1, &pages), 0);
    assert_int_equal(pages, 200);

    size_t len = f->b.end + 8 - f->b.libxc;
    assert_int_equal(lseek(f->out, 0, SEEK_END), len);
    char *got = malloc(len);
    assert_int_equal(pread(f->out, got, len, 0), len);
    assert_memory_equal(got, f->b.bytes + f->b.libxc, len);
    free(got);
}

static void a_record_of_any_size_is_thinned(void **state)
{
    struct fixture *f = *state;
    static const struct xlx__gfn_range keep[] = { { 0, 1 },
                                                  { 1023, 1025 },
                                                  { 2999, 3000 } };
    uint64_t pages = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 3000);
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, keep, 3, &pages), 0);
    assert_int_equal(pages, 4);
    must_open_thinned(f);
    expect_thinned(f, 0, 0);
    expect_thinned(f, 1023, 0);
    expect_thinned(f, 1024, 0);
    expect_thinned(f, 2999, 0);
    expect_thinned(f, 1025, -1);
}

static size_t count_pfns(struct fixture *f, uint64_t pfn)
{
    size_t found = 0, len = (size_t)lseek(f->out, 0, SEEK_END);
    uint64_t *got = malloc(len);
    assert_int_equal(pread(f->out, got, len, 0), len);
    for (size_t i = 0; i < len / sizeof(*got); i++)
        found += got[i] == pfn;
    free(got);
    return found;
}

/*
 * What has no page stays, but not where the pager will bring one: it marks
 * gfns that are empty.
 */
static void pfns_without_a_page_stay_where_no_page_comes(void **state)
{
    struct fixture *f = *state;
    static const uint64_t first[] = {
        BUILD_PFN(FMT_PFN_XALLOC, 100), /* gets its page below */
        BUILD_PFN(FMT_PFN_XALLOC, 101), /* never does */
        BUILD_PFN(FMT_PFN_XALLOC, 102), /* does, and is resident */
        BUILD_PFN(FMT_PFN_NOTAB, 103),
    };
    static const uint64_t second[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 100), BUILD_PFN(FMT_PFN_NOTAB, 102),
        BUILD_PFN(FMT_PFN_XALLOC, 103), /* has the one above */
    };
    static const struct xlx__gfn_range keep = { 102, 103 };
    uint64_t pages = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_pfns(&f->b, first, NR(first));
    f->b.round = 1;
    build_pfns(&f->b, second, NR(second));
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, &keep, 1, &pages), 0);
    assert_int_equal(pages, 1);
    assert_int_equal(count_pfns(f, first[0]), 0);
    assert_int_equal(count_pfns(f, first[1]), 1);
    assert_int_equal(count_pfns(f, first[2]), 1);
    assert_int_equal(count_pfns(f, second[2]), 0);
    must_open_thinned(f);
    expect_thinned(f, 100, -1);
    expect_thinned(f, 102, 1);
    expect_thinned(f, 103, -1);
}

static void repeated_pages_keep_their_order(void **state)
{
    struct fixture *f = *state;
    static const struct xlx__gfn_range keep = { 5, 6 };
    uint64_t pages = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    for (f->b.round = 0; f->b.round < 3; f->b.round++)
        build_range(&f->b, 0, 10);
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, &keep, 1, &pages), 0);
    assert_int_equal(pages, 3);
    must_open_thinned(f);
    expect_thinned(f, 5, 2);
    expect_thinned(f, 4, -1);
}

/* --- when it cannot be ---------------------------------------------------- */

static void a_pv_guest_is_not_thinned(void **state)
{
    struct fixture *f = *state;
    uint64_t pages = 77;
    build_pv_start(&f->b, 3, 8);
    build_pv_finish(&f->b);
    must_open(f);
    assert_int_equal(thin(f, NULL, 0, &pages), -ENOTSUP);
    assert_int_equal(pages, 77);
}

static void open_two_records(struct fixture *f, size_t *second)
{
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 4);
    *second = build_range(&f->b, 4, 4);
    build_finish(&f->b);
    must_open(f);
}

/* Nothing of a changed record is written, and no END. */
static void a_file_that_changed_is_noticed(void **state)
{
    struct fixture *f = *state;
    static const struct xlx__gfn_range all = { 0, FMT_GFN_LIMIT };
    static const size_t where[] = { 0, 4, 8, 16, 24, 40 }; /* in the record */
    size_t second;
    uint64_t pages;
    open_two_records(f, &second);
    for (size_t i = 0; i < NR(where); i++) {
        off_t at = (off_t)(second + where[i]);
        unsigned char byte = f->b.bytes[at] ^ 1;
        assert_int_equal(pwrite(f->fd, &byte, 1, at), 1);
        assert_int_equal(ftruncate(f->out, 0), 0);
        lseek(f->out, 0, SEEK_SET);
        assert_int_equal(thin(f, &all, 1, &pages), -EBADMSG);
        assert_true(lseek(f->out, 0, SEEK_END) <= (off_t)(second - f->b.libxc));
        byte ^= 1;
        assert_int_equal(pwrite(f->fd, &byte, 1, at), 1);
    }
    assert_int_equal(thin(f, &all, 1, &pages), 0);
}

static void a_changed_context_is_noticed(void **state)
{
    struct fixture *f = *state;
    size_t second;
    uint64_t pages;
    open_two_records(f, &second);
    assert_int_equal(pwrite(f->fd, "x", 1, (off_t)f->b.end - 5), 1);
    assert_int_equal(thin(f, NULL, 0, &pages), -EBADMSG);
}

static void a_file_that_became_shorter_is_noticed(void **state)
{
    struct fixture *f = *state;
    size_t second;
    uint64_t pages;
    open_two_records(f, &second);
    assert_int_equal(ftruncate(f->fd, (off_t)second + 20), 0);
    assert_int_equal(thin(f, NULL, 0, &pages), -ENODATA);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "became shorter"));
}

static void an_output_that_fails_is_reported(void **state)
{
    struct fixture *f = *state;
    size_t second;
    uint64_t pages;
    open_two_records(f, &second);
    close(f->out);
    f->out = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(thin(f, NULL, 0, &pages), -ENOSPC);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_gfn_that_is_named_is_resident),
        TEST(pages_of_enlightenments_are_resident),
        TEST(a_short_enlightenment_is_read_as_far_as_it_goes),
        TEST(numbers_that_are_no_gfn_are_left_out),
        TEST(without_a_device_model_the_hole_is_smaller),
        cmocka_unit_test(ranges_are_searched_by_their_ends),
        TEST(resident_pages_are_left),
        TEST(all_pages_can_be_resident),
        TEST(a_record_of_any_size_is_thinned),
        TEST(pfns_without_a_page_stay_where_no_page_comes),
        TEST(repeated_pages_keep_their_order),
        TEST(a_pv_guest_is_not_thinned),
        TEST(a_file_that_changed_is_noticed),
        TEST(a_changed_context_is_noticed),
        TEST(a_file_that_became_shorter_is_noticed),
        TEST(an_output_that_fails_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
