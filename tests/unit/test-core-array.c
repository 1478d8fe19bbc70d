/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "core/array.h"

struct list {
    uint32_t *v;
    size_t nr;
};

static void add(struct list *list, uint32_t value)
{
    uint32_t *v = xlx__array_more(list->v, list->nr, sizeof(*v));
    assert_non_null(v);
    list->v = v;
    v[list->nr++] = value;
}

/* Under ASan: none is written behind the array. */
static void an_array_has_room_for_each_element(void **state)
{
    struct list list = { 0 };
    (void)state;
    for (uint32_t i = 0; i < 1025; i++)
        add(&list, i);
    for (uint32_t i = 0; i < 1025; i++)
        assert_int_equal(list.v[i], i);
    free(list.v);
}

static void an_array_that_became_shorter_grows_again(void **state)
{
    static const size_t keep[] = { 9, 8, 7, 5, 4, 3, 2, 1, 0 };
    (void)state;
    for (size_t i = 0; i < XLX__NR(keep); i++) {
        struct list list = { 0 };
        for (uint32_t n = 0; n < 9; n++)
            add(&list, n);
        list.nr = keep[i];
        for (uint32_t n = (uint32_t)list.nr; n < 33; n++)
            add(&list, n);
        for (uint32_t n = 0; n < 33; n++)
            assert_int_equal(list.v[n], n);
        free(list.v);
    }
}

static void it_is_reallocated_at_powers_of_two_only(void **state)
{
    uint32_t one = 1;
    (void)state;
    for (size_t nr = 1; nr < 100; nr++)
        if (nr & (nr - 1))
            assert_ptr_equal(xlx__array_more(&one, nr, 4), &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_has_room_for_each_element),
        cmocka_unit_test(an_array_that_became_shorter_grows_again),
        cmocka_unit_test(it_is_reallocated_at_powers_of_two_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
