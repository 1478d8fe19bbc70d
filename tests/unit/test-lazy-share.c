/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How much of the processors the backfill may have.
 */
#include "test.h"

#include "lazy/share.h"

#define PERIOD 100000u

/* A host of two processors, both busy; a guest that waits for neither. */
static struct xlx__share_look busy(void)
{
    return (struct xlx__share_look){ .now_us = 5000000,
                                     .idle_us = 70000,
                                     .page_wait_us = 900,
                                     .processors = 2,
                                     .runnable = 2,
                                     .threads = 2,
                                     .fills = 1 };
}

struct host {
    struct xlx__share share;
    struct xlx__share_look look;
};

static struct host begin(void)
{
    struct host h = { .look = busy() };
    assert_int_equal(xlx__share_next(&h.share, &h.look), XLX__SHARE_ALL);
    return h;
}

static uint32_t later(struct host *h)
{
    h->look.now_us += PERIOD;
    return xlx__share_next(&h->share, &h->look);
}

static void it_is_halved_while_the_guest_waits(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    assert_int_equal(later(&h), 500);
    assert_int_equal(later(&h), 250);
    assert_int_equal(later(&h), XLX__SHARE_LEAST);
}

static void it_comes_back_by_and_by(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    later(&h), later(&h);
    h.look.waiting = 0;
    assert_int_equal(later(&h), 375);
    assert_int_equal(later(&h), 500);
    for (int i = 0; i < 4; i++)
        later(&h);
    assert_int_equal(h.share.share, XLX__SHARE_ALL);
    assert_int_equal(later(&h), XLX__SHARE_ALL);
}

/* A quarter of one processor, since the last look. */
static void an_idle_processor_is_for_the_backfill(void **state)
{
    static const struct {
        uint64_t idle;
        uint32_t share;
    } rows[] = { { PERIOD / 4 - 1, 625 },
                 { PERIOD / 4, XLX__SHARE_ALL },
                 { PERIOD / 4 + 1, XLX__SHARE_ALL } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host h = begin();
        h.look.waiting = 1;
        later(&h);
        h.look.waiting = 0;
        h.look.idle_us += rows[i].idle;
        assert_int_equal(later(&h), rows[i].share);
    }
}

/* It may be one that the guest cannot run on. */
static void an_idle_processor_does_not_help_who_waits(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    h.look.idle_us += PERIOD;
    assert_int_equal(later(&h), 500);
}

static void a_processor_that_went_offline_is_not_idle(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    later(&h);
    h.look.waiting = 0;
    h.look.idle_us = 0;
    assert_int_equal(later(&h), 625);
}

static void nobody_is_in_the_way_of_a_paused_domain(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    h.look.fills = 9;
    later(&h);
    h.look.paused = true;
    assert_int_equal(later(&h), XLX__SHARE_ALL);
}

/* As long is not longer. */
static void who_waits_for_pages_longer_gets_them(void **state)
{
    static const struct {
        uint64_t pages;
        uint32_t share;
    } rows[] = { { 2 * PERIOD - 1, 500 },
                 { 2 * PERIOD, XLX__SHARE_ALL },
                 { 2 * PERIOD + 1, XLX__SHARE_ALL } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host h = begin();
        h.look.waiting = 2;
        h.look.page_wait_us += rows[i].pages;
        assert_int_equal(later(&h), rows[i].share);
    }
}

/* Besides our two threads there are others, for the two processors. */
static void what_others_would_take_is_not_given_away(void **state)
{
    static const struct {
        uint32_t runnable, share;
    } rows[] = { { 0, 500 },
                 { 2, 500 },
                 { 3, 500 },
                 { 4, XLX__SHARE_ALL },
                 { 5, XLX__SHARE_ALL } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host h = begin();
        h.look.waiting = 1;
        h.look.runnable = rows[i].runnable;
        assert_int_equal(later(&h), rows[i].share);
    }
}

static void other_backfills_rest_too(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    h.look.fills = 2;
    h.look.runnable = 5;
    later(&h);
    assert_int_equal(h.share.share, 500);
    h.look.runnable = 6;
    later(&h);
    assert_int_equal(h.share.share, 625);
}

static void all_backfills_have_one_budget(void **state)
{
    static const struct {
        uint32_t fills, share;
    } rows[] = { { 1, 1000 },
                 { 2, 250 },
                 { 4, 125 },
                 { 49, 10 },
                 { 50, 10 },
                 { 51, 10 },
                 { UINT32_C(1) << 31, 10 } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host h = begin();
        h.look.fills = rows[i].fills;
        assert_int_equal(later(&h), rows[i].share);
        h.look.idle_us += PERIOD;
        assert_int_equal(later(&h), XLX__SHARE_ALL);
    }
}

static void a_budget_that_is_enough_limits_nobody(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.processors = 16;
    h.look.fills = 4;
    assert_int_equal(later(&h), XLX__SHARE_ALL);
    h.look.processors = 15;
    assert_int_equal(later(&h), 937);
    h.look.processors = 1;
    h.look.fills = 1;
    assert_int_equal(later(&h), XLX__SHARE_ALL);
}

static void no_time_no_change(void **state)
{
    struct host h = begin();
    (void)state;
    h.look.waiting = 1;
    assert_int_equal(xlx__share_next(&h.share, &h.look), XLX__SHARE_ALL);
    later(&h);
    assert_int_equal(xlx__share_next(&h.share, &h.look), 500);
    h.look.now_us--;
    assert_int_equal(xlx__share_next(&h.share, &h.look), 500);
}

/* Who has worked without a break. */
static uint64_t rest(uint32_t share, uint64_t worked_us)
{
    return xlx__share_rest(share, worked_us, worked_us);
}

static void the_rest_makes_the_share(void **state)
{
    (void)state;
    assert_int_equal(rest(XLX__SHARE_ALL, 2000), 0);
    assert_int_equal(rest(XLX__SHARE_ALL + 1, 2000), 0);
    assert_int_equal(rest(XLX__SHARE_ALL - 1, 2000), 2);
    assert_int_equal(rest(500, 2000), 2000);
    assert_int_equal(rest(250, 2000), 6000);
    assert_int_equal(rest(XLX__SHARE_MIN, 2000), 198000);
    assert_int_equal(rest(0, 2000), 198000);
}

static void who_was_kept_waiting_has_rested(void **state)
{
    (void)state;
    assert_int_equal(xlx__share_rest(500, 2000, 3999), 1);
    assert_int_equal(xlx__share_rest(500, 2000, 4000), 0);
    assert_int_equal(xlx__share_rest(500, 2000, 4001), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_halved_while_the_guest_waits),
        cmocka_unit_test(it_comes_back_by_and_by),
        cmocka_unit_test(an_idle_processor_is_for_the_backfill),
        cmocka_unit_test(an_idle_processor_does_not_help_who_waits),
        cmocka_unit_test(a_processor_that_went_offline_is_not_idle),
        cmocka_unit_test(nobody_is_in_the_way_of_a_paused_domain),
        cmocka_unit_test(who_waits_for_pages_longer_gets_them),
        cmocka_unit_test(what_others_would_take_is_not_given_away),
        cmocka_unit_test(other_backfills_rest_too),
        cmocka_unit_test(all_backfills_have_one_budget),
        cmocka_unit_test(a_budget_that_is_enough_limits_nobody),
        cmocka_unit_test(no_time_no_change),
        cmocka_unit_test(the_rest_makes_the_share),
        cmocka_unit_test(who_was_kept_waiting_has_rested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
