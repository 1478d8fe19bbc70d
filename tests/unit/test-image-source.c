/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How often, and how much at once, a file is read while it is checked.
 */
#include "test.h"

#include "image/internal.h"
#include "image/source.h"

#define WINDOW XLX__SOURCE_WINDOW
#define SIZE (100 * WINDOW)

struct file {
    struct xlx__storage storage;
    int reads;
    uint64_t offset;
    size_t len; /* of the last read */
};

static int counted_pread(struct xlx__storage *storage, void *buf, size_t len,
                         uint64_t offset)
{
    struct file *file = (struct file *)storage;
    assert_true(offset + len <= file->storage.size);
    file->reads++;
    file->offset = offset;
    file->len = len;
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)buf)[i] = (unsigned char)((offset + i) % 251);
    return 0;
}

static const struct xlx__storage_ops ops = { .pread = counted_pread };

struct reader {
    struct file file;
    struct xlx__source src;
};

static void start(struct reader *r)
{
    r->file = (struct file){ .storage = { .ops = &ops, .size = SIZE } };
    xlx__source_init(&r->src, NULL, &r->file.storage, "f");
}

/* Gets `len` bytes and looks at them. */
static void get(struct reader *r, uint64_t offset, size_t len)
{
    const unsigned char *bytes;
    assert_int_equal(xlx__source_get(&r->src, offset, len, "it", &bytes), 0);
    assert_int_equal(bytes[0], offset % 251);
    assert_int_equal(bytes[len - 1], (offset + len - 1) % 251);
}

static void get_and_expect(struct reader *r, uint64_t offset, size_t len,
                           size_t read)
{
    int before = r->file.reads;
    get(r, offset, len);
    assert_int_equal(r->file.reads, before + (read != 0));
    if (read) {
        assert_int_equal(r->file.offset, offset);
        assert_int_equal(r->file.len, read);
    }
}

static void what_goes_on_is_read_in_growing_pieces(void **state)
{
    static struct reader r;
    (void)state;
    start(&r);
    get_and_expect(&r, 0, 8, WINDOW);
    get_and_expect(&r, 0, WINDOW, 0);
    get_and_expect(&r, WINDOW, WINDOW, 2 * WINDOW);
    get_and_expect(&r, 2 * WINDOW, WINDOW, 0);
    get_and_expect(&r, 3 * WINDOW, 8, 4 * WINDOW);
    get_and_expect(&r, 7 * WINDOW, 8, 8 * WINDOW);
    get_and_expect(&r, 15 * WINDOW, 8, 8 * WINDOW);
}

/* What is asked for may begin in the one that was read. */
static void a_piece_may_overlap_the_one_before(void **state)
{
    static struct reader r;
    (void)state;
    start(&r);
    get_and_expect(&r, 0, 8, WINDOW);
    get_and_expect(&r, WINDOW - 1, 2, 2 * WINDOW);
    get_and_expect(&r, 3 * WINDOW - 1, 1, 4 * WINDOW);
}

static void somewhere_else_no_more_is_read_than_needed(void **state)
{
    static struct reader r;
    (void)state;
    start(&r);
    get(&r, 0, 8);
    get(&r, WINDOW, 8);
    get_and_expect(&r, 3 * WINDOW + 1, 8, WINDOW);
    get_and_expect(&r, 9 * WINDOW, 8, WINDOW);
    get_and_expect(&r, 2 * WINDOW, 8, WINDOW);
    get_and_expect(&r, 3 * WINDOW, 8, 2 * WINDOW);
    /* Back, into what was there before. */
    get_and_expect(&r, 3 * WINDOW - 1, 8, WINDOW);
}

static void at_the_end_there_is_less(void **state)
{
    static struct reader r;
    (void)state;
    start(&r);
    get(&r, SIZE - 2 * WINDOW, WINDOW);
    get_and_expect(&r, SIZE - WINDOW, WINDOW, WINDOW);
    get_and_expect(&r, SIZE - 1, 1, 0);
    start(&r);
    get_and_expect(&r, SIZE - 1, 1, 1);
}

/* A hundred records of pfns without pages, each as long as a window. */
static void many_records_are_few_reads(void **state)
{
    static struct reader r;
    (void)state;
    start(&r);
    for (uint64_t at = 0; at < SIZE; at += WINDOW) {
        get(&r, at, sizeof(struct fmt_record));
        get(&r, at, WINDOW);
    }
    assert_int_equal(r.file.reads, 3 + 12); /* 1, 2, 4, and eights */
}

/* Its header, then all of it. */
static void the_sum_of_a_record_takes_one_read(void **state)
{
    static struct reader r;
    const struct xlx__record record = { .offset = WINDOW,
                                        .type = FMT_PAGE_DATA,
                                        .length = WINDOW / 2 };
    uint64_t sum;
    (void)state;
    start(&r);
    assert_int_equal(xlx__record_sum(&r.src, &record, &sum), 0);
    assert_int_equal(r.file.reads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_on_is_read_in_growing_pieces),
        cmocka_unit_test(a_piece_may_overlap_the_one_before),
        cmocka_unit_test(somewhere_else_no_more_is_read_than_needed),
        cmocka_unit_test(at_the_end_there_is_less),
        cmocka_unit_test(many_records_are_few_reads),
        cmocka_unit_test(the_sum_of_a_record_takes_one_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
