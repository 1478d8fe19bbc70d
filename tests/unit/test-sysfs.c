/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the sysfs seam, over the tree in memory and over a folder
 * that looks the same; then how the one in memory reacts.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fakes/sysfs_mem.h"
#include "usb/device/device.h"

static const struct sysfs_dev disk = {
    .busid = "1-2",
    .class = "00",
    .vendor = "46f4",
    .product_id = "0001",
    .speed = "480",
    .maker = "QEMU",
    .product = "DISK",
    .serial = "S 1",
    .address = "7",
    .intf = { { .name = "1-2:1.0",
                .driver = "usb-storage",
                .match = "usb-storage",
                .class = "080650" },
              { .name = "1-2:1.1", .class = "fg0000" } },
};

static void contract(struct xlx__sysfs *fs)
{
    struct xlx__names names = { 0 };
    char buf[64];
    assert_int_equal(
        fs->ops->read(fs, "bus/usb/devices/1-2/idVendor", buf, sizeof(buf)), 0);
    assert_string_equal(buf, "46f4"); /* no newline */
    assert_int_equal(fs->ops->read(fs, "bus/usb/devices/1-2/idVendor", buf, 4),
                     0);
    assert_string_equal(buf, "46f");
    assert_int_equal(
        fs->ops->read(fs, "bus/usb/devices/1-2/none", buf, sizeof(buf)),
        -ENOENT);
    assert_int_equal(
        fs->ops->read(fs, "bus/usb/devices/1-9/idVendor", buf, sizeof(buf)),
        -ENOENT);

    assert_int_equal(fs->ops->list(fs, "bus/usb/devices/1-2", &names), 0);
    bool seen = false;
    for (size_t i = 0; i < names.nr; i++)
        seen |= !strcmp(names.v[i], "1-2:1.1");
    assert_true(seen);
    xlx__names_free(&names);
    assert_int_equal(fs->ops->list(fs, "bus/usb/devices/1-9", &names), -ENOENT);

    assert_int_equal(
        fs->ops->link(fs, "bus/usb/devices/1-2:1.0/driver", buf, sizeof(buf)),
        0);
    assert_string_equal(buf, "usb-storage");
    assert_int_equal(
        fs->ops->link(fs, "bus/usb/devices/1-2:1.1/driver", buf, sizeof(buf)),
        -ENOENT);
    static const char disk_link[] = "class/block/sdb";
    static const char target[] = "../../devices/pci0/usb1/1-2/block/sdb";
    assert_int_equal(fs->ops->target(fs, disk_link, buf, sizeof(target)), 0);
    assert_string_equal(buf, target);
    assert_int_equal(fs->ops->target(fs, disk_link, buf, sizeof(target) - 1),
                     -ENAMETOOLONG);
    assert_int_equal(fs->ops->link(fs, disk_link, buf, sizeof(buf)), 0);
    assert_string_equal(buf, "sdb");
    assert_int_equal(
        fs->ops->target(fs, "bus/usb/devices/1-2:1.0/driver", buf, sizeof(buf)),
        0);
    assert_string_equal(buf, "../../drivers/usb-storage");
    assert_int_equal(fs->ops->target(fs, "class/block/sdz", buf, sizeof(buf)),
                     -ENOENT);

    assert_int_equal(
        fs->ops->write(fs, "bus/usb/drivers/usb-storage/unbind", "1-2:1.0"), 0);
    assert_true(fs->ops->write(fs, "bus/usb/drivers/none/bind", "1-2:1.0") < 0);
    fs->seam.close(&fs->seam);
}

static void the_fake_keeps_the_contract(void **state)
{
    (void)state;
    struct sysfs_mem *mem = sysfs_mem_new(NULL);
    sysfs_mem_plug(mem, &disk);
    sysfs_mem_put_link(mem, "class/block/sdb",
                       "../../devices/pci0/usb1/1-2/block/sdb");
    contract(sysfs_mem_seam(mem));
}

