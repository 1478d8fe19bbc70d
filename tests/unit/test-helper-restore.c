/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The save helper where a lazy restore is not possible. It loads memory itself,
 * which is a fake here, and the stock helper, a program that keeps what it
 * reads, gets the rest; or, where that is not possible either, the whole
 * stream, from a proxy file too.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "libxl_ext_fast.h"
#include "libxl_ext_lazy.h"

/* What the processes of a fast restore see of each other. */
struct seen {
    bool possible;
    int parts;             /* that have pages; the second never has */
    int fails_at, dies_at; /* which load, from 1; 0: none */
    bool hangs;            /* all others do not end by themselves */
    bool together;         /* none ends before there are two */
    xlx_image *image;
    pid_t helper;
    uint64_t loaded[8]; /* the parts, in the order in which they were */
    pid_t loader[8];
    _Atomic int loads, at_once, most_at_once;
    int lazy_opens, opens, forks_missing, loads_when_fed;
};

static struct seen *seen;

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
    seen->lazy_opens++;
    return -ENOTSUP;
}

static int fake_fast_open(xlx_ctx *ctx, uint32_t domid, int io_fd,
                          uint64_t offset, const char *name,
                          const char *sidecar, xlx_fast **fast_r)
{
    (void)domid;
    (void)sidecar;
    seen->opens++;
    if (!seen->possible)
        return -ENODEV;
    *fast_r = NULL;
    return xlx_image_open_fd(ctx, io_fd, offset, name, &seen->image);
}

static void fake_fast_close(xlx_fast *fast)
{
    (void)fast;
    xlx_image_close(seen->image);
    seen->image = NULL;
}

static const xlx_image *fake_fast_image(const xlx_fast *fast)
{
    (void)fast;
    return seen->image;
}

static bool fake_fast_more(const xlx_fast *fast, uint64_t *gfn)
{
    (void)fast;
    if (*gfn == XLX_FAST_PART)
        *gfn += XLX_FAST_PART;
    return *gfn <= (uint64_t)seen->parts * XLX_FAST_PART;
}

static void note_load(uint64_t gfn, int number)
{
    seen->forks_missing += getpid() == seen->helper;
    seen->loader[number - 1] = getpid();
    seen->loaded[number - 1] = gfn;
    int at_once = ++seen->at_once, most = seen->most_at_once;
    while (at_once > most &&
           !atomic_compare_exchange_weak(&seen->most_at_once, &most, at_once))
        ;
    while (seen->together && seen->most_at_once < 2)
        usleep(1000);
}

static int fake_fast_load(xlx_fast *fast, uint64_t gfn)
{
    (void)fast;
    int number = ++seen->loads;
    note_load(gfn, number);
    if (number == seen->dies_at)
        raise(SIGKILL);
    if (number != seen->fails_at && seen->hangs)
        pause();
    seen->at_once--;
    return number == seen->fails_at ? -ENOMEM : 0;
}

static int fake_fast_feed(xlx_fast *fast, int out)
{
    (void)fast;
    seen->loads_when_fed = seen->loads;
    return write(out, "rest", 4) == 4 ? 0 : -errno;
}

#undef fail /* of cmocka; the helper has its own */
#define xlx_lazy_open no_lazy_open
#define xlx_fast_open fake_fast_open
#define xlx_fast_close fake_fast_close
#define xlx_fast_image fake_fast_image
#define xlx_fast_more fake_fast_more
#define xlx_fast_load fake_fast_load
#define xlx_fast_feed fake_fast_feed
#include "save-helper/helper.h"

int pager_spawn(struct helper *h, xlx_lazy *lazy, int *channel_r)
{
    (void)h;
    (void)lazy;
    (void)channel_r;
    abort(); /* a pager without a lazy restore */
}

#include "save-helper/fast.c"
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
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    seen->helper = getpid();
    seen->parts = 4;
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
    munmap(seen, sizeof(*seen));
    return left;
}

/* As libxl leaves it: at the start of libxc's stream. */
static void use_proxy_file(struct fixture *f)
{
    xlx_image *image;
    assert_int_equal(xlx_image_open(f->h.ctx, f->path, &image), 0);
    assert_int_equal(xlx_image_proxy_file(f->h.ctx, image, &f->h.io_fd), 0);
    xlx_image_close(image);
    assert_int_equal(lseek(f->h.io_fd, (off_t)f->b.libxc, SEEK_SET),
                     f->b.libxc);
}

static int restore(struct fixture *f, const char *exit_status)
{
    snprintf(f->number, sizeof(f->number), "%d", f->h.io_fd);
    const char *argv[] = { f->stock, "--restore-domain", f->number, "0",
                           "7",      exit_status,        NULL };
    memcpy(f->argv, argv, sizeof(argv));
    return helper_restore(&f->h);
}

/* What the stock helper got; the caller's to free(). */
static char *read_got(const struct fixture *f, ssize_t *len_r)
{
    char *bytes = malloc(f->b.len);
    int fd = open(f->got, O_RDONLY);
    *len_r = read(fd, bytes, f->b.len);
    close(fd);
    return bytes;
}

/* It is libxc's stream. */
static void expect_stream(const struct fixture *f)
{
    ssize_t got;
    char *bytes = read_got(f, &got);
    xlx_image *image;
    assert_int_equal(xlx_image_open(f->h.ctx, f->path, &image), 0);
    const struct xlx_image_info *info = xlx_image_info(image);
    assert_int_equal(got, info->libxc_end - info->libxc_start);
    assert_memory_equal(bytes, f->b.bytes + info->libxc_start, got);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), info->libxc_end);
    xlx_image_close(image);
    free(bytes);
}

