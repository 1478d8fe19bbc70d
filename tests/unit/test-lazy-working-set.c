/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a pager takes from the sidecar of its image, and what it leaves there.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "fakes/paging_fake.h"
#include "image/internal.h"
#include "lazy/working_set.h"

#define PAGES 700u
#define ZEROS 3u /* gfns [0, ZEROS) are zeros in the file */

struct world {
    char dir[32], path[64], sidecar_path[72];
    xlx_ctx *ctx;
    int fd;
    size_t libxc, page[BUILD_PAGES_NOTED];
    xlx_image *image;
    xlx_sidecar *sidecar;
    struct paging_fake *fake;
    struct xlx__pager *pager;
    _Atomic int reasons;
    char reason[256];
    const char *named; /* the sidecar's path; NULL: beside the image */
    char *absolute;
    const struct xlx__gfn_range *recorded; /* by earlier restores */
    size_t nr_recorded;
};

static void report(void *user, struct xlx__pager *pager,
                   enum xlx_lazy_state state, const char *reason)
{
    struct world *w = user;
    (void)pager;
    (void)state;
    if (reason && !w->reasons) {
        snprintf(w->reason, sizeof(w->reason), "%s", reason);
        w->reasons++;
    }
}

static void write_image(struct world *w)
{
    static const unsigned char zeros[XLX_PAGE_SIZE];
    struct image_build b = { 0 };
    build_start(&b, 3, 2);
    build_range(&b, 0, PAGES);
    build_finish(&b);
    for (unsigned i = 0; i < ZEROS; i++)
        memcpy(b.bytes + b.page[i], zeros, sizeof(zeros));
    w->fd = open(w->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(w->fd >= 0);
    assert_int_equal(write(w->fd, b.bytes, b.len), b.len);
    w->libxc = b.libxc;
    memcpy(w->page, b.page, sizeof(w->page));
    build_free(&b);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    strcpy(w->dir, "/tmp/working-set-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/image", w->dir);
    snprintf(w->sidecar_path, sizeof(w->sidecar_path), "%s.lzx", w->path);
    write_image(w);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(
        xlx_image_open_fd(w->ctx, w->fd, w->libxc, w->path, &w->image), 0);
    *state = w;
    return 0;
}

static void forget_pager(struct world *w)
{
    xlx__pager_free(w->pager);
    free(w->absolute);
    if (w->fake)
        paging_fake_free(w->fake);
    xlx_sidecar_close(w->sidecar);
    w->pager = NULL;
    w->fake = NULL;
    w->sidecar = NULL;
    w->absolute = NULL;
}

static int teardown(void **state)
{
    struct world *w = *state;
    forget_pager(w);
    xlx_image_close(w->image);
    close(w->fd);
    unlink(w->path);
    unlink(w->sidecar_path);
    rmdir(w->dir);
    xlx_ctx_free(w->ctx);
    free(w);
    return 0;
}

/* As a restore begins, once more for each restore. */
static void begin(struct world *w)
{
    forget_pager(w);
    w->fake = paging_fake_new(w->ctx, PAGES);
    assert_int_equal(
        xlx__pager_new(w->ctx, &w->fake->base, w->image, NULL, 0, &w->pager),
        0);
    xlx__pager_set_patience(w->pager, 10, XLX__HANG_MS);
    xlx__pager_set_report(w->pager, report, w);
    assert_int_equal(xlx__working_set_name(w->ctx, w->named, &w->absolute), 0);
    w->sidecar = xlx__working_set_open(w->ctx, w->image, w->absolute);
    xlx__working_set_use(w->pager, w->sidecar);
    w->recorded =
        xlx__backfill_recorded(xlx__pager_backfill(w->pager), &w->nr_recorded);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
}

static void *run(void *arg)
{
    struct world *w = arg;
    return (void *)(intptr_t)xlx__pager_run(w->pager);
}

/* A restore that records; the guest waits for these. It ends when it is told
 * to, however slow this machine is. */
static void record(struct world *w, const uint64_t *gfn, size_t nr)
{
    static const struct xlx_lazy_change finish = { .fill =
                                                       XLX_LAZY_FILL_FINISH };
    pthread_t thread;
    void *rc;
    begin(w);
    xlx__recorder_set(xlx__pager_recorder(w->pager), UINT64_MAX / 4,
                      UINT64_MAX / 4);
    assert_int_equal(pthread_create(&thread, NULL, run, w), 0);
    for (size_t i = 0; i < nr; i++)
        assert_true(paging_fake_touch(w->fake, 0, gfn[i]));
    xlx__pager_change(w->pager, &finish);
    pthread_join(thread, &rc);
    assert_null(rc);
    xlx__working_set_keep(w->ctx, w->image, w->absolute,
                          xlx__pager_recorder(w->pager));
}

static bool exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}

