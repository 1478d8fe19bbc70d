/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which device a text names.
 */
#include "test.h"

#include "usb/device/selector.h"

static const struct xlx__usbdev devs[] = {
    { .busid = "1-2",
      .bus = 1,
      .address = 4,
      .vendor = 0x046d,
      .product = 0xc52b,
      .serial = "A:1" },
    { .busid = "1-2.3",
      .bus = 1,
      .address = 12,
      .vendor = 0x046d,
      .product = 0xc52b,
      .serial = "B" },
    { .busid = "2-1",
      .bus = 2,
      .address = 4,
      .vendor = 0x046d,
      .product = 0xc52c },
    { .busid = "2-2",
      .bus = 2,
      .address = 5,
      .vendor = 0x1111,
      .product = 0x2222,
      .serial = "\x1b[31m" },
    { .busid = "2-3",
      .bus = 2,
      .address = 6,
      .vendor = 0x1111,
      .product = 0x2222,
      .serial = "\x1b[32m" },
};

#define NR_DEVS ((int)(sizeof(devs) / sizeof(devs[0])))

struct row {
    const char *text;
    int rc; /* or the index of the device */
    const char *says;
};

static const struct row rows[] = {
    { "1-2", 0, NULL },
    { "1-2.3", 1, NULL },
    { "1.4", 0, NULL },
    { "001.012", 1, NULL },
    { "2.4", 2, NULL },
    { "046d:c52c", 2, NULL },
    { "046D:C52C", 2, NULL },
    { "046d:c52b:A:1", 0, NULL },
    { "046d:c52b:B", 1, NULL },
    { "046d:c52b", -ENOTUNIQ,
      "2 devices match: name one by its place: 1-2 (serial A:1), 1-2.3 "
      "(serial B)" },
    { "1111:2222", -ENOTUNIQ, "2-2 (serial ?[31m), 2-3 (serial ?[32m)" },
    { "046d:c52b:b", -ENODEV, "no such device" },
    { "046d:c52b:", -ENODEV, "no such device" },
    { "1.5", -ENODEV, "no such device" },
    { "3.4", -ENODEV, "no such device" },
    { "999.999", -ENODEV, "no such device" },
    { "1111:c52b", -ENODEV, "no such device" },
    { "046d:2222", -ENODEV, "no such device" },
    { "3-1", -ENODEV, "no such device" },
    { "3.1", -ENODEV, "no such device" },
    { "usb1", -ENOTSUP, "root hub" },
    { "", -EINVAL, "names no device" },
    { "1", -EINVAL, "names no device" },
    { "1.", -EINVAL, "names no device" },
    { ".4", -EINVAL, "names no device" },
    { "1.4.2", -EINVAL, "names no device" },
    { "0.4", -EINVAL, "names no device" },
    { "1.1000", -EINVAL, "names no device" },
    { "0001.4", -EINVAL, "names no device" },
    { "1.0", -EINVAL, "names no device" },
    { "1. 4", -EINVAL, "names no device" },
    { "1.+4", -EINVAL, "names no device" },
    { "01-2", -EINVAL, "names no device" },
    { "46d:c52b", -EINVAL, "names no device" },
    { "046d:c52bx", -EINVAL, "names no device" },
    { "0x46:c52b", -EINVAL, "names no device" },
    { "046d", -EINVAL, "names no device" },
    { "../1-2", -EINVAL, "names no device" },
};

static void a_text_names_one_device_or_none(void **state)
{
    (void)state;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        int found = -1;
        int rc = xlx__select_among(ctx, r->text, devs, NR_DEVS, &found);
        if ((rc ? rc : found) != r->rc)
            fail_msg("'%s': %d, device %d", r->text, rc, found);
        if (r->says && !strstr(xlx_ctx_error(ctx), r->says))
            fail_msg("'%s': says %s", r->text, xlx_ctx_error(ctx));
    }
    xlx_ctx_free(ctx);
}

static void six_candidates_are_named(void **state)
{
    (void)state;
    struct xlx__usbdev seven[7];
    int found;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    for (int i = 0; i < 7; i++) {
        seven[i] = devs[2]; /* without a serial number */
        seven[i].busid[2] = (char)('1' + i);
    }
    assert_int_equal(xlx__select_among(ctx, "046d:c52c", seven, 6, &found),
                     -ENOTUNIQ);
    assert_string_equal(xlx_ctx_error(ctx),
                        "usb 046d:c52c: 6 devices match: name one by its "
                        "place: 2-1, 2-2, 2-3, 2-4, 2-5, 2-6");
    assert_int_equal(xlx__select_among(ctx, "046d:c52c", seven, 7, &found),
                     -ENOTUNIQ);
    assert_non_null(strstr(xlx_ctx_error(ctx), " 2-5, 2-6, ..."));
    xlx_ctx_free(ctx);
}

static void many_candidates_are_cut(void **state)
{
    (void)state;
    struct xlx__usbdev many[200];
    int found;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    for (int i = 0; i < 200; i++) {
        many[i] = devs[0];
        memset(many[i].serial, 'x', sizeof(many[i].serial) - 1);
    }
    assert_int_equal(xlx__select_among(ctx, "046d:c52b", many, 200, &found),
                     -ENOTUNIQ);
    assert_non_null(strstr(xlx_ctx_error(ctx), "200 devices match"));
    xlx_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_names_one_device_or_none),
        cmocka_unit_test(six_candidates_are_named),
        cmocka_unit_test(many_candidates_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
