/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a host uses a USB device for: each kind, through what may stand between,
 * and what is to be left alone. /sys is in memory, /proc a folder.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fakes/sysfs_mem.h"
#include "fakes/xenstore_mem.h"
#include "host/mounts.h"
#include "usb/admission/use.h"

#define DEVICES "../../devices/"
#define PCI DEVICES "pci0000:00/0000:00:14.0/usb1/"
#define STICK PCI "1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb"
#define OTHER_STICK PCI "1-2.1/1-2.1:1.0/host7/target7:0:0/7:0:0:0/block/sdc"
#define INTERNAL DEVICES "pci0000:00/0000:00:17.0/ata1/host0/block/sda"
#define KEYS "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
#define POWER_KEYS "10000000000000 0"

#define HOST_ROOT "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define SWAPS_HEAD "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

struct world {
    xlx_ctx *ctx;
    struct nth nth;
    struct sysfs_mem *sysfs;
    struct xs_mem *xs;
    char proc[64];
    struct xlx__usbdev dev;
};

static void proc_file(struct world *w, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", w->proc, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* `lines` are those beside the root file system on sda1. */
static void mounts(struct world *w, const char *lines)
{
    char text[2048];
    snprintf(text, sizeof(text), HOST_ROOT "%s", lines);
    proc_file(w, "self/mountinfo", text);
}

static void put(struct world *w, const char *folder, const char *attr,
                const char *value)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, attr);
    sysfs_mem_put(w->sysfs, path, value);
}

static void block(struct world *w, const char *name, const char *dev,
                  const char *target)
{
    char path[64];
    snprintf(path, sizeof(path), "class/block/%s", name);
    sysfs_mem_put_link(w->sysfs, path, target);
    put(w, path, "dev", dev);
}

static void attr(struct world *w, const char *name, const char *attribute,
                 const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "class/block/%s", name);
    put(w, path, attribute, value);
}

static void holder(struct world *w, const char *name, const char *holder_name)
{
    char path[64], target[64];
    snprintf(path, sizeof(path), "class/block/%s/holders/%s", name,
             holder_name);
    snprintf(target, sizeof(target), "../../../virtual/block/%s", holder_name);
    sysfs_mem_put_link(w->sysfs, path, target);
}

/* md0, dm-0, loop0: what has no device. */
static void made(struct world *w, const char *name, const char *dev)
{
    char target[64];
    snprintf(target, sizeof(target), DEVICES "virtual/block/%s", name);
    block(w, name, dev, target);
}

static void mapped(struct world *w, const char *name, const char *dev,
                   const char *mapper_name)
{
    made(w, name, dev);
    attr(w, name, "dm/name", mapper_name);
}

static void stick(struct world *w)
{
    block(w, "sdb", "8:16", STICK);
    block(w, "sdb1", "8:17", STICK "/sdb1");
    block(w, "sdb2", "8:18", STICK "/sdb2");
}

static void input(struct world *w, int number, const char *name,
                  const char *parent, const char *keys)
{
    char path[64], target[200];
    snprintf(path, sizeof(path), "class/input/input%d", number);
    snprintf(target, sizeof(target), "%s/input/input%d", parent, number);
    sysfs_mem_put_link(w->sysfs, path, target);
    put(w, path, "name", name);
    put(w, path, "capabilities/key", keys);
    snprintf(path, sizeof(path), "class/input/event%d", number + 10);
    snprintf(target, sizeof(target), "%s/input/input%d/event%d", parent, number,
             number + 10);
    sysfs_mem_put_link(w->sysfs, path, target);
}

static void keyboard(struct world *w)
{
    input(w, 5, "Acme Keyboard", PCI "1-2/1-2:1.0/0003:046D:C31C.0001", KEYS);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char path[128];
    snprintf(w->proc, sizeof(w->proc), "/tmp/xlx-use-XXXXXX");
    assert_non_null(mkdtemp(w->proc));
    snprintf(path, sizeof(path), "%s/self", w->proc);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(xlx_ctx_new(&w->ctx), 0);
    w->sysfs = sysfs_mem_new(&w->nth);
    w->ctx->sysfs = sysfs_mem_seam(w->sysfs);
    w->xs = xs_mem_new(&w->nth);
    w->ctx->xs = xs_mem_seam(w->xs);
    xlx_ctx_set_path(w->ctx, XLX_PATH_PROC, w->proc);
    w->dev = (struct xlx__usbdev){ .busid = "1-2", .bus = 1, .name = "Acme" };
    sysfs_mem_put_link(w->sysfs, "bus/usb/devices/1-2", PCI "1-2");
    block(w, "sda", "8:0", INTERNAL);
    block(w, "sda1", "8:1", INTERNAL "/sda1");
    mounts(w, "");
    proc_file(w, "swaps", SWAPS_HEAD);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char command[128];
    xlx_ctx_free(w->ctx);
    snprintf(command, sizeof(command), "rm -rf %s", w->proc);
    int rc = system(command);
    free(w);
    return rc;
}

