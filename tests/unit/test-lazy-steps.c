/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The public steps of a lazy restore, one after the other, over a domain and a
 * xenstore in memory: what opens Xen's is here.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "core/clock.h"
#include "fakes/image_build.h"
#include "fakes/paging_fake.h"
#include "fakes/xenstore_mem.h"
#include "lazy/status.h"
#include "libxl_ext_lazy.h"
#include "xen/contention.h"

#define DOMID 7u
#define PAGES 700u
#define STATE "/libxl/7/lazy-restore/state"

struct world {
    char dir[32], path[64];
    xlx_ctx *ctx;
    int fd;
    size_t libxc;
    xlx_lazy *lazy;
    pthread_t thread;
};

/* --- what opens Xen ------------------------------------------------------- */

static struct {
    int features_rc;
    struct paging_fake *paging;
    struct xs_mem *xs;
    void (*close_xs)(struct xlx__seam *seam);
} xen;

int xlx__paging_features(xlx_ctx *ctx, uint32_t *features_r)
{
    (void)ctx;
    *features_r = 0;
    return xen.features_rc;
}

int xlx__paging_open(xlx_ctx *ctx, uint32_t domid, struct xlx__paging **p_r)
{
    (void)ctx;
    assert_int_equal(domid, DOMID);
    *p_r = &xen.paging->base;
    return 0;
}

/* Without it the backfill is as fast as it can be. */
int xlx__contention_open(xlx_ctx *ctx, uint32_t domid,
                         struct xlx__contention **c_r)
{
    (void)ctx, (void)domid, (void)c_r;
    return -ENODEV;
}

int xlx__xs_daemon(xlx_ctx *ctx, struct xlx__xs **xs_r)
{
    (void)ctx;
    *xs_r = xs_mem_seam(xen.xs);
    return 0;
}

static void keep_open(struct xlx__seam *seam)
{
    (void)seam;
}

/* --- the world ------------------------------------------------------------ */

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct image_build b = { 0 };
    build_start(&b, 3, 2);
    build_range(&b, 0, PAGES);
    build_finish(&b);
    strcpy(w->dir, "/tmp/xlx-steps-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    snprintf(w->path, sizeof(w->path), "%s/image", w->dir);
    w->fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(w->fd, b.bytes, b.len), b.len);
    w->libxc = b.libxc;
    build_free(&b);
    if (xlx_ctx_new(&w->ctx) || xlx_ctx_set_path(w->ctx, XLX_PATH_RUN, w->dir))
        return -1;
    xen.features_rc = 0;
    xen.paging = paging_fake_new(w->ctx, PAGES);
    xen.xs = xs_mem_new(NULL);
    xen.close_xs = xs_mem_seam(xen.xs)->seam.close;
    xs_mem_seam(xen.xs)->seam.close = keep_open;
    xs_mem_put(xen.xs, "/libxl/7/type", "hvm");
    xs_mem_put(xen.xs, "/local/domain/7/name", "guest");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[64];
    xlx_lazy_close(w->lazy);
    paging_fake_free(xen.paging);
    xen.close_xs(&xs_mem_seam(xen.xs)->seam);
    xlx_ctx_free(w->ctx);
    close(w->fd);
    snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
    int rc = system(command);
    free(w);
    return rc;
}

static void open_image(struct world *w)
{
    int rc =
        xlx_lazy_open(w->ctx, DOMID, w->fd, w->libxc, w->path, NULL, &w->lazy);
    if (rc)
        fail_msg("%s", xlx_ctx_error(w->ctx));
}

static void open_and_start(struct world *w)
{
    open_image(w);
    assert_int_equal(xlx_lazy_start(w->lazy), 0);
}

static struct xlx_lazy_status status_of(struct world *w)
{
    struct xlx_lazy_status s;
    if (xlx_lazy_status(w->ctx, DOMID, &s, sizeof(s)))
        fail_msg("%s", xlx_ctx_error(w->ctx));
    return s;
}

static void assert_no_status(struct world *w)
{
    struct xlx_lazy_status s;
    assert_int_equal(xlx_lazy_status(w->ctx, DOMID, &s, sizeof(s)), -ENOENT);
}

static void assert_complete(struct world *w)
{
    unsigned char page[XLX_PAGE_SIZE];
    struct xlx_lazy_status s = status_of(w);
    assert_int_equal(s.state, XLX_LAZY_COMPLETE);
    assert_int_equal(s.done, s.held_back);
    assert_true(s.held_back > 0);
    assert_false(xen.paging->enabled);
    assert_string_equal(xs_mem_get(xen.xs, STATE), "complete");
    for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
        if (!xen.paging->loads[gfn])
            continue; /* it was restored at the start */
        build_page(gfn, 0, page);
        assert_memory_equal(xen.paging->memory + gfn * XLX_PAGE_SIZE, page,
                            XLX_PAGE_SIZE);
    }
}

