/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <pthread.h>

#include "lazy/pages.h"

static void nothing_is_ours_before_it_is_held_back(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(100);
    assert_int_equal(xlx__pages_state(p, 0), XLX__PAGE_NONE);
    assert_int_equal(xlx__pages_claim(p, 0), XLX__PAGE_NONE);
    assert_int_equal(xlx__pages_total(p), 0);
    xlx__pages_free(p);
    xlx__pages_free(NULL);
}

/* The last gfn, and the first behind it. */
static void the_end_is_a_bound(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(64);
    xlx__pages_hold_back(p, 63, 1);
    assert_int_equal(xlx__pages_claim(p, 62), XLX__PAGE_NONE);
    assert_int_equal(xlx__pages_claim(p, 63), XLX__PAGE_ABSENT);
    assert_int_equal(xlx__pages_claim(p, 64), XLX__PAGE_NONE);
    assert_int_equal(xlx__pages_claim(p, UINT64_MAX), XLX__PAGE_NONE);
    xlx__pages_drop(p, 64);
    xlx__pages_free(p);
}

static void a_page_has_one_loader(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(100);
    xlx__pages_hold_back(p, 10, 3);
    assert_int_equal(xlx__pages_claim(p, 11), XLX__PAGE_ABSENT);
    assert_int_equal(xlx__pages_claim(p, 11), XLX__PAGE_LOADING);
    xlx__pages_release(p, 11, 1);
    assert_int_equal(xlx__pages_claim(p, 11), XLX__PAGE_ABSENT);
    xlx__pages_settle(p, 11, 1);
    assert_int_equal(xlx__pages_claim(p, 11), XLX__PAGE_DONE);
    assert_int_equal(xlx__pages_done(p), 1);
    assert_int_equal(xlx__pages_total(p), 3);
    xlx__pages_free(p);
}

static void a_dropped_page_is_not_loaded(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(100);
    xlx__pages_hold_back(p, 10, 2);
    xlx__pages_drop(p, 10);
    xlx__pages_drop(p, 10); /* twice changes nothing */
    assert_int_equal(xlx__pages_claim(p, 10), XLX__PAGE_DONE);
    assert_int_equal(xlx__pages_done(p), 1);

    /* one that is being loaded stays the loader's */
    xlx__pages_claim(p, 11);
    xlx__pages_drop(p, 11);
    assert_int_equal(xlx__pages_state(p, 11), XLX__PAGE_LOADING);
    xlx__pages_settle(p, 11, 1);
    assert_int_equal(xlx__pages_done(p), 2);
    xlx__pages_free(p);
}

static void a_run_ends_where_somebody_else_loads(void **state)
{
    (void)state;
    uint64_t first;
    struct xlx__pages *p = xlx__pages_new(200);
    xlx__pages_hold_back(p, 20, 100); /* 20..119, over words */
    xlx__pages_claim(p, 50);
    assert_int_equal(xlx__pages_claim_run(p, 0, 200, &first), 30);
    assert_int_equal(first, 20);
    assert_int_equal(xlx__pages_claim_run(p, 50, 20, &first), 19);
    assert_int_equal(first, 51);
    assert_int_equal(xlx__pages_claim_run(p, 70, 130, &first), 50);
    assert_int_equal(first, 70);
    assert_int_equal(xlx__pages_claim_run(p, 0, 200, &first), 0);
    xlx__pages_free(p);
}

#define RACE_PAGES 20000

struct racer {
    struct xlx__pages *pages;
    unsigned char *loads;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    uint64_t first, nr;
    for (uint64_t g = 0; g < RACE_PAGES; g += 7)
        while ((nr = xlx__pages_claim_run(r->pages, g, 7, &first))) {
            for (uint64_t i = 0; i < nr; i++)
                r->loads[first + i]++;
            xlx__pages_settle(r->pages, first, nr);
        }
    return NULL;
}

static void two_threads_never_load_one_page(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(RACE_PAGES + 7);
    unsigned char *loads = calloc(RACE_PAGES + 7, 1);
    struct racer r = { p, loads };
    pthread_t other;
    xlx__pages_hold_back(p, 0, RACE_PAGES);
    assert_int_equal(pthread_create(&other, NULL, race, &r), 0);
    race(&r);
    pthread_join(other, NULL);
    for (int i = 0; i < RACE_PAGES; i++)
        assert_int_equal(loads[i], 1);
    assert_int_equal(xlx__pages_done(p), RACE_PAGES);
    free(loads);
    xlx__pages_free(p);
}

static uint64_t found(const struct xlx__pages *p, uint64_t gfn, uint64_t nr,
                      uint64_t max, uint64_t *first)
{
    *first = 0;
    return xlx__pages_find_absent(p, gfn, nr, max, first);
}

static void absent_pages_are_found_across_words(void **state)
{
    (void)state;
    struct xlx__pages *p = xlx__pages_new(200);
    uint64_t first;
    assert_int_equal(found(p, 0, 200, 512, &first), 0);
    xlx__pages_hold_back(p, 31, 70); /* [31, 101) */
    xlx__pages_hold_back(p, 128, 72);
    assert_int_equal(found(p, 0, 200, 512, &first), 70);
    assert_int_equal(first, 31);
    assert_int_equal(found(p, 0, 200, 5, &first), 5);
    assert_int_equal(found(p, 0, 32, 512, &first), 1);
    assert_int_equal(found(p, 0, 31, 512, &first), 0);
    assert_int_equal(found(p, 101, UINT64_MAX, 512, &first), 72);
    assert_int_equal(first, 128);
    assert_int_equal(found(p, 200, 1, 512, &first), 0);
    assert_int_equal(xlx__pages_state(p, 31), XLX__PAGE_ABSENT);

    xlx__pages_claim(p, 64); /* on its way */
    xlx__pages_drop(p, 128); /* done */
    assert_int_equal(found(p, 32, 168, 512, &first), 32);
    assert_int_equal(found(p, 64, 136, 512, &first), 36);
    assert_int_equal(first, 65);
    assert_int_equal(found(p, 101, 99, 512, &first), 71);
    assert_int_equal(first, 129);
    xlx__pages_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_ours_before_it_is_held_back),
        cmocka_unit_test(the_end_is_a_bound),
        cmocka_unit_test(a_page_has_one_loader),
        cmocka_unit_test(a_dropped_page_is_not_loaded),
        cmocka_unit_test(a_run_ends_where_somebody_else_loads),
        cmocka_unit_test(two_threads_never_load_one_page),
        cmocka_unit_test(absent_pages_are_found_across_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
