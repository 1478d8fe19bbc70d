/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "fakes/sized.h"

#define SET 0xa5 /* what is not written, or must not be read */

/* What one of `size` has of one of `has`. */
static void assert_like(const char *at, size_t size, const char *known,
                        size_t has)
{
    assert_memory_equal(at, known, size < has ? size : has);
    for (size_t i = has; i < size; i++)
        assert_int_equal(at[i], 0);
}

void sized_list_check(sized_list_fn *list, void *user, size_t older, size_t has)
{
    const size_t sizes[] = { older, has + SIZED_MORE };
    void *all = NULL, *other = NULL;
    int nr = list(user, &all, has);
    assert_true(nr > 0);
    for (int s = 0; s < 2; s++) {
        assert_int_equal(list(user, &other, sizes[s]), nr);
        for (size_t i = 0; i < (size_t)nr; i++)
            assert_like((char *)other + i * sizes[s], sizes[s],
                        (char *)all + i * has, has);
        free(other);
    }
    free(all);
}

/* What pads the members may differ. */
void sized_fill_check(sized_fill_fn *fill, void *user, size_t older,
                      size_t last, size_t has)
{
    const size_t sizes[] = { older, has + SIZED_MORE };
    size_t room = has + 2 * SIZED_MORE;
    char *all = malloc(room), *other = malloc(room);
    assert_true(fill(user, all, has) >= 0);
    for (int s = 0; s < 2; s++) {
        memset(other, SET, room);
        assert_true(fill(user, other, sizes[s]) >= 0);
        assert_memory_equal(other, all, older);
        for (size_t i = sizes[s]; i < room; i++)
            assert_int_equal((unsigned char)other[i], SET);
    }
    assert_like(other + last, sizes[1] - last, all + last, has - last);
    free(other);
    free(all);
}

void sized_take_check(sized_take_fn *take, void *user, const void *known,
                      size_t older, size_t has)
{
    size_t newer = has + SIZED_MORE;
    char *config = calloc(1, newer);
    memcpy(config, known, has);
    assert_true(take(user, config, newer) >= 0);
    config[newer - 1] = 1;
    assert_int_equal(take(user, config, newer), -E2BIG);
    assert_true(take(user, config, newer - 1) >= 0);
    memset(config + older, SET, newer - older);
    assert_true(take(user, config, older) >= 0);
    free(config);
}
