/* SPDX-License-Identifier: LGPL-2.1-only */
/* Save images that are right: what is found in them, what is read of them. */
#include "test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "libxl_ext_image.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    int fd;
    xlx_image *image;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->fd = -1;
    *state = f;
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    if (f->fd >= 0)
        close(f->fd);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return 0;
}

/* Opens what was built, as a user would, by a path. */
static int open_built(struct fixture *f)
{
    char path[64];
    xlx_image_close(f->image);
    f->image = NULL;
    if (f->fd >= 0)
        close(f->fd);
    f->fd = build_fd(&f->b);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
    return xlx_image_open(f->ctx, path, &f->image);
}

static void must_open(struct fixture *f)
{
    int rc = open_built(f);
    if (rc)
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static void expect_page(struct fixture *f, uint64_t gfn, unsigned round)
{
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    build_page(gfn, round, want);
    assert_int_equal(xlx_image_read(f->image, gfn, 1, page), 0);
    assert_memory_equal(page, want, sizeof(page));
}

static void expect_runs(struct fixture *f, const uint64_t (*want)[2],
                        size_t nr_want)
{
    size_t nr;
    const struct xlx_image_run *runs = xlx_image_runs(f->image, &nr);
    assert_int_equal(nr, nr_want);
    for (size_t i = 0; i < nr; i++) {
        assert_int_equal(runs[i].gfn, want[i][0]);
        assert_int_equal(runs[i].nr, want[i][1]);
    }
}

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void a_saved_guest_is_described(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 16);
    build_range(&f->b, 0x100, 8);
    build_finish(&f->b);
    must_open(f);

    const struct xlx_image_info *info = xlx_image_info(f->image);
    assert_int_equal(info->guest, XLX_IMAGE_HVM);
    assert_int_equal(info->xen_major, 4);
    assert_int_equal(info->xen_minor, 17);
    assert_int_equal(info->libxc_version, 3);
    assert_int_equal(info->pages, 24);
    assert_int_equal(info->max_gfn, 0x107);
    assert_int_equal(info->libxc_start, f->b.libxc);
    assert_int_equal(info->libxc_end, f->b.end + sizeof(struct fmt_record));
    expect_runs(f, (const uint64_t[][2]){ { 0, 16 }, { 0x100, 8 } }, 2);
    expect_page(f, 0, 0);
    expect_page(f, 15, 0);
    expect_page(f, 0x107, 0);
}

static void the_libxc_stream_opens_alone(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 3, 2);
    build_finish(&f->b);
    f->b.len = f->b.end + sizeof(struct fmt_record); /* libxl's END is gone */
    f->fd = build_fd(&f->b);
    lseek(f->fd, 5, SEEK_SET);

    char name[] = "guest.save";
    assert_int_equal(
        xlx_image_open_fd(f->ctx, f->fd, f->b.libxc, name, &f->image), 0);
    name[0] = 'X'; /* copied */
    assert_int_equal(xlx_image_info(f->image)->pages, 2);
    assert_int_equal(lseek(f->fd, 0, SEEK_CUR), 5);
    close(f->fd);
    f->fd = -1; /* the image has its own */
    expect_page(f, 4, 0);
}

static void version_2_has_no_static_data(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 2, FMT_GUEST_HVM);
    build_range(&f->b, 7, 1);
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(xlx_image_info(f->image)->libxc_version, 2);
    expect_page(f, 7, 0);
}

static void a_pv_guest_is_described_too(void **state)
{
    struct fixture *f = *state;
    static const uint64_t pfns[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 1), BUILD_PFN(FMT_PFN_L1TAB, 2),
        BUILD_PFN(0xc, 3), /* a pinned L4 */
    };
    build_pv_start(&f->b, 3, 8);
    build_pfns(&f->b, pfns, 3);
    build_pv_finish(&f->b);
    must_open(f);
    assert_int_equal(xlx_image_info(f->image)->guest, XLX_IMAGE_PV);
    assert_int_equal(xlx_image_info(f->image)->pages, 3);
}

static void unknown_optional_records_are_skipped(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_record(&f->b, 0x77 | FMT_RECORD_OPTIONAL, "whatever", 9);
    build_range(&f->b, 7, 1);
    build_finish(&f->b);
    must_open(f);
    expect_page(f, 7, 0);
}

