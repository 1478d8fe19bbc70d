/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a fast restore gives a domain: all pages but the distribution's, whole
 * blocks as such, each with what was saved; and what each failure leads to.
 */
#include "test.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "fakes/physmap_fake.h"
#include "fast/load.h"
#include "fast/window.h"
#include "image/known_read.h"
#include "image/resident.h"

#define GFNS 0x100400u /* above 4 GiB are two blocks more */
#define BLOCK XLX__PHYSMAP_PAGES_2M

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96], sidecar_path[112];
    xlx_image *image;
    xlx_sidecar *sidecar;
    struct physmap_fake *physmap;
    struct xlx__fast_job job;
};

/* Two whole blocks, one with a hole, the end of one; special pages, and a page
 * on each side of what is the distribution's. */
static void build_guest(struct image_build *b)
{
    build_start(b, 3, FMT_GUEST_HVM);
    build_range(b, 0, 2 * BLOCK);
    build_range(b, 2 * BLOCK, 9);
    build_range(b, 2 * BLOCK + 10, BLOCK - 10);
    build_range(b, 3 * BLOCK, BLOCK - 1);
    build_range(b, XLX__FAST_STOCK_START - 1, 2);
    build_range(b, 0xfeff8, 8);
    build_range(b, XLX__FAST_STOCK_END - 1, 1 + BLOCK);
    const uint64_t pfn = BUILD_PFN(FMT_PFN_XALLOC, 0xfeff0 + 2 * BLOCK);
    build_pfns(b, &pfn, 1);
    build_finish(b);
}