static void assert_use(struct world *w, enum xlx__usb_use use, const char *what)
{
    struct xlx__usb_use_found found = { XLX__USE_NONE, "untouched" };
    assert_int_equal(xlx__usb_use(w->ctx, &w->dev, &found), 0);
    if (found.use != use || strcmp(found.what, what))
        fail_msg("use %d (%s), not %d (%s)", found.use, found.what, use, what);
}

/* --- file systems and swap ------------------------------------------------ */

static void an_idle_stick_is_free(void **state)
{
    struct world *w = *state;
    assert_use(w, XLX__USE_NONE, ""); /* no disk at all */
    stick(w);
    /* A holder and mounts of others, and what only looks alike. */
    block(w, "sdc", "8:32", OTHER_STICK);
    holder(w, "sdc", "md0");
    made(w, "md0", "9:0");
    mounts(w, "30 22 8:32 / /a rw - ext4 /dev/sdc rw\n"
              "31 22 8:170 / /b rw - ext4 /dev/sdk10 rw\n"
              "32 22 0:40 / /c rw - tmpfs sdb1 rw\n"
              "33 22 8:1 /dev/sdb1 /dev/sdb1 rw - ext4 /dev/sda1 rw\n");
    assert_use(w, XLX__USE_NONE, "");
}

static void a_mounted_partition_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    mounts(w, "30 22 8:17 / /mnt/stick rw,nosuid shared:7 master:1 - vfat "
              "/dev/sdb1 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /mnt/stick");
    /* Its number decides, not the name by which it was mounted. */
    mounts(w, "30 22 8:16 / /mnt rw - iso9660 /dev/disk/by-label/X ro\n");
    assert_use(w, XLX__USE_MOUNTED, "sdb on /mnt");
    static const char *const others[] = { "1-2.1", "1-20", "2-1", "1" };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(w->dev.busid, sizeof(w->dev.busid), "%s", others[i]);
        assert_use(w, XLX__USE_NONE, "");
    }
}

static void mount_points_are_unescaped_and_cut(void **state)
{
    struct world *w = *state;
    char line[400], where[300];
    stick(w);
    mounts(w, "30 22 8:17 / /mnt/a\\040b\\134\\0111\\08 rw - vfat /dev/x rw\n");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /mnt/a b\\\t1\\08");
    memset(where, 'x', sizeof(where) - 1);
    where[sizeof(where) - 1] = '\0';
    snprintf(line, sizeof(line), "30 22 8:17 / /%s rw - vfat x rw\n", where);
    mounts(w, line);
    where[sizeof(((struct xlx__usb_use_found *)0)->what) - 10] = '\0';
    snprintf(line, sizeof(line), "sdb1 on /%s", where);
    assert_use(w, XLX__USE_MOUNTED, line);
}

static void odd_lines_do_no_harm(void **state)
{
    struct world *w = *state;
    stick(w);
    mounts(w, "\n30\n30 22 8:17\n30 22 8:17 /\n"
              "30 22 0:9 / /d rw\n30 22 0:9 / /e rw -\n30 22 0:9 / /f rw - x\n"
              "30 22 0:9 / /g rw - x  rw\n30 22 0:9 / - rw - x \\04");
    proc_file(w, "swaps", "\n\n/\nx");
    assert_use(w, XLX__USE_NONE, "");
    mounts(w, "30 22 8:17 / /cut");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /cut");
}

static void swap_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    proc_file(w, "swaps",
              SWAPS_HEAD
              "/dev/sdb2                partition\t8388604\t0\t-2\n");
    mounts(w, "30 22 8:17 / /mnt/stick rw - vfat /dev/sdb1 rw\n");
    assert_use(w, XLX__USE_SWAP, "swap on sdb2"); /* graver than the mount */
    proc_file(w, "swaps", SWAPS_HEAD "/dev/sdb22\tpartition\t8388604\t0\t-2\n");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /mnt/stick");
    assert_int_equal(unlink(strcat(w->proc, "/swaps")), 0);
    *strrchr(w->proc, '/') = '\0';
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /mnt/stick");
}