static void a_proxy_file_is_fed_to_the_stock_helper(void **state)
{
    struct fixture *f = *state;
    use_proxy_file(f);
    assert_int_equal(restore(f, "0"), EXIT_SUCCESS);
    expect_stream(f);
}

static void what_the_stock_helper_says_counts(void **state)
{
    struct fixture *f = *state;
    use_proxy_file(f);
    assert_int_equal(restore(f, "3"), 3);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.libxc);
}

static void an_image_that_is_gone_fails(void **state)
{
    struct fixture *f = *state;
    use_proxy_file(f);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(access(f->got, F_OK), -1);
}

static void required_nothing_is_restored(void **state)
{
    struct fixture *f = *state;
    use_proxy_file(f);
    f->h.require = true;
    seen->possible = true;
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(access(f->got, F_OK), -1);
    assert_int_equal(seen->opens, 0);
}

static void use_file(struct fixture *f)
{
    f->h.io_fd = open(f->path, O_RDONLY);
    lseek(f->h.io_fd, (off_t)f->b.libxc, SEEK_SET);
}

/* Of the helper that becomes the stock one, so in a child. */
static int status_of_restore(struct fixture *f, const char *exit_status)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(restore(f, exit_status));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void a_file_is_left_to_the_stock_helper(void **state)
{
    struct fixture *f = *state;
    use_file(f);
    assert_int_equal(status_of_restore(f, "4"), 4);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.len);
    assert_int_equal(seen->opens, 1);
}

/* --- fast ----------------------------------------------------------------- */

static void a_pipe_is_left_to_the_stock_helper(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    ssize_t len;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "stream", 6), 6);
    close(ends[1]);
    f->h.io_fd = dup(ends[0]); /* without close-on-exec */
    close(ends[0]);
    f->h.fast = seen->possible = true;
    assert_int_equal(status_of_restore(f, "0"), 0);
    char *bytes = read_got(f, &len);
    assert_int_equal(len, 6);
    assert_memory_equal(bytes, "stream", 6);
    assert_int_equal(seen->opens, 0);
    free(bytes);
}

/* Each that has pages, once; in any order. */
static void expect_parts(void)
{
    static const uint64_t parts[] = { 0, 2, 3, 4 };
    for (size_t i = 0; i < 4; i++) {
        int found = 0;
        for (int k = 0; k < seen->loads; k++)
            found += seen->loaded[k] == parts[i] * XLX_FAST_PART;
        assert_int_equal(found, 1);
    }
}

/* All is in place before the stock helper gets anything: it loads a context
 * that names pages. */
static void expect_fast(struct fixture *f)
{
    ssize_t len;
    use_file(f);
    seen->possible = seen->together = true;
    assert_int_equal(restore(f, "0"), EXIT_SUCCESS);
    assert_int_equal(seen->loads, 4);
    assert_int_equal(seen->loads_when_fed, 4);
    expect_parts();
    assert_int_equal(seen->most_at_once, 2);
    assert_int_equal(seen->at_once, 0);
    assert_int_equal(seen->forks_missing, 0);
    char *bytes = read_got(f, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "rest", 4);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.end + 8);
    free(bytes);
}

static void each_part_is_loaded_then_the_rest_is_fed(void **state)
{
    struct fixture *f = *state;
    f->h.fast = true;
    expect_fast(f);
    assert_int_equal(seen->lazy_opens, 0);
}

static void what_cannot_be_lazy_is_fast(void **state)
{
    expect_fast(*state);
}

/* The domain has memory already, so nobody else may restore it; and who still
 * has some of it mapped would keep the domain from being destroyed. */
static void expect_the_end(struct fixture *f)
{
    use_file(f);
    f->h.fast = seen->possible = seen->hangs = seen->together = true;
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(seen->loads, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kill(seen->loader[i], 0), -1);
    assert_int_equal(access(f->got, F_OK), -1);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.libxc);
}

static void a_load_that_fails_is_the_end(void **state)
{
    seen->fails_at = 1;
    expect_the_end(*state);
}

static void a_load_that_dies_is_the_end(void **state)
{
    seen->dies_at = 2;
    expect_the_end(*state);
}

static void the_last_load_may_fail(void **state)
{
    struct fixture *f = *state;
    use_file(f);
    f->h.fast = seen->possible = true;
    seen->fails_at = 4;
    assert_int_equal(restore(f, "0"), EXIT_FAILURE);
    assert_int_equal(access(f->got, F_OK), -1);
}

static void the_stock_helper_has_the_last_word(void **state)
{
    struct fixture *f = *state;
    use_file(f);
    f->h.fast = seen->possible = true;
    assert_int_equal(restore(f, "3"), 3);
    assert_int_equal(lseek(f->h.io_fd, 0, SEEK_CUR), f->b.libxc);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proxy_file_is_fed_to_the_stock_helper),
        TEST(what_the_stock_helper_says_counts),
        TEST(an_image_that_is_gone_fails),
        TEST(required_nothing_is_restored),
        TEST(a_file_is_left_to_the_stock_helper),
        TEST(a_pipe_is_left_to_the_stock_helper),
        TEST(each_part_is_loaded_then_the_rest_is_fed),
        TEST(what_cannot_be_lazy_is_fast),
        TEST(a_load_that_fails_is_the_end),
        TEST(a_load_that_dies_is_the_end),
        TEST(the_last_load_may_fail),
        TEST(the_stock_helper_has_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
