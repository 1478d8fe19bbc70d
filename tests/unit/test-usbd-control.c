/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which control requests of a guest reach the device, and which do not.
 */
#include "test.h"

#include <stdbool.h>

#include "usbd/control.h"

#define SIZE(rows) (sizeof(rows) / sizeof((rows)[0]))

#define PASS XLX__USBD_PASS
#define REFUSE XLX__USBD_REFUSE

struct row {
    struct xlx__usbd_setup setup;
    enum xlx__usbd_control want;
};

/* With a pipe and a buffer that fit it. */
static void judge_rows(const struct row *rows, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        const struct xlx__usbd_setup *s = &rows[i].setup;
        enum xlx__usbd_control verdict =
            xlx__usbd_control_judge(s, s->request_type & 0x80, s->length);
        if (verdict != rows[i].want)
            fail_msg("%02x %02x %04x %04x %04x: %d, not %d", s->request_type,
                     s->request, s->value, s->index, s->length, verdict,
                     rows[i].want);
    }
}

static void a_setup_packet_is_little_endian(void **state)
{
    static const uint8_t bytes[8] = { 0xa1, 0x01, 0x02, 0x83,
                                      0x04, 0x95, 0x06, 0xa7 };
    struct xlx__usbd_setup s;
    (void)state;
    xlx__usbd_setup_read(bytes, &s);
    assert_int_equal(s.request_type, 0xa1);
    assert_int_equal(s.request, 0x01);
    assert_int_equal(s.value, 0x8302);
    assert_int_equal(s.index, 0x9504);
    assert_int_equal(s.length, 0xa706);
}

static void what_concerns_the_bus_is_done_here(void **state)
{
    static const struct row rows[] = {
        { { 0x00, 0x05, 0, 0, 0 }, REFUSE },
        { { 0x00, 0x05, 1, 0, 0 }, XLX__USBD_SET_ADDRESS },
        { { 0x00, 0x05, 127, 0, 0 }, XLX__USBD_SET_ADDRESS },
        { { 0x00, 0x05, 128, 0, 0 }, REFUSE },
        { { 0x00, 0x05, 0x101, 0, 0 }, REFUSE },
        { { 0x00, 0x05, 1, 1, 0 }, REFUSE },
        { { 0x00, 0x05, 1, 0, 1 }, REFUSE },
        { { 0x00, 0x09, 0, 0, 0 }, XLX__USBD_SET_CONFIG },
        { { 0x00, 0x09, 255, 0, 0 }, XLX__USBD_SET_CONFIG },
        { { 0x00, 0x09, 256, 0, 0 }, REFUSE },
        { { 0x00, 0x09, 1, 1, 0 }, REFUSE },
        { { 0x00, 0x09, 1, 0, 1 }, REFUSE },
        { { 0x01, 0x0b, 0, 0, 0 }, XLX__USBD_SET_INTERFACE },
        { { 0x01, 0x0b, 255, 255, 0 }, XLX__USBD_SET_INTERFACE },
        { { 0x01, 0x0b, 256, 0, 0 }, REFUSE },
        { { 0x01, 0x0b, 0, 256, 0 }, REFUSE },
        { { 0x01, 0x0b, 0, 0, 1 }, REFUSE },
        { { 0x02, 0x01, 0, 0x81, 0 }, XLX__USBD_CLEAR_HALT },
        { { 0x02, 0x01, 0, 0x01, 0 }, XLX__USBD_CLEAR_HALT },
        { { 0x02, 0x01, 0, 0x8f, 0 }, XLX__USBD_CLEAR_HALT },
        { { 0x02, 0x01, 0, 0x00, 0 }, PASS },
        { { 0x02, 0x01, 0, 0x80, 0 }, PASS },
        { { 0x02, 0x01, 0, 0x90, 0 }, REFUSE },
        { { 0x02, 0x01, 0, 0x181, 0 }, REFUSE },
        { { 0x02, 0x01, 1, 0x81, 0 }, REFUSE },
        { { 0x02, 0x01, 0, 0x81, 1 }, REFUSE },
        { { 0x80, 0x06, 0x0100, 0, 18 }, XLX__USBD_GET_DESCRIPTOR },
        { { 0x80, 0x06, 0x0303, 0x0409, 255 }, XLX__USBD_GET_DESCRIPTOR },
        { { 0x80, 0x06, 0xffff, 0xffff, 0xffff }, XLX__USBD_GET_DESCRIPTOR },
    };
    (void)state;
    judge_rows(rows, SIZE(rows));
}

static void what_is_the_devices_is_passed(void **state)
{
    static const struct row rows[] = {
        { { 0x80, 0x00, 0, 0, 2 }, PASS }, /* GET_STATUS */
        { { 0x81, 0x00, 0, 31, 2 }, PASS },
        { { 0x82, 0x00, 0, 0x82, 2 }, PASS },
        { { 0x00, 0x01, 1, 0, 0 }, PASS }, /* remote wakeup off, on */
        { { 0x00, 0x03, 1, 0, 0 }, PASS },
        { { 0x02, 0x03, 0, 0x81, 0 }, PASS },    /* halt */
        { { 0x81, 0x06, 0x2200, 0, 63 }, PASS }, /* a report descriptor */
        { { 0x01, 0x07, 0x2200, 0, 63 }, PASS },
        { { 0x80, 0x08, 0, 0, 1 }, PASS },         /* GET_CONFIGURATION */
        { { 0x81, 0x0a, 0, 1, 1 }, PASS },         /* GET_INTERFACE */
        { { 0x82, 0x0c, 0, 0x81, 2 }, PASS },      /* SYNCH_FRAME */
        { { 0x21, 0x09, 0x0200, 0, 1 }, PASS },    /* a keyboard's lights */
        { { 0xa1, 0xfe, 0, 0, 1 }, PASS },         /* a disk's GET_MAX_LUN */
        { { 0x22, 0x01, 0x0100, 0x82, 3 }, PASS }, /* a headset's rate */
        { { 0x40, 0x05, 0xffff, 0xffff, 0 }, PASS },
        { { 0xc0, 0x05, 0xffff, 0xffff, 0xffff }, PASS },
        { { 0x20, 0x05, 0, 0, 0 }, PASS }, /* a number of the class */
    };
    (void)state;
    judge_rows(rows, SIZE(rows));
}

