/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Who has a USB device open, in a made up /proc; and as much of usbfs as there
 * is without a device.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "usbd/device.h"

static char proc[64];

static void make_process(const char *pid, const char *name, const char *open)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/comm", proc, pid);
    if (name) {
        FILE *f = fopen(path, "w");
        fprintf(f, "%s\n", name);
        fclose(f);
    }
    snprintf(path, sizeof(path), "%s/%s/fd", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/fd/3", proc, pid);
    assert_int_equal(symlink("/dev/null", path), 0);
    snprintf(path, sizeof(path), "%s/%s/fd/4", proc, pid);
    assert_int_equal(symlink(open, path), 0);
}

static int setup(void **state)
{
    char self[16];
    (void)state;
    snprintf(proc, sizeof(proc), "/tmp/xlx-proc-XXXXXX");
    if (!mkdtemp(proc))
        return 1;
    snprintf(self, sizeof(self), "%d", getpid());
    make_process(self, "self", "/dev/bus/usb/001/005");
    make_process("77", "usbmuxd", "/dev/bus/usb/001/005");
    make_process("78", "od\033d", "/dev/bus/usb/001/006");
    make_process("79", NULL, "/dev/bus/usb/002/005");
    make_process("irq", "irq", "/dev/bus/usb/001/007");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", proc);
    return system(command);
}

static void the_process_that_has_it_is_named(void **state)
{
    static const struct {
        uint32_t bus, address;
        const char *who;
    } tries[] = {
        { 1, 5, " by process usbmuxd (pid 77)" },
        { 1, 6, " by process od?d (pid 78)" },
        { 2, 5, " by process (pid 79)" },
        { 1, 7, "" },
        { 1, 50, "" },
    };
    char who[XLX__USBD_WHY_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        xlx__usbd_who_has(proc, tries[i].bus, tries[i].address, who);
        assert_string_equal(who, tries[i].who);
    }
    xlx__usbd_who_has("/nonexistent", 1, 5, who);
    assert_string_equal(who, "");
}

static void a_device_that_is_not_there(void **state)
{
    const struct xlx__usbd_wish wish = { .busid = "250-1",
                                         .bus = 250,
                                         .address = 120,
                                         .new_config = XLX__USBD_NO_CONFIG };
    struct xlx__usbd_claim claim = { .fd = -1, .bus = 250, .address = 120 };
    struct xlx__usbd_devices *d;
    char why[XLX__USBD_WHY_MAX];
    xlx_ctx *ctx;
    (void)state;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    assert_int_equal(xlx__usbd_devices_host(ctx, &d), 0);
    assert_int_equal(d->ops->claim(d, &wish, &claim, why), -ENODEV);
    assert_string_equal(why, "no such device on this host");
    assert_int_equal(d->ops->give_back(d, &claim, true), -ENODEV);
    d->ops->drop(d, &claim);
    d->seam.close(&d->seam);
    xlx_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_that_has_it_is_named),
        cmocka_unit_test(a_device_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
