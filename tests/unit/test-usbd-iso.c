/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Isochronous frames: which ones are refused, and where their bytes go. Buffers
 * are as long as is said and come from malloc, so that ASan sees a byte more.
 */
#include "test.h"

#include "usbd/iso.h"

#define SIZE(rows) (sizeof(rows) / sizeof((rows)[0]))
#define FRAMES_MAX XLX__USBD_ISO_PACKETS_MAX

/* As uvcvideo and snd-usb-audio have them: one behind the other. */
static void lay_out(struct xlx__usbd_frame *frames, uint32_t nr, uint32_t each)
{
    memset(frames, 0, nr * sizeof(*frames));
    for (uint32_t i = 0; i < nr; i++)
        frames[i] = (struct xlx__usbd_frame){ i * each, each, 0, 0 };
}

static void fill(uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(first + i);
}

static void frames_lie_in_the_buffer(void **state)
{
    static const struct {
        uint32_t offset, length;
        size_t size;
        uint32_t packet_max;
        int want;
    } rows[] = {
        { 0, 100, 100, 0, 0 },
        { 0, 101, 100, 0, -EINVAL },
        { 1, 99, 100, 0, 0 },
        { 1, 100, 100, 0, -EINVAL },
        { 99, 1, 100, 0, 0 },
        { 100, 0, 100, 0, 0 },
        { 100, 1, 100, 0, -EINVAL },
        { 101, 0, 100, 0, -EINVAL },
        { 0, 0, 0, 0, 0 },
        { 0, 1, 0, 0, -EINVAL },
        { 0xffffffff, 2, 100, 0, -EINVAL }, /* the sum is 1 */
        { 50, 0xffffffff, 100, 0, -EINVAL },
        { 0xffffffff, 0xffffffff, 100, 0, -EINVAL },
        { 0, 63, 100, 64, 0 },
        { 0, 64, 100, 64, 0 },
        { 0, 65, 100, 64, -EINVAL },
        { 0, 0, 100, 1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        /* what the guest wrote into the other two does not matter */
        struct xlx__usbd_frame f = { rows[i].offset, rows[i].length, 0xffffffff,
                                     -1 };
        if (xlx__usbd_iso_check(&f, 1, rows[i].size, rows[i].packet_max) !=
            rows[i].want)
            fail_msg("row %zu", i);
    }
}

static void there_are_1_to_128_frames(void **state)
{
    struct xlx__usbd_frame frames[FRAMES_MAX + 1];
    (void)state;
    lay_out(frames, FRAMES_MAX + 1, 8);
    assert_int_equal(xlx__usbd_iso_check(frames, 0, 4096, 0), -EINVAL);
    assert_int_equal(xlx__usbd_iso_check(frames, 1, 4096, 0), 0);
    assert_int_equal(xlx__usbd_iso_check(frames, FRAMES_MAX - 1, 4096, 0), 0);
    assert_int_equal(xlx__usbd_iso_check(frames, FRAMES_MAX, 4096, 0), 0);
    assert_int_equal(xlx__usbd_iso_check(frames, FRAMES_MAX + 1, 4096, 0),
                     -EINVAL);
    assert_int_equal(xlx__usbd_iso_check(frames, UINT32_MAX, 4096, 0), -EINVAL);
}

static void no_two_frames_overlap(void **state)
{
    static const struct {
        struct xlx__usbd_frame frames[3];
        int want;
    } rows[] = {
        { { { 0, 10, 0, 0 }, { 10, 10, 0, 0 }, { 20, 10, 0, 0 } }, 0 },
        { { { 0, 10, 0, 0 }, { 9, 10, 0, 0 }, { 20, 10, 0, 0 } }, -EINVAL },
        { { { 0, 10, 0, 0 }, { 15, 10, 0, 0 }, { 30, 10, 0, 0 } }, 0 },
        { { { 20, 10, 0, 0 }, { 10, 10, 0, 0 }, { 0, 10, 0, 0 } }, 0 },
        { { { 20, 10, 0, 0 }, { 11, 10, 0, 0 }, { 0, 10, 0, 0 } }, -EINVAL },
        { { { 20, 10, 0, 0 }, { 0, 10, 0, 0 }, { 10, 10, 0, 0 } }, 0 },
        { { { 20, 10, 0, 0 }, { 0, 10, 0, 0 }, { 10, 11, 0, 0 } }, -EINVAL },
        { { { 20, 10, 0, 0 }, { 0, 10, 0, 0 }, { 9, 11, 0, 0 } }, -EINVAL },
        { { { 0, 30, 0, 0 }, { 10, 10, 0, 0 }, { 40, 10, 0, 0 } }, -EINVAL },
        { { { 10, 10, 0, 0 }, { 40, 10, 0, 0 }, { 0, 30, 0, 0 } }, -EINVAL },
        { { { 5, 1, 0, 0 }, { 20, 10, 0, 0 }, { 5, 1, 0, 0 } }, -EINVAL },
        { { { 0, 30, 0, 0 }, { 10, 0, 0, 0 }, { 0, 0, 0, 0 } }, 0 },
        { { { 10, 0, 0, 0 }, { 10, 0, 0, 0 }, { 0, 30, 0, 0 } }, 0 },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++)
        if (xlx__usbd_iso_check(rows[i].frames, 3, 64, 0) != rows[i].want)
            fail_msg("row %zu", i);
}

/* Every pair of frames in 8 bytes, against a map of the bytes. */
static void overlap_is_sharing_a_byte(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 8 * 9 * 8 * 9; n++) {
        struct xlx__usbd_frame f[2] = {
            { n % 8, n / 8 % 9, 0, 0 },
            { n / 72 % 8, n / 576, 0, 0 },
        };
        unsigned map[2];
        for (int i = 0; i < 2; i++)
            map[i] = ((1u << f[i].length) - 1) << f[i].offset;
        int want = map[0] & map[1] || (map[0] | map[1]) > 0xff ? -EINVAL : 0;
        if (xlx__usbd_iso_check(f, 2, 8, 0) != want)
            fail_msg("%u+%u, %u+%u", f[0].offset, f[0].length, f[1].offset,
                     f[1].length);
    }
}

