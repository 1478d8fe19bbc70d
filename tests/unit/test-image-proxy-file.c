/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A file in memory in the place of an image: here of one with a path, which is
 * opened by its name again as one on a server is.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "image/internal.h"

struct fixture {
    xlx_ctx *ctx;
    struct image_build b;
    char dir[64], path[96];
    xlx_image *image, *again;
    int fd;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    f->fd = -1;
    snprintf(f->dir, sizeof(f->dir), "/tmp/xlx-proxy-file-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    return xlx_ctx_new(&f->ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_image_close(f->image);
    xlx_image_close(f->again);
    if (f->fd >= 0)
        close(f->fd);
    unlink(f->path);
    int left = rmdir(f->dir);
    build_free(&f->b);
    xlx_ctx_free(f->ctx);
    free(f);
    return left;
}

static void write_built(const struct fixture *f)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f->b.bytes, f->b.len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void save(struct fixture *f)
{
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 1000);
    build_finish(&f->b);
    write_built(f);
    assert_int_equal(xlx_image_open(f->ctx, f->path, &f->image), 0);
}

static void make_proxy_file(struct fixture *f)
{
    save(f);
    if (xlx_image_proxy_file(f->ctx, f->image, &f->fd))
        fail_msg("%s", xlx_ctx_error(f->ctx));
}

static int open_again(struct fixture *f, uint64_t offset)
{
    return xlx_image_open_fd(f->ctx, f->fd, offset, "descriptor", &f->again);
}

/* Bytes [from, to) are those of the file. */
static void expect_same(const struct fixture *f, uint64_t from, uint64_t to)
{
    char *bytes = malloc(to - from);
    assert_int_equal(pread(f->fd, bytes, to - from, (off_t)from), to - from);
    assert_memory_equal(bytes, f->b.bytes + from, to - from);
    free(bytes);
}

static void xl_finds_what_it_reads_at_its_place(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    make_proxy_file(f);
    const struct xlx_image_info *info = xlx_image_info(f->image);
    expect_same(f, 0, info->libxc_start);
    expect_same(f, info->libxc_end, f->b.len);
    assert_int_equal(fstat(f->fd, &st), 0);
    assert_int_equal(st.st_size, f->b.len);
    assert_int_equal(lseek(f->fd, 0, SEEK_CUR), 0);
    assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
    assert_true((uint64_t)st.st_blocks * 512 < 64 << 10); /* of 4 MiB */
}

static void it_is_opened_as_the_image(void **state)
{
    struct fixture *f = *state;
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    make_proxy_file(f);
    assert_true(xlx_image_is_proxy_file(f->fd, f->b.libxc));
    assert_int_equal(open_again(f, f->b.libxc), 0);
    assert_string_equal(xlx_image_name(f->again), f->path);
    assert_int_equal(xlx_image_info(f->again)->pages, 1000);
    build_page(999, 0, want);
    assert_int_equal(xlx_image_read(f->again, 999, 1, page), 0);
    assert_memory_equal(page, want, sizeof(page));
}

static void another_image_by_then_is_refused(void **state)
{
    struct fixture *f = *state;
    make_proxy_file(f);
    build_reset(&f->b);
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 1, 1000);
    build_finish(&f->b);
    write_built(f);
    assert_int_equal(open_again(f, f->b.libxc), -ESTALE);
    assert_non_null(
        strstr(xlx_ctx_error(f->ctx), "the save file there has changed"));
}

static void an_image_that_is_gone_is_named(void **state)
{
    struct fixture *f = *state;
    make_proxy_file(f);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(open_again(f, f->b.libxc), -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(f->ctx), f->path));
    write_built(f);
}

static void another_place_in_it_is_none(void **state)
{
    struct fixture *f = *state;
    make_proxy_file(f);
    assert_false(xlx_image_is_proxy_file(f->fd, f->b.libxc + 8));
    assert_int_equal(open_again(f, f->b.libxc + 8), -EINVAL);
}

/* What looks like one and could have been written by anybody. */
static void only_sealed_memory_is_taken_for_one(void **state)
{
    struct fixture *f = *state;
    char *bytes;
    make_proxy_file(f);
    bytes = malloc(f->b.len);
    assert_int_equal(pread(f->fd, bytes, f->b.len, 0), f->b.len);
    int open_fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(open_fd, bytes, f->b.len), f->b.len);
    assert_false(xlx_image_is_proxy_file(open_fd, f->b.libxc));
    assert_int_equal(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_WRITE),
                     0);
    assert_false(xlx_image_is_proxy_file(open_fd, f->b.libxc));
    assert_int_equal(
        xlx_image_open_fd(f->ctx, open_fd, f->b.libxc, "x", &f->again),
        -EINVAL);
    int file = open(f->path, O_RDWR);
    assert_int_equal(pwrite(file, bytes, f->b.len, 0), f->b.len);
    assert_false(xlx_image_is_proxy_file(file, f->b.libxc));
    assert_int_equal(
        xlx_image_open_fd(f->ctx, file, f->b.libxc, "x", &f->again), -EINVAL);
    close(open_fd);
    close(file);
    free(bytes);
}

