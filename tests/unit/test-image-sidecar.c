/* SPDX-License-Identifier: LGPL-2.1-only */
/* FILE.lzx: what is written comes back, what is wrong is refused as a whole. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>

#include "fakes/image_build.h"
#include "fuzz/fuzz-sidecar.c"
#include "image/known_read.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96], sidecar_path[128];
    xlx_image *image;
    xlx_sidecar *sidecar;
    int lines; /* that were logged */
};

static void count_line(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)text;
    ++*(int *)user;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-sidecar-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/guest.save", f->dir);
    snprintf(f->sidecar_path, sizeof(f->sidecar_path), "%s.lzx", f->path);
    int rc = xlx_ctx_new(&f->ctx);
    xlx_ctx_set_log(f->ctx, count_line, &f->lines, XLX_LOG_INFO);
    return rc;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_sidecar_close(f->sidecar);
    xlx_image_close(f->image);
    unlink(f->path);
    unlink(f->sidecar_path);
    int left = rmdir(f->dir); /* fails with a temporary file in it */
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return left;
}

/* --- the image: 3 + 70 + 8 pages, of which 1, 2, 3 and 0x107 are zeros ---- */

static void save_image(struct fixture *f)
{
    static const size_t zeros[] = { 1, 2, 3 };
    build_reset(&f->b);
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 3);
    build_range(&f->b, 3, 70);
    build_range(&f->b, 0x100, 8);
    for (size_t i = 0; i < 3; i++)
        memset(f->b.bytes + f->b.page[zeros[i]], 0, XLX_PAGE_SIZE);
    memset(f->b.bytes + f->b.len - XLX_PAGE_SIZE, 0, XLX_PAGE_SIZE);
    build_finish(&f->b);
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void open_image(struct fixture *f)
{
    xlx_image_close(f->image);
    f->image = NULL;
    if (xlx_image_open(f->ctx, f->path, &f->image))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static void start(struct fixture *f)
{
    save_image(f);
    open_image(f);
}

static int open_sidecar(struct fixture *f)
{
    xlx_sidecar_close(f->sidecar);
    f->sidecar = NULL;
    return xlx_sidecar_open(f->ctx, f->image, NULL, &f->sidecar);
}

static void must_write_sidecar(struct fixture *f)
{
    if (xlx_sidecar_write(f->ctx, f->image, NULL, NULL, NULL) ||
        open_sidecar(f))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static void expect_zero(struct fixture *f, uint64_t from, uint64_t gfn,
                        uint64_t nr)
{
    struct xlx_image_range zero = { 0 };
    assert_true(xlx_sidecar_next_zero(f->sidecar, from, &zero));
    assert_int_equal(zero.gfn, gfn);
    assert_int_equal(zero.nr, nr);
}

static void expect_working_set(struct fixture *f,
                               const struct xlx_image_range *want,
                               size_t nr_want)
{
    size_t nr;
    assert_int_equal(open_sidecar(f), 0);
    const struct xlx_image_range *have =
        xlx_sidecar_working_set(f->sidecar, &nr);
    assert_int_equal(nr, nr_want);
    for (size_t i = 0; i < nr; i++) {
        assert_int_equal(have[i].gfn, want[i].gfn);
        assert_int_equal(have[i].nr, want[i].nr);
    }
}

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* --- right ones ----------------------------------------------------------- */

static void without_one_nothing_is_said(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(open_sidecar(f), -ENOENT);
    assert_int_equal(f->lines, 0);
}

static void zero_pages_are_known(void **state)
{
    struct fixture *f = *state;
    struct xlx_image_range zero;
    start(f);
    must_write_sidecar(f);
    assert_true(xlx_sidecar_info(f->sidecar)->has_zero);
    assert_int_equal(xlx_sidecar_info(f->sidecar)->zero_pages, 4);
    /* Two runs of the image meet behind gfn 2. */
    expect_zero(f, 0, 1, 2);
    expect_zero(f, 2, 2, 1);
    expect_zero(f, 3, 3, 1);
    expect_zero(f, 4, 0x107, 1);
    expect_zero(f, 0x80, 0x107, 1);
    assert_false(xlx_sidecar_next_zero(f->sidecar, 0x108, &zero));
    assert_false(xlx_sidecar_next_zero(f->sidecar, UINT64_MAX, &zero));
}

static void pages_are_held_against_their_crc(void **state)
{
    struct fixture *f = *state;
    static char pages[73][XLX_PAGE_SIZE];
    uint64_t bad = 0;
    start(f);
    must_write_sidecar(f);
    assert_true(xlx_sidecar_info(f->sidecar)->has_crc);
    assert_int_equal(xlx_image_read(f->image, 0, 73, pages), 0);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0, 73, pages, &bad), 0);
    pages[71][5] ^= 1;
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0, 71, pages, &bad), 0);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0, 73, pages, &bad),
                     -EILSEQ);
    assert_int_equal(bad, 71);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 70, 3, pages[70], &bad),
                     -EILSEQ);
    assert_int_equal(bad, 71);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 72, 2, pages[71], &bad),
                     -EILSEQ);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0x90, 1, pages, &bad),
                     -ENOENT);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0x108, 1, pages, &bad),
                     -ENOENT);
}