static void a_btrfs_is_found_on_each_of_its_devices(void **state)
{
    struct world *w = *state;
    stick(w);
    mounts(w, "30 22 0:31 /@ /data rw - btrfs /dev/sdb1 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /data");
    /* The mounts name another device, */
    block(w, "sdc", "8:32", OTHER_STICK);
    mounts(w, "30 22 0:31 /@ /data rw - btrfs /dev/sdc rw\n");
    sysfs_mem_put_link(w->sysfs, "fs/btrfs/0815/devices/sdc", OTHER_STICK);
    sysfs_mem_put_link(w->sysfs, "fs/btrfs/0815/devices/sdb1", STICK "/sdb1");
    put(w, "fs/btrfs/features", "raid56", "0");
    assert_use(w, XLX__USE_MOUNTED, "sdb1 on /data");
    /* or are in another name space. */
    mounts(w, "");
    assert_use(w, XLX__USE_MOUNTED, "sdb1");
    mounts(w, "30 22 0:31 /@ / rw - btrfs /dev/sdc rw\n");
    assert_use(w, XLX__USE_ROOT, "sdb1");
}

static void root_is_the_gravest(void **state)
{
    struct world *w = *state;
    stick(w);
    proc_file(w, "swaps", SWAPS_HEAD "/dev/sdb1\tpartition\t1\t0\t-2\n");
    proc_file(w, "self/mountinfo",
              "30 22 8:17 / /boot rw - vfat /dev/sdb1 rw\n"
              "22 1 8:18 / / rw,relatime shared:1 - ext4 /dev/root rw\n");
    assert_use(w, XLX__USE_ROOT, "sdb2");
}

/* --- what stands between -------------------------------------------------- */