static void without_xls_part_there_is_none(void **state)
{
    struct fixture *f = *state;
    int fd;
    save(f);
    xlx_image_close(f->image);
    f->fd = build_fd(&f->b);
    assert_int_equal(
        xlx_image_open_fd(f->ctx, f->fd, f->b.libxc, "stream", &f->image), 0);
    assert_int_equal(xlx_image_proxy_file(f->ctx, f->image, &fd), -ENOTSUP);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    int fd;
    save(f);
    xlx_image_close(f->image);
    int n = snprintf(path, sizeof(path), "%s/", f->dir);
    while (n < 2100)
        n += snprintf(path + n, sizeof(path) - (size_t)n, "./");
    snprintf(path + n, sizeof(path) - (size_t)n, "g.save");
    assert_int_equal(xlx_image_open(f->ctx, path, &f->image), 0);
    assert_int_equal(xlx_image_proxy_file(f->ctx, f->image, &fd),
                     -ENAMETOOLONG);
}

static void much_beside_the_memory_is_refused(void **state)
{
    struct fixture *f = *state;
    static char state_of_device_model[8 << 20];
    int fd;
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 10);
    build_finish(&f->b);
    f->b.len -= sizeof(struct fmt_record); /* libxl's END */
    for (int i = 0; i < 9; i++)
        build_record(&f->b, FMT_LIBXL_EMULATOR_CONTEXT, state_of_device_model,
                     sizeof(state_of_device_model));
    build_record(&f->b, FMT_LIBXL_END, NULL, 0);
    write_built(f);
    if (xlx_image_open(f->ctx, f->path, &f->image))
        fail_msg("%s", xlx_ctx_error(f->ctx));
    assert_int_equal(xlx_image_proxy_file(f->ctx, f->image, &fd), -EFBIG);
}

static void a_file_that_became_shorter_makes_none(void **state)
{
    struct fixture *f = *state;
    int fd = -1;
    save(f);
    assert_int_equal(truncate(f->path, (off_t)f->b.libxc), 0);
    assert_int_equal(xlx_image_proxy_file(f->ctx, f->image, &fd), -ENODATA);
    assert_int_equal(fd, -1);
}

/* --- copying -------------------------------------------------------------- */

static void all_of_it_is_copied(void **state)
{
    struct fixture *f = *state;
    save(f);
    size_t end = f->b.len;
    build_bytes(&f->b, "behind the end", 14);
    write_built(f);
    f->fd = memfd_create("copy", MFD_CLOEXEC);
    assert_int_equal(xlx_image_copy(f->ctx, f->image, 0, UINT64_MAX, f->fd), 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_CUR), end);
    expect_same(f, 0, end);
}

static void a_part_is_copied(void **state)
{
    struct fixture *f = *state;
    char bytes[10];
    save(f);
    f->fd = memfd_create("copy", MFD_CLOEXEC);
    assert_int_equal(xlx_image_copy(f->ctx, f->image, 7, 17, f->fd), 0);
    assert_int_equal(lseek(f->fd, 0, SEEK_CUR), sizeof(bytes));
    assert_int_equal(pread(f->fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_memory_equal(bytes, f->b.bytes + 7, sizeof(bytes));
}

static void a_reader_that_leaves_is_an_error(void **state)
{
    struct fixture *f = *state;
    int pipe_fd[2];
    save(f);
    assert_int_equal(pipe(pipe_fd), 0);
    close(pipe_fd[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(
        xlx_image_copy(f->ctx, f->image, 0, UINT64_MAX, pipe_fd[1]), -EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(pipe_fd[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(xl_finds_what_it_reads_at_its_place),
        TEST(it_is_opened_as_the_image),
        TEST(another_image_by_then_is_refused),
        TEST(an_image_that_is_gone_is_named),
        TEST(another_place_in_it_is_none),
        TEST(only_sealed_memory_is_taken_for_one),
        TEST(without_xls_part_there_is_none),
        TEST(a_name_that_is_too_long_is_refused),
        TEST(much_beside_the_memory_is_refused),
        TEST(a_file_that_became_shorter_makes_none),
        TEST(all_of_it_is_copied),
        TEST(a_part_is_copied),
        TEST(a_reader_that_leaves_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
