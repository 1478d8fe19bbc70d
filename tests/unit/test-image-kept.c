/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * An image that is needed for long: where the file system can share blocks,
 * nothing that is done to the file matters.
 */
#include "test.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "image/image.h"

static bool can_share;

static int copy_all(int to, int from)
{
    char buf[4096];
    ssize_t n;
    for (off_t at = 0; (n = pread(from, buf, sizeof(buf), at)) > 0; at += n)
        assert_int_equal(pwrite(to, buf, (size_t)n, at), n);
    return 0;
}

/* What the library gets: a file system that can share blocks, or cannot. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    long arg = va_arg(ap, long);
    va_end(ap);
    if (request != FICLONE)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    if (can_share)
        return copy_all(fd, (int)arg);
    errno = EOPNOTSUPP;
    return -1;
}

struct world {
    xlx_ctx *ctx;
    char dir[32], path[64];
    int fd;
    struct stat st;
    xlx_image *image;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct image_build b = { 0 };
    *state = w;
    strcpy(w->dir, "/tmp/xlx-kept-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/g.save", w->dir);
    build_start(&b, 3, FMT_GUEST_HVM);
    build_range(&b, 0, 100);
    build_finish(&b);
    FILE *f = fopen(w->path, "w+");
    assert_non_null(f);
    assert_int_equal(fwrite(b.bytes, b.len, 1, f), 1);
    fflush(f);
    w->fd = dup(fileno(f));
    fclose(f);
    assert_int_equal(fstat(w->fd, &w->st), 0);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(
        xlx__image_open_kept(w->ctx, w->fd, b.libxc, w->path, &w->image), 0);
    build_free(&b);
    return 0;
}

static int setup_sharing(void **state)
{
    can_share = true;
    int rc = setup(state);
    can_share = false;
    return rc;
}

static int teardown(void **state)
{
    struct world *w = *state;
    xlx_image_close(w->image);
    xlx_ctx_free(w->ctx);
    close(w->fd);
    unlink(w->path);
    int left = rmdir(w->dir);
    free(w);
    return left;
}

static void a_copy_outlives_what_is_done_to_the_file(void **state)
{
    struct world *w = *state;
    char page[XLX_PAGE_SIZE], want[XLX_PAGE_SIZE];
    uint64_t dev, ino;
    assert_false(xlx__image_reads_from(w->image, &dev, &ino));
    assert_true(xlx__image_has_its_name(w->image));
    assert_int_equal(ftruncate(w->fd, 0), 0);
    for (uint64_t gfn = 0; gfn < 100; gfn++) {
        assert_int_equal(xlx_image_read(w->image, gfn, 1, page), 0);
        build_page(gfn, 0, want);
        assert_memory_equal(page, want, sizeof(page));
    }
}

static void without_a_copy_the_file_is_told(void **state)
{
    struct world *w = *state;
    char page[XLX_PAGE_SIZE];
    uint64_t dev, ino;
    assert_true(xlx__image_reads_from(w->image, &dev, &ino));
    assert_int_equal(dev, w->st.st_dev);
    assert_int_equal(ino, w->st.st_ino);
    assert_int_equal(xlx_image_read(w->image, 0, 1, page), 0);
    assert_int_equal(ftruncate(w->fd, 0), 0);
    assert_int_equal(xlx_image_read(w->image, 0, 1, page), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_copy_outlives_what_is_done_to_the_file, setup_sharing, teardown),
        cmocka_unit_test_setup_teardown(without_a_copy_the_file_is_told, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