static int check_data(struct fixture *f, uint64_t gfn, size_t nr,
                      const void *pages, uint64_t *bad_r)
{
    *bad_r = UINT64_MAX;
    return xlx__sidecar_check_data(f->sidecar, gfn, nr, pages, bad_r);
}

/* Whatever is in the pages that are listed as zero: nobody uses it. */
static void pages_that_are_zeros_need_no_check(void **state)
{
    struct fixture *f = *state;
    static char pages[73][XLX_PAGE_SIZE];
    uint64_t bad;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(xlx_image_read(f->image, 0, 73, pages), 0);
    for (size_t gfn = 1; gfn <= 3; gfn++)
        pages[gfn][7] = 1;
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0, 73, pages, &bad),
                     -EILSEQ);
    assert_int_equal(bad, 1);
    assert_int_equal(check_data(f, 0, 73, pages, &bad), 0);
    assert_int_equal(check_data(f, 1, 3, pages[1], &bad), 0);
    assert_int_equal(check_data(f, 0x107, 1, pages[1], &bad), 0);
    for (uint64_t gfn = 4; gfn < 8; gfn++) {
        pages[gfn][7] ^= 1;
        assert_int_equal(check_data(f, 0, 73, pages, &bad), -EILSEQ);
        assert_int_equal(bad, gfn);
        pages[gfn][7] ^= 1;
    }
    pages[0][7] ^= 1;
    assert_int_equal(check_data(f, 0, 4, pages, &bad), -EILSEQ);
    assert_int_equal(bad, 0);
    assert_int_equal(check_data(f, 0x90, 1, pages, &bad), -ENOENT);
}

static void pages_behind_zeros_are_checked(void **state)
{
    struct fixture *f = *state;
    static char pages[73][XLX_PAGE_SIZE];
    uint64_t bad;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(xlx_image_read(f->image, 0, 73, pages), 0);
    f->sidecar->zero[0] |= 3ull << 40; /* in the middle of a run */
    pages[40][7] ^= 1;
    pages[41][7] ^= 1;
    assert_int_equal(check_data(f, 3, 70, pages[3], &bad), 0);
    pages[42][7] ^= 1;
    assert_int_equal(check_data(f, 3, 70, pages[3], &bad), -EILSEQ);
    assert_int_equal(bad, 42);
    assert_int_equal(check_data(f, 3, 39, pages[3], &bad), 0);
}

/* Nobody is refused a good page because its checksum is out of reach. */
static void a_sidecar_that_cannot_be_read_holds_nothing_back(void **state)
{
    struct fixture *f = *state;
    static char pages[73][XLX_PAGE_SIZE], read[73][XLX_PAGE_SIZE];
    uint64_t bad;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(xlx_image_read(f->image, 0, 73, pages), 0);
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(dup2(empty, f->sidecar->fd) >= 0);
    close(empty);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0, 73, pages, &bad),
                     -ENODATA);
    assert_int_equal(
        xlx__image_read_known(f->image, f->sidecar, 0, 73, read, &bad), 0);
    assert_memory_equal(read, pages, sizeof(pages));
}

/* Of zeros that go on behind the range, those in it: the buffer ends there. */
static void a_read_ends_among_zeros(void **state)
{
    struct fixture *f = *state;
    static const char zeros[XLX_PAGE_SIZE];
    char page[3][XLX_PAGE_SIZE], behind[XLX_PAGE_SIZE];
    uint64_t bad;
    start(f);
    must_write_sidecar(f);
    memset(page, 0xee, sizeof(page));
    memcpy(behind, page[2], sizeof(behind));
    assert_int_equal(
        xlx__image_read_known(f->image, f->sidecar, 0, 2, page, &bad), 0);
    assert_memory_equal(page[1], zeros, sizeof(zeros));
    assert_memory_equal(page[2], behind, sizeof(behind));
}

