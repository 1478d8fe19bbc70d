/* SPDX-License-Identifier: LGPL-2.1-only */
/* A save file written anew has the same guest in it, in another order. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "fakes/image_seeds.h"
#include "image/internal.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96], out[96];
    xlx_image *image, *written;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-optimize-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    snprintf(f->out, sizeof(f->out), "%s/out.save", f->dir);
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    xlx_image_close(f->written);
    unlink(f->path);
    unlink(f->out);
    int left = rmdir(f->dir); /* fails with a temporary file in it */
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return left;
}

static void open_built(struct fixture *f)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    xlx_image_close(f->image);
    f->image = NULL;
    if (xlx_image_open(f->ctx, f->path, &f->image))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

/* Of 2000 pages in two ranges; gfns 16 to 23 are zeros. */
static void build(struct fixture *f)
{
    build_start(&f->b, 3, FMT_GUEST_HVM);
    size_t at = build_range(&f->b, 0, 1000);
    memset(f->b.bytes + at + 16 + 8000 + 16 * XLX_PAGE_SIZE, 0,
           8 * XLX_PAGE_SIZE);
    build_range(&f->b, 0x100000, 1000);
    build_finish(&f->b);
    open_built(f);
}

static int optimize(struct fixture *f, const struct xlx_image_range *first,
                    size_t nr)
{
    return xlx_image_optimize(f->ctx, f->image, first, nr, f->out, NULL, NULL);
}