static void what_the_host_alone_may_do_is_refused(void **state)
{
    static const struct row rows[] = {
        { { 0x80, 0x00, 1, 0, 4 }, REFUSE }, /* PTM's status */
        { { 0x80, 0x00, 0, 1, 2 }, REFUSE },
        { { 0x82, 0x00, 0, 0x10, 2 }, REFUSE },
        { { 0x00, 0x03, 2, 0x0100, 0 }, REFUSE }, /* test mode: J */
        { { 0x00, 0x03, 2, 0, 0 }, REFUSE },
        { { 0x00, 0x01, 2, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 0, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 3, 0, 0 }, REFUSE }, /* HNP */
        { { 0x00, 0x03, 4, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 5, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 48, 0, 0 }, REFUSE }, /* U1, U2, LTM */
        { { 0x00, 0x01, 49, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 50, 0, 0 }, REFUSE },
        { { 0x00, 0x03, 1, 1, 0 }, REFUSE },
        { { 0x00, 0x03, 1, 0, 1 }, REFUSE },
        { { 0x01, 0x03, 0, 0x0100, 0 }, REFUSE }, /* function suspend */
        { { 0x01, 0x01, 0, 0, 0 }, REFUSE },
        { { 0x02, 0x03, 1, 0x81, 0 }, REFUSE },
        { { 0x02, 0x03, 0, 0x91, 0 }, REFUSE },
        { { 0x00, 0x07, 0x0100, 0, 18 }, REFUSE }, /* SET_DESCRIPTOR */
        { { 0x00, 0x30, 0, 0, 6 }, REFUSE },       /* SET_SEL */
        { { 0x00, 0x31, 40, 0, 0 }, REFUSE },      /* SET_ISOCH_DELAY */
        { { 0x80, 0x18, 0, 0, 4 }, REFUSE },       /* AUTH_IN */
        { { 0x00, 0x02, 0, 0, 0 }, REFUSE },       /* not given away */
        { { 0x00, 0xff, 0, 0, 0 }, REFUSE },
    };
    (void)state;
    judge_rows(rows, SIZE(rows));
}

/* Of every type there is, SET_ADDRESS, SET_CONFIGURATION and SET_INTERFACE are
 * done for their own only, and nothing else that is a standard request passes.
 */
static void a_number_alone_does_nothing(void **state)
{
    static const uint8_t own[] = { 0x00, 0x00, 0x01 };
    static const uint8_t request[] = { 0x05, 0x09, 0x0b };
    (void)state;
    for (size_t k = 0; k < SIZE(request); k++)
        for (unsigned type = 0; type < 256; type++) {
            struct xlx__usbd_setup s = { (uint8_t)type, request[k], 1, 0, 0 };
            enum xlx__usbd_control want = type & 0x60 ? PASS : REFUSE;
            enum xlx__usbd_control got = xlx__usbd_control_judge(&s, false, 0);
            if (type == own[k])
                assert_true(got != PASS && got != REFUSE);
            else
                assert_int_equal(got, want);
        }
}

static void the_data_stage_fits_the_pipe(void **state)
{
    static const struct {
        uint8_t type;
        uint16_t length;
        bool in;
        size_t buffer;
        enum xlx__usbd_control want;
    } rows[] = {
        { 0x40, 64, false, 63, REFUSE },
        { 0x40, 64, false, 64, PASS },
        { 0x40, 64, false, 65, PASS },
        { 0x40, 64, true, 64, REFUSE },
        { 0x40, 1, false, 0, REFUSE },
        { 0xc0, 64, true, 64, PASS },
        { 0xc0, 64, true, 63, PASS },
        { 0xc0, 64, true, 0, PASS },
        { 0xc0, 64, false, 64, REFUSE },
        { 0x40, 0, true, 0, PASS },
        { 0xc0, 0, false, 64, PASS },
        { 0x40, 0xffff, false, 65535, PASS },
        { 0x40, 0xffff, false, 65534, REFUSE },
    };
    (void)state;
    for (size_t i = 0; i < SIZE(rows); i++) {
        struct xlx__usbd_setup s = { rows[i].type, 1, 0, 0, rows[i].length };
        if (xlx__usbd_control_judge(&s, rows[i].in, rows[i].buffer) !=
            rows[i].want)
            fail_msg("row %zu", i);
    }
    /* also of what is done here */
    struct xlx__usbd_setup device = { 0x80, 0x06, 0x0100, 0, 18 };
    assert_int_equal(xlx__usbd_control_judge(&device, false, 18), REFUSE);
    assert_int_equal(xlx__usbd_control_judge(&device, true, 8),
                     XLX__USBD_GET_DESCRIPTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_setup_packet_is_little_endian),
        cmocka_unit_test(what_concerns_the_bus_is_done_here),
        cmocka_unit_test(what_is_the_devices_is_passed),
        cmocka_unit_test(what_the_host_alone_may_do_is_refused),
        cmocka_unit_test(a_number_alone_does_nothing),
        cmocka_unit_test(the_data_stage_fits_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