/* 0 is read, 1 to 3 are zeros, and 4 begins what cannot be read. */
static void a_read_that_fails_is_placed(void **state)
{
    struct fixture *f = *state;
    static char pages[73][XLX_PAGE_SIZE];
    uint64_t bad = 0;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(truncate(f->path, (off_t)f->b.page[10]), 0);
    assert_int_equal(
        xlx__image_read_known(f->image, f->sidecar, 0, 73, pages, &bad),
        -ENODATA);
    assert_int_equal(bad, 4);
}

/* What is repeated or in no image is left out, neighbours are joined. */
static void a_working_set_is_tidied(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range touched[] = {
        { 0x104, 1 }, { 0x105, 2 }, { 5, 1 },          { 0x105, 1 }, { 71, 9 },
        { 4, 3 },     { 900, 1 },   { UINT64_MAX, 3 }, { 3, 0 },
    };
    static const struct xlx_image_range want[] = {
        { 0x104, 3 }, { 5, 1 }, { 71, 2 }, { 4, 1 }, { 6, 1 }
    };
    start(f);
    assert_int_equal(xlx_sidecar_working_set_write(f->ctx, f->image, NULL,
                                                   touched, NR(touched)),
                     0);
    expect_working_set(f, want, NR(want));
    assert_int_equal(xlx_sidecar_info(f->sidecar)->working_set_pages, 8);
    assert_false(xlx_sidecar_info(f->sidecar)->has_crc);
    assert_false(xlx_sidecar_info(f->sidecar)->has_zero);
}

static void a_working_set_grows_and_goes(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range first[] = { { 9, 2 } };
    static const struct xlx_image_range then[] = { { 2, 1 }, { 10, 2 } };
    static const struct xlx_image_range both[] = { { 9, 2 },
                                                   { 2, 1 },
                                                   { 11, 1 } };
    start(f);
    assert_int_equal(
        xlx_sidecar_working_set_add(f->ctx, f->image, NULL, first, 1), 0);
    expect_working_set(f, first, 1);
    assert_int_equal(
        xlx_sidecar_working_set_add(f->ctx, f->image, NULL, then, 2), 0);
    expect_working_set(f, both, 3);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, then, 2), 0);
    expect_working_set(f, then, 2);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, NULL, 0), 0);
    expect_working_set(f, NULL, 0);
}

static void each_keeps_what_the_other_wrote(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range touched[] = { { 9, 2 } };
    char page[XLX_PAGE_SIZE];
    uint64_t bad;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, touched, 1), 0);
    expect_working_set(f, touched, 1);
    assert_int_equal(xlx_sidecar_info(f->sidecar)->zero_pages, 4);
    assert_int_equal(xlx_image_read(f->image, 0x106, 1, page), 0);
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0x106, 1, page, &bad), 0);
    page[0] ^= 1;
    assert_int_equal(xlx_sidecar_check(f->sidecar, 0x106, 1, page, &bad),
                     -EILSEQ);
    must_write_sidecar(f);
    expect_working_set(f, touched, 1);
    assert_int_equal(f->lines, 0);
}

static void the_most_runs_are_taken(void **state)
{
    struct fixture *f = *state;
    uint32_t nr = XLX_WORKING_SET_MAX + 7;
    size_t have;
    struct xlx_image_range *touched = calloc(nr, sizeof(*touched));
    /* Nothing reads its pages. */
    struct xlx_image image = { .name = f->path, .nr_runs = 1 };
    struct xlx_image_run run = { 0, 2ull * nr, 4096 };
    image.runs = &run;
    image.info.pages = run.nr;
    save_image(f);
    assert_int_equal(xlx__storage_file(f->ctx,
                                       open(f->path, O_RDONLY | O_CLOEXEC),
                                       f->path, &image.storage),
                     0);
    for (uint32_t i = 0; i < nr; i++)
        touched[i] = (struct xlx_image_range){ 2ull * (nr - 1 - i), 1 };
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, &image, NULL, touched, nr), 0);
    assert_int_equal(xlx_sidecar_open(f->ctx, &image, NULL, &f->sidecar), 0);
    xlx_sidecar_working_set(f->sidecar, &have);
    assert_int_equal(have, XLX_WORKING_SET_MAX);
    image.storage->ops->close(image.storage);
    free(touched);
}