static void what_was_touched_is_loaded_first_the_next_time(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600, 90, 601, 91 };
    record(w, touched, 4);
    begin(w);
    assert_int_equal(w->nr_recorded, 2);
    assert_int_equal(w->recorded[0].start, 600);
    assert_int_equal(w->recorded[0].end, 602);
    assert_int_equal(w->recorded[1].start, 90);
    assert_int_equal(xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000), 0);
    assert_int_equal(w->fake->paged_pages, PAGES - 4);
    assert_int_equal(w->fake->type[601], FAKE_RAM);
}

static void a_second_record_adds_to_the_first(void **state)
{
    struct world *w = *state;
    static const uint64_t first[] = { 600 }, second[] = { 50 };
    record(w, first, 1);
    record(w, second, 1);
    begin(w);
    assert_int_equal(w->nr_recorded, 2);
    assert_int_equal(w->recorded[0].start, 600);
    assert_int_equal(w->recorded[1].start, 50);
}

static void what_was_touched_is_kept_where_one_says(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600 };
    char named[72];
    snprintf(named, sizeof(named), "%s/named.lzx", w->dir);
    w->named = named;
    record(w, touched, 1);
    assert_false(exists(w->sidecar_path));
    begin(w);
    assert_int_equal(w->nr_recorded, 1);
    assert_int_equal(w->recorded[0].start, 600);
    assert_int_equal(unlink(named), 0);
}

/* Nothing can lie beside it, and it has no name that another may have. */
static void an_image_without_a_folder_needs_a_name_for_it(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600 };
    w->image->storage->has_folder = false;
    record(w, touched, 1);
    assert_false(exists(w->sidecar_path));
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "no file can lie beside it"));
    assert_int_equal(unlink(w->path), 0);
    w->named = w->sidecar_path;
    record(w, touched, 1);
    begin(w);
    assert_int_equal(w->nr_recorded, 1);
}

static void a_name_is_of_the_folder_that_is_current_then(void **state)
{
    struct world *w = *state;
    char cwd[PATH_MAX], want[PATH_MAX + 16];
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(want, sizeof(want), "%s/some.lzx", cwd);
    w->named = "some.lzx";
    begin(w);
    assert_string_equal(w->absolute, want);
    w->named = w->sidecar_path;
    begin(w);
    assert_string_equal(w->absolute, w->sidecar_path);
}

static void nothing_touched_writes_nothing(void **state)
{
    struct world *w = *state;
    record(w, NULL, 0);
    assert_false(exists(w->sidecar_path));
}

/* The name is another image's by now: its sidecar is not ours to write. */
static void a_file_that_took_the_name_gets_no_record(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600 };
    int fd;
    assert_int_equal(unlink(w->path), 0);
    fd = open(w->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    record(w, touched, 1);
    assert_false(exists(w->sidecar_path));
}

static void a_record_that_cannot_be_written_is_only_told(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600 };
    assert_int_equal(mkdir(w->sidecar_path, 0700), 0);
    record(w, touched, 1);
    assert_int_equal(w->fake->paged_pages, 0);
    assert_int_equal(rmdir(w->sidecar_path), 0);
}