static void md_over_two_sticks(void **state)
{
    struct world *w = *state;
    stick(w);
    block(w, "sdc", "8:32", OTHER_STICK);
    made(w, "md0", "9:0");
    holder(w, "sdb1", "md0");
    holder(w, "sdc", "md0");
    assert_use(w, XLX__USE_RAID, "md0");
    mounts(w, "30 22 9:0 / /srv rw - ext4 /dev/md0 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "md0 on /srv");
    snprintf(w->dev.busid, sizeof(w->dev.busid), "1-2.1");
    assert_use(w, XLX__USE_MOUNTED, "md0 on /srv");
    /* A partition of the array. */
    block(w, "md0p1", "259:0", DEVICES "virtual/block/md0/md0p1");
    proc_file(w, "self/mountinfo", "22 1 259:0 / / rw - ext4 /dev/md0p1 rw\n");
    assert_use(w, XLX__USE_ROOT, "md0p1");
}

static void lvm_root_on_a_stick(void **state)
{
    struct world *w = *state;
    stick(w);
    mapped(w, "dm-0", "253:0", "luks");
    mapped(w, "dm-1", "253:1", "vg-root");
    mapped(w, "dm-2", "253:2", "vg-swap");
    holder(w, "sdb2", "dm-0");
    assert_use(w, XLX__USE_MAPPED, "luks");
    holder(w, "dm-0", "dm-1");
    holder(w, "dm-0", "dm-2");
    assert_use(w, XLX__USE_MAPPED, "luks");
    proc_file(w, "swaps", SWAPS_HEAD "/dev/dm-2 partition\t1\t0\t-2\n");
    assert_use(w, XLX__USE_SWAP, "swap on vg-swap");
    proc_file(w, "self/mountinfo",
              "22 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n");
    assert_use(w, XLX__USE_ROOT, "vg-root");
    proc_file(w, "self/mountinfo",
              "22 1 0:33 /@ / rw - btrfs /dev/mapper/vg-root rw\n");
    assert_use(w, XLX__USE_ROOT, "vg-root");
}

static void other_holders(void **state)
{
    struct world *w = *state;
    stick(w);
    attr(w, "sdb1", "bcache/set", ""); /* a cache */
    assert_use(w, XLX__USE_HELD, "sdb1");
    attr(w, "sdb1", "bcache/set", NULL);
    made(w, "bcache0", "252:0");
    holder(w, "sdb1", "bcache0");
    assert_use(w, XLX__USE_HELD, "bcache0");
    mapped(w, "dm-0", "253:0", "mpatha");
    holder(w, "sdb", "dm-0");
    assert_use(w, XLX__USE_MAPPED, "mpatha");
    made(w, "md0", "9:0");
    holder(w, "dm-0", "md0");
    assert_use(w, XLX__USE_RAID, "md0");
    mounts(w, "30 22 252:0 / /cached rw - ext4 /dev/bcache0 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "bcache0 on /cached");
}

static void loops_are_found(void **state)
{
    struct world *w = *state;
    stick(w);
    made(w, "loop0", "7:0"); /* not set up */
    made(w, "loop1", "7:1");
    attr(w, "loop1", "loop/backing_file", "/dev/sdb11");
    assert_use(w, XLX__USE_NONE, "");
    attr(w, "loop1", "loop/backing_file", "/dev/sdb1");
    assert_use(w, XLX__USE_HELD, "loop1");
    block(w, "loop1p3", "259:3", DEVICES "virtual/block/loop1/loop1p3");
    mounts(w, "30 22 259:3 / /img rw - ext4 /dev/loop1p3 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "loop1p3 on /img");
}

#define VBD "/local/domain/0/backend/vbd/3/51712"
#define QDISK "/local/domain/0/backend/qdisk/4/51728"

static void a_guests_disk_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, VBD "/state", "4");
    xs_mem_put(w->xs, VBD "/physical-device", "8:1"); /* sda1 */
    xs_mem_put(w->xs, VBD "/params", "/dev/sdb");     /* what it was made of */
    assert_use(w, XLX__USE_NONE, "");
    xs_mem_put(w->xs, VBD "/physical-device", "8:10"); /* hexadecimal */
    assert_use(w, XLX__USE_GUEST, "sdb on domain 3");
    xs_mem_put(w->xs, VBD "/state", "6");
    assert_use(w, XLX__USE_NONE, "");
    /* before the script has run there is only the name */
    xs_mem_put(w->xs, VBD "/state", "1");
    xs_mem_put(w->xs, VBD "/physical-device", NULL);
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", false);
    assert_use(w, XLX__USE_GUEST, "sdb on domain 3");
    /* and when it has, the name may be another one's by now */
    xs_mem_put(w->xs, VBD "/physical-device", "8:1");
    assert_use(w, XLX__USE_NONE, "");
    xs_mem_put(w->xs, VBD, NULL);
    xs_mem_put(w->xs, QDISK "/params", "aio:/dev/disk/by-id/x");
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put_block(w->sysfs, "/dev/disk/by-id/x", "8:17", false);
    assert_use(w, XLX__USE_GUEST, "sdb1 on domain 4");
    /* a volume on the stick */
    sysfs_mem_put_block(w->sysfs, "/dev/disk/by-id/x", "253:0", false);
    mapped(w, "dm-0", "253:0", "vg-data");
    holder(w, "sdb2", "dm-0");
    assert_use(w, XLX__USE_GUEST, "vg-data on domain 4");
}

/* 12 bits and 20: the kernel's limits. */
static void numbers_of_disks_at_their_bounds(void **state)
{
    struct world *w = *state;
    block(w, "sdb", "4095:1048575", STICK);
    xs_mem_put(w->xs, VBD "/physical-device", "fff:fffff");
    assert_use(w, XLX__USE_GUEST, "sdb on domain 3");
    xs_mem_put(w->xs, VBD "/physical-device", "fff:ffffe");
    assert_use(w, XLX__USE_NONE, "");
    xs_mem_put(w->xs, VBD "/physical-device", "fff:0fffff");
    assert_use(w, XLX__USE_NONE, "");
}

static void a_guests_disk_by_tapdisk_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, "/local/domain/0/backend/vbd3/4/51712/physical-device",
               "8:11");
    assert_use(w, XLX__USE_GUEST, "sdb1 on domain 4");
}

#define VIRTIO "/local/domain/0/backend/virtio_disk/5/51712"
#define VSCSI "/local/domain/0/backend/vscsi/6/0/vscsi-devs/dev-0"

static void a_guests_disk_by_virtio_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, VIRTIO "/params", "/dev/sdb1");
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put_block(w->sysfs, "/dev/sdb1", "8:17", false);
    assert_use(w, XLX__USE_GUEST, "sdb1 on domain 5");
}

/* Named as a file, or as the kernel's SCSI has it. */
static void a_guests_lun_is_found(void **state)
{
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, VSCSI "/p-dev", "8:0:0:1");
    put(w, "class/scsi_device/8:0:0:0/device/block/sdb", "dev", "8:16");
    assert_use(w, XLX__USE_NONE, "");
    xs_mem_put(w->xs, VSCSI "/p-dev", "8:0:0:0");
    assert_use(w, XLX__USE_GUEST, "sdb on domain 6");
    xs_mem_put(w->xs, VSCSI "/p-dev", "naa.5000c500:0");
    assert_use(w, XLX__USE_NONE, "");
    xs_mem_put(w->xs, VSCSI "/p-dev", "../../block/x");
    put(w, "class/scsi_device/../../block/x/device/block/sdb", "dev", "8:16");
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", false);
    for (int i = 0; i < 2; i++) {
        xs_mem_put(w->xs, VSCSI "/p-devname", i ? "/dev/sdb" : "sdb");
        assert_use(w, XLX__USE_GUEST, "sdb on domain 6");
    }
}

