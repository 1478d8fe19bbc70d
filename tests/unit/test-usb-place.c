/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "usb/controller/place.h"

#define ANY XLX_USB_ANY

/* Controllers of a guest: full, USB 1.1, free from port 2, emulated (xHCI and
 * EHCI), the kernel's, another domain's. */
static const struct xlx__snapshot hcs[] = {
    { .devid = 0,
      .type = XLX_USB_QUSB,
      .version = 2,
      .nr_ports = 1,
      .port = { { .number = 1, .busid = "1-9" } } },
    { .devid = 1,
      .type = XLX_USB_QUSB,
      .version = 1,
      .nr_ports = 2,
      .port = { { .number = 1 }, { .number = 2 } } },
    { .devid = 3,
      .type = XLX_USB_QUSB,
      .version = 2,
      .nr_ports = 2,
      .port = { { .number = 1, .busid = "1-8" }, { .number = 2 } } },
    { .devid = 4,
      .type = XLX_USB_DEVICEMODEL,
      .version = 3,
      .nr_ports = 1,
      .port = { { .number = 1 } } },
    { .devid = 5,
      .type = XLX_USB_PV,
      .version = 2,
      .nr_ports = 1,
      .port = { { .number = 1 } } },
    { .devid = 6,
      .type = XLX_USB_QUSB,
      .version = 2,
      .nr_ports = 1,
      .backend_domid = 2,
      .port = { { .number = 1 } } },
    { .devid = 7,
      .type = XLX_USB_DEVICEMODEL,
      .version = 2,
      .nr_ports = 6,
      .port = { { .number = 1, .busid = "1-7" }, { .number = 2 } } },
};

#define NR_HCS (sizeof(hcs) / sizeof(hcs[0]))

struct row {
    uint32_t mbits;
    struct xlx_usb_place want;
    int rc;
    struct xlx_usb_place got;
};

static const struct row rows[] = {
    /* the first that fits */
    { 480, { ANY, ANY }, 0, { 3, 2 } },
    { 12, { ANY, ANY }, 0, { 1, 1 } },
    { 5000, { ANY, ANY }, 0, { 4, 1 } },
    { 0, { ANY, ANY }, 0, { 1, 1 } }, /* no speed known */
    /* what was asked for */
    { 12, { 1, 2 }, 0, { 1, 2 } },
    { 12, { 1, ANY }, 0, { 1, 1 } },
    { 480, { 3, ANY }, 0, { 3, 2 } },
    { 480, { 3, 2 }, 0, { 3, 2 } },
    /* ports: one beyond either end, taken, all taken */
    { 480, { 3, 0 }, -EINVAL, { 0 } },
    { 480, { 3, 3 }, -EINVAL, { 0 } },
    { 480, { 3, 1 }, -EBUSY, { 0 } },
    { 480, { 0, ANY }, -ENOSPC, { 0 } },
    { 480, { ANY, 1 }, -EINVAL, { 0 } },
    /* controllers */
    { 480, { 2, ANY }, -ENODEV, { 0 } },
    { 480, { 1, ANY }, -ENOTSUP, { 0 } },
    { 480, { 6, ANY }, -ENOTSUP, { 0 } },
    /* speeds by type and version */
    { 1, { 4, ANY }, 0, { 4, 1 } },
    { 480, { 4, ANY }, 0, { 4, 1 } },
    { 10000, { 4, ANY }, 0, { 4, 1 } },
    { 12, { 5, ANY }, 0, { 5, 1 } },
    { 480, { 5, ANY }, 0, { 5, 1 } },
    { 5000, { 5, ANY }, -ENOTSUP, { 0 } },
    { 5000, { 3, ANY }, -ENOTSUP, { 0 } },
    { 5000, { 1, ANY }, -ENOTSUP, { 0 } },
    { 12, { 7, ANY }, -ENOTSUP, { 0 } },
    { 480, { 7, ANY }, 0, { 7, 2 } },
    { 0, { 7, ANY }, 0, { 7, 2 } },
    { 5000, { 7, ANY }, -ENOTSUP, { 0 } },
};