static void write_image(const struct fixture *f)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void must_open(struct fixture *f)
{
    if (xlx_image_open(f->ctx, f->path, &f->image))
        fail_msg("%s", xlx_ctx_error(f->ctx));
    f->physmap = physmap_fake_new(GFNS);
    f->job = (struct xlx__fast_job){ .image = f->image,
                                     .physmap = &f->physmap->base,
                                     .end = GFNS };
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    strcpy(f->dir, "/tmp/xlx-fast-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    snprintf(f->sidecar_path, sizeof(f->sidecar_path), "%s.lzx", f->path);
    assert_int_equal(xlx_ctx_new(&f->ctx), 0);
    build_guest(&f->b);
    write_image(f);
    must_open(f);
    return 0;
}

/* On a Xen that gives memory its content without a mapping. */
static int setup_loading(void **state)
{
    int rc = setup(state);
    struct fixture *f = *state;
    f->physmap->base.can_load = true;
    return rc;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int held = f->physmap->buffers;
    xlx_sidecar_close(f->sidecar);
    xlx_image_close(f->image);
    physmap_fake_free(f->physmap);
    unlink(f->path);
    unlink(f->sidecar_path);
    int left = rmdir(f->dir);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return left || held;
}

/* The same image for another domain, to be loaded in the same way. */
static void start_anew(struct fixture *f)
{
    bool can_load = f->physmap->base.can_load;
    assert_int_equal(f->physmap->buffers, 0);
    physmap_fake_free(f->physmap);
    f->physmap = physmap_fake_new(GFNS);
    f->physmap->base.can_load = can_load;
    f->job.physmap = &f->physmap->base;
}

static bool is_stock(uint64_t gfn)
{
    return gfn >= 0xfc000 && gfn < 0x100000;
}

static bool in_image(const struct fixture *f, uint64_t gfn)
{
    unsigned char page[XLX_PAGE_SIZE];
    return !xlx_image_read(f->image, gfn, 1, page);
}

static void expect_page(const struct fixture *f, uint64_t gfn)
{
    unsigned char want[XLX_PAGE_SIZE], got[XLX_PAGE_SIZE];
    bool wanted = in_image(f, gfn) && !is_stock(gfn);
    if (wanted != (f->physmap->order[gfn] != 0))
        fail_msg("gfn %#lx: %s memory", (unsigned long)gfn,
                 wanted ? "no" : "has");
    if (!wanted)
        return;
    assert_int_equal(xlx_image_read(f->image, gfn, 1, want), 0);
    physmap_fake_read(f->physmap, gfn, got);
    if (memcmp(want, got, sizeof(got)))
        fail_msg("gfn %#lx: its content", (unsigned long)gfn);
}

/* In the way that is to be tried. */
static void expect_all(const struct fixture *f)
{
    const struct physmap_fake *p = f->physmap;
    for (uint64_t gfn = 0; gfn < GFNS; gfn++)
        expect_page(f, gfn);
    assert_int_equal(p->base.can_load, p->loads.calls > 0);
    assert_int_equal(p->base.can_load, !p->populates.calls && !p->maps.calls);
}

/* --- what is right -------------------------------------------------------- */

static void the_whole_guest_is_loaded(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    expect_all(f);
    assert_int_equal(physmap_fake_count(f->physmap, 9), 3 * BLOCK);
    assert_int_equal(physmap_fake_count(f->physmap, 0),
                     9 + BLOCK - 10 + BLOCK - 1 + 1);
}

/* What is outside belongs to another part. */
static void a_part_is_loaded(void **state)
{
    struct fixture *f = *state;
    f->job.start = BLOCK;
    f->job.end = 2 * BLOCK + 1;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    assert_int_equal(physmap_fake_count(f->physmap, 9), BLOCK);
    assert_int_equal(physmap_fake_count(f->physmap, 0), 1);
    expect_page(f, BLOCK);
    expect_page(f, 2 * BLOCK);
}

/* What comes before a block does not take a part of it. */
static void a_block_behind_pages_is_whole(void **state)
{
    struct fixture *f = *state;
    f->job.start = 1;
    f->job.end = 2 * BLOCK;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    assert_int_equal(physmap_fake_count(f->physmap, 9), BLOCK);
    assert_int_equal(physmap_fake_count(f->physmap, 0), BLOCK - 1);
}

/* A block that Xen has not in one piece is made of pages, no other is. */
static void a_block_that_xen_lacks_is_made_of_pages(void **state)
{
    struct fixture *f = *state;
    for (uint64_t block = 0; block < 3; block++) {
        start_anew(f);
        f->physmap->no_2m_from = block * BLOCK;
        f->physmap->no_2m_end = (block + 1) * BLOCK;
        assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
        expect_all(f);
        assert_int_equal(physmap_fake_count(f->physmap, 9),
                         (block < 2 ? 2 : 3) * BLOCK);
    }
}

static void no_block_at_all(void **state)
{
    struct fixture *f = *state;
    f->physmap->no_2m_end = GFNS;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    expect_all(f);
    assert_int_equal(physmap_fake_count(f->physmap, 9), 0);
}

/* --- a sidecar ------------------------------------------------------------ */

static void zero_page(struct fixture *f, size_t n)
{
    memset(f->b.bytes + f->b.page[n], 0, XLX_PAGE_SIZE);
}

static void with_sidecar(struct fixture *f)
{
    xlx_image_close(f->image);
    write_image(f);
    assert_int_equal(xlx_image_open(f->ctx, f->path, &f->image), 0);
    assert_int_equal(xlx_sidecar_write(f->ctx, f->image, NULL, NULL, NULL), 0);
    assert_int_equal(xlx_sidecar_open(f->ctx, f->image, NULL, &f->sidecar), 0);
    f->job.image = f->image;
    f->job.sidecar = f->sidecar;
}

/* Over what was in the host's memory; also when nobody knew them for zeros. */
static void zeros_are_written(void **state)
{
    struct fixture *f = *state;
    zero_page(f, 0);
    zero_page(f, 3);
    zero_page(f, 4);
    with_sidecar(f);
    assert_int_equal(xlx_sidecar_info(f->sidecar)->zero_pages, 3);
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    expect_all(f);
    start_anew(f);
    f->job.sidecar = NULL;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    expect_all(f);
}

static void zeros_are_known(void **state)
{
    struct fixture *f = *state;
    zero_page(f, 0);
    zero_page(f, 3);
    zero_page(f, 4);
    with_sidecar(f);
    assert_true(xlx__image_known_zeros(f->sidecar, 0, 1));
    assert_true(xlx__image_known_zeros(f->sidecar, 3, 2));
    assert_true(xlx__image_known_zeros(f->sidecar, 4, 1));
    assert_false(xlx__image_known_zeros(f->sidecar, 0, 2));
    assert_false(xlx__image_known_zeros(f->sidecar, 2, 3));
    assert_false(xlx__image_known_zeros(f->sidecar, 3, 3));
    assert_false(xlx__image_known_zeros(NULL, 3, 1));
}

static void spoil(const struct fixture *f, size_t page)
{
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)f->b.page[page] + 77, SEEK_SET), 0);
    assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fclose(file), 0);
}