/* As udev names a disk: longer than most. */
static void a_lun_of_any_name_is_found(void **state)
{
    static const char name[] =
        "/dev/disk/by-id/usb-Vendor_Ultra_Fit_4C530001230101116083-0:0-part1";
    static char longest[4096 + 1];
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, VSCSI "/p-devname", name);
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put_block(w->sysfs, name, "8:17", false);
    assert_use(w, XLX__USE_GUEST, "sdb1 on domain 6");
    /* one that names no disk says nothing: its number does */
    memset(longest, 'x', sizeof(longest) - 1);
    put(w, "class/scsi_device/8:0:0:0/device/block/sdb", "dev", "8:16");
    for (int i = 0; i < 2; i++) {
        xs_mem_put(w->xs, VSCSI "/p-devname", i ? longest : "sdz");
        xs_mem_put(w->xs, VSCSI "/p-dev", NULL);
        assert_use(w, XLX__USE_NONE, "");
        xs_mem_put(w->xs, VSCSI "/p-dev", "8:0:0:0");
        assert_use(w, XLX__USE_GUEST, "sdb on domain 6");
    }
}

/* The last LUN of the second SCSI host. */
static void all_luns_are_looked_at(void **state)
{
    static const char *const luns[] = { "0/vscsi-devs/dev-0",
                                        "0/vscsi-devs/dev-1",
                                        "1/vscsi-devs/dev-0",
                                        "1/vscsi-devs/dev-7" };
    struct world *w = *state;
    char path[128];
    stick(w);
    sysfs_mem_put_block(w->sysfs, "/dev/sda", "8:0", false);
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", false);
    for (int used = 3; used >= 0; used--) {
        for (int i = 0; i < 4; i++) {
            snprintf(path, sizeof(path),
                     "/local/domain/0/backend/vscsi/6/%s/p-devname", luns[i]);
            xs_mem_put(w->xs, path, i == used ? "sdb" : "sda");
        }
        assert_use(w, XLX__USE_GUEST, "sdb on domain 6");
    }
}

/* A backend closes a LUN, and the toolstack removes its nodes later. */
static void a_closed_lun_is_nobodys(void **state)
{
    static const char *const states[] = { "1", "4", "5", "6" };
    struct world *w = *state;
    stick(w);
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", false);
    xs_mem_put(w->xs, VSCSI "/p-devname", "/dev/sdb");
    for (int i = 0; i < 4; i++) {
        xs_mem_put(w->xs, VSCSI "/state", states[i]);
        if (i < 3)
            assert_use(w, XLX__USE_GUEST, "sdb on domain 6");
        else
            assert_use(w, XLX__USE_NONE, "");
    }
}

/* --- the network ---------------------------------------------------------- */

#define CARD PCI "1-2/1-2:1.0/net/eth1"
#define ROUTE_HEAD \
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
#define ROUTE(card, to, mask) \
    card "\t" to "\t0101A8C0\t0003\t0\t0\t100\t" mask "\t0\t0\t0\n"
#define ZERO "00000000000000000000000000000000"
#define ROUTE6(to, len, card)                                               \
    to " " len " " ZERO " 00 " ZERO " 00000400 00000001 00000000 00000003 " \
       "    " card "\n"

static void cards_without_a_use(void **state)
{
    struct world *w = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/net", w->proc);
    assert_int_equal(mkdir(path, 0700), 0);
    sysfs_mem_put_link(w->sysfs, "class/net/eth1", CARD);
    sysfs_mem_put_link(w->sysfs, "class/net/eth0",
                       DEVICES "pci0000:00/0000:00:03.0/net/eth0");
    put(w, "class/net/eth0", "upper_xenbr0", "");
    put(w, "class/net/eth1", "operstate", "up");
    assert_use(w, XLX__USE_NONE, "");
    proc_file(w, "net/route",
              ROUTE_HEAD ROUTE("eth0", "00000000", "00000000")
                  ROUTE("eth1", "0001A8C0", "00FFFFFF")
                      ROUTE("eth1", "00000000", "00000080"));
    proc_file(w, "net/ipv6_route",
              ROUTE6(ZERO, "00", "lo") ROUTE6(ZERO, "01", "eth1") "\n \n");
    assert_use(w, XLX__USE_NONE, "");
}