static void *serve(void *arg)
{
    struct world *w = arg;
    return (void *)(intptr_t)xlx_lazy_serve(w->lazy);
}

static void start_serving(struct world *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
}

static int end_of_serving(struct world *w)
{
    void *rc;
    pthread_join(w->thread, &rc);
    return (int)(intptr_t)rc;
}

/* The pager listens a little after it began. */
static void finish(struct world *w)
{
    const struct xlx_lazy_change change = { .fill = XLX_LAZY_FILL_FINISH };
    struct xlx_lazy_status s;
    int rc;
    while ((rc = xlx_lazy_set(w->ctx, DOMID, &change, sizeof(change), &s,
                              sizeof(s))) == -ENOTCONN)
        xlx__sleep_ms(1);
    assert_int_equal(rc, 0);
}

/* --- the cases ------------------------------------------------------------ */

static void a_restore_from_the_start_to_the_end(void **state)
{
    struct world *w = *state;
    open_image(w);
    assert_false(xlx_lazy_started(w->lazy));
    assert_false(xen.paging->enabled);
    assert_int_equal(xlx_lazy_start(w->lazy), 0);
    assert_true(xlx_lazy_started(w->lazy));
    assert_true(xen.paging->enabled);
    assert_int_equal(xen.paging->ring_gfn, 0xfeff8);
    struct xlx_lazy_status s = status_of(w);
    assert_int_equal(s.state, XLX_LAZY_FILLING);
    assert_int_equal(s.pages, PAGES);
    assert_int_equal(s.held_back, xen.paging->paged_pages);
    assert_int_equal(s.pid, getpid());
    assert_int_equal(xlx_lazy_serve(w->lazy), 0);
    assert_complete(w);
    xlx_lazy_close(w->lazy);
    w->lazy = NULL;
    assert_int_equal(xen.paging->closed, 1);
}

static void the_stream_has_what_is_not_withheld(void **state)
{
    struct world *w = *state;
    char path[64];
    open_and_start(w);
    snprintf(path, sizeof(path), "%s/stream", w->dir);
    int out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(xlx_lazy_feed(w->lazy, out), 0);
    off_t fed = lseek(out, 0, SEEK_END), all = lseek(w->fd, 0, SEEK_END);
    uint64_t withheld = status_of(w).held_back * XLX_PAGE_SIZE;
    assert_true(fed > 0 && (uint64_t)fed + withheld < (uint64_t)all);
    close(out);
}

static void a_limit_is_gone_over_to_finish(void **state)
{
    struct world *w = *state;
    open_image(w);
    xlx_lazy_limit(w->lazy, 4096);
    assert_int_equal(xlx_lazy_start(w->lazy), 0);
    assert_int_equal(status_of(w).bwlimit, 4096);
    start_serving(w);
    finish(w);
    assert_int_equal(end_of_serving(w), 0);
    assert_complete(w);
}

static void what_was_recorded_is_prefetched(void **state)
{
    const struct xlx_lazy_prefetch all = { UINT64_MAX, 60000 };
    struct world *w = *state;
    open_and_start(w);
    assert_int_equal(xlx_lazy_record(w->lazy, XLX_LAZY_RECORD_MS_MAX), 0);
    start_serving(w);
    assert_true(paging_fake_touch(xen.paging, 0, 600));
    assert_true(paging_fake_touch(xen.paging, 0, 90));
    finish(w);
    assert_int_equal(end_of_serving(w), 0);
    xlx_lazy_close(w->lazy);
    paging_fake_free(xen.paging);
    xen.paging = paging_fake_new(w->ctx, PAGES);
    open_and_start(w);
    uint64_t withheld = xen.paging->paged_pages;
    assert_int_equal(xlx_lazy_prefetch(w->lazy, &all, sizeof(all)), 0);
    assert_int_equal(xen.paging->paged_pages, withheld - 2);
    assert_int_equal(xen.paging->loads[600], 1);
    assert_int_equal(xen.paging->loads[90], 1);
}

static void a_prefetch_of_nothing_loads_nothing(void **state)
{
    static const struct xlx_lazy_prefetch limits[] = { { UINT64_MAX, 60000 },
                                                       { 0, 60000 },
                                                       { UINT64_MAX, 0 } };
    struct world *w = *state;
    open_and_start(w);
    uint64_t withheld = xen.paging->paged_pages;
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            xlx_lazy_prefetch(w->lazy, &limits[i], sizeof(limits[i])), 0);
    assert_int_equal(xen.paging->paged_pages, withheld);
}

