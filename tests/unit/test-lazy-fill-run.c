/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A run of the backfill and the faults beside it: who waits for a page waits
 * for no disk but his own, and does not compete with the backfill for it.
 */
#include "test.h"

#include <stdatomic.h>

#include "fakes/pager_world.h"
#include "image/internal.h"
#include "lazy/fill_run.h"

#define RUN_START 700u /* one run of the image, too */
#define RUN_END 1200u

/* 128 pages a read, and one load. */
#define READS 4u
#define LOADS 1u

/* What was seen when the image was read. */
static struct seen {
    struct xlx__storage_ops ops;
    const struct xlx__storage_ops *plain;
    struct world *world;
    struct xlx__throttle *throttle; /* NULL: nobody gives way in a read */
    _Atomic unsigned reads, claimed;
} seen;

static struct xlx__pages *pages_of(const struct world *w)
{
    return xlx__shared_pages(xlx__pager_shared(w->pager));
}

static unsigned claimed_pages(const struct world *w)
{
    unsigned n = 0;
    for (uint64_t gfn = 0; gfn < NR_GFNS; gfn++)
        n += xlx__pages_state(pages_of(w), gfn) == XLX__PAGE_LOADING;
    return n;
}

static int look_and_read(struct xlx__storage *storage, void *buf, size_t len,
                         uint64_t offset)
{
    atomic_fetch_add(&seen.reads, 1);
    atomic_fetch_add(&seen.claimed, claimed_pages(seen.world));
    if (seen.throttle)
        xlx__throttle_give_way(seen.throttle);
    return seen.plain->pread(storage, buf, len, offset);
}

static struct xlx__throttle *throttle_of(const struct world *w)
{
    return xlx__backfill_throttle(xlx__pager_backfill(w->pager));
}

static int setup(void **state)
{
    int rc = pager_world_setup(state);
    struct world *w = *state;
    memset(&seen, 0, sizeof(seen));
    seen.world = w;
    seen.plain = w->image->storage->ops;
    seen.ops = *seen.plain;
    seen.ops.pread = look_and_read;
    w->image->storage->ops = &seen.ops;
    return rc;
}

static void load_a_run(struct world *w)
{
    const struct xlx__gfn_range run = { RUN_START, RUN_END };
    struct xlx__filler *f = calloc(1, sizeof(*f));
    struct xlx__guest guest;
    xlx__guest_init(&guest, w->ctx, xlx__pager_shared(w->pager));
    guest.paging = &w->fake->base;
    f->guest = &guest;
    f->loader = xlx__pager_loader(w->pager);
    f->throttle = throttle_of(w);
    f->trouble = xlx__backfill_trouble(xlx__pager_backfill(w->pager));
    f->buffer = malloc((size_t)XLX__PAGING_RUN_MAX * XLX_PAGE_SIZE);
    f->backoff_ms = XLX__BACKOFF_FIRST_MS;
    assert_true(xlx__fill_run(f, &run));
    free(f->buffer);
    free(f);
    xlx__guest_destroy(&guest);
}

static void fill_a_run(struct world *w)
{
    load_a_run(w);
    for (uint64_t gfn = RUN_START; gfn < RUN_END; gfn++)
        assert_true(is_as_in_image(w, gfn));
}

static void what_is_read_is_not_claimed(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    fill_a_run(w);
    assert_int_equal(seen.reads, READS);
    assert_int_equal(seen.claimed, 0);
    assert_int_equal(claimed_pages(w), 0);
}

static void each_read_and_the_load_give_way_to_a_fault(void **state)
{
    struct world *w = *state;
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    xlx__throttle_set_serving(throttle_of(w), true);
    fill_a_run(w);
    assert_int_equal(pager_world_counter(w, XLX__GAVE_WAY), READS + LOADS);
    xlx__throttle_set_serving(throttle_of(w), false);
    xlx__throttle_give_way(throttle_of(w));
    assert_int_equal(pager_world_counter(w, XLX__GAVE_WAY), READS + LOADS);
}

static bool is_zero(const struct world *w, uint64_t gfn)
{
    static const unsigned char zeros[XLX_PAGE_SIZE];
    return !memcmp(w->fake->memory + gfn * XLX_PAGE_SIZE, zeros, sizeof(zeros));
}

/* All of the run but one page, or none for RUN_END, are zeros by the sidecar
 * where the fake has other bytes; the run is loaded. */
static void load_zeros_but(struct world *w, uint64_t other)
{
    for (uint64_t gfn = RUN_START; gfn < RUN_END; gfn++)
        if (gfn != other)
            pager_world_zero(w, gfn);
    pager_world_use_checksums(w);
    memset(w->fake->memory, 0xaa, w->fake->nr_gfns * XLX_PAGE_SIZE);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    atomic_store(&seen.reads, 0);
    load_a_run(w);
    for (uint64_t gfn = RUN_START; gfn < RUN_END; gfn++)
        assert_true(gfn == other ? is_as_in_image(w, gfn) : is_zero(w, gfn));
    assert_int_equal(claimed_pages(w), 0);
}

static void zeros_are_loaded_without_data(void **state)
{
    struct world *w = *state;
    load_zeros_but(w, RUN_END);
    assert_int_equal(seen.reads, 0);
    assert_int_equal(w->fake->zero_loads, RUN_END - RUN_START);
}

static void one_other_page_takes_data_for_all(void **state)
{
    struct world *w = *state;
    load_zeros_but(w, RUN_START + 50);
    assert_int_equal(seen.reads, 1);
    assert_int_equal(w->fake->zero_loads, 0);
}

/* One of an older series. */
static void a_hypervisor_may_need_the_zeros(void **state)
{
    struct world *w = *state;
    w->fake->needs_buffer = true;
    load_zeros_but(w, RUN_END);
    assert_int_equal(seen.reads, 0);
    assert_int_equal(w->fake->zero_loads, 0);
}

static void *run(void *arg)
{
    struct world *w = arg;
    return (void *)(intptr_t)xlx__pager_run(w->pager);
}

/* The read of the only fault finds it being served, no other read does. */
static void a_fault_is_given_way_to_while_it_is_served(void **state)
{
    struct world *w = *state;
    const struct xlx_lazy_change pause = { .fill = XLX_LAZY_FILL_PAUSE };
    const struct xlx_lazy_change resume = { .fill = XLX_LAZY_FILL_RESUME };
    pthread_t thread;
    void *rc;
    seen.throttle = throttle_of(w);
    xlx__pager_change(w->pager, &pause);
    assert_int_equal(xlx__pager_start(w->pager, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, run, w), 0);
    assert_true(paging_fake_touch(w->fake, 0, 710));
    assert_int_equal(seen.reads, 1);
    assert_int_equal(pager_world_counter(w, XLX__GAVE_WAY), 1);
    seen.throttle = NULL;
    xlx__pager_change(w->pager, &resume);
    pthread_join(thread, &rc);
    assert_null(rc);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, setup, pager_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_is_not_claimed),
        TEST(each_read_and_the_load_give_way_to_a_fault),
        TEST(zeros_are_loaded_without_data),
        TEST(one_other_page_takes_data_for_all),
        TEST(a_hypervisor_may_need_the_zeros),
        TEST(a_fault_is_given_way_to_while_it_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
