/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which runs the backfill asks for: page states and faults in, runs out.
 */
#include "test.h"

#include "lazy/policy.h"
#include "lazy/replay.h"

#define END 8192u

static const struct xlx__gfn_range held[] = { { 10, 3000 }, { 4000, END } };

struct world {
    struct xlx__pages *pages;
    struct xlx__policy *policy;
    struct xlx__gfn_range run; /* the last one */
};

static struct world world_with(const struct xlx__gfn_range *recorded, size_t nr)
{
    struct world w = { .pages = xlx__pages_new(END) };
    for (size_t i = 0; i < 2; i++)
        xlx__pages_hold_back(w.pages, held[i].start,
                             held[i].end - held[i].start);
    w.policy = xlx__policy_new(held, 2, recorded, nr, 0);
    assert_non_null(w.policy);
    return w;
}

static void world_free(struct world *w)
{
    w->policy->ops->free(w->policy);
    xlx__pages_free(w->pages);
}

static void load(struct world *w, uint64_t start, uint64_t end)
{
    uint64_t first;
    assert_int_equal(xlx__pages_claim_run(w->pages, start, end - start, &first),
                     end - start);
    xlx__pages_settle(w->pages, start, end - start);
}

/* Asks, and loads what it says, as the backfill does. */
static enum xlx__policy_step step(struct world *w)
{
    enum xlx__policy_step s =
        w->policy->ops->next(w->policy, w->pages, &w->run);
    if (s == XLX__POLICY_END)
        return s;
    assert_true(w->run.start < w->run.end);
    assert_true(w->run.end - w->run.start <= XLX__POLICY_RUN_MAX);
    load(w, w->run.start, w->run.end);
    return s;
}

static void fault(struct world *w, uint64_t gfn)
{
    if (xlx__pages_state(w->pages, gfn) == XLX__PAGE_ABSENT)
        load(w, gfn, gfn + 1);
    w->policy->ops->fault(w->policy, gfn);
}

#define assert_run(w, from, to)                 \
    do {                                        \
        assert_int_equal((w)->run.start, from); \
        assert_int_equal((w)->run.end, to);     \
    } while (0)

/* How many pages come around the faults told so far. */
static uint64_t pages_around(struct world *w)
{
    uint64_t pages = 0;
    enum xlx__policy_step s;
    while ((s = w->policy->ops->next(w->policy, w->pages, &w->run)) ==
           XLX__POLICY_AROUND) {
        load(w, w->run.start, w->run.end);
        pages += w->run.end - w->run.start;
    }
    return pages;
}

static void without_faults_all_comes_in_aligned_blocks(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    assert_int_equal(step(&w), XLX__POLICY_REST);
    assert_run(&w, 10, 512);
    assert_int_equal(step(&w), XLX__POLICY_REST);
    assert_run(&w, 512, 1024);
    while (step(&w) == XLX__POLICY_REST)
        assert_true(w.run.end % 512 == 0 || w.run.end == 3000);
    assert_int_equal(xlx__pages_done(w.pages), xlx__pages_total(w.pages));
    world_free(&w);
}

static void what_is_there_or_on_its_way_is_passed_over(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    uint64_t first;
    load(&w, 10, 300);
    assert_int_equal(xlx__pages_claim_run(w.pages, 400, 5, &first), 5);
    step(&w);
    assert_run(&w, 300, 400);
    step(&w);
    assert_run(&w, 405, 512);
    world_free(&w);
}

static void the_record_comes_first_neighbours_with_one_read(void **state)
{
    (void)state;
    static const struct xlx__gfn_range record[] = {
        { 5000, 5002 }, { 700, 701 }, { 5002, 5005 },
        { 3500, 3509 }, { 20, 20 },   { 701, 706 },
    };
    struct world w = world_with(record, 6);
    fault(&w, 6000);
    assert_int_equal(step(&w), XLX__POLICY_RECORD);
    assert_run(&w, 700, 706);
    assert_int_equal(step(&w), XLX__POLICY_RECORD);
    assert_run(&w, 5000, 5005); /* 3500 is not held back */
    assert_int_equal(step(&w), XLX__POLICY_AROUND);
    world_free(&w);
}

static void the_record_keeps_the_order_of_its_groups(void **state)
{
    (void)state;
    static const struct xlx__gfn_range record[] = { { 6144, 7168 },
                                                    { 5000, 5009 },
                                                    { 100, 109 } };
    struct xlx__gfn_range *order;
    size_t nr;
    assert_int_equal(xlx__replay_order(record, 3, 8192, 0, &order, &nr), 0);
    assert_int_equal(nr, 3);
    assert_int_equal(order[0].start, 6144);
    assert_int_equal(order[1].start, 100);
    assert_int_equal(order[2].start, 5000);
    free(order);

    /* Before the guest runs there is no order to keep. */
    assert_int_equal(xlx__replay_order(record, 3, 8192, 1033, &order, &nr), 0);
    assert_int_equal(nr, 3);
    assert_int_equal(order[0].start, 5000);
    assert_int_equal(order[1].start, 6144);
    assert_int_equal(order[2].start, 100);
    free(order);
    assert_int_equal(xlx__replay_order(NULL, 0, 8192, 0, &order, &nr), 0);
    assert_null(order);
    assert_int_equal(nr, 0);
}