static void a_wrong_checksum_fails(void **state)
{
    struct fixture *f = *state;
    with_sidecar(f);
    spoil(f, 5);
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), -EBADMSG);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "g.save: gfn 0x5: "));
    /* Nobody knows better without. */
    start_anew(f);
    f->job.sidecar = NULL;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
}

/* --- what fails ----------------------------------------------------------- */

static void expect_failure(struct fixture *f, int rc, const char *text)
{
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), rc);
    if (!strstr(xlx_ctx_error(f->ctx), text))
        fail_msg("'%s' is not in '%s'", text, xlx_ctx_error(f->ctx));
}

static void a_file_that_becomes_shorter_fails(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(truncate(f->path, (off_t)f->b.page[7] + 1), 0);
    expect_failure(f, -ENODATA, "domain 7: gfn 0x0: read the save file from ");
}

/* By pages too: neither is the last word of the other. */
static void without_memory_it_fails(void **state)
{
    struct fixture *f = *state;
    f->physmap->limit = BLOCK + 3;
    expect_failure(f, -ENOMEM, "domain 7: gfn 0x203: allocate memory for it");
    assert_int_equal(f->physmap->pages, BLOCK + 3);
}

static void all_memory_but_a_page(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    uint64_t all = f->physmap->pages;
    for (int less = 1; less >= 0; less--) {
        start_anew(f);
        f->physmap->limit = all - (uint64_t)less;
        assert_int_equal(xlx__fast_load(f->ctx, &f->job), less ? -ENOMEM : 0);
    }
}

/* No other error is taken for a lack of large pieces. */
static void each_populate_may_fail(void **state)
{
    struct fixture *f = *state;
    int n = 1;
    f->physmap->populates.fail_at = n;
    f->physmap->fail_err = -EPERM;
    while (f->physmap->populates.fail_at <= 5 &&
           xlx__fast_load(f->ctx, &f->job)) {
        assert_non_null(strstr(xlx_ctx_error(f->ctx), "memory for it: Oper"));
        start_anew(f);
        f->physmap->populates.fail_at = ++n;
        f->physmap->fail_err = -EPERM;
    }
    /* Blocks and pages below, one page, blocks above. */
    assert_int_equal(n, 5);
}

static void each_map_may_fail(void **state)
{
    struct fixture *f = *state;
    int n = 1;
    f->physmap->maps.fail_at = n;
    while (n <= 4 && xlx__fast_load(f->ctx, &f->job)) {
        assert_non_null(strstr(xlx_ctx_error(f->ctx), "map it: Input/output"));
        start_anew(f);
        f->physmap->maps.fail_at = ++n;
    }
    assert_int_equal(n, 4); /* three windows */
}

/* Nor is another one begun. */
static void the_first_failure_is_the_end(void **state)
{
    struct fixture *f = *state;
    f->physmap->maps.fail_at = 1;
    expect_failure(f, -EIO, "map it");
    assert_int_equal(f->physmap->maps.calls, 1);
    assert_int_equal(f->physmap->pages, 4 * BLOCK - 2);
}

static void the_page_that_cannot_be_mapped_is_named(void **state)
{
    struct fixture *f = *state;
    f->physmap->has_bad_gfn = true;
    f->physmap->bad_gfn = 2 * BLOCK + 11;
    f->physmap->fail_err = -EFAULT;
    expect_failure(f, -EFAULT, "domain 7: gfn 0x40b: map it: Bad address");
}