static void the_hosts_network(void **state)
{
    struct world *w = *state;
    cards_without_a_use(state);
    proc_file(w, "net/ipv6_route", ROUTE6(ZERO, "00", "eth1"));
    assert_use(w, XLX__USE_NETWORK, "eth1, default route");
    proc_file(w, "net/ipv6_route", "");
    assert_use(w, XLX__USE_NONE, "");
    proc_file(w, "net/route", ROUTE_HEAD ROUTE("eth1", "00000000", "00000000"));
    assert_use(w, XLX__USE_NETWORK, "eth1, default route");
    put(w, "class/net/eth1", "upper_xenbr0", "");
    assert_use(w, XLX__USE_NETWORK, "eth1 below xenbr0");
}

static void odd_disks_do_no_harm(void **state)
{
    static const char *const params[] = { "", "aio:", "rbd:pool/image", "/",
                                          "qcow2:/dev/sdc" };
    static const char *const numbers[] = { "",       ":",     "8",
                                           "8:",     "8:10x", "fffffffff:1",
                                           "8:10:0", " 8:10", "0x8:10",
                                           "8:+10" };
    struct world *w = *state;
    stick(w);
    xs_mem_put(w->xs, "/local/domain/0/backend/vbd/x/1/physical-device",
               "8:10");
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        xs_mem_put(w->xs, QDISK "/params", params[i]);
        assert_use(w, XLX__USE_NONE, "");
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        xs_mem_put(w->xs, VBD "/physical-device", numbers[i]);
        assert_use(w, XLX__USE_NONE, "");
    }
}

static void an_exclusive_opener_is_found(void **state)
{
    struct world *w = *state;
    struct xlx__usb_use_found found;
    stick(w);
    sysfs_mem_put_block(w->sysfs, "/dev/sda1", "8:1", true);
    assert_int_equal(xlx__usb_use_exclusive(w->ctx, &w->dev, &found), 0);
    assert_int_equal(found.use, XLX__USE_NONE);
    sysfs_mem_put_block(w->sysfs, "/dev/sdb2", "8:18", true);
    assert_use(w, XLX__USE_NONE, ""); /* a list does not open it */
    int n = 1;
    for (;; n++) {
        found.use = XLX__USE_VIRTUAL;
        w->nth = (struct nth){ .fail_at = n };
        int rc = xlx__usb_use_exclusive(w->ctx, &w->dev, &found);
        bool more = w->nth.calls >= n;
        assert_int_equal(rc, more ? -EIO : 0);
        if (!more)
            break;
        assert_int_equal(found.use, XLX__USE_VIRTUAL);
    }
    assert_true(n > 5);
    assert_int_equal(found.use, XLX__USE_EXCLUSIVE);
    assert_string_equal(found.what, "/dev/sdb2");
}

static void a_ring_of_holders_ends(void **state)
{
    struct world *w = *state;
    char name[16], above[16];
    stick(w);
    holder(w, "sdb1", "dm-0");
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "dm-%d", i);
        snprintf(above, sizeof(above), "dm-%d", (i + 1) % 40);
        made(w, name, "253:9");
        holder(w, name, above);
        holder(w, name, name);
    }
    assert_use(w, XLX__USE_MAPPED, "dm-0");
    holder(w, "sdb2", "md7"); /* which class/block does not have */
    assert_use(w, XLX__USE_RAID, "md7");
}

/* --- keyboards ------------------------------------------------------------ */

static void the_only_keyboard_is_kept(void **state)
{
    struct world *w = *state;
    keyboard(w);
    input(w, 1, "Power Button", DEVICES "LNXSYSTM:00/LNXPWRBN:00", POWER_KEYS);
    /* A program that rewrites the keys of the keyboard. */
    input(w, 9, "keyd", DEVICES "virtual", KEYS);
    assert_use(w, XLX__USE_LAST_KEYBOARD, "Acme Keyboard");
}

static void another_keyboard_frees_it(void **state)
{
    static const char *const parents[] = {
        DEVICES "platform/i8042/serio0",
        PCI "1-2.1/1-2.1:1.0/0003:046D:C31C.0002",
        DEVICES "virtual/misc/uhid/0005:046D:B342.0005", /* bluetooth */
    };
    struct world *w = *state;
    keyboard(w);
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        input(w, 0, "other", parents[i], KEYS);
        assert_use(w, XLX__USE_NONE, "");
    }
    input(w, 0, "keypad", parents[0], "ffffffff febeffdfffefffff 3ffc");
    assert_use(w, XLX__USE_LAST_KEYBOARD, "Acme Keyboard");
    input(w, 0, "other", parents[0], "fffffffe"); /* words of 32 bits */
    assert_use(w, XLX__USE_NONE, "");
}