static void a_guest_may_have_no_pages(void **state)
{
    struct fixture *f = *state;
    size_t nr;
    char page[XLX_PAGE_SIZE];
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_finish(&f->b);
    must_open(f);
    assert_int_equal(xlx_image_info(f->image)->pages, 0);
    assert_int_equal(xlx_image_info(f->image)->max_gfn, 0);
    xlx_image_runs(f->image, &nr);
    assert_int_equal(nr, 0);
    assert_int_equal(xlx_image_read(f->image, 0, 1, page), -ENOENT);
}

static void types_without_a_page_have_none(void **state)
{
    struct fixture *f = *state;
    static const uint64_t pfns[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 1),  BUILD_PFN(FMT_PFN_XTAB, 2),
        BUILD_PFN(FMT_PFN_NOTAB, 3),  BUILD_PFN(FMT_PFN_BROKEN, 4),
        BUILD_PFN(FMT_PFN_XALLOC, 5), BUILD_PFN(FMT_PFN_NOTAB, 6),
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_pfns(&f->b, pfns, NR(pfns));
    build_finish(&f->b);
    must_open(f);
    expect_runs(f, (const uint64_t[][2]){ { 1, 1 }, { 3, 1 }, { 6, 1 } }, 3);
    expect_page(f, 6, 0);
}

static void the_last_word_about_a_gfn_counts(void **state)
{
    struct fixture *f = *state;
    static const uint64_t again[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 12), BUILD_PFN(FMT_PFN_XTAB, 13),
        BUILD_PFN(FMT_PFN_NOTAB, 3),  BUILD_PFN(FMT_PFN_NOTAB, 2),
        BUILD_PFN(FMT_PFN_XALLOC, 9), BUILD_PFN(FMT_PFN_BROKEN, 10),
    };
    static const uint64_t thrice[] = { BUILD_PFN(FMT_PFN_NOTAB, 13),
                                       BUILD_PFN(FMT_PFN_XTAB, 3) };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 16);
    f->b.round = 1;
    build_pfns(&f->b, again, NR(again));
    f->b.round = 2;
    build_pfns(&f->b, thrice, NR(thrice));
    build_finish(&f->b);
    must_open(f);

    static const int round_of[16] = { 0, 0, 1,  -1, 0, 0, 0, 0,
                                      0, 0, -1, 0,  1, 2, 0, 0 };
    char page[XLX_PAGE_SIZE];
    for (uint64_t gfn = 0; gfn < 16; gfn++) {
        if (round_of[gfn] >= 0)
            expect_page(f, gfn, (unsigned)round_of[gfn]);
        else
            assert_int_equal(xlx_image_read(f->image, gfn, 1, page), -ENOENT);
    }
    assert_int_equal(xlx_image_info(f->image)->pages, 14);
    assert_int_equal(xlx_image_info(f->image)->max_gfn, 15);
}

/* "Allocate" says nothing of what is in a page that is there already. */
static void what_is_allocated_again_keeps_its_page(void **state)
{
    struct fixture *f = *state;
    static const uint64_t again[] = {
        BUILD_PFN(FMT_PFN_XALLOC, 1), BUILD_PFN(FMT_PFN_XALLOC, 2),
        BUILD_PFN(FMT_PFN_XTAB, 2),   BUILD_PFN(FMT_PFN_XTAB, 3),
        BUILD_PFN(FMT_PFN_XALLOC, 3), BUILD_PFN(FMT_PFN_XALLOC, 4),
        BUILD_PFN(FMT_PFN_NOTAB, 4),
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 6);
    f->b.round = 1;
    build_pfns(&f->b, again, NR(again));
    build_finish(&f->b);
    must_open(f);
    expect_runs(f, (const uint64_t[][2]){ { 0, 2 }, { 4, 1 }, { 5, 1 } }, 3);
    expect_page(f, 1, 0);
    expect_page(f, 4, 1);
    expect_page(f, 5, 0);
}

static void one_record_may_repeat_a_gfn(void **state)
{
    struct fixture *f = *state;
    static const uint64_t pfns[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 1), BUILD_PFN(FMT_PFN_XTAB, 1),
        BUILD_PFN(FMT_PFN_NOTAB, 1), BUILD_PFN(FMT_PFN_NOTAB, 2),
        BUILD_PFN(FMT_PFN_XTAB, 2),
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    size_t record = build_pfns(&f->b, pfns, NR(pfns));
    build_finish(&f->b);
    must_open(f);
    expect_runs(f, (const uint64_t[][2]){ { 1, 1 } }, 1);
    size_t nr;
    assert_int_equal(xlx_image_runs(f->image, &nr)->offset,
                     record + 16 + sizeof(pfns) + XLX_PAGE_SIZE);
}