static void a_damaged_sidecar_is_not_used(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600 };
    record(w, touched, 1);
    assert_int_equal(truncate(w->sidecar_path, 30), 0);
    begin(w);
    assert_null(w->sidecar);
    assert_int_equal(w->nr_recorded, 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_int_equal(w->fake->paged_pages, 0);
}

static void write_page(struct world *w, unsigned gfn, int byte)
{
    unsigned char page[XLX_PAGE_SIZE];
    memset(page, byte, sizeof(page));
    assert_int_equal(pwrite(w->fd, page, sizeof(page), (off_t)w->page[gfn]),
                     sizeof(page));
}

static void known_zeros_are_not_read(void **state)
{
    struct world *w = *state;
    static const unsigned char zeros[XLX_PAGE_SIZE];
    struct stat st;
    assert_int_equal(xlx_sidecar_write(w->ctx, w->image, NULL, NULL, NULL), 0);
    assert_int_equal(fstat(w->fd, &st), 0);
    write_page(w, 1, 0xee); /* would be seen if it were read */
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    assert_int_equal(futimens(w->fd, times), 0);
    begin(w);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    for (unsigned gfn = 0; gfn < PAGES; gfn++) {
        unsigned char page[XLX_PAGE_SIZE];
        build_page(gfn, 0, page);
        assert_memory_equal(w->fake->memory + gfn * XLX_PAGE_SIZE,
                            gfn < ZEROS ? zeros : page, XLX_PAGE_SIZE);
    }
}

static void keep_text(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    snprintf(user, 256, "%s", text);
}

static void that_zeros_are_not_known_any_more_is_said(void **state)
{
    struct world *w = *state;
    const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
    char said[256] = "";
    assert_int_equal(xlx_sidecar_write(w->ctx, w->image, NULL, NULL, NULL), 0);
    xlx_ctx_set_log(w->ctx, keep_text, said, XLX_LOG_INFO);
    begin(w);
    assert_string_equal(said, "");
    assert_int_equal(futimens(w->fd, times), 0);
    begin(w);
    assert_non_null(strstr(said, "was modified since"));
    assert_non_null(w->sidecar); /* the rest of it is used */
}

static void a_page_with_a_wrong_checksum_is_kept_aside(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    void *rc;
    assert_int_equal(xlx_sidecar_write(w->ctx, w->image, NULL, NULL, NULL), 0);
    write_page(w, 20, 0xee);
    begin(w);
    assert_int_equal(pthread_create(&thread, NULL, run, w), 0);
    while (!w->reasons)
        usleep(1000);
    assert_non_null(
        strstr(w->reason, "1 page cannot be read, gfn 0x14: its checksum"));
    assert_int_equal(w->fake->loads[20], 0);

    unsigned char page[XLX_PAGE_SIZE];
    build_page(20, 0, page);
    assert_int_equal(pwrite(w->fd, page, sizeof(page), (off_t)w->page[20]),
                     sizeof(page));
    pthread_join(thread, &rc);
    assert_null(rc);
    assert_int_equal(w->fake->loads[20], 1);
}

