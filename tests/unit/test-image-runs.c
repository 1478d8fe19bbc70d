/* SPDX-License-Identifier: LGPL-2.1-only */
/* Runs against a table of pages that is told the same. */
#include "test.h"

#include "image/runs.h"

#define NO_PAGE UINT64_MAX
#define GFNS 96

struct model {
    struct xlx__runs runs;
    uint64_t page[GFNS]; /* offset, or NO_PAGE */
    uint64_t next;       /* offset of the stream's next page */
};

static void start(struct model *m)
{
    memset(m, 0, sizeof(*m));
    m->runs.limit = 1000000;
    m->next = 12345;
    for (size_t i = 0; i < GFNS; i++)
        m->page[i] = NO_PAGE;
}

static void add_stretch(struct model *m, uint64_t gfn, uint64_t nr)
{
    assert_int_equal(xlx__runs_add(&m->runs, gfn, nr, m->next), 0);
    for (; nr; nr--, m->next += XLX_PAGE_SIZE)
        m->page[gfn++] = m->next;
}

static void drop_stretch(struct model *m, uint64_t gfn, uint64_t nr)
{
    assert_int_equal(xlx__runs_remove(&m->runs, gfn, nr, m->next), 0);
    for (; nr; nr--)
        m->page[gfn++] = NO_PAGE;
}

static void add(struct model *m, uint64_t gfn)
{
    add_stretch(m, gfn, 1);
}

static void drop(struct model *m, uint64_t gfn)
{
    drop_stretch(m, gfn, 1);
}

static uint64_t page_in_runs(const struct xlx__runs *runs, uint64_t gfn)
{
    const struct xlx_image_run *run = xlx__runs_from(runs->run, runs->nr, gfn);
    if (!run || gfn < run->gfn)
        return NO_PAGE;
    return run->offset + (gfn - run->gfn) * XLX_PAGE_SIZE;
}

/* Every page is where the table says, and no two runs could be one. */
static void finish(struct model *m)
{
    assert_int_equal(xlx__runs_finish(&m->runs), 0);
    for (uint64_t gfn = 0; gfn < GFNS; gfn++)
        assert_true(page_in_runs(&m->runs, gfn) == m->page[gfn]);
    for (size_t i = 1; i < m->runs.nr; i++) {
        const struct xlx_image_run *a = &m->runs.run[i - 1], *b = a + 1;
        assert_true(a->gfn + a->nr <= b->gfn);
        assert_false(a->gfn + a->nr == b->gfn &&
                     a->offset + a->nr * XLX_PAGE_SIZE == b->offset);
    }
    free(m->runs.run);
}

static void pages_in_order_make_few_runs(void **state)
{
    (void)state;
    struct model m;
    start(&m);
    for (uint64_t gfn = 0; gfn < 40; gfn++)
        add(&m, gfn);
    m.next += 8208; /* the head of the next record */
    for (uint64_t gfn = 40; gfn < 80; gfn++)
        add(&m, gfn);
    assert_int_equal(m.runs.nr, 2);
    assert_false(m.runs.overlaid);
    finish(&m);
}

static void what_never_had_a_page_costs_nothing(void **state)
{
    (void)state;
    struct model m;
    start(&m);
    add(&m, 3);
    drop(&m, 4);
    drop(&m, 90);
    add(&m, 91);
    assert_int_equal(m.runs.nr, 2);
    assert_false(m.runs.overlaid);
    finish(&m);
}

static void a_removal_is_older_than_the_page_behind_it(void **state)
{
    (void)state;
    struct model m;
    start(&m);
    add(&m, 7);
    drop(&m, 7);
    add(&m, 7); /* the offset that the removal was given */
    add(&m, 8);
    drop(&m, 8);
    finish(&m);
}

static void all_pages_may_go(void **state)
{
    (void)state;
    struct model m;
    start(&m);
    for (uint64_t gfn = 10; gfn < 20; gfn++)
        add(&m, gfn);
    for (uint64_t gfn = 10; gfn < 20; gfn++)
        drop(&m, gfn);
    assert_int_equal(m.runs.nr, 2); /* the ten removals are one */
    finish(&m);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void random_step(struct model *m, uint64_t *seed)
{
    uint64_t gfn = next_random(seed) % GFNS;
    uint64_t nr = 1 + next_random(seed) % 12;
    if (nr > GFNS - gfn)
        nr = GFNS - gfn;
    switch (next_random(seed) % 8) {
    case 0:
    case 1:
        drop_stretch(m, gfn, nr);
        break;
    case 2:
        while (nr--)
            add(m, gfn + nr); /* backwards */
        break;
    case 3:
        m->next += 8208; /* the head of another record */
        break;
    default:
        add_stretch(m, gfn, nr);
    }
}

static void any_order_is_sorted_out(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252ull;
    for (int round = 0; round < 3000; round++) {
        struct model m;
        start(&m);
        for (uint64_t i = next_random(&seed) % 60; i; i--)
            random_step(&m, &seed);
        finish(&m);
    }
}

static void the_limit_holds(void **state)
{
    (void)state;
    for (size_t limit = 4; limit < 7; limit++) {
        struct xlx__runs runs = { .limit = limit };
        int rc = 0;
        /* Every other gfn: five runs. */
        for (uint64_t i = 0; !rc && i < 5; i++)
            rc = xlx__runs_add(&runs, 2 * i, 1, i * XLX_PAGE_SIZE);
        assert_int_equal(rc, limit < 5 ? -EOVERFLOW : 0);
        free(runs.run);
    }
}

/* One run that is cut in two: within the limit before, over it afterwards. */
static void the_limit_holds_for_the_result(void **state)
{
    (void)state;
    struct xlx__runs runs = { .limit = 2 };
    assert_int_equal(xlx__runs_add(&runs, 0, 3, 0), 0);
    assert_int_equal(xlx__runs_add(&runs, 1, 1, 9 * XLX_PAGE_SIZE), 0);
    assert_int_equal(xlx__runs_finish(&runs), -EOVERFLOW);
    free(runs.run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_in_order_make_few_runs),
        cmocka_unit_test(what_never_had_a_page_costs_nothing),
        cmocka_unit_test(a_removal_is_older_than_the_page_behind_it),
        cmocka_unit_test(all_pages_may_go),
        cmocka_unit_test(any_order_is_sorted_out),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(the_limit_holds_for_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
