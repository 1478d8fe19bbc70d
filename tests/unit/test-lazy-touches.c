/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lazy/touches.h"

static struct xlx__gfn_range *runs_of(const uint64_t *gfn, size_t nr,
                                      size_t *nr_r)
{
    struct xlx__touches *t = xlx__touches_new();
    struct xlx__gfn_range *runs;
    for (size_t i = 0; i < nr; i++)
        xlx__touches_add(t, gfn[i]);
    assert_int_equal(xlx__touches_count(t), nr);
    assert_int_equal(xlx__touches_runs(t, &runs, nr_r), 0);
    xlx__touches_free(t);
    return runs;
}

#define assert_range(range, from, to)          \
    do {                                       \
        assert_int_equal((range).start, from); \
        assert_int_equal((range).end, to);     \
    } while (0)

static void nothing_touched_is_no_set(void **state)
{
    (void)state;
    size_t nr = 1;
    assert_null(runs_of(NULL, 0, &nr));
    assert_int_equal(nr, 0);
}

static void neighbours_are_one_run_at_the_first_touch(void **state)
{
    (void)state;
    static const uint64_t gfn[] = { 50, 9, 7, 50, 8, 100, 6, 52 };
    size_t nr;
    struct xlx__gfn_range *runs = runs_of(gfn, 8, &nr);
    assert_int_equal(nr, 4);
    assert_range(runs[0], 50, 51);
    assert_range(runs[1], 6, 10);
    assert_range(runs[2], 100, 101);
    assert_range(runs[3], 52, 53);
    free(runs);
}

static void who_comes_after_one_that_was_killed_goes_on(void **state)
{
    (void)state;
    struct xlx__touches *t = xlx__touches_new();
    struct xlx__gfn_range *runs;
    size_t nr;
    pid_t pid = fork();
    if (pid == 0) {
        xlx__touches_add(t, 50);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    xlx__touches_add(t, 9);
    assert_int_equal(xlx__touches_runs(t, &runs, &nr), 0);
    assert_int_equal(nr, 2);
    assert_range(runs[0], 50, 51);
    assert_range(runs[1], 9, 10);
    free(runs);
    xlx__touches_free(t);
}

static void the_first_touches_are_kept_when_it_is_full(void **state)
{
    (void)state;
    struct xlx__touches *t = xlx__touches_new();
    struct xlx__gfn_range *runs;
    size_t nr;
    for (uint64_t i = 0; i < XLX__TOUCHES_MAX + 2u; i++)
        xlx__touches_add(t, i);
    assert_int_equal(xlx__touches_count(t), XLX__TOUCHES_MAX);
    assert_int_equal(xlx__touches_runs(t, &runs, &nr), 0);
    assert_int_equal(nr, 1);
    assert_range(runs[0], 0, XLX__TOUCHES_MAX);
    free(runs);
    xlx__touches_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_touched_is_no_set),
        cmocka_unit_test(neighbours_are_one_run_at_the_first_touch),
        cmocka_unit_test(who_comes_after_one_that_was_killed_goes_on),
        cmocka_unit_test(the_first_touches_are_kept_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
