/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <unistd.h>

#include "fakes/pager_world.h"

static const struct xlx__gfn_range resident[] = { { 5, 15 } };

static void report(void *user, struct xlx__pager *pager,
                   enum xlx_lazy_state state, const char *reason)
{
    struct world *w = user;
    (void)pager;
    pthread_mutex_lock(&w->lock);
    w->seen[state]++;
    if (reason)
        snprintf(w->reason, sizeof(w->reason), "%s", reason);
    pthread_mutex_unlock(&w->lock);
}

int pager_world_seen(struct world *w, enum xlx_lazy_state state)
{
    pthread_mutex_lock(&w->lock);
    int n = w->seen[state];
    pthread_mutex_unlock(&w->lock);
    return n;
}

uint64_t pager_world_done(const struct world *w)
{
    return xlx__pages_done(xlx__shared_pages(xlx__pager_shared(w->pager)));
}

uint64_t pager_world_counter(const struct world *w, enum xlx__counter counter)
{
    return xlx__shared_counter(xlx__pager_shared(w->pager), counter);
}

int pager_world_runs(const struct world *w, struct xlx__gfn_range **runs_r,
                     size_t *nr_r)
{
    return xlx__recorder_runs(xlx__pager_recorder(w->pager), runs_r, nr_r);
}

int pager_world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct image_build b = { 0 };
    build_start(&b, 3, 2);
    build_range(&b, 0, 700);
    build_range(&b, 700, LOW_PAGES - 700);
    build_range(&b, HIGH_GFN, HIGH_PAGES);
    build_finish(&b);
    w->fd = build_fd(&b);
    pthread_mutex_init(&w->lock, NULL);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    assert_int_equal(
        xlx_image_open_fd(w->ctx, w->fd, b.libxc, "test", &w->image), 0);
    build_free(&b);
    w->fake = paging_fake_new(w->ctx, NR_GFNS);
    assert_int_equal(xlx__pager_new(w->ctx, &w->fake->base, w->image, resident,
                                    1, &w->pager),
                     0);
    xlx__pager_set_report(w->pager, report, w);
    xlx__pager_set_patience(w->pager, 50, XLX__HANG_MS);
    *state = w;
    return 0;
}

int pager_world_teardown(void **state)
{
    struct world *w = *state;
    xlx__pager_free(w->pager);
    paging_fake_free(w->fake);
    xlx_sidecar_close(w->sidecar);
    xlx_image_close(w->image);
    close(w->fd);
    xlx_ctx_free(w->ctx);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

bool was_held_back(uint64_t gfn)
{
    return (gfn < LOW_PAGES && !(gfn >= 5 && gfn < 15)) || gfn >= HIGH_GFN;
}

bool is_as_in_image(struct world *w, uint64_t gfn)
{
    unsigned char page[XLX_PAGE_SIZE];
    build_page(gfn, 0, page);
    return !memcmp(page, w->fake->memory + gfn * XLX_PAGE_SIZE, sizeof(page));
}

void pager_world_use_checksums(struct world *w)
{
    char path[] = "/tmp/xlx-lzx-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(xlx_sidecar_write(w->ctx, w->image, path, NULL, NULL), 0);
    assert_int_equal(xlx_sidecar_open(w->ctx, w->image, path, &w->sidecar), 0);
    unlink(path);
    xlx__loader_set_sidecar(xlx__pager_loader(w->pager), w->sidecar);
}

static void write_page(struct world *w, uint64_t gfn, const void *page)
{
    size_t nr, i = 0;
    const struct xlx_image_run *run = xlx_image_runs(w->image, &nr);
    while (gfn - run[i].gfn >= run[i].nr)
        i++;
    assert_int_equal(
        pwrite(w->fd, page, XLX_PAGE_SIZE,
               (off_t)(run[i].offset + (gfn - run[i].gfn) * XLX_PAGE_SIZE)),
        XLX_PAGE_SIZE);
}

void pager_world_spoil(struct world *w, uint64_t gfn)
{
    unsigned char page[XLX_PAGE_SIZE];
    build_page(gfn, 0, page);
    page[100] ^= 1;
    write_page(w, gfn, page);
}

void pager_world_mend(struct world *w, uint64_t gfn)
{
    unsigned char page[XLX_PAGE_SIZE];
    build_page(gfn, 0, page);
    write_page(w, gfn, page);
}

void pager_world_zero(struct world *w, uint64_t gfn)
{
    static const unsigned char page[XLX_PAGE_SIZE];
    write_page(w, gfn, page);
}