/* It costs as much as ten single pages, and stays one 2 MiB page. */
static void a_block_with_enough_recorded_pages_comes_as_a_whole(void **state)
{
    (void)state;
    static const struct xlx__gfn_range record[] = {
        { 1024, 1033 }, /* nine: not enough */
        { 5115, 5125 }, /* five of each of two blocks ... */
        { 4608, 4613 }, /* ... and five more of the first */
        { 8000, 8010 }, /* the last block, which ends early */
        { 8189, UINT64_MAX },
    };
    struct xlx__gfn_range *order;
    size_t nr;
    assert_int_equal(xlx__replay_order(record, 5, 8190, 0, &order, &nr), 0);
    assert_int_equal(nr, 3);
    assert_int_equal(order[0].start, 1024);
    assert_int_equal(order[0].end, 1033);
    assert_int_equal(order[1].start, 4608);
    assert_int_equal(order[1].end, 5120 + 5);
    assert_int_equal(order[2].start, 7680);
    assert_int_equal(order[2].end, 8190);
    free(order);
}

static void a_record_of_nothing_that_is_absent_changes_nothing(void **state)
{
    (void)state;
    static const struct xlx__gfn_range record[] = { { 3072, 3584 },
                                                    { END, UINT64_MAX } };
    struct world w = world_with(record, 2);
    assert_int_equal(step(&w), XLX__POLICY_REST);
    assert_run(&w, 10, 512);
    world_free(&w);
}

static void a_guest_that_goes_on_gets_ever_more_ahead(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    uint64_t gfn = 4100, last = 0;
    for (int i = 0; i < 5; i++) {
        fault(&w, gfn);
        uint64_t ahead = pages_around(&w);
        assert_true(ahead > last);
        last = ahead;
        while (xlx__pages_state(w.pages, gfn) == XLX__PAGE_DONE)
            gfn++;
    }
    assert_true(last >= 128);
    world_free(&w);
}

/* Who touches a page of a piece waits for all of it. */
static void no_more_than_256_kib_come_around_a_fault_at_once(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    uint64_t gfn = 4100, largest = 0;
    for (int i = 0; i < 8; i++) {
        fault(&w, gfn);
        while (step(&w) == XLX__POLICY_AROUND)
            if (w.run.end - w.run.start > largest)
                largest = w.run.end - w.run.start;
        while (xlx__pages_state(w.pages, gfn) == XLX__PAGE_DONE)
            gfn++;
    }
    assert_int_equal(largest, 64);
    world_free(&w);
}

static void backwards_too(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    uint64_t gfn = 7900, last = 0;
    for (int i = 0; i < 4; i++) {
        fault(&w, gfn);
        uint64_t before = pages_around(&w);
        assert_true(before >= last);
        last = before;
        while (xlx__pages_state(w.pages, gfn) == XLX__PAGE_DONE)
            gfn--;
    }
    assert_true(gfn < 7900 - 32);
    world_free(&w);
}

/* A fault, and the runs that it brings. */
struct window {
    uint64_t fault;
    struct xlx__gfn_range run[2]; /* an empty one: no more */
};

static void expect_windows(struct world *w, const struct window *rows,
                           size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        fault(w, rows[i].fault);
        for (size_t k = 0; k < 2 && rows[i].run[k].end; k++) {
            assert_int_equal(step(w), XLX__POLICY_AROUND);
            assert_run(w, rows[i].run[k].start, rows[i].run[k].end);
        }
        assert_int_equal(pages_around(w), 0);
    }
}

static void a_place_reaches_32_pages_to_both_sides(void **state)
{
    (void)state;
    static const struct window rows[] = {
        { 5000, { { 4996, 5000 }, { 5001, 5013 } } },
        { 5013, { { 5014, 5046 } } },
        { 5077, { { 5078, 5120 }, { 5120, 5142 } } }, /* 31 behind its end */
        { 5174, { { 5170, 5174 }, { 5175, 5187 } } }, /* 32: another place */
        { 7000, { { 6998, 7000 }, { 7001, 7007 } } },
        { 6966, { { 6950, 6966 } } },                 /* 32 before its start */
        { 6917, { { 6915, 6917 }, { 6918, 6924 } } }, /* 33: another one */
    };
    struct world w = world_with(NULL, 0);
    expect_windows(&w, rows, sizeof(rows) / sizeof(rows[0]));
    world_free(&w);
}