/* The same stream at another place of another file is the same image. */
static void it_may_lie_elsewhere(void **state)
{
    struct fixture *f = *state;
    char path[128];
    start(f);
    snprintf(path, sizeof(path), "%s/elsewhere", f->dir);
    assert_int_equal(xlx_sidecar_write(f->ctx, f->image, path, NULL, NULL), 0);
    assert_int_equal(open_sidecar(f), -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), "no such sidecar"));
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    xlx_image_close(f->image);
    f->image = NULL;
    assert_int_equal(
        xlx_image_open_fd(f->ctx, fd, f->b.libxc, f->path, &f->image), 0);
    close(fd);
    assert_int_equal(xlx_sidecar_open(f->ctx, f->image, path, &f->sidecar), 0);
    expect_zero(f, 0, 1, 2);
    unlink(path);
}

static void a_guest_without_pages_has_one_too(void **state)
{
    struct fixture *f = *state;
    struct xlx_image_range zero;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_finish(&f->b);
    FILE *file = fopen(f->path, "w");
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    fclose(file);
    open_image(f);
    must_write_sidecar(f);
    assert_false(xlx_sidecar_next_zero(f->sidecar, 0, &zero));
}

/* --- of another image ----------------------------------------------------- */

static void an_image_that_was_written_to_has_no_known_zeros(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range touched[] = { { 9, 2 } };
    const struct timespec times[2] = { { 1000, 5 }, { 1000, 6 } };
    struct xlx_image_range zero;
    start(f);
    must_write_sidecar(f);
    assert_int_equal(utimensat(AT_FDCWD, f->path, times, 0), 0);
    assert_int_equal(open_sidecar(f), 0);
    assert_false(xlx_sidecar_info(f->sidecar)->has_zero);
    assert_int_equal(xlx_sidecar_info(f->sidecar)->zero_pages, 0);
    assert_true(xlx_sidecar_info(f->sidecar)->time_differs);
    assert_false(xlx_sidecar_next_zero(f->sidecar, 0, &zero));
    assert_true(xlx_sidecar_info(f->sidecar)->has_crc);

    /* Also when the sidecar is written again meanwhile. */
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, touched, 1), 0);
    assert_int_equal(open_sidecar(f), 0);
    assert_false(xlx_sidecar_info(f->sidecar)->has_zero);
    assert_true(xlx_sidecar_info(f->sidecar)->has_crc);
}

static void set_time(const struct fixture *f, time_t s, long ns)
{
    const struct timespec times[2] = { { 0, UTIME_OMIT }, { s, ns } };
    assert_int_equal(utimensat(AT_FDCWD, f->path, times, 0), 0);
}

/* A copy on a file system, or by a program, that knows no less than seconds. */
static void a_time_of_whole_seconds_is_the_same_one(void **state)
{
    struct fixture *f = *state;
    static const struct {
        time_t s;
        long ns;
        bool same;
    } rows[] = { { 1000, 5, true },  { 1000, 0, true }, { 1000, 6, false },
                 { 1001, 0, false }, { 999, 0, false }, { 999, 5, false } };
    start(f);
    set_time(f, 1000, 5);
    must_write_sidecar(f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_time(f, rows[i].s, rows[i].ns);
        assert_int_equal(open_sidecar(f), 0);
        assert_int_equal(xlx_sidecar_info(f->sidecar)->has_zero, rows[i].same);
        assert_int_equal(xlx_sidecar_info(f->sidecar)->time_differs,
                         !rows[i].same);
    }
}

static void another_save_has_another_sidecar(void **state)
{
    struct fixture *f = *state;
    start(f);
    must_write_sidecar(f);
    f->b.bytes[f->b.tail + 16] ^= 1; /* something in HVM_PARAMS or so */
    FILE *file = fopen(f->path, "r+");
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    fclose(file);
    open_image(f);
    f->lines = 0;
    assert_int_equal(open_sidecar(f), -ESTALE);
    assert_int_equal(f->lines, 1);
    must_write_sidecar(f);
    expect_zero(f, 0, 1, 2);
}

/* --- wrong ones ----------------------------------------------------------- */

static size_t read_sidecar(struct fixture *f, unsigned char **bytes_r)
{
    *bytes_r = malloc(1 << 16);
    FILE *file = fopen(f->sidecar_path, "r");
    assert_non_null(file);
    size_t size = fread(*bytes_r, 1, 1 << 16, file);
    fclose(file);
    return size;
}