static void must_optimize(struct fixture *f,
                          const struct xlx_image_range *first, size_t nr)
{
    xlx_image_close(f->written);
    f->written = NULL;
    if (optimize(f, first, nr) || xlx_image_open(f->ctx, f->out, &f->written))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static void expect_same_pages(struct fixture *f)
{
    char a[XLX_PAGE_SIZE], b[XLX_PAGE_SIZE];
    assert_int_equal(f->image->info.pages, f->written->info.pages);
    for (size_t i = 0; i < f->image->nr_runs; i++) {
        const struct xlx_image_run *run = &f->image->runs[i];
        for (uint64_t gfn = run->gfn; gfn < run->gfn + run->nr; gfn++) {
            assert_int_equal(xlx_image_read(f->image, gfn, 1, a), 0);
            assert_int_equal(xlx_image_read(f->written, gfn, 1, b), 0);
            assert_memory_equal(a, b, sizeof(a));
        }
    }
}

#define FORMER_PADDING (FMT_RECORD_OPTIONAL | 0x6c7a78u)

/* All that is not pages or padding, as a sum, order and content. */
static uint64_t other_records(const xlx_image *image, size_t *nr_r)
{
    uint64_t sum[64] = { 0 };
    size_t nr = 0;
    for (size_t i = 0; i < image->nr_records; i++)
        if (image->records[i].type != FMT_PAGE_DATA &&
            image->records[i].type != FORMER_PADDING)
            sum[nr++] = image->records[i].sum;
    *nr_r = nr;
    return xlx__sum(sum, sizeof(sum));
}

static void expect_same_rest(struct fixture *f)
{
    struct xlx_image_config a = { 0 }, b = { 0 };
    size_t nr_a, nr_b;
    assert_int_equal(other_records(f->image, &nr_a),
                     other_records(f->written, &nr_b));
    assert_int_equal(nr_a, nr_b);
    assert_int_equal(xlx_image_config(f->ctx, f->image, &a, sizeof(a)), 0);
    assert_int_equal(xlx_image_config(f->ctx, f->written, &b, sizeof(b)), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    /* libxl's records behind libxc's stream */
    uint64_t tail = f->image->end - f->image->info.libxc_end;
    assert_int_equal(tail, f->written->end - f->written->info.libxc_end);
    char bytes[2][4096];
    assert_true(tail < sizeof(bytes[0]));
    assert_int_equal(
        xlx__image_pread(f->image, bytes[0], tail, f->image->info.libxc_end),
        0);
    assert_int_equal(xlx__image_pread(f->written, bytes[1], tail,
                                      f->written->info.libxc_end),
                     0);
    assert_memory_equal(bytes[0], bytes[1], tail);
}

static uint64_t offset_of(const xlx_image *image, uint64_t gfn)
{
    for (size_t i = 0; i < image->nr_runs; i++)
        if (gfn >= image->runs[i].gfn &&
            gfn - image->runs[i].gfn < image->runs[i].nr)
            return image->runs[i].offset +
                   (gfn - image->runs[i].gfn) * XLX_PAGE_SIZE;
    fail_msg("no page of gfn %lu", (unsigned long)gfn);
    return 0;
}

static void the_guest_is_the_same(void **state)
{
    struct fixture *f = *state;
    build(f);
    must_optimize(f, NULL, 0);
    expect_same_pages(f);
    expect_same_rest(f);
}

static void all_kinds_of_images_can_be_written_anew(void **state)
{
    struct fixture *f = *state;
    int done = 0;
    for (size_t i = 0; i < NR_IMAGE_SEEDS; i++) {
        image_seeds[i].build(&f->b);
        if (memcmp(f->b.bytes, FMT_XL_MAGIC, 32))
            continue; /* libxc's stream alone */
        open_built(f);
        if (f->image->info.guest != XLX_IMAGE_HVM) {
            assert_int_equal(optimize(f, NULL, 0), -ENOTSUP);
            continue;
        }
        must_optimize(f, NULL, 0);
        expect_same_pages(f);
        expect_same_rest(f);
        done++;
    }
    assert_true(done >= 3);
}

static void what_is_used_first_comes_first(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range first[] = {
        { 0x100010, 2 }, { 7, 1 }, { 5, 4 }, { 0x100010, 1 }, { 90000, 5 },
    };
    static const uint64_t order[] = { 0x100010, 0x100011, 7, 5, 6, 8, 0, 1 };
    build(f);
    must_optimize(f, first, NR(first));
    expect_same_pages(f);
    for (size_t i = 1; i < NR(order); i++)
        assert_int_equal(offset_of(f->written, order[i]),
                         offset_of(f->written, order[0]) + i * XLX_PAGE_SIZE);
}

static void pages_are_aligned(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range first[] = { { 0x100010, 1 } };
    build(f);
    must_optimize(f, first, 1);
    for (size_t i = 0; i < f->written->nr_runs; i++)
        assert_int_equal(f->written->runs[i].offset % XLX_PAGE_SIZE, 0);
}

/* What a record without pages has for pfns: all say that there is no page. */
static void expect_holes(struct fixture *f, const struct xlx__record *record)
{
    uint64_t count = record->length / sizeof(uint64_t) - 1, pfn;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(xlx__image_pread(f->written, &pfn, sizeof(pfn),
                                          xlx__first_page(record, i)),
                         0);
        assert_int_equal(pfn >> FMT_PFN_TYPE_SHIFT, FMT_PFN_XTAB);
        assert_false(xlx__image_has(f->image, pfn & FMT_PFN_MASK));
        assert_true((pfn & FMT_PFN_MASK) < FMT_GFN_LIMIT);
    }
}

/* Returns how long the record in front of the only page is. */
static uint64_t expect_padding(struct fixture *f, uint64_t page)
{
    const struct xlx__record *before = NULL;
    for (size_t i = 0; i < f->written->nr_records; i++) {
        const struct xlx__record *record = &f->written->records[i];
        assert_int_not_equal(record->type, FORMER_PADDING);
        if (record->type != FMT_PAGE_DATA || record->offset >= page - 24)
            continue;
        expect_holes(f, record);
        assert_null(before);
        before = record;
    }
    return before ? xlx__record_end(before) - before->offset : 0;
}

/*
 * Whatever is missing to the alignment, it is filled with a record that every
 * reader of Xen's knows. The shortest has one pfn: 24 bytes.
 */
static void padding_is_of_pages_that_are_not_there(void **state)
{
    struct fixture *f = *state;
    static const unsigned char nothing[4096];
    bool seen[520] = { false };
    for (size_t more = 0; more <= 4096 - 8; more += 8) {
        build_reset(&f->b);
        build_start(&f->b, 3, FMT_GUEST_HVM);
        build_record(&f->b, FMT_RECORD_OPTIONAL | 99, nothing, more);
        build_range(&f->b, 5, 1);
        build_finish(&f->b);
        open_built(f);
        must_optimize(f, NULL, 0);
        uint64_t page = offset_of(f->written, 5);
        assert_int_equal(page % XLX_PAGE_SIZE, 0);
        uint64_t length = expect_padding(f, page);
        assert_int_equal(length % 8, 0);
        assert_false(seen[length / 8]);
        seen[length / 8] = true;
    }
    assert_true(seen[0] && seen[24 / 8] && seen[4088 / 8]);
    assert_true(seen[4096 / 8 + 1] && seen[4096 / 8 + 2]);
}

/* An optional record, which this program wrote before. */
static void former_padding_is_read_and_left_out(void **state)
{
    struct fixture *f = *state;
    static const char nothing[64];
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_record(&f->b, FORMER_PADDING, nothing, sizeof(nothing));
    build_range(&f->b, 0, 20);
    build_record(&f->b, FORMER_PADDING, nothing, 0);
    build_range(&f->b, 20, 3);
    build_finish(&f->b);
    open_built(f);
    assert_int_equal(f->image->info.pages, 23);
    must_optimize(f, NULL, 0);
    expect_same_pages(f);
    expect_same_rest(f);
    for (size_t i = 0; i < f->written->nr_records; i++)
        assert_int_not_equal(f->written->records[i].type, FORMER_PADDING);
}

static void zeros_are_holes(void **state)
{
    struct fixture *f = *state;
    build(f);
    must_optimize(f, NULL, 0);
    off_t at = (off_t)offset_of(f->written, 16);
    int fd = open(f->out, O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, at, SEEK_HOLE), at);
    assert_int_equal(lseek(fd, at, SEEK_DATA), at + 8 * XLX_PAGE_SIZE);
    close(fd);
}