/* The last frame first, a gap between all of them. */
static const struct xlx__usbd_frame scattered[] = {
    { 90, 10, 0, 0 },
    { 0, 7, 0, 0 },
    { 50, 0, 0, 0 },
    { 20, 25, 0, 0 },
};

static void packets_follow_each_other(void **state)
{
    uint8_t *buffer = malloc(100), *packed = malloc(100);
    (void)state;
    fill(buffer, 100, 0);
    memset(packed, 0xee, 100);
    assert_int_equal(xlx__usbd_iso_check(scattered, 4, 100, 25), 0);
    assert_int_equal(xlx__usbd_iso_pack(scattered, 4, buffer, packed), 42);
    assert_memory_equal(packed, buffer + 90, 10);
    assert_memory_equal(packed + 10, buffer, 7);
    assert_memory_equal(packed + 17, buffer + 20, 25);
    for (int i = 42; i < 100; i++)
        assert_int_equal(packed[i], 0xee);
    free(buffer);
    free(packed);
}

static void a_full_buffer_packs_into_as_much(void **state)
{
    struct xlx__usbd_frame frames[32];
    uint8_t *buffer = malloc(61440), *packed = malloc(61440);
    (void)state;
    lay_out(frames, 32, 1920);
    fill(buffer, 61440, 3);
    assert_int_equal(xlx__usbd_iso_check(frames, 32, 61440, 1920), 0);
    assert_int_equal(xlx__usbd_iso_check(frames, 32, 61439, 1920), -EINVAL);
    assert_int_equal(xlx__usbd_iso_pack(frames, 32, buffer, packed), 61440);
    assert_memory_equal(packed, buffer, 61440);
    free(buffer);
    free(packed);
}

static void only_what_came_is_written(void **state)
{
    /* none, some, all, and more than there can be */
    static const uint32_t actual[] = { 0, 3, 0, 25 };
    static const uint32_t lies[] = { 10, 8, 1, 0xffffffff };
    struct xlx__usbd_frame frames[4];
    uint8_t *buffer = malloc(100), *packed = malloc(42);
    (void)state;
    memcpy(frames, scattered, sizeof(frames));
    fill(packed, 42, 1);
    memset(buffer, 0xee, 100);
    for (int i = 0; i < 4; i++)
        frames[i].actual_length = actual[i];
    xlx__usbd_iso_unpack(frames, 4, packed, buffer);
    for (int i = 0; i < 100; i++)
        if (i >= 20 && i < 45)
            assert_int_equal(buffer[i], 1 + 17 + i - 20);
        else if (i < 3)
            assert_int_equal(buffer[i], 1 + 10 + i);
        else
            assert_int_equal(buffer[i], 0xee);
    for (int i = 0; i < 4; i++)
        frames[i].actual_length = lies[i];
    xlx__usbd_iso_unpack(frames, 4, packed, buffer);
    assert_memory_equal(buffer + 90, packed, 10);
    assert_memory_equal(buffer, packed + 10, 7);
    assert_int_equal(buffer[7], 0xee);
    assert_int_equal(buffer[45], 0xee);
    assert_int_equal(buffer[50], 0xee);
    free(buffer);
    free(packed);
}

static void frames_of_nothing_need_no_buffer(void **state)
{
    struct xlx__usbd_frame frames[4];
    (void)state;
    lay_out(frames, 4, 0);
    assert_int_equal(xlx__usbd_iso_check(frames, 4, 0, 0), 0);
    assert_int_equal(xlx__usbd_iso_pack(frames, 4, NULL, NULL), 0);
    frames[1].actual_length = 5;
    xlx__usbd_iso_unpack(frames, 4, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_lie_in_the_buffer),
        cmocka_unit_test(there_are_1_to_128_frames),
        cmocka_unit_test(no_two_frames_overlap),
        cmocka_unit_test(overlap_is_sharing_a_byte),
        cmocka_unit_test(packets_follow_each_other),
        cmocka_unit_test(a_full_buffer_packs_into_as_much),
        cmocka_unit_test(only_what_came_is_written),
        cmocka_unit_test(frames_of_nothing_need_no_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