static void put(const char *root, const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *p = strchr(full + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(full, 0755);
        *p = '/';
    }
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void a_folder_keeps_the_contract(void **state)
{
    (void)state;
    char root[] = "/tmp/xlx-sysfs-XXXXXX", path[128], command[64];
    xlx_ctx *ctx;
    struct xlx__sysfs *fs;
    assert_non_null(mkdtemp(root));
    put(root, "bus/usb/devices/1-2/idVendor", "46f4\n");
    put(root, "bus/usb/devices/1-2/1-2:1.1/x", "");
    put(root, "bus/usb/drivers/usb-storage/unbind", "");
    put(root, "bus/usb/devices/1-2:1.0/x", "");
    put(root, "bus/usb/devices/1-2:1.1/x", "");
    snprintf(path, sizeof(path), "%s/bus/usb/devices/1-2:1.0/driver", root);
    assert_int_equal(symlink("../../drivers/usb-storage", path), 0);
    put(root, "class/block/x", "");
    snprintf(path, sizeof(path), "%s/class/block/sdb", root);
    assert_int_equal(symlink("../../devices/pci0/usb1/1-2/block/sdb", path), 0);

    assert_int_equal(xlx_ctx_new(&ctx), 0);
    xlx_ctx_set_path(ctx, XLX_PATH_SYSFS, root);
    assert_int_equal(xlx__sysfs_root(ctx, &fs), 0);
    contract(fs);
    xlx_ctx_set_path(ctx, XLX_PATH_SYSFS, "/nonexistent");
    assert_int_equal(xlx__sysfs_root(ctx, &fs), -ENOENT);
    xlx_ctx_free(ctx);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static void the_fake_reacts_as_the_kernel_does(void **state)
{
    (void)state;
    struct sysfs_mem *mem = sysfs_mem_new(NULL);
    struct xlx__sysfs *fs = sysfs_mem_seam(mem);
    sysfs_mem_plug(mem, &disk);
    struct sysfs_intf *intf = sysfs_mem_find(mem, "1-2")->intf;
    static const char storage[] = "bus/usb/drivers/usb-storage";
    char bind[64], unbind[64];
    snprintf(bind, sizeof(bind), "%s/bind", storage);
    snprintf(unbind, sizeof(unbind), "%s/unbind", storage);

    assert_int_equal(fs->ops->write(fs, unbind, "1-2:1.0"), 0);
    assert_null(intf->driver);
    assert_int_equal(fs->ops->write(fs, unbind, "1-2:1.0"), -ENODEV);
    assert_int_equal(fs->ops->write(fs, bind, "1-2:1.0"), 0);
    assert_string_equal(intf->driver, "usb-storage");
    assert_int_equal(fs->ops->write(fs, bind, "1-2:1.0"), -EBUSY);
    assert_int_equal(fs->ops->write(fs, unbind, "1-2:1.0"), 0);
    assert_int_equal(fs->ops->write(fs, "bus/usb/drivers_probe", "1-2:1.0"), 0);
    assert_string_equal(intf->driver, "usb-storage");
    fs->seam.close(&fs->seam);
}

/* --- devices above the seam ----------------------------------------------- */

static struct xlx__usbdev read_dev(const struct sysfs_dev *dev)
{
    struct sysfs_mem *mem = sysfs_mem_new(NULL);
    struct xlx__usbdev got;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    ctx->sysfs = sysfs_mem_seam(mem);
    sysfs_mem_plug(mem, dev);
    assert_int_equal(xlx__usbdev_read(ctx, dev->busid, &got), 0);
    assert_int_equal(xlx__usbdev_read(ctx, "7-7", &got), -ENODEV);
    xlx_ctx_free(ctx);
    return got;
}

static void a_device_is_read(void **state)
{
    (void)state;
    struct xlx__usbdev dev = read_dev(&disk);
    assert_int_equal(dev.vendor, 0x46f4);
    assert_int_equal(dev.product, 1);
    assert_int_equal(dev.mbits, 480);
    assert_false(dev.hub);
    assert_string_equal(dev.name, "QEMU DISK");
    assert_string_equal(dev.serial, "S 1");
    assert_int_equal(dev.bus, 1);
    assert_int_equal(dev.address, 7);
    assert_int_equal(dev.nr_intfs, 2);
    assert_int_equal(dev.intf[0].class, 8);
    assert_int_equal(dev.intf[0].subclass, 6);
    assert_int_equal(dev.intf[0].protocol, 0x50);
    assert_int_equal(dev.intf[1].number, 1);
    assert_int_equal(dev.intf[1].class, 0); /* "fg" is no number */
}

static void all_devices_are_listed_by_place(void **state)
{
    (void)state;
    struct sysfs_mem *mem = sysfs_mem_new(NULL);
    static const char *const busids[] = { "1-10", "2-1", "1-2.1", "1-2" };
    struct xlx__usbdev *list;
    xlx_ctx *ctx;
    assert_int_equal(xlx_ctx_new(&ctx), 0);
    ctx->sysfs = sysfs_mem_seam(mem);
    for (size_t i = 0; i < 4; i++) {
        struct sysfs_dev dev = disk;
        dev.busid = busids[i];
        sysfs_mem_plug(mem, &dev);
    }
    assert_int_equal(xlx__usbdev_list(ctx, &list), 4);
    assert_string_equal(list[0].busid, "1-2");
    assert_string_equal(list[1].busid, "1-2.1");
    assert_string_equal(list[2].busid, "1-10");
    assert_string_equal(list[3].busid, "2-1");
    free(list);
    xlx_ctx_free(ctx);
}

static void odd_attributes_do_no_harm(void **state)
{
    (void)state;
    char longest[500];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    const struct sysfs_dev odd = { .busid = "1-5",
                                   .class = "0x",
                                   .vendor = "zzzz",
                                   .product_id = "12345",
                                   .speed = "1.5",
                                   .maker = longest,
                                   .product = longest,
                                   .serial = longest,
                                   .address = "-1" };
    struct xlx__usbdev dev = read_dev(&odd);
    assert_int_equal(dev.vendor, 0);
    assert_int_equal(dev.product, 0);
    assert_int_equal(dev.mbits, 1);
    assert_int_equal(strlen(dev.name), XLX_USB_NAME_MAX - 1);

    assert_int_equal(strlen(dev.serial), XLX_USB_SERIAL_MAX - 1);
    assert_int_equal(dev.address, 0);

    const struct sysfs_dev hub = { .busid = "1-6",
                                   .class = "09",
                                   .vendor = "0001",
                                   .product_id = "0002",
                                   .speed = "unknown",
                                   .product = "HUB" };
    dev = read_dev(&hub);
    assert_true(dev.hub);
    assert_int_equal(dev.mbits, 0);
    assert_string_equal(dev.name, "HUB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_the_contract),
        cmocka_unit_test(a_folder_keeps_the_contract),
        cmocka_unit_test(the_fake_reacts_as_the_kernel_does),
        cmocka_unit_test(a_device_is_read),
        cmocka_unit_test(all_devices_are_listed_by_place),
        cmocka_unit_test(odd_attributes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
