/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How often what fails is tried again.
 */
#include "test.h"

#include "usb/assign/backoff.h"

#define FIRST XLX__BACKOFF_FIRST_MS
#define MAX XLX__BACKOFF_MAX_MS
#define BEGIN 1000000 /* of the test's time */

static int teardown(void **state)
{
    xlx__backoff_free(*state);
    return 0;
}

static int setup(void **state)
{
    static struct xlx__backoff b;
    *state = &b;
    return 0;
}

/* Tries at `now`; how long it is then to wait, to the ms. */
static int64_t pause_after(struct xlx__trial *t, int64_t now)
{
    xlx__backoff_tried(t, now);
    assert_false(xlx__backoff_due(t, t->next - 1));
    assert_true(xlx__backoff_due(t, t->next));
    return t->next - now;
}

static void pauses_double_up_to_the_longest(void **state)
{
    struct xlx__trial *t = xlx__backoff_get(*state, "a", 5, "1-2");
    static const int64_t pauses[] = { 1000,   2000,   4000,  8000,
                                      16000,  32000,  64000, 128000,
                                      256000, 300000, 300000 };
    int64_t now = BEGIN;
    assert_true(xlx__backoff_due(t, 0));
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        assert_int_equal(pause_after(t, now), pauses[i]);
        now = t->next;
    }
}

static void what_worked_for_long_starts_again(void **state)
{
    struct xlx__trial *t = xlx__backoff_get(*state, "a", 5, "1-2");
    assert_int_equal(pause_after(t, BEGIN), FIRST);
    assert_int_equal(pause_after(t, BEGIN + 2 * MAX), 2 * FIRST);
    assert_int_equal(pause_after(t, BEGIN + 4 * MAX + 1), FIRST);
}

/* News shorten the pause, but not below the first one. */
static void news_start_it_again(void **state)
{
    struct xlx__trial *t = xlx__backoff_get(*state, "a", 5, "1-2");
    pause_after(t, BEGIN);
    pause_after(t, BEGIN);
    assert_int_equal(pause_after(t, BEGIN), 4 * FIRST);
    xlx__backoff_reset(*state, "1-3"); /* another device's */
    assert_int_equal(t->next, BEGIN + 4 * FIRST);
    xlx__backoff_reset(*state, "1-2");
    assert_int_equal(t->next, BEGIN + FIRST);
    assert_int_equal(pause_after(t, BEGIN + 10), FIRST);
    xlx__backoff_reset(*state, NULL); /* everything's; nothing to shorten */
    assert_int_equal(t->next, BEGIN + 10 + FIRST);
    assert_int_equal(pause_after(t, BEGIN + 20), FIRST);
    xlx__backoff_reset(*state, NULL);
    t->next = 7; /* news of what was not tried since change nothing */
    xlx__backoff_reset(*state, NULL);
    assert_int_equal(t->next, 7);
}

static void another_guest_is_tried_at_once(void **state)
{
    struct xlx__trial *t = xlx__backoff_get(*state, "a", 5, "1-2");
    assert_int_equal(t->told, -1);
    pause_after(t, BEGIN);
    pause_after(t, BEGIN);
    t->told = 3;
    assert_ptr_equal(xlx__backoff_get(*state, "a", 5, "1-4"), t);
    assert_string_equal(t->busid, "1-4");
    assert_int_equal(t->told, 3);
    assert_false(xlx__backoff_due(t, BEGIN));
    assert_ptr_equal(xlx__backoff_get(*state, "a", 6, "1-4"), t);
    assert_int_equal(t->told, -1);
    assert_true(xlx__backoff_due(t, 0));
    assert_int_equal(pause_after(t, BEGIN), FIRST);
}

static void what_nobody_asks_for_is_forgotten(void **state)
{
    struct xlx__backoff *b = *state;
    static const char *const keys[] = { "a", "b", "c" };
    for (size_t i = 0; i < 3; i++)
        pause_after(xlx__backoff_get(b, keys[i], 5, "1-2"), BEGIN);
    assert_int_equal(b->nr, 3);
    xlx__backoff_begin(b);
    xlx__backoff_get(b, "c", 5, "1-2");
    xlx__backoff_get(b, "a", 5, "1-2");
    xlx__backoff_end(b);
    assert_int_equal(b->nr, 2);
    assert_false(xlx__backoff_due(xlx__backoff_get(b, "a", 5, "1-2"), BEGIN));
    assert_false(xlx__backoff_due(xlx__backoff_get(b, "c", 5, "1-2"), BEGIN));
    assert_true(xlx__backoff_due(xlx__backoff_get(b, "b", 5, "1-2"), BEGIN));
    xlx__backoff_begin(b);
    xlx__backoff_end(b);
    assert_int_equal(b->nr, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(pauses_double_up_to_the_longest),
        TEST(what_worked_for_long_starts_again),
        TEST(news_start_it_again),
        TEST(another_guest_is_tried_at_once),
        TEST(what_nobody_asks_for_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
