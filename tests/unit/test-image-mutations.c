/* SPDX-License-Identifier: LGPL-2.1-only */
/* Images with something changed, through the fuzzer's entry. */
#include "test.h"

#include "fakes/image_seeds.h"
#include "fuzz/fuzz-image.c"

static void feed(const struct image_build *b)
{
    LLVMFuzzerTestOneInput(b->bytes, b->len);
}

static void seeds_open(void **state)
{
    (void)state;
    struct image_build b = { 0 };
    for (size_t i = 0; i < NR_IMAGE_SEEDS; i++) {
        image_seeds[i].build(&b);
        feed(&b);
    }
    build_free(&b);
}

/* Nothing looks at what is in a page. */
static bool in_page(const struct image_build *b, size_t at)
{
    for (size_t i = 0; i < b->nr_pages; i++)
        if (at >= b->page[i] && at < b->page[i] + XLX_PAGE_SIZE)
            return true;
    return false;
}

static void feed_changed(struct image_build *b, size_t at)
{
    static const unsigned char change[] = { 0x01, 0x80, 0xff };
    for (size_t i = 0; i < sizeof(change); i++) {
        b->bytes[at] ^= change[i];
        feed(b);
        b->bytes[at] ^= change[i];
    }
}

static void every_byte_may_be_wrong(void **state)
{
    (void)state;
    struct image_build b = { 0 };
    for (size_t i = 0; i < NR_IMAGE_SEEDS; i++) {
        image_seeds[i].build(&b);
        for (size_t at = 0; at < b.len; at++)
            if (!in_page(&b, at))
                feed_changed(&b, at);
    }
    build_free(&b);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Numbers that are at some limit, or lead just beyond one. */
static uint64_t number(uint64_t *seed)
{
    static const uint64_t limits[] = {
        0,
        1,
        8,
        XLX_PAGE_SIZE,
        FMT_LIBXC_RECORD_MAX,
        UINT32_MAX,
        FMT_GFN_LIMIT,
        FMT_PFN_MASK,
        UINT64_MAX,
    };
    uint64_t limit =
        limits[next_random(seed) % (sizeof(limits) / sizeof(limits[0]))];
    return limit + next_random(seed) % 3 - 1;
}

/* A number somewhere, or a stretch of the image put over another. */
static void change(struct image_build *b, uint64_t *seed)
{
    size_t len = (size_t)1 << next_random(seed) % 4;
    size_t at = (size_t)(next_random(seed) % (b->len - 64));
    size_t from = (size_t)(next_random(seed) % (b->len - 64));
    uint64_t value = number(seed);
    if (in_page(b, at))
        return;
    if (next_random(seed) % 4)
        memcpy(b->bytes + at, &value, len);
    else
        memmove(b->bytes + at, b->bytes + from, 8 * len);
}

static void numbers_may_be_wrong_together(void **state)
{
    (void)state;
    struct image_build b = { 0 };
    uint64_t seed = 88172645463325252ull;
    for (int round = 0; round < 3000; round++) {
        image_seeds[next_random(&seed) % NR_IMAGE_SEEDS].build(&b);
        for (uint64_t n = next_random(&seed) % 12; n; n--)
            change(&b, &seed);
        if (next_random(&seed) % 8 == 0)
            b.len -= (size_t)(next_random(&seed) % b.len);
        feed(&b);
    }
    build_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_open),
        cmocka_unit_test(every_byte_may_be_wrong),
        cmocka_unit_test(numbers_may_be_wrong_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