/* A whole sidecar of the fuzzer's image. */
static size_t make_whole(struct fixture *f, unsigned char **bytes_r)
{
    static const struct xlx_image_range touched[] = { { 9, 2 }, { 0x103, 3 } };
    xlx_image *image = sidecar_image(f->ctx);
    assert_int_equal(
        xlx_sidecar_write(f->ctx, image, f->sidecar_path, NULL, NULL), 0);
    assert_int_equal(xlx_sidecar_working_set_write(f->ctx, image,
                                                   f->sidecar_path, touched, 2),
                     0);
    xlx_image_close(image);
    return read_sidecar(f, bytes_r);
}

static void every_byte_counts(void **state)
{
    struct fixture *f = *state;
    unsigned char *bytes;
    size_t size = make_whole(f, &bytes), taken = 0;
    xlx_image *image = sidecar_image(f->ctx);
    assert_true(try_sidecar(image, bytes, size));
    for (size_t at = 0; at < size; at++) {
        assert_false(try_sidecar(image, bytes, at)); /* cut short */
        bytes[at] ^= 0x80;
        taken += try_sidecar(image, bytes, size);
        LLVMFuzzerTestOneInput(bytes, size);
        bytes[at] ^= 0x80;
    }
    /* Four of padding behind 81 crcs, and nothing else. */
    assert_int_equal(taken, 4);
    bytes[size] = 0;
    assert_false(try_sidecar(image, bytes, size + 1));
    xlx_image_close(image);
    free(bytes);
}

static void numbers_may_be_wrong(void **state)
{
    struct fixture *f = *state;
    static const uint64_t numbers[] = { 0,          1,          7,
                                        80,         81,         82,
                                        1ull << 40, UINT32_MAX, UINT64_MAX };
    unsigned char *bytes;
    size_t size = make_whole(f, &bytes);
    for (size_t at = 0; at + 8 <= size; at += 8) {
        for (size_t i = 0; i < NR(numbers); i++) {
            uint64_t was;
            memcpy(&was, bytes + at, 8);
            memcpy(bytes + at, &numbers[i], 8);
            LLVMFuzzerTestOneInput(bytes, size);
            memcpy(bytes + at, &was, 8);
        }
    }
    free(bytes);
}

static void what_is_no_file_is_refused(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(mkfifo(f->sidecar_path, 0600), 0);
    assert_int_equal(open_sidecar(f), -EINVAL);
    assert_int_equal(f->lines, 1);
}

/* --- failures leave what was there ---------------------------------------- */

static bool stop_at(void *user, uint64_t done, uint64_t total)
{
    assert_int_equal(total, 81);
    assert_true(done <= total);
    return done < *(uint64_t *)user;
}

static void an_interrupted_one_leaves_the_old(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range touched[] = { { 9, 2 } };
    uint64_t stop = 70;
    start(f);
    assert_int_equal(xlx_sidecar_write(f->ctx, f->image, NULL, stop_at, &stop),
                     -ECANCELED);
    assert_int_equal(open_sidecar(f), -ENOENT);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, touched, 1), 0);
    assert_int_equal(xlx_sidecar_write(f->ctx, f->image, NULL, stop_at, &stop),
                     -ECANCELED);
    expect_working_set(f, touched, 1);
    assert_false(xlx_sidecar_info(f->sidecar)->has_crc);
}

/* A file may only become so long: each write fails once. */
static void a_full_disk_leaves_the_old(void **state)
{
    struct fixture *f = *state;
    static const struct xlx_image_range touched[] = { { 9, 2 } };
    struct rlimit limit, was;
    unsigned char *bytes;
    start(f);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, touched, 1), 0);
    must_write_sidecar(f);
    size_t size = read_sidecar(f, &bytes);
    free(bytes);
    unlink(f->sidecar_path);
    assert_int_equal(
        xlx_sidecar_working_set_write(f->ctx, f->image, NULL, touched, 1), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    for (size_t most = 0; most < size; most += 8) {
        limit = (struct rlimit){ most, was.rlim_max };
        setrlimit(RLIMIT_FSIZE, &limit);
        int rc = xlx_sidecar_write(f->ctx, f->image, NULL, NULL, NULL);
        setrlimit(RLIMIT_FSIZE, &was);
        assert_true(rc == -EFBIG || rc == -ENOSPC);
        expect_working_set(f, touched, 1);
        assert_false(xlx_sidecar_info(f->sidecar)->has_crc);
    }
    limit = (struct rlimit){ size, was.rlim_max };
    setrlimit(RLIMIT_FSIZE, &limit);
    must_write_sidecar(f);
    setrlimit(RLIMIT_FSIZE, &was);
}

