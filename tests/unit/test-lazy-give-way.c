/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * From what a host and a guest do to how long the backfill rests.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/contention_fake.h"
#include "lazy/give_way.h"

/* Rests of who has worked for one period. */
#define WORKED 1000u
#define REST_OF_HALF 1000u
#define REST_OF_LEAST 3000u

struct host {
    char dir[32], file[64];
    xlx_ctx *ctx;
    struct contention_fake xen;
    struct xlx__give_way g;
    struct xlx__give_way_pager pager;
    uint64_t now;
};

static void set_runnable(struct host *h, unsigned threads)
{
    FILE *f = fopen(h->file, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "0.00 0.00 0.00 %u/100 1\n", threads) > 0);
    assert_int_equal(fclose(f), 0);
}

/* One vCPU, which runs; nobody idles; nothing but the backfill in dom0. */
static int setup(void **state)
{
    struct host *h = calloc(1, sizeof(*h));
    if (!h || xlx_ctx_new(&h->ctx))
        return -1;
    strcpy(h->dir, "/tmp/xlx-give-way-XXXXXX");
    *state = h;
    if (!mkdtemp(h->dir))
        return -1;
    snprintf(h->file, sizeof(h->file), "%s/loadavg", h->dir);
    set_runnable(h, 2);
    contention_fake_init(&h->xen);
    h->xen.vcpu[0] = FAKE_VCPU_RUNNING;
    h->pager = (struct xlx__give_way_pager){ .threads = 2, .fills = 1 };
    xlx__give_way_init(&h->g, h->ctx, &h->xen.base);
    return xlx_ctx_set_path(h->ctx, XLX_PATH_PROC, h->dir);
}

static int teardown(void **state)
{
    struct host *h = *state;
    unlink(h->file);
    rmdir(h->dir);
    xlx_ctx_free(h->ctx);
    free(h);
    return 0;
}

/* The rest after another look. */
static uint64_t look(struct host *h)
{
    h->now += XLX__GIVE_WAY_US;
    xlx__give_way_look(&h->g, h->now, &h->pager);
    return xlx__give_way_rest(&h->g, WORKED, WORKED);
}

static void before_the_first_look_nobody_rests(void **state)
{
    struct host *h = *state;
    assert_int_equal(xlx__give_way_rest(&h->g, WORKED, WORKED), 0);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    assert_int_equal(look(h), 0);
}

static void a_guest_that_waits_makes_it_rest(void **state)
{
    struct host *h = *state;
    look(h);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    assert_int_equal(look(h), REST_OF_HALF);
    assert_int_equal(look(h), REST_OF_LEAST);
    h->xen.vcpu[0] = FAKE_VCPU_BLOCKED;
    h->xen.idle_us += XLX__GIVE_WAY_US;
    assert_int_equal(look(h), 0);
}

static void a_paused_guest_makes_nobody_rest(void **state)
{
    struct host *h = *state;
    look(h);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    assert_int_equal(look(h), REST_OF_HALF);
    h->xen.paused = true;
    assert_int_equal(look(h), 0);
}

static void who_waits_for_a_page_does_not_wait_for_a_processor(void **state)
{
    struct host *h = *state;
    look(h);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    h->pager.faulting = true;
    assert_int_equal(look(h), 0);
    h->pager.faulting = false;
    h->pager.page_wait_us += XLX__GIVE_WAY_US;
    assert_int_equal(look(h), 0);
    assert_int_equal(look(h), REST_OF_HALF);
}

static void other_programs_would_take_what_it_leaves(void **state)
{
    struct host *h = *state;
    look(h);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    set_runnable(h, 2 + (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(look(h), 0);
    set_runnable(h, 1 + (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(look(h), REST_OF_HALF);
}

static void other_backfills_share_the_processors(void **state)
{
    struct host *h = *state;
    look(h);
    h->pager.fills = 1000;
    assert_true(look(h) > REST_OF_LEAST);
}

/* And begins anew when that works again. */
static void a_look_that_fails_makes_nobody_rest(void **state)
{
    struct host *h = *state;
    look(h);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    assert_int_equal(look(h), REST_OF_HALF);
    h->xen.fail_err = ENOMEM;
    assert_int_equal(look(h), 0);
    h->xen.fail_err = 0;
    assert_int_equal(look(h), 0);
    assert_int_equal(look(h), REST_OF_HALF);
    unlink(h->file);
    assert_int_equal(look(h), 0);
    h->xen.gone = true;
    assert_int_equal(look(h), 0);
}

static void without_a_way_to_look_nobody_rests(void **state)
{
    struct host *h = *state;
    xlx__give_way_init(&h->g, h->ctx, NULL);
    h->xen.vcpu[0] = FAKE_VCPU_WAITING;
    assert_int_equal(look(h), 0);
    assert_int_equal(look(h), 0);
    assert_int_equal(h->xen.looks, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(before_the_first_look_nobody_rests),
        TEST(a_guest_that_waits_makes_it_rest),
        TEST(a_paused_guest_makes_nobody_rest),
        TEST(who_waits_for_a_page_does_not_wait_for_a_processor),
        TEST(other_programs_would_take_what_it_leaves),
        TEST(other_backfills_share_the_processors),
        TEST(a_look_that_fails_makes_nobody_rest),
        TEST(without_a_way_to_look_nobody_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