static void a_composite_dongle_counts_as_a_whole(void **state)
{
    struct world *w = *state;
    input(w, 3, "Dongle Mouse", PCI "1-2/1-2:1.1/0003:1.3", "1f0000 0 0 0 0");
    assert_use(w, XLX__USE_NONE, "");
    input(w, 4, "Dongle", PCI "1-2/1-2:1.0/0003:1.2", KEYS);
    input(w, 5, "Dongle too", PCI "1-2/1-2:1.2/0003:1.4", KEYS);
    assert_use(w, XLX__USE_LAST_KEYBOARD, "Dongle");
}

static void a_keyboard_without_driver_is_one(void **state)
{
    struct world *w = *state;
    w->dev.nr_intfs = 2;
    w->dev.intf[0] = (struct xlx__usbintf){ 0, 3, 1, 2 }; /* a mouse */
    w->dev.intf[1] = (struct xlx__usbintf){ 1, 3, 0, 0 };
    assert_use(w, XLX__USE_NONE, "");
    w->dev.intf[1] = (struct xlx__usbintf){ 1, 3, 1, 1 };
    assert_use(w, XLX__USE_LAST_KEYBOARD, "Acme");
}

/* --- virtual controllers -------------------------------------------------- */

static void what_sits_behind_a_virtual_controller_is_found(void **state)
{
    static const struct {
        const char *target, *what;
    } cases[] = {
        { DEVICES "platform/vhci_hcd.0/usb1/1-2", "vhci_hcd.0" },
        { DEVICES "platform/dummy_hcd.1/usb1/1-2", "dummy_hcd.1" },
        { DEVICES "vusb-0/usb1/1-2", "vusb-0" },
        { DEVICES "pci0000:00/my_vhci_hcd/xvusb-0/usb1/1-2", NULL },
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sysfs_mem_put_link(w->sysfs, "bus/usb/devices/1-2", cases[i].target);
        assert_use(w, cases[i].what ? XLX__USE_VIRTUAL : XLX__USE_NONE,
                   cases[i].what ? cases[i].what : "");
    }
    sysfs_mem_put(w->sysfs, "bus/usb/devices/usb1/serial", "vusb-3");
    assert_use(w, XLX__USE_VIRTUAL, "vusb-3");
    w->dev.bus = 2;
    assert_use(w, XLX__USE_NONE, "");
    sysfs_mem_put(w->sysfs, "bus/usb/devices/usb2/serial", "0000:00:14.0");
    assert_use(w, XLX__USE_NONE, "");
}

/* --- failures ------------------------------------------------------------- */

static void no_list_of_mounts_is_a_failure(void **state)
{
    struct world *w = *state;
    struct xlx__usb_use_found found;
    stick(w);
    xlx_ctx_set_path(w->ctx, XLX_PATH_PROC, "/nonexistent");
    assert_int_equal(xlx__usb_use(w->ctx, &w->dev, &found), -ENOENT);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "self/mountinfo"));
    xlx_ctx_set_path(w->ctx, XLX_PATH_PROC, w->proc);
    assert_int_equal(unlink(strcat(w->proc, "/swaps")), 0);
    assert_int_equal(mkdir(w->proc, 0755), 0); /* no file at all */
    *strrchr(w->proc, '/') = '\0';
    assert_int_equal(xlx__usb_use(w->ctx, &w->dev, &found), -EISDIR);
}

static void count(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)text;
    ++*(int *)user;
}

/* Something of everything, nothing of which is a use. */
static void busy_world(struct world *w)
{
    stick(w);
    made(w, "loop0", "7:0");
    mapped(w, "dm-0", "253:0", "x");
    made(w, "md0", "9:0");
    holder(w, "sdb1", "dm-0");
    holder(w, "dm-0", "md0");
    sysfs_mem_put_link(w->sysfs, "fs/btrfs/0815/devices/sda1", INTERNAL);
    xs_mem_put(w->xs, VBD "/physical-device", "8:1");
    xs_mem_put(w->xs, QDISK "/params", "aio:/dev/sda");
}

static void idle_world(struct world *w)
{
    stick(w);
    sysfs_mem_put_link(w->sysfs, "fs/btrfs/0815/devices/sda1", INTERNAL);
    keyboard(w);
    input(w, 0, "AT", DEVICES "platform/i8042/serio0", KEYS);
}

