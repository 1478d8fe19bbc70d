/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "lazy/held.h"

#define MAX 4

/* The library's calls come here: the n-th from now on fails; 0: none. */
static int fail_at;

void *reallocarray(void *at, size_t nr, size_t size)
{
    return fail_at && --fail_at == 0 ? NULL : realloc(at, nr * size);
}

struct row {
    const char *what;
    struct xlx_image_run run[MAX];
    struct xlx__gfn_range resident[MAX], held[MAX];
};

static const struct row rows[] = {
    { "nothing", { { 0 } }, { { 0 } }, { { 0 } } },
    { "no resident range", { { 5, 5, 0 } }, { { 0 } }, { { 5, 10 } } },
    /* neighbours in the guest, apart in the file */
    { "runs are merged",
      { { 0, 4, 0 }, { 4, 4, 99999 } },
      { { 0 } },
      { { 0, 8 } } },
    { "a gap stays",
      { { 0, 4, 0 }, { 5, 4, 0 } },
      { { 0 } },
      { { 0, 4 }, { 5, 9 } } },
    /* { 0..9 } - { 3..4 } */
    { "hole in a run",
      { { 0, 10, 0 } },
      { { 3, 5 } },
      { { 0, 3 }, { 5, 10 } } },
    { "start of a run", { { 4, 10, 0 } }, { { 0, 6 } }, { { 6, 14 } } },
    { "end of a run", { { 4, 10, 0 } }, { { 12, 90 } }, { { 4, 12 } } },
    { "whole run",
      { { 4, 10, 0 }, { 20, 2, 0 } },
      { { 4, 14 } },
      { { 20, 22 } } },
    { "all", { { 4, 10, 0 }, { 20, 2, 0 } }, { { 0, 100 } }, { { 0 } } },
    { "one range over two runs",
      { { 0, 4, 0 }, { 6, 4, 0 } },
      { { 2, 8 } },
      { { 0, 2 }, { 8, 10 } } },
    { "two ranges in one run",
      { { 0, 10, 0 } },
      { { 1, 2 }, { 4, 5 } },
      { { 0, 1 }, { 2, 4 }, { 5, 10 } } },
    { "ranges touch but do not overlap",
      { { 4, 4, 0 } },
      { { 0, 4 }, { 8, 9 } },
      { { 4, 8 } } },
};

static size_t count_runs(const struct xlx_image_run *run)
{
    size_t n = 0;
    while (n < MAX && run[n].nr)
        n++;
    return n;
}

static size_t count_ranges(const struct xlx__gfn_range *range)
{
    size_t n = 0;
    while (n < MAX && range[n].end)
        n++;
    return n;
}

static void residents_are_subtracted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct xlx__gfn_range *held;
        size_t nr;
        print_message("%s\n", row->what);
        assert_int_equal(
            xlx__held_back(row->run, count_runs(row->run), row->resident,
                           count_ranges(row->resident), &held, &nr),
            0);
        assert_int_equal(nr, count_ranges(row->held));
        if (nr)
            assert_memory_equal(held, row->held, nr * sizeof(*held));
        free(held);
    }
}

/* As many as there are runs, each by itself. */
static void the_list_has_room_for_all(void **state)
{
    (void)state;
    struct xlx_image_run run[100];
    struct xlx__gfn_range *held;
    size_t nr;
    for (uint64_t i = 0; i < 100; i++)
        run[i] = (struct xlx_image_run){ 10 * i, 1 + i % 9, 0 };
    assert_int_equal(xlx__held_back(run, 100, NULL, 0, &held, &nr), 0);
    assert_int_equal(nr, 100);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(held[i].start, 10 * i);
        assert_int_equal(held[i].end, 10 * i + 1 + i % 9);
    }
    free(held);
}

static void without_memory_there_is_no_list(void **state)
{
    (void)state;
    struct xlx_image_run run[100];
    struct xlx__gfn_range *held = NULL;
    size_t nr = 7;
    for (uint64_t i = 0; i < 100; i++)
        run[i] = (struct xlx_image_run){ 10 * i, 1, 0 };
    for (int n = 1; n < 5; n++) {
        fail_at = n;
        int rc = xlx__held_back(run, 100, NULL, 0, &held, &nr);
        bool failed = !fail_at;
        fail_at = 0;
        assert_true(failed);
        assert_int_equal(rc, -ENOMEM);
        assert_null(held);
        assert_int_equal(nr, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residents_are_subtracted),
        cmocka_unit_test(the_list_has_room_for_all),
        cmocka_unit_test(without_memory_there_is_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