/* --- what fails without a mapping ----------------------------------------- */

/* Seven pieces: two whole blocks, two of one with a hole, most of one; above
 * them one page, and a whole block. */
static void each_load_may_fail(void **state)
{
    struct fixture *f = *state;
    int n = 1;
    f->physmap->loads.fail_at = n;
    f->physmap->fail_err = -EPERM;
    while (n <= 8 && xlx__fast_load(f->ctx, &f->job)) {
        assert_non_null(strstr(xlx_ctx_error(f->ctx), "load it: Operation"));
        assert_int_equal(f->physmap->loads.calls, n);
        assert_int_equal(f->physmap->maps.calls, 0);
        start_anew(f);
        f->physmap->loads.fail_at = ++n;
        f->physmap->fail_err = -EPERM;
    }
    assert_int_equal(n, 8);
}

static void the_page_that_is_not_loaded_is_named(void **state)
{
    struct fixture *f = *state;
    f->physmap->has_bad_gfn = true;
    f->physmap->bad_gfn = 2 * BLOCK + 11;
    f->physmap->fail_err = -EFAULT;
    expect_failure(f, -EFAULT, "domain 7: gfn 0x40b: load it: Bad address");
}

static void memory_that_is_there_already(void **state)
{
    struct fixture *f = *state;
    size_t done;
    f->physmap->base.ops->populate(&f->physmap->base, &(uint64_t){ 5 }, 1, 0,
                                   &done);
    expect_failure(f, -EEXIST, "domain 7: gfn 0x5: load it: File exists");
}

/* Then it is mapped, as on any Xen. */
static void without_a_buffer_it_is_mapped(void **state)
{
    struct fixture *f = *state;
    f->physmap->no_buffer = true;
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    assert_int_equal(f->physmap->loads.calls, 0);
    f->physmap->base.can_load = false; /* which expect_all() looks at */
    expect_all(f);
}

/* Nothing is read for a block of zeros that the sidecar knows. */
static void zeros_need_no_data(void **state)
{
    struct fixture *f = *state;
    memset(f->b.bytes + f->b.page[0], 0, (size_t)BLOCK * XLX_PAGE_SIZE);
    with_sidecar(f);
    spoil(f, 7);
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    unsigned char page[XLX_PAGE_SIZE], zeros[XLX_PAGE_SIZE] = { 0 };
    physmap_fake_read(f->physmap, 7, page);
    assert_memory_equal(page, zeros, sizeof(page));
    expect_page(f, BLOCK);
}

/* --- which pages are the distribution's ---------------------------------- */

static void the_stream_has_all_others(void **state)
{
    struct fixture *f = *state;
    const struct xlx__gfn_range stock = { XLX__FAST_STOCK_START,
                                          XLX__FAST_STOCK_END };
    int out = memfd_create("out", MFD_CLOEXEC);
    uint64_t pages;
    xlx_image *rest;
    assert_int_equal(xlx__image_thin(f->ctx, f->image, &stock, 1, out, &pages),
                     0);
    assert_int_equal(xlx_image_open_fd(f->ctx, out, 0, "rest", &rest), 0);
    assert_int_equal(xlx__fast_load(f->ctx, &f->job), 0);
    unsigned char page[XLX_PAGE_SIZE];
    for (uint64_t gfn = 0; gfn < GFNS; gfn++) {
        bool in_rest = !xlx_image_read(rest, gfn, 1, page);
        if (in_rest + (f->physmap->order[gfn] != 0) != in_image(f, gfn))
            fail_msg("gfn %#lx: in both, or in none", (unsigned long)gfn);
    }
    assert_int_equal(pages, 1 + 8 + 1);
    xlx_image_close(rest);
    close(out);
}

static void expect_first(const struct xlx_image_run *runs, size_t nr,
                         uint64_t from, uint64_t want)
{
    uint64_t gfn;
    assert_true(xlx__fast_first(runs, nr, from, &gfn));
    assert_int_equal(gfn, want);
}