static void one_that_was_written_anew_can_be_again(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range first[] = { { 0x100010, 1 } };
    struct stat before, after;
    build(f);
    must_optimize(f, first, 1);
    assert_int_equal(stat(f->out, &before), 0);
    xlx_image_close(f->image);
    f->image = f->written;
    f->written = NULL;
    must_optimize(f, first, 1);
    expect_same_pages(f);
    expect_same_rest(f);
    assert_int_equal(stat(f->out, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

static void each_page_is_there_once(void **state)
{
    struct fixture *f = *state;
    static const uint64_t again[] = { BUILD_PFN(FMT_PFN_NOTAB, 3),
                                      BUILD_PFN(FMT_PFN_XTAB, 4),
                                      BUILD_PFN(FMT_PFN_XALLOC, 5),
                                      BUILD_PFN(FMT_PFN_XALLOC, 77) };
    struct stat st;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 100);
    f->b.round = 1;
    build_pfns(&f->b, again, NR(again));
    build_range(&f->b, 0, 3);
    build_finish(&f->b);
    open_built(f);
    must_optimize(f, NULL, 0);
    expect_same_pages(f);
    assert_int_equal(f->written->info.pages, 99);
    assert_int_equal(stat(f->out, &st), 0);
    assert_true(st.st_size < 99 * 4096 + 3 * 4096);
}

/* What was said to be allocated, without a content, is so in the new file. */
static void what_is_only_allocated_stays_so(void **state)
{
    struct fixture *f = *state;
    static const uint64_t pfns[] = {
        BUILD_PFN(FMT_PFN_NOTAB, 3), BUILD_PFN(FMT_PFN_XALLOC, 1ull << 55 | 77)
    };
    uint64_t pfn = 0;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_pfns(&f->b, pfns, NR(pfns));
    build_finish(&f->b);
    open_built(f);
    must_optimize(f, NULL, 0);
    for (size_t i = 0; i < f->written->nr_records; i++) {
        const struct xlx__record *record = &f->written->records[i];
        if (record->type == FMT_PAGE_DATA)
            assert_int_equal(xlx__image_pread(f->written, &pfn, 8,
                                              xlx__first_page(record, 0)),
                             0);
    }
    assert_int_equal(pfn, BUILD_PFN(FMT_PFN_XALLOC, 77));
}

static void it_may_take_its_own_place(void **state)
{
    struct fixture *f = *state;
    build(f);
    strcpy(f->out, f->path);
    must_optimize(f, NULL, 0);
    expect_same_pages(f);
}

/* --- failures leave what was there
 * -------------------------------------------- */

static bool stop_at(void *user, uint64_t done, uint64_t total)
{
    assert_int_equal(total, 4000);
    return done < *(uint64_t *)user;
}

static void interrupted_it_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    static const uint64_t at[] = { 0, 1500, 2000, 3000, 4000 };
    build(f);
    for (size_t i = 0; i < NR(at); i++) {
        uint64_t stop = at[i];
        assert_int_equal(xlx_image_optimize(f->ctx, f->image, NULL, 0, f->out,
                                            stop_at, &stop),
                         -ECANCELED);
        assert_int_not_equal(access(f->out, F_OK), 0);
    }
}

static void a_full_disk_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, was;
    build(f);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    for (uint64_t most = 0; most < f->b.len; most += f->b.len / 50) {
        limit = (struct rlimit){ most, was.rlim_max };
        setrlimit(RLIMIT_FSIZE, &limit);
        int rc = optimize(f, NULL, 0);
        setrlimit(RLIMIT_FSIZE, &was);
        assert_int_equal(rc, -EFBIG);
        assert_int_not_equal(access(f->out, F_OK), 0);
    }
}