/* Less with each fault elsewhere, more where the guest continues. */
static void windows_shrink_and_grow_by_half(void **state)
{
    (void)state;
    static const struct window rows[] = {
        { 4100, { { 4096, 4100 }, { 4101, 4113 } } },
        { 4300, { { 4298, 4300 }, { 4301, 4307 } } },
        { 4500, { { 4499, 4500 }, { 4501, 4504 } } },
        { 4700, { { 4701, 4703 } } },
        { 4900, { { 4901, 4902 } } },
        { 5100, { { 0, 0 } } },
        { 5101, { { 5102, 5104 } } },
        { 5300, { { 5301, 5302 } } },
        { 5104, { { 5105, 5109 } } },
        { 5109, { { 5110, 5118 } } },
        { 5500, { { 5501, 5503 } } },
    };
    struct world w = world_with(NULL, 0);
    expect_windows(&w, rows, sizeof(rows) / sizeof(rows[0]));
    world_free(&w);
}

static void a_window_has_512_pages_at_most(void **state)
{
    (void)state;
    static const uint64_t pages[] = { 16, 32, 64, 128, 256, 512, 512 };
    struct world w = world_with(NULL, 0);
    uint64_t gfn = 5000;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        fault(&w, gfn);
        assert_int_equal(pages_around(&w), pages[i]);
        while (xlx__pages_state(w.pages, gfn) == XLX__PAGE_DONE)
            gfn++;
    }
    world_free(&w);
}

static void the_ninth_place_takes_that_of_the_oldest(void **state)
{
    (void)state;
    static const struct window rows[] = {
        { 4113, { { 4114, 4146 } } }, /* the first one is still there */
        { 7000, { { 7001, 7002 } } }, /* in place of 4300 ... */
        { 4307, { { 0, 0 } } },       /* ... whose end this was; of 4500 */
        { 4703, { { 4704, 4708 } } },
    };
    struct world w = world_with(NULL, 0);
    for (uint64_t i = 0; i < 8; i++) {
        fault(&w, 4100 + 200 * i);
        pages_around(&w);
    }
    expect_windows(&w, rows, sizeof(rows) / sizeof(rows[0]));
    world_free(&w);
}

static void faults_all_over_bring_nothing_along(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    for (uint64_t i = 0; i < 12; i++)
        fault(&w, 4050 + i * 331 % 12 * 331);
    pages_around(&w);
    fault(&w, 2900);
    assert_int_equal(pages_around(&w), 0);
    world_free(&w);
}

static void two_places_are_both_followed(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    fault(&w, 4100);
    fault(&w, 7000);
    fault(&w, 4101);
    fault(&w, 7001);
    assert_int_equal(step(&w), XLX__POLICY_AROUND);
    assert_true(w.run.start > 6900); /* the latest first */
    pages_around(&w);
    assert_int_equal(xlx__pages_state(w.pages, 4102), XLX__PAGE_DONE);
    assert_int_equal(xlx__pages_state(w.pages, 7002), XLX__PAGE_DONE);
    world_free(&w);
}

static void faults_at_the_ends_stay_inside(void **state)
{
    (void)state;
    struct world w = world_with(NULL, 0);
    fault(&w, 0);
    fault(&w, 1);
    fault(&w, END - 1);
    fault(&w, END);
    fault(&w, 10);
    while (step(&w) != XLX__POLICY_END)
        ;
    assert_int_equal(xlx__pages_done(w.pages), xlx__pages_total(w.pages));
    world_free(&w);
}

/* Whatever the guest does, each page comes once and all come. */
static void all_comes_whatever_the_guest_does(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 20; seed++) {
        struct xlx__gfn_range record[3];
        unsigned r = seed;
        for (size_t i = 0; i < 3; i++) {
            record[i].start = (r = r * 1103515245 + 12345) % END;
            record[i].end = record[i].start + (r >> 16) % 100;
        }
        struct world w = world_with(record, 3);
        while (step(&w) != XLX__POLICY_END) {
            r = r * 1103515245 + 12345;
            fault(&w, (r >> 8) % (seed % 2 ? END : 64));
        }
        assert_int_equal(xlx__pages_done(w.pages), xlx__pages_total(w.pages));
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_all_comes_in_aligned_blocks),
        cmocka_unit_test(what_is_there_or_on_its_way_is_passed_over),
        cmocka_unit_test(the_record_comes_first_neighbours_with_one_read),
        cmocka_unit_test(the_record_keeps_the_order_of_its_groups),
        cmocka_unit_test(a_block_with_enough_recorded_pages_comes_as_a_whole),
        cmocka_unit_test(a_record_of_nothing_that_is_absent_changes_nothing),
        cmocka_unit_test(a_guest_that_goes_on_gets_ever_more_ahead),
        cmocka_unit_test(no_more_than_256_kib_come_around_a_fault_at_once),
        cmocka_unit_test(backwards_too),
        cmocka_unit_test(a_place_reaches_32_pages_to_both_sides),
        cmocka_unit_test(windows_shrink_and_grow_by_half),
        cmocka_unit_test(a_window_has_512_pages_at_most),
        cmocka_unit_test(the_ninth_place_takes_that_of_the_oldest),
        cmocka_unit_test(faults_all_over_bring_nothing_along),
        cmocka_unit_test(two_places_are_both_followed),
        cmocka_unit_test(faults_at_the_ends_stay_inside),
        cmocka_unit_test(all_comes_whatever_the_guest_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