static void the_first_page_that_is_ours(void **state)
{
    (void)state;
    const struct xlx_image_run runs[] = {
        { 3, 2, 0 }, { 0xfbffe, 3, 0 }, { 0xfeff8, 8, 0 }, { 0xfffff, 2, 0 }
    };
    uint64_t gfn;
    expect_first(runs, 4, 0, 3);
    expect_first(runs, 4, 4, 4);
    expect_first(runs, 4, 5, 0xfbffe);
    expect_first(runs, 4, 0xfbfff, 0xfbfff);
    expect_first(runs, 4, 0xfc000, 0x100000);
    expect_first(runs, 4, 0xfffff, 0x100000);
    expect_first(runs, 4, 0x100000, 0x100000);
    assert_false(xlx__fast_first(runs, 4, 0x100001, &gfn));
    assert_false(xlx__fast_first(runs + 2, 1, 0, &gfn));
    assert_false(xlx__fast_first(runs, 0, 0, &gfn));
}

static void windows_end_where_blocks_do(void **state)
{
    (void)state;
    struct xlx__fast_window *w = calloc(1, sizeof(*w));
    const struct xlx_image_run run = { XLX__FAST_WINDOW - 1,
                                       XLX__FAST_WINDOW + 2, 0 };
    assert_true(xlx__fast_window_next(&run, 1, 0, UINT64_MAX, w));
    assert_int_equal(w->nr, 1);
    assert_true(xlx__fast_window_next(&run, 1, w->gfn[0] + 1, UINT64_MAX, w));
    assert_int_equal(w->nr, XLX__FAST_WINDOW);
    assert_int_equal(w->gfn[0], XLX__FAST_WINDOW);
    assert_int_equal(xlx__fast_piece_at(w, 1), XLX__FAST_WINDOW - 1);
    assert_true(xlx__fast_block_at(w, XLX__FAST_WINDOW - BLOCK));
    assert_false(xlx__fast_block_at(w, 1));
    w->nr--; /* without its last page */
    assert_false(xlx__fast_block_at(w, XLX__FAST_WINDOW - BLOCK));
    assert_true(xlx__fast_block_at(w, 0));
    assert_true(
        xlx__fast_window_next(&run, 1, 2 * XLX__FAST_WINDOW, UINT64_MAX, w));
    assert_int_equal(w->nr, 1);
    assert_false(xlx__fast_window_next(&run, 1, 2 * XLX__FAST_WINDOW + 1,
                                       UINT64_MAX, w));
    assert_false(xlx__fast_window_next(&run, 1, 0, XLX__FAST_WINDOW - 1, w));
    free(w);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define LOADING(fn)                                         \
    {                                                       \
#fn " (loading)", fn, setup_loading, teardown, NULL \
    }
#define BOTH(fn) TEST(fn), LOADING(fn)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_whole_guest_is_loaded),
        BOTH(a_part_is_loaded),
        BOTH(a_block_behind_pages_is_whole),
        BOTH(a_block_that_xen_lacks_is_made_of_pages),
        BOTH(no_block_at_all),
        BOTH(zeros_are_written),
        TEST(zeros_are_known),
        BOTH(a_wrong_checksum_fails),
        BOTH(a_file_that_becomes_shorter_fails),
        BOTH(without_memory_it_fails),
        BOTH(all_memory_but_a_page),
        TEST(each_populate_may_fail),
        TEST(each_map_may_fail),
        TEST(the_first_failure_is_the_end),
        TEST(the_page_that_cannot_be_mapped_is_named),
        LOADING(each_load_may_fail),
        LOADING(the_page_that_is_not_loaded_is_named),
        LOADING(memory_that_is_there_already),
        LOADING(without_a_buffer_it_is_mapped),
        LOADING(zeros_need_no_data),
        TEST(the_stream_has_all_others),
        cmocka_unit_test(the_first_page_that_is_ours),
        cmocka_unit_test(windows_end_where_blocks_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