static void a_place_is_chosen(void **state)
{
    (void)state;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xlx__usbdev dev = { .busid = "1-2", .mbits = rows[i].mbits };
        if (dev.mbits > 480)
            dev.pv_unfit = "it has isochronous endpoints";
        struct xlx_usb_place got = { 77, 77 };
        assert_int_equal(xlx__place_choose(ctx, 5, hcs, NULL, NR_HCS, &dev,
                                           &rows[i].want, &got),
                         rows[i].rc);
        assert_int_equal(got.hc, rows[i].rc ? 77 : rows[i].got.hc);
        assert_int_equal(got.port, rows[i].rc ? 77 : rows[i].got.port);
    }
    xlx_ctx_free(ctx);
}

static void without_a_fitting_controller_one_is_made(void **state)
{
    (void)state;
    xlx_ctx *ctx;
    struct xlx_usb_place any = { ANY, ANY }, got;
    struct xlx__usbdev dev = { .busid = "1-2", .mbits = 480 };
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    assert_int_equal(xlx__place_choose(ctx, 5, NULL, NULL, 0, &dev, &any, &got),
                     0);
    assert_int_equal(got.hc, ANY);
    assert_int_equal(got.port, 1);
    /* the full one and the slow one */
    assert_int_equal(xlx__place_choose(ctx, 5, hcs, NULL, 2, &dev, &any, &got),
                     0);
    assert_int_equal(got.hc, ANY);
    xlx_ctx_free(ctx);
}

/* Sixteen requests a controller: one that always has some on their way. */
static void isochronous_devices_have_their_own(void **state)
{
    static const struct xlx__snapshot two[] = {
        { .devid = 0,
          .type = XLX_USB_QUSB,
          .version = 2,
          .nr_ports = 2,
          .port = { { .number = 1, .busid = "1-8" }, { .number = 2 } } },
        { .devid = 1,
          .type = XLX_USB_QUSB,
          .version = 2,
          .nr_ports = 2,
          .port = { { .number = 1 }, { .number = 2 } } },
    };
    static const struct {
        bool isochronous, reserved;
        struct xlx_usb_place want;
        uint32_t hc;
    } cases[] = {
        { true, false, { ANY, ANY }, 1 }, /* the empty one */
        { false, false, { ANY, ANY }, 0 },
        { false, true, { ANY, ANY }, 1 },
        { true, true, { ANY, ANY }, 1 },
        { true, false, { 0, ANY }, 0 }, /* told otherwise */
        { false, true, { 0, ANY }, 0 },
    };
    (void)state;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xlx__usbdev dev = { .busid = "1-2",
                                   .mbits = 480,
                                   .isochronous = cases[i].isochronous };
        const bool reserved[] = { cases[i].reserved, false };
        struct xlx_usb_place got;
        assert_int_equal(xlx__place_choose(ctx, 5, two, reserved, 2, &dev,
                                           &cases[i].want, &got),
                         0);
        assert_int_equal(got.hc, cases[i].hc);
    }
    xlx_ctx_free(ctx);
}

/* At SuperSpeed, and nothing in its descriptors speaks against PVUSB. */
static void a_super_speed_device_can_fit(void **state)
{
    (void)state;
    const struct xlx_usb_place third = { 3, ANY };
    struct xlx__usbdev dev = { .busid = "2-1", .mbits = 5000 };
    struct xlx_usb_place got;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    assert_int_equal(
        xlx__place_choose(ctx, 5, hcs, NULL, NR_HCS, &dev, &third, &got), 0);
    assert_int_equal(got.port, 2);
    xlx_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_chosen),
        cmocka_unit_test(without_a_fitting_controller_one_is_made),
        cmocka_unit_test(isochronous_devices_have_their_own),
        cmocka_unit_test(a_super_speed_device_can_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
