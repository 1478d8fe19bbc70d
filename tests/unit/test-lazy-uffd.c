/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager on real faults: a thread touches memory by plain loads, the kernel
 * makes it wait (tests/fakes/paging_uffd.h). Nothing to see where the kernel
 * has no userfaultfd.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fakes/image_build.h"
#include "fakes/paging_uffd.h"
#include "lazy/pager.h"

#define PAGES 3000u

struct world {
    xlx_ctx *ctx;
    int fd;
    char *memory;
    xlx_image *image;
    struct paging_uffd *uffd;
    struct xlx__pager *pager;
    uint64_t wrong;
};

static void *touch_everything(void *arg)
{
    struct world *w = arg;
    unsigned char page[XLX_PAGE_SIZE];
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t gfn = i * 1009 % PAGES; /* 1009 and 3000 share no factor */
        build_page(gfn, 0, page);
        w->wrong +=
            !!memcmp(page, w->memory + gfn * XLX_PAGE_SIZE, sizeof(page));
    }
    return NULL;
}

static uint64_t counter(const struct world *w, enum xlx__counter which)
{
    return xlx__shared_counter(xlx__pager_shared(w->pager), which);
}

static bool setup(struct world *w)
{
    struct image_build b = { 0 };
    int uffd = paging_uffd_memory(PAGES, &w->memory);
    if (uffd < 0)
        return false;
    build_start(&b, 3, 2);
    for (uint32_t gfn = 0; gfn < PAGES; gfn += 1000)
        build_range(&b, gfn, 1000);
    build_finish(&b);
    w->fd = build_fd(&b);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(
        xlx_image_open_fd(w->ctx, w->fd, b.libxc, "test", &w->image), 0);
    build_free(&b);
    w->uffd = paging_uffd_new(w->ctx, uffd, w->memory, PAGES);
    assert_int_equal(
        xlx__pager_new(w->ctx, &w->uffd->base, w->image, NULL, 0, &w->pager),
        0);
    assert_int_equal(xlx__pager_start(w->pager, 0), 0);
    return true;
}

static void teardown(struct world *w)
{
    xlx__pager_free(w->pager);
    w->uffd->base.ops->close(&w->uffd->base);
    xlx_image_close(w->image);
    close(w->fd);
    munmap(w->memory, PAGES * XLX_PAGE_SIZE);
    xlx_ctx_free(w->ctx);
}

static void run_with_a_guest(struct world *w)
{
    pthread_t guest;
    assert_int_equal(pthread_create(&guest, NULL, touch_everything, w), 0);
    assert_int_equal(xlx__pager_run(w->pager), 0);
    pthread_join(guest, NULL);
    assert_int_equal(w->wrong, 0);
    assert_int_equal(w->uffd->paged, 0);
}

static void real_faults_get_the_right_pages(void **state)
{
    (void)state;
    struct world w = { 0 };
    if (!setup(&w))
        skip();
    run_with_a_guest(&w);
    assert_int_equal(
        counter(&w, XLX__FAULT_PAGES) + counter(&w, XLX__FILL_PAGES), PAGES);
    teardown(&w);
}

static void what_is_touched_without_a_fill_is_recorded(void **state)
{
    (void)state;
    struct world w = { 0 };
    struct xlx__gfn_range *runs;
    size_t nr;
    if (!setup(&w))
        skip();
    xlx__recorder_set(xlx__pager_recorder(w.pager), 60000000, 60000000);
    pthread_t guest;
    assert_int_equal(pthread_create(&guest, NULL, touch_everything, &w), 0);
    assert_int_equal(xlx__pager_run(w.pager), 0);
    pthread_join(guest, NULL);
    assert_int_equal(w.wrong, 0);
    assert_int_equal(counter(&w, XLX__FAULT_PAGES), PAGES);
    assert_int_equal(
        xlx__recorder_runs(xlx__pager_recorder(w.pager), &runs, &nr), 0);
    assert_int_equal(nr, 1); /* all of it, its neighbours joined */
    assert_int_equal(runs[0].end, PAGES);
    free(runs);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_faults_get_the_right_pages),
        cmocka_unit_test(what_is_touched_without_a_fill_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