static void a_file_that_changed_is_not_taken(void **state)
{
    struct fixture *f = *state;
    build(f);
    unsigned char byte = 0x5a;
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)f->b.tail + 20), 1);
    close(fd);
    assert_int_equal(optimize(f, NULL, 0), -EBADMSG);
    assert_int_not_equal(access(f->out, F_OK), 0);
}

/* Only the reading back finds it. */
static bool change_page(void *user, uint64_t done, uint64_t total)
{
    struct fixture *f = user;
    if (done != total / 4)
        return true;
    unsigned char byte = 0x5a;
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    bool ok = pwrite(fd, &byte, 1, (off_t)f->b.page[5] + 99) == 1;
    close(fd);
    return ok;
}

static void what_was_written_is_compared(void **state)
{
    struct fixture *f = *state;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 511);
    build_range(&f->b, 511, 511);
    build_range(&f->b, 0x1000, 1022);
    build_finish(&f->b);
    open_built(f);
    static const struct xlx_image_range first[] = { { 0x1000, 1022 } };
    /* A page of the first record changes as the second is about to be written.
     */
    f->b.page[5] = offset_of(f->image, 0x1005);
    assert_int_equal(
        xlx_image_optimize(f->ctx, f->image, first, 1, f->out, change_page, f),
        -EIO);
    assert_int_not_equal(access(f->out, F_OK), 0);
}

static void a_bare_stream_is_refused(void **state)
{
    struct fixture *f = *state;
    build(f);
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    xlx_image_close(f->image);
    f->image = NULL;
    assert_int_equal(xlx_image_open_fd(f->ctx, fd, f->b.libxc, "x", &f->image),
                     0);
    close(fd);
    assert_int_equal(optimize(f, NULL, 0), -ENOTSUP);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_guest_is_the_same),
        TEST(all_kinds_of_images_can_be_written_anew),
        TEST(what_is_used_first_comes_first),
        TEST(pages_are_aligned),
        TEST(padding_is_of_pages_that_are_not_there),
        TEST(former_padding_is_read_and_left_out),
        TEST(zeros_are_holes),
        TEST(one_that_was_written_anew_can_be_again),
        TEST(each_page_is_there_once),
        TEST(what_is_only_allocated_stays_so),
        TEST(it_may_take_its_own_place),
        TEST(interrupted_it_leaves_nothing),
        TEST(a_full_disk_leaves_nothing),
        TEST(a_file_that_changed_is_not_taken),
        TEST(what_was_written_is_compared),
        TEST(a_bare_stream_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