static void a_start_that_fails_changes_nothing(void **state)
{
    struct world *w = *state;
    open_image(w);
    xen.paging->fail_at = 1;
    xen.paging->fail_times = 1;
    xen.paging->fail_err = EXDEV;
    assert_int_equal(xlx_lazy_start(w->lazy), -EXDEV);
    assert_false(xlx_lazy_started(w->lazy));
    assert_false(xen.paging->enabled);
    assert_no_status(w);
}

static void a_cancelled_one_leaves_no_trace(void **state)
{
    struct world *w = *state;
    open_and_start(w);
    xlx_lazy_cancel(w->lazy);
    assert_false(xen.paging->enabled);
    assert_no_status(w);
}

static void a_destroyed_domain_has_no_status(void **state)
{
    struct world *w = *state;
    open_and_start(w);
    paging_fake_kill(xen.paging);
    assert_int_equal(xlx_lazy_serve(w->lazy), -ESRCH);
    assert_no_status(w);
}

/* The one that died may not be gone yet. */
static void another_pager_takes_over(void **state)
{
    struct world *w = *state;
    open_and_start(w);
    xen.paging->fail_at = xen.paging->calls + 1;
    xen.paging->fail_times = 3;
    xen.paging->fail_err = EBUSY;
    xlx__lazy_status_remove(w->dir, DOMID);
    assert_int_equal(xlx_lazy_take_over(w->lazy), 0);
    assert_int_equal(status_of(w).state, XLX_LAZY_FILLING);
    assert_int_equal(xen.paging->closed, 4);
    assert_int_equal(xlx_lazy_serve(w->lazy), 0);
    assert_complete(w);
}

static void some_hypervisors_let_none_take_over(void **state)
{
    struct world *w = *state;
    open_and_start(w);
    xen.paging->fail_at = xen.paging->calls + 1;
    xen.paging->fail_times = 1000000;
    xen.paging->fail_err = EBUSY;
    assert_int_equal(xlx_lazy_take_over(w->lazy), -EBUSY);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "make hypervisor"));
    xen.paging->fail_err = EIO;
    assert_int_equal(xlx_lazy_take_over(w->lazy), -EIO);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "cannot take over"));
    xen.paging->fail_err = ESRCH;
    assert_int_equal(xlx_lazy_take_over(w->lazy), -ESRCH);
}

static void an_abandoned_one_is_paused_and_says_why(void **state)
{
    struct world *w = *state;
    open_and_start(w);
    int paused = xen.paging->paused, closed = xen.paging->closed;
    assert_int_equal(xlx_lazy_abandon(w->ctx, DOMID, "it was killed"), 0);
    assert_int_equal(xen.paging->paused, paused + 1);
    assert_int_equal(xen.paging->closed, closed + 1);
    assert_int_equal(status_of(w).state, XLX_LAZY_FAILED);
    assert_string_equal(status_of(w).reason, "it was killed");
    paging_fake_kill(xen.paging);
    assert_int_equal(xlx_lazy_abandon(w->ctx, DOMID, "again"), -ESRCH);
    assert_no_status(w);
}

static void what_cannot_be_restored_lazily_is_refused(void **state)
{
    struct world *w = *state;
    struct image_build b = { 0 };
    build_pv_start(&b, 3, 16);
    build_range(&b, 0, 16);
    build_pv_finish(&b);
    int fd = build_fd(&b);
    assert_int_equal(
        xlx_lazy_open(w->ctx, DOMID, fd, b.libxc, "pv", NULL, &w->lazy),
        -ENOTSUP);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "pv: a PV guest"));
    xen.features_rc = -EACCES;
    assert_int_equal(
        xlx_lazy_open(w->ctx, DOMID, w->fd, w->libxc, "x", NULL, &w->lazy),
        -EACCES);
    assert_null(w->lazy);
    close(fd);
    build_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restore_from_the_start_to_the_end),
        TEST(the_stream_has_what_is_not_withheld),
        TEST(a_limit_is_gone_over_to_finish),
        TEST(what_was_recorded_is_prefetched),
        TEST(a_prefetch_of_nothing_loads_nothing),
        TEST(a_start_that_fails_changes_nothing),
        TEST(a_cancelled_one_leaves_no_trace),
        TEST(a_destroyed_domain_has_no_status),
        TEST(another_pager_takes_over),
        TEST(some_hypervisors_let_none_take_over),
        TEST(an_abandoned_one_is_paused_and_says_why),
        TEST(what_cannot_be_restored_lazily_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
