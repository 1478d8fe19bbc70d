/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The save helper where a lazy restore is not possible: the stock helper, here a
 * program that keeps what it reads, gets the whole stream, from a stand-in too.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "libxl_ext_lazy.h"

static int no_lazy_open(xlx_ctx *ctx, uint32_t domid, int io_fd,
                        uint64_t offset, const char *name, const char *sidecar,
                        xlx_lazy **lazy_r)
{
    (void)ctx;
    (void)domid;
    (void)io_fd;
    (void)offset;
    (void)name;
    (void)sidecar;
    (void)lazy_r;
    return -ENOTSUP;
}

#undef fail /* of cmocka; the helper has its own */
#define xlx_lazy_open no_lazy_open
#include "save-helper/helper.h"

int pager_spawn(struct helper *h, xlx_lazy *lazy, int *channel_r)
{
    (void)h;
    (void)lazy;
    (void)channel_r;
    abort(); /* a pager without a lazy restore */
}

#include "save-helper/restore.c"
#include "save-helper/stock.c"

struct fixture {
    struct helper h;
    struct image_build b;
    char dir[64], path[96], stock[96], got[96], number[16];
    char *argv[7];
};

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, len, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char script[200];
    *state = f;
    strcpy(f->dir, "/tmp/xlx-helper-restore-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/g.save", f->dir);
    snprintf(f->stock, sizeof(f->stock), "%s/stock", f->dir);
    snprintf(f->got, sizeof(f->got), "%s/got", f->dir);
    snprintf(script, sizeof(script), "#!/bin/sh\ncat <&$2 >'%s'\nexit $5\n",
             f->got);
    write_file(f->stock, script, strlen(script));
    assert_int_equal(chmod(f->stock, 0700), 0);
    build_start(&f->b, 3, FMT_GUEST_HVM);
    build_range(&f->b, 0, 1000);
    build_finish(&f->b);
    write_file(f->path, f->b.bytes, f->b.len);
    f->h.stock = f->stock;
    f->h.argv = f->argv;
    return xlx_ctx_new(&f->h.ctx);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->h.io_fd);
    unlink(f->path);
    unlink(f->stock);
    unlink(f->got);
    int left = rmdir(f->dir);
    build_free(&f->b);
    xlx_ctx_free(f->h.ctx);
    free(f);
    return left;
}

/* As libxl leaves it: at the start of libxc's stream. */
static void use_stand_in(struct fixture *f)
{
    xlx_image *image;
    assert_int_equal(xlx_image_open(f->h.ctx, f->path, &image), 0);
    assert_int_equal(xlx_image_stand_in(f->h.ctx, image, &f->h.io_fd), 0);
    xlx_image_close(image);
    assert_int_equal(lseek(f->h.io_fd, (off_t)f->b.libxc, SEEK_SET),
                     f->b.libxc);
}

static int restore(struct fixture *f, const char *exit_status)
{
    snprintf(f->number, sizeof(f->number), "%d", f->h.io_fd);
    const char *argv[] = { f->stock, "--restore-domain", f->number, "0", "7",
                           exit_status, NULL };
    memcpy(f->argv, argv, sizeof(argv));
    return helper_restore(&f->h);
}

/* What the stock helper got is libxc's stream. */
static void expect_stream(const struct fixture *f)
{
    size_t len = f->b.len;
    char *bytes = malloc(len);
    int fd = open(f->got, O_RDONLY);
    ssize_t got = read(fd, bytes, len);
    xlx_image *image;
    close(fd);
    assert_int_equal(xlx_image_open(f->h.ctx, f->path, &image), 0);
    const struct xlx_image_info *info = xlx_image_info(image);
    assert_int_equal(got, info->libxc_end - info->libxc_start);
    assert_memory_equal(bytes, f->b.bytes + info->libxc_start, got);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), info->libxc_end);
    xlx_image_close(image);
    free(bytes);
}

static void a_stand_in_is_fed_to_the_stock_helper(void **state)
{
    struct fixture *f = *state;
    use_stand_in(f);
    assert_int_equal(restore(f, "0"), EXIT_SUCCESS);
    expect_stream(f);
}

static void what_the_stock_helper_says_counts(void **state)
{
    struct fixture *f = *state;
    use_stand_in(f);
    assert_int_equal(restore(f, "3"), 3);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.libxc);
}

static void an_image_that_is_gone_fails(void **state)
{
    struct fixture *f = *state;
    use_stand_in(f);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(access(f->got, F_OK), -1);
}

static void required_nothing_is_restored(void **state)
{
    struct fixture *f = *state;
    use_stand_in(f);
    f->h.require = true;
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(access(f->got, F_OK), -1);
}

/* The helper becomes the stock one, so in a child. */
static void a_file_is_left_to_the_stock_helper(void **state)
{
    struct fixture *f = *state;
    int status;
    f->h.io_fd = open(f->path, O_RDONLY);
    lseek(f->h.io_fd, (off_t)f->b.libxc, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0)
        _exit(restore(f, "4"));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 4);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.len);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stand_in_is_fed_to_the_stock_helper),
        TEST(what_the_stock_helper_says_counts),
        TEST(an_image_that_is_gone_fails),
        TEST(required_nothing_is_restored),
        TEST(a_file_is_left_to_the_stock_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