static bool write_to_image(void *user, uint64_t done, uint64_t total)
{
    const struct timespec times[2] = { { 1000, 5 }, { 1000, 6 } };
    return done <= total && !utimensat(AT_FDCWD, user, times, 0);
}

static void an_image_written_to_meanwhile_is_noticed(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(
        xlx_sidecar_write(f->ctx, f->image, NULL, write_to_image, f->path),
        -ESTALE);
    assert_int_equal(open_sidecar(f), -ENOENT);
}

static void a_missing_folder_is_told(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(
        xlx_sidecar_write(f->ctx, f->image, "/nowhere/x.lzx", NULL, NULL),
        -ENOENT);
    assert_int_equal(f->lines, 1);
}

/* --- crc32c --------------------------------------------------------------- */

/* By the definition, bit by bit. */
static uint32_t plain_crc32c(uint32_t crc, const unsigned char *bytes,
                             size_t len)
{
    crc = ~crc;
    while (len--) {
        crc ^= *bytes++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void crc32c_is_what_others_have(void **state)
{
    (void)state;
    static const char digits[] = "123456789";
    unsigned char bytes[100];
    assert_int_equal(xlx__crc32c(0, digits, 9), 0xe3069283);
    assert_int_equal(xlx__crc32c(xlx__crc32c(0, digits, 4), digits + 4, 5),
                     0xe3069283);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        uint32_t want = plain_crc32c(7, bytes, i);
        assert_int_equal(xlx__crc32c(7, bytes, i), want);
        assert_int_equal(xlx__crc32c_portable(7, bytes, i), want);
    }
}

/* Of each byte at each of the eight places in a word. */
static void crc32c_of_every_byte_is_right(void **state)
{
    (void)state;
    unsigned char word[8];
    for (unsigned i = 0; i < 8 * 256; i++) {
        memset(word, 0, sizeof(word));
        word[i / 256] = (unsigned char)i;
        assert_int_equal(xlx__crc32c_portable(0, word, 8),
                         plain_crc32c(0, word, 8));
    }
}

static void crc32c_of_blocks_is_that_of_each(void **state)
{
    (void)state;
    unsigned char bytes[8 * 41];
    uint32_t crc[9];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 41 >> 2);
    for (size_t len = 0; len <= 41; len++) {
        for (size_t nr = 0; nr <= 8; nr++) {
            memset(crc, 0xee, sizeof(crc));
            xlx__crc32c_each(bytes, len, nr, crc);
            for (size_t i = 0; i < nr; i++)
                assert_int_equal(crc[i], plain_crc32c(0, bytes + i * len, len));
            assert_int_equal(crc[nr], 0xeeeeeeee);
        }
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_one_nothing_is_said),
        TEST(zero_pages_are_known),
        TEST(pages_are_held_against_their_crc),
        TEST(pages_that_are_zeros_need_no_check),
        TEST(pages_behind_zeros_are_checked),
        TEST(a_read_ends_among_zeros),
        TEST(a_read_that_fails_is_placed),
        TEST(a_sidecar_that_cannot_be_read_holds_nothing_back),
        TEST(a_working_set_is_tidied),
        TEST(a_working_set_grows_and_goes),
        TEST(each_keeps_what_the_other_wrote),
        TEST(the_most_runs_are_taken),
        TEST(it_may_lie_elsewhere),
        TEST(a_guest_without_pages_has_one_too),
        TEST(an_image_that_was_written_to_has_no_known_zeros),
        TEST(a_time_of_whole_seconds_is_the_same_one),
        TEST(another_save_has_another_sidecar),
        TEST(every_byte_counts),
        TEST(numbers_may_be_wrong),
        TEST(what_is_no_file_is_refused),
        TEST(an_interrupted_one_leaves_the_old),
        TEST(a_full_disk_leaves_the_old),
        TEST(an_image_written_to_meanwhile_is_noticed),
        TEST(a_missing_folder_is_told),
        cmocka_unit_test(crc32c_is_what_others_have),
        cmocka_unit_test(crc32c_of_every_byte_is_right),
        cmocka_unit_test(crc32c_of_blocks_is_that_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