/* True while there is an n-th call. */
static bool fail_nth(struct world *w, int n, enum xlx__usb_use use)
{
    struct xlx__usb_use_found found = { XLX__USE_VIRTUAL, "untouched" };
    int reports = 0;
    xlx_ctx_set_log(w->ctx, count, &reports, XLX_LOG_ERROR);
    w->nth = (struct nth){ .fail_at = n };
    int rc = xlx__usb_use(w->ctx, &w->dev, &found);
    bool more = w->nth.calls >= n;
    w->nth = (struct nth){ 0 };
    xlx_ctx_set_log(w->ctx, NULL, NULL, XLX_LOG_ERROR);
    if (rc != (more ? -EIO : 0) || reports != more)
        fail_msg("call %d: %d, %d reports", n, rc, reports);
    assert_int_equal(found.use, more ? XLX__USE_VIRTUAL : use);
    return more;
}

static void a_failure_anywhere_is_told_once(void **state)
{
    struct world *w = *state;
    int n = 1;
    busy_world(w);
    while (fail_nth(w, n, XLX__USE_RAID))
        n++;
    assert_true(n > 30);
}

static void a_failure_is_never_taken_for_idle(void **state)
{
    struct world *w = *state;
    int n = 1;
    idle_world(w);
    while (fail_nth(w, n, XLX__USE_NONE))
        n++;
    assert_true(n > 20);
}

/* --- over a folder -------------------------------------------------------- */

/* As the kernel has it: entries of class/block and holders are links. */
static const char folder[] =
    "set -e; mkdir -p $D/sys; cd $D/sys; d=devices/pci0/usb1/1-2/1-2:1.0;"
    "mkdir -p class/block $d/block/sdb/sdb1/holders $d/block/sdb/holders;"
    "mkdir -p devices/virtual/block/md0/holders;"
    "echo 8:16 > $d/block/sdb/dev; echo 8:17 > $d/block/sdb/sdb1/dev;"
    "echo 9:0 > devices/virtual/block/md0/dev;"
    "ln -s ../../$d/block/sdb ../../$d/block/sdb/sdb1 class/block;"
    "ln -s ../../devices/virtual/block/md0 class/block;"
    "ln -s ../../../../../../../../../virtual/block/md0"
    " $d/block/sdb/sdb1/holders";

static void a_folder_is_read_as_well(void **state)
{
    struct world *w = *state;
    char sys[96];
    setenv("D", w->proc, 1);
    assert_int_equal(system(folder), 0);
    snprintf(sys, sizeof(sys), "%s/sys", w->proc);
    w->ctx->sysfs->seam.close(&w->ctx->sysfs->seam);
    w->ctx->sysfs = NULL;
    xlx_ctx_set_path(w->ctx, XLX_PATH_SYSFS, sys);
    assert_use(w, XLX__USE_RAID, "md0");
    mounts(w, "30 22 9:0 / /srv rw - ext4 /dev/md0 rw\n");
    assert_use(w, XLX__USE_MOUNTED, "md0 on /srv");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_stick_is_free),
        TEST(a_mounted_partition_is_found),
        TEST(mount_points_are_unescaped_and_cut),
        TEST(odd_lines_do_no_harm),
        TEST(swap_is_found),
        TEST(a_btrfs_is_found_on_each_of_its_devices),
        TEST(root_is_the_gravest),
        TEST(md_over_two_sticks),
        TEST(lvm_root_on_a_stick),
        TEST(other_holders),
        TEST(loops_are_found),
        TEST(a_guests_disk_is_found),
        TEST(a_guests_disk_by_virtio_is_found),
        TEST(numbers_of_disks_at_their_bounds),
        TEST(a_guests_disk_by_tapdisk_is_found),
        TEST(a_guests_lun_is_found),
        TEST(a_lun_of_any_name_is_found),
        TEST(all_luns_are_looked_at),
        TEST(a_closed_lun_is_nobodys),
        TEST(cards_without_a_use),
        TEST(the_hosts_network),
        TEST(odd_disks_do_no_harm),
        TEST(an_exclusive_opener_is_found),
        TEST(a_ring_of_holders_ends),
        TEST(the_only_keyboard_is_kept),
        TEST(another_keyboard_frees_it),
        TEST(a_composite_dongle_counts_as_a_whole),
        TEST(a_keyboard_without_driver_is_one),
        TEST(what_sits_behind_a_virtual_controller_is_found),
        TEST(no_list_of_mounts_is_a_failure),
        TEST(a_failure_anywhere_is_told_once),
        TEST(a_failure_is_never_taken_for_idle),
        TEST(a_folder_is_read_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