/* Nobody waits yet: the backfill tries again, by the rules for all loads. */
static void a_prefetch_that_fails_is_left_to_the_backfill(void **state)
{
    struct world *w = *state;
    static const uint64_t touched[] = { 600, 90 };
    record(w, touched, 2);
    begin(w);
    w->fake->fail_loads_only = true;
    w->fake->fail_at = w->fake->calls + 1;
    w->fake->fail_times = 2;
    w->fake->fail_err = ENOMEM;
    assert_int_equal(xlx__pager_prefetch(w->pager, UINT64_MAX, 60000000), -EIO);
    assert_int_equal(w->reasons, 0);
    assert_int_equal(w->fake->paused, 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    assert_int_equal(w->fake->paged_pages, 0);
}

static void sizes_and_times_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes, ms;
    } good[] = {
        { "0", 0, XLX_LAZY_PREFETCH_MS_MAX },
        { "512K", 512 << 10, XLX_LAZY_PREFETCH_MS_MAX },
        { "64M", 64 << 20, XLX_LAZY_PREFETCH_MS_MAX },
        { "1048576G", (uint64_t)1 << 50, XLX_LAZY_PREFETCH_MS_MAX },
        { "2s", UINT64_MAX, 2000 },
        { "500ms", UINT64_MAX, 500 },
        { "600s", UINT64_MAX, 600000 },
    };
    static const char *const bad[] = {
        "",         "1",        "M",
        "64MB",     "64m",      "-1M",
        "1.5G",     "2 s",      "ms",
        "2min",     "0x1M",     "601s",
        "600001ms", "1048577G", "+2s",
        "64M ",     "s",        "99999999999999999999999999M",
    };
    struct xlx_lazy_prefetch p = { 1, 2 };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xlx_lazy_parse_prefetch(bad[i], &p, sizeof(p)),
                         -EINVAL);
    assert_int_equal(p.bytes, 1);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(xlx_lazy_parse_prefetch(good[i].text, &p, sizeof(p)),
                         0);
        assert_int_equal(p.bytes, good[i].bytes);
        assert_int_equal(p.ms, good[i].ms);
    }
    assert_int_equal(
        xlx_lazy_parse_prefetch(XLX_LAZY_PREFETCH_DEFAULT, &p, sizeof(p)), 0);
}

static void a_limit_is_a_rate_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t rate;
    } good[] = {
        { "none", 0 },
        { "1", 1 },
        { "65536", 65536 },
        { "64K", 64 << 10 },
        { "50M", 50 << 20 },
        { "1G", 1 << 30 },
        { "1024G", XLX_LAZY_BWLIMIT_MAX },
        { "1099511627776", XLX_LAZY_BWLIMIT_MAX },
    };
    static const char *const bad[] = {
        "",
        "0",
        "0K",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.5M",
        "50m",
        "50MB",
        "0x10",
        "1025G",
        "1099511627777",
        "None",
        "M",
        "99999999999999999999999",
    };
    uint64_t rate = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xlx_lazy_parse_bwlimit(bad[i], &rate), -EINVAL);
    assert_int_equal(rate, 7);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(xlx_lazy_parse_bwlimit(good[i].text, &rate), 0);
        assert_true(rate == good[i].rate);
    }
}

static void a_recording_takes_a_time(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "0", "0s", "30", "1M", "601s" };
    uint64_t ms = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xlx_lazy_parse_record(bad[i], &ms), -EINVAL);
    assert_int_equal(ms, 7);
    assert_int_equal(xlx_lazy_parse_record("30s", &ms), 0);
    assert_int_equal(ms, 30000);
    assert_int_equal(xlx_lazy_parse_record("600000ms", &ms), 0);
    assert_int_equal(ms, 600000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_touched_is_loaded_first_the_next_time),
        TEST(a_second_record_adds_to_the_first),
        TEST(what_was_touched_is_kept_where_one_says),
        TEST(an_image_without_a_folder_needs_a_name_for_it),
        TEST(a_name_is_of_the_folder_that_is_current_then),
        TEST(nothing_touched_writes_nothing),
        TEST(a_file_that_took_the_name_gets_no_record),
        TEST(a_record_that_cannot_be_written_is_only_told),
        TEST(a_damaged_sidecar_is_not_used),
        TEST(known_zeros_are_not_read),
        TEST(that_zeros_are_not_known_any_more_is_said),
        TEST(a_page_with_a_wrong_checksum_is_kept_aside),
        TEST(a_prefetch_that_fails_is_left_to_the_backfill),
        cmocka_unit_test(sizes_and_times_are_told_apart),
        cmocka_unit_test(a_limit_is_a_rate_or_none),
        cmocka_unit_test(a_recording_takes_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
