/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A guest that means harm; tests/bench/usbd-hostile sends as many requests as
 * one likes. What is seen here is that the worker stays whole, and that the
 * requests get far enough to be a trial.
 */
#include "test.h"

#include "fakes/usbd_hostile.h"

static void test_hostile(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct usbd_hostile done;
        usbd_hostile_run(seed * 7919, 20000, &done);
        assert_true(done.requests >= 20000);
        assert_true(done.answers > 5000);
        assert_true(done.submitted > 1000);
        assert_true(done.plugs > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostile) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