/* Bits 52 to 59 are masked by libxc, too. */
static void high_bits_of_a_pfn_do_not_matter(void **state)
{
    struct fixture *f = *state;
    static const uint64_t bits = 0x5aull << FMT_PFN_BITS;
    static const uint64_t pfns[] = { 4, bits | 5, bits | 6, 7, 0 };
    static const uint64_t holes[] = {
        BUILD_PFN(FMT_PFN_XTAB, bits | 6),
        BUILD_PFN(FMT_PFN_XTAB, FMT_PFN_MASK),
        BUILD_PFN(FMT_PFN_XTAB, 1ull << FMT_PFN_BITS), /* of gfn 0 */
    };
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_pfns(&f->b, pfns, NR(pfns));
    build_pfns(&f->b, holes, NR(holes));
    build_finish(&f->b);
    must_open(f);
    expect_runs(f, (const uint64_t[][2]){ { 4, 2 }, { 7, 1 } }, 2);
    expect_page(f, 5, 0);
    expect_page(f, 7, 0);
}

static void reading_goes_across_runs(void **state)
{
    struct fixture *f = *state;
    char got[6][XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 10, 3);
    build_range(&f->b, 13, 3); /* goes on in gfn, not in the file */
    build_range(&f->b, 20, 1);
    build_finish(&f->b);
    must_open(f);
    expect_runs(f, (const uint64_t[][2]){ { 10, 3 }, { 13, 3 }, { 20, 1 } }, 3);

    assert_int_equal(xlx_image_read(f->image, 10, 6, got), 0);
    for (unsigned i = 0; i < 6; i++) {
        build_page(10 + i, 0, want);
        assert_memory_equal(got[i], want, sizeof(want));
    }
    static const struct {
        uint64_t gfn;
        size_t nr;
        int rc;
    } rows[] = {
        { 12, 2, 0 },
        { 15, 1, 0 },
        { 20, 1, 0 },
        { 10, 0, 0 },
        { 0, 0, 0 },
        { 9, 1, -ENOENT },
        { 9, 2, -ENOENT },
        { 15, 2, -ENOENT },
        { 20, 2, -ENOENT },
        { 21, 1, -ENOENT },
        { UINT64_MAX, 1, -ENOENT },
    };
    for (size_t i = 0; i < NR(rows); i++)
        assert_int_equal(xlx_image_read(f->image, rows[i].gfn, rows[i].nr, got),
                         rows[i].rc);
}

static void a_file_that_became_shorter_is_noticed(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE];
    build_start(&f->b, 3, FMT_GUEST_HVM);
    size_t record = build_range(&f->b, 0, 2);
    build_finish(&f->b);
    must_open(f);
    /* In the middle of the second page. */
    assert_int_equal(ftruncate(f->fd, (off_t)record + 32 + 4096 + 100), 0);
    expect_page(f, 0, 0);
    assert_int_equal(xlx_image_read(f->image, 1, 1, page), -ENODATA);
}

static void the_descriptor_is_close_on_exec(void **state)
{
    struct fixture *f = *state;
    bool before[64];
    int opened = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_finish(&f->b);
    f->fd = build_fd(&f->b);
    for (int fd = 0; fd < 64; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    assert_int_equal(
        xlx_image_open_fd(f->ctx, f->fd, f->b.libxc, "x", &f->image), 0);
    for (int fd = 0; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (before[fd] || flags < 0)
            continue;
        opened++;
        assert_true(flags & FD_CLOEXEC);
    }
    assert_int_equal(opened, 1);
}

static void close_takes_null(void **state)
{
    (void)state;
    xlx_image_close(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saved_guest_is_described),
        TEST(the_libxc_stream_opens_alone),
        TEST(version_2_has_no_static_data),
        TEST(a_pv_guest_is_described_too),
        TEST(unknown_optional_records_are_skipped),
        TEST(a_guest_may_have_no_pages),
        TEST(types_without_a_page_have_none),
        TEST(the_last_word_about_a_gfn_counts),
        TEST(what_is_allocated_again_keeps_its_page),
        TEST(one_record_may_repeat_a_gfn),
        TEST(high_bits_of_a_pfn_do_not_matter),
        TEST(reading_goes_across_runs),
        TEST(a_file_that_became_shorter_is_noticed),
        TEST(the_descriptor_is_close_on_exec),
        TEST(close_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
