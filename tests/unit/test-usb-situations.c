/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Situations that users have reported in public, with this and other software,
 * each as a table: what sysfs, xenstore and /proc show, which commands are
 * given, what they say, and what is the case after. test-usb-field has what
 * needs more than a line.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "fakes/usb_sets.h"
#include "fakes/usb_world.h"

/* --- devices -------------------------------------------------------------- */

#define INTF(class_, driver_)                                            \
    {                                                                    \
        .name = "", .driver = driver_, .match = driver_, .class = class_ \
    }
#define KIND(vendor_, product_, speed_, serial_, ...)             \
    {                                                             \
        .class = "00", .vendor = vendor_, .product_id = product_, \
        .speed = speed_, .serial = serial_, .intf = {             \
            __VA_ARGS__                                           \
        }                                                         \
    }

static const struct kind {
    const char *name, *descriptors; /* of usb_set(), or NULL */
    struct sysfs_dev dev;
} kinds[] = {
    { "cp210x", NULL,
      KIND("10c4", "ea60", "12", "0001", INTF("ff0000", "cp210x")) },
    { "phone", NULL, KIND("04e8", "6860", "480", "R1", INTF("060101", NULL)) },
    { "phone+adb", NULL,
      KIND("04e8", "6860", "480", "R1", INTF("060101", NULL),
           INTF("ff4201", NULL)) },
    { "loader", NULL, KIND("1a6e", "089a", "480", NULL, INTF("ff0000", NULL)) },
    { "coral", NULL, KIND("18d1", "9302", "480", NULL, INTF("fffe00", NULL)) },
    { "mouse", NULL,
      KIND("046d", "c077", "1.5", NULL, INTF("030102", "usbhid")) },
    { "token", NULL,
      KIND("1050", "0407", "12", NULL, INTF("030101", "usbhid")) },
    { "reader", NULL, KIND("08e6", "3437", "12", NULL, INTF("0b0000", NULL)) },
    { "webcam", "webcam",
      KIND("046d", "0825", "480", NULL, INTF("0e0100", "uvcvideo")) },
    { "card", NULL,
      KIND("0b95", "1790", "480", NULL, INTF("ff0000", "ax88179_178a")) },
    { "uplink", NULL,
      KIND("0b95", "1790", "480", "N1", INTF("ff0000", "ax88179_178a")) },
    { "meter", NULL, KIND("2457", "1022", "480", NULL, INTF("ff0000", NULL)) },
    { "card-a", NULL,
      KIND("11b0", "a012", "480", "A", INTF("080650", "usb-storage")) },
    { "card-b", NULL,
      KIND("11b0", "a012", "480", "B", INTF("080650", "usb-storage")) },
    { "dfu", NULL, KIND("0483", "df11", "12", "F1", INTF("fe0102", NULL)) },
    { "analyzer", NULL,
      KIND("0483", "5740", "12", "F1", INTF("020201", "cdc_acm"),
           INTF("0a0000", "cdc_acm")) },
    { "modem-cd", NULL,
      KIND("12d1", "1446", "480", NULL, INTF("080650", "usb-storage")) },
    { "modem", NULL,
      KIND("12d1", "1001", "480", NULL, INTF("ff0101", "option"),
           INTF("ff0102", "option")) },
    { "lte", NULL,
      KIND("2c7c", "0125", "480", NULL, INTF("ff0000", "option")) },
    { "odd", NULL,
      KIND("2341", "0043", "12", "\xc3(:\xff", INTF("ff0000", NULL)) },
    { "quotes", NULL,
      KIND("2341", "0043", "12", "\\\"S\"", INTF("ff0000", NULL)) },
    { "headset", "headset",
      KIND("0b0e", "0301", "12", NULL, INTF("010100", "snd-usb-audio")) },
    { "camera-super", "webcam-super",
      KIND("046d", "085e", "5000", NULL, INTF("0e0100", "uvcvideo")) },
    { "bare", NULL, KIND("10c4", "ea60", "12", "0001", { NULL }) },
};

/* --- a host --------------------------------------------------------------- */

struct host {
    struct usb_world *world;
    char text[64][16]; /* what sysfs_mem does not copy */
    int nr_texts;
    char *out, *err; /* of the last command */
};

static void open_host(struct host *h)
{
    *h = (struct host){ .world = usb_world_new() };
    char path[128];
    snprintf(path, sizeof(path), "%s/self", h->world->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/self/mountinfo", h->world->dir);
    FILE *out = fopen(path, "w");
    fputs("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", out);
    fclose(out);
    xlx_ctx_set_path(h->world->ctx, XLX_PATH_PROC, h->world->dir);
}

static void close_host(struct host *h)
{
    if (!h->world)
        return;
    usb_world_free(h->world);
    free(h->out);
    free(h->err);
}

static const char *keep(struct host *h, const char *text)
{
    assert_true(h->nr_texts < 64 && strlen(text) < sizeof(h->text[0]));
    return strcpy(h->text[h->nr_texts++], text);
}

/* plug BUSID KIND ADDRESS [SPEED] */
static void plug(struct host *h, char **argv)
{
    size_t k = 0;
    while (strcmp(kinds[k].name, argv[2]))
        assert_true(++k < sizeof(kinds) / sizeof(kinds[0]));
    struct sysfs_dev dev = kinds[k].dev;
    dev.busid = keep(h, argv[1]);
    dev.bus = keep(h, (char[]){ argv[1][0], '\0' });
    dev.address = keep(h, argv[3]);
    if (argv[4])
        dev.speed = keep(h, argv[4]);
    if (kinds[k].descriptors) {
        dev.descriptors = usb_set(kinds[k].descriptors)->d.bytes;
        dev.nr_descriptors = usb_set(kinds[k].descriptors)->d.length;
    }
    for (int i = 0; dev.intf[i].name; i++) {
        char name[24];
        snprintf(name, sizeof(name), "%.8s:1.%d", argv[1], i);
        dev.intf[i].name = keep(h, name);
    }
    sysfs_mem_plug(h->world->sysfs, &dev);
}

/* process PID NAME FILE: it has that open. */
static void process(struct host *h, char **argv)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%.8s", h->world->dir, argv[1]);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%.8s/fd", h->world->dir, argv[1]);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%.8s/fd/7", h->world->dir, argv[1]);
    assert_int_equal(symlink(argv[3], path), 0);
    snprintf(path, sizeof(path), "%s/%.8s/comm", h->world->dir, argv[1]);
    FILE *out = fopen(path, "w");
    fprintf(out, "%s\n", argv[2]);
    fclose(out);
}

static const char *driver_of(struct host *h, const char *busid)
{
    const struct sysfs_dev *dev = sysfs_mem_find(h->world->sysfs, busid);
    return dev && dev->intf[0].driver ? dev->intf[0].driver : "none";
}

/* By somebody else. */
static void claim(struct host *h, const char *busid)
{
    h->world->daemon = true;
    sysfs_mem_find(h->world->sysfs, busid)->intf[0].driver = "usbfs";
}

/* What happens on the host, and what is the case there. */
static bool happens(struct host *h, char **argv)
{
    const char *what = argv[0];
    if (!strcmp(what, "plug"))
        plug(h, argv);
    else if (!strcmp(what, "unplug"))
        sysfs_mem_unplug(h->world->sysfs, argv[1]);
    else if (!strcmp(what, "claim"))
        claim(h, argv[1]);
    else if (!strcmp(what, "kill-backend"))
        usb_world_kill_backend(h->world);
    else if (!strcmp(what, "process"))
        process(h, argv);
    else if (!strcmp(what, "sysfs"))
        sysfs_mem_put(h->world->sysfs, argv[1], argv[2]);
    else if (!strcmp(what, "link"))
        sysfs_mem_put_link(h->world->sysfs, argv[1], argv[2]);
    else if (!strcmp(what, "xenstore"))
        xs_mem_put(h->world->xs, argv[1], argv[2]);
    else if (!strcmp(what, "driver"))
        assert_string_equal(driver_of(h, argv[1]), argv[2]);
    else if (!strcmp(what, "is"))
        assert_string_equal(xs_mem_get(h->world->xs, argv[1]),
                            argv[2] ? argv[2] : "");
    else
        return false;
    return true;
}

static void log_to(void *user, enum xlx_log_level level, const char *text)
{
    fprintf(user, "%s%s\n", level == XLX_LOG_ERROR ? "error: " : "", text);
}

static int run(struct host *h, int argc, char **argv)
{
    struct cmd_env env = { .ctx = h->world->ctx };
    size_t size;
    free(h->out);
    free(h->err);
    env.out = open_memstream(&h->out, &size);
    env.err = open_memstream(&h->err, &size);
    xlx_ctx_set_log(env.ctx, log_to, env.err, XLX_LOG_INFO);
    int status = cmd_find(argv[0])->run(&env, argc, argv);
    xlx_ctx_set_log(env.ctx, NULL, NULL, XLX_LOG_ERROR);
    fclose(env.out);
    fclose(env.err);
    return status;
}

/* --- the situations ------------------------------------------------------- */

struct step {
    const char *line; /* "# ...": another host, and what was reported */
    int status;
    const char *says; /* part of stdout or stderr; "" nothing on stderr */
};

/* Without an answer. */
#define DO(line)      \
    {                 \
        line, 0, NULL \
    }
#define BE "/local/domain/0/backend/qusb/5/0/port/"
#define LONG_NAME "usb-Vendor_Ultra_Fit_4C530001230101116083-0:0-part1"

static const struct step steps[] = {
    DO("# KiwiHC16/Abeille#1102: two devices with one serial number"),
    DO("plug 1-5 cp210x 20"),
    DO("plug 1-6 cp210x 21"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-6: attached, controller 0 port 2" },
    DO("is " BE "1 1-5"),
    DO("is " BE "2 1-6"),

    DO("# vadimgrn/usbip-win2#178: one serial number, two guests, one pulled"),
    DO("plug 1-5 cp210x 20"),
    DO("plug 1-6 cp210x 21"),
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    { "usb-assign other 1-5", CMD_OK, "assigned" },
    DO("unplug 1-6"),
    { "usb-reconcile", CMD_OK, "guest guest: usb 1-5: taken" },
    DO("is /libxl/6/device/vusb/0/port/1 1-5"),

    DO("# QubesOS/qubes-issues#6330: a telephone is one thing or another"),
    DO("plug 1-5 phone 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 1-5 phone+adb 21"),
    { "usb-reconcile", CMD_OK, "changed" },
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "1-5: attached" },
    DO("unplug 1-5"),
    { "usb-reconcile", CMD_OK, "freed" },
    DO("plug 1-5 phone 22"),
    { "usb-reconcile", CMD_OK, "1-5: attached" },

    DO("# google-coral/edgetpu#536: it becomes another when it is loaded"),
    { "usb-assign guest 1-5 --place", CMD_OK, "assigned" },
    DO("plug 1-5 loader 20"),
    { "usb-reconcile", CMD_OK, "1-5: attached" },
    DO("unplug 1-5"),
    DO("plug 1-5 coral 21"),
    { "usb-reconcile", CMD_OK, "1-5: attached" },
    DO("driver 1-5 usbfs"),

    DO("# QubesOS/qubes-issues#5736, #9909: buses with other numbers"),
    DO("link bus/usb/devices/usb1 ../../../devices/pci0/0000:00:14.0/usb1"),
    DO("link bus/usb/devices/usb2 ../../../devices/pci0/0000:05:00.0/usb2"),
    DO("link bus/usb/devices/1-5 ../../../devices/pci0/0000:00:14.0/usb1/1-5"),
    DO("plug 1-5 mouse 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("link bus/usb/devices/usb1 ../../../devices/pci0/0000:05:00.0/usb1"),
    DO("link bus/usb/devices/usb2 ../../../devices/pci0/0000:00:14.0/usb2"),
    DO("link bus/usb/devices/1-5 ../../../devices/pci0/0000:05:00.0/usb1/1-5"),
    DO("link bus/usb/devices/2-5 ../../../devices/pci0/0000:00:14.0/usb2/2-5"),
    DO("plug 1-5 mouse 20"),
    DO("plug 2-5 mouse 20"),
    { "usb-assign --list", CMD_OK, "guest  2-5     046d:c077" },
    { "usb-reconcile", CMD_OK, "2-5: attached" },
    DO("driver 1-5 usbhid"),
    { "usb-unassign guest 2-5", CMD_OK, "no longer assigned" },

    DO("# USBGuard/usbguard#635, QubesOS/qubes-issues#6331: not authorized"),
    DO("plug 1-5 bare 20"),
    DO("sysfs bus/usb/devices/1-5/authorized 0"),
    { "usb-attach guest 1-5", CMD_FAILED, "is not authorized by this host" },
    { "usb-list-assignable-devices --all", CMD_OK, "not authorized" },

    DO("# foxlet/macOS-Simple-KVM#221: a daemon is faster after a replug"),
    DO("plug 1-5 phone 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "1-5: attached" },
    DO("unplug 1-5"),
    { "usb-reconcile", CMD_OK, "freed" },
    DO("plug 1-5 phone 77"),
    DO("claim 1-5"),
    DO("process 4711 usbmuxd /dev/bus/usb/001/077"),
    { "usb-reconcile", CMD_FAILED, "in use by process usbmuxd (pid 4711)" },
    DO("is " BE "1"),

    DO("# OpenSC/OpenSC#1987: a daemon takes what a killed backend had"),
    DO("plug 1-5 reader 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "1-5: attached" },
    DO("kill-backend"),
    DO("claim 1-5"),
    DO("process 4712 pcscd /dev/bus/usb/001/020"),
    { "usb-reconcile", CMD_OK, "another one runs now" },
    { "usb-reconcile", CMD_FAILED, "freed" },
    { "usb-reconcile", CMD_FAILED, "in use by process pcscd (pid 4712)" },
    DO("driver 1-5 usbfs"),
    DO("is " BE "1"),

    DO("# a killed command's note about what a program has by now"),
    DO("xenstore /libxl-ext/usb/1-4/domid 5"),
    DO("xenstore /libxl-ext/usb/1-4/address 6"),
    DO("process 4712 pcscd /dev/bus/usb/001/006"),
    { "usb-assign guest 1-2", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "1-2: attached" },
    DO("driver 1-4 usbfs"),

    DO("# systemd/systemd#41715, QubesOS/qubes-issues#6019: a token's "
       "keyboard"),
    DO("sysfs class/input/input0/capabilities/key 0"),
    DO("plug 1-5 token 20"),
    { "usb-assign guest 1-5", CMD_OK, "is the last keyboard" },
    { "usb-reconcile", CMD_FAILED, "is the last keyboard" },
    { "usb-assign guest 1-5 --force", CMD_OK, "assigned" },
    { "usb-assign --list guest", CMD_OK,
      "1-5     1050:0407  -       -          force" },
    { "usb-reconcile", CMD_OK, "1-5: attached" },

    DO("# QubesOS/qubes-issues#2594, #4035, #3628: attached, nothing works"),
    DO("plug 1-5 webcam 20"),
    { "usb-attach guest 1-5", CMD_OK, "type=devicemodel" },
    DO("plug 2-5 webcam 21 5000"),
    { "usb-assign guest 2-5", CMD_OK, "try a USB 2 port or cable" },
    { "usb-attach guest 2-5", CMD_FAILED, "try a USB 2 port or cable" },

    DO("# QubesOS/qubes-issues#8004: moved to where it cannot go"),
    { "usb-attach other 2-1", CMD_OK, "attached" },
    { "usb-detach other 2-1 --move guest", CMD_FAILED, "SuperSpeed" },
    DO("is /libxl/6/device/vusb/0/port/1 2-1"),
    { "usb-attach other 1-2", CMD_OK, "attached" },
    { "usb-detach other 1-2 --move guest", CMD_OK, "" },

    DO("# the host's uplink, a USB card in its bridge"),
    DO("plug 1-5 card 20"),
    DO("link class/net/eth1 ../../devices/pci0/usb1/1-5/1-5:1.0/net/eth1"),
    DO("sysfs class/net/eth1/upper_xenbr0 x"),
    { "usb-attach guest 1-5", CMD_FAILED,
      "carries the network of this host: --force gives it away (eth1 below "
      "xenbr0)" },
    DO("driver 1-5 ax88179_178a"),
    { "usb-attach guest 1-5 --force", CMD_OK, "attached" },

    DO("# a guest's disk by virtio"),
    DO("link class/block/sdb ../../devices/pci0/usb1/1-2/1-2:1.0/block/sdb"),
    DO("sysfs class/block/sdb/dev 8:16"),
    DO("sysfs dev/sdb 8:16"),
    DO("xenstore /local/domain/0/backend/virtio_disk/6/0/params /dev/sdb"),
    { "usb-attach guest 1-2", CMD_FAILED, "is a disk of a guest" },

    DO("# nodes of a guest that was killed, and a driver domain's busid"),
    DO("xenstore /libxl/9/device/vusb/0/backend "
       "/local/domain/0/backend/qusb/9/0"),
    DO("xenstore /libxl/9/device/vusb/0/type qusb"),
    DO("xenstore /libxl/9/device/vusb/0/usb-ver 2"),
    DO("xenstore /libxl/9/device/vusb/0/num-ports 1"),
    DO("xenstore /local/domain/0/backend/qusb/9/0/port/1 1-2"),
    DO("xenstore /libxl/6/device/vusb/0/backend "
       "/local/domain/3/backend/qusb/6/0"),
    DO("xenstore /libxl/6/device/vusb/0/type qusb"),
    DO("xenstore /libxl/6/device/vusb/0/usb-ver 2"),
    DO("xenstore /libxl/6/device/vusb/0/num-ports 1"),
    DO("xenstore /local/domain/3/backend/qusb/6/0/port/1 1-1"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },
    { "usb-attach guest 1-1", CMD_OK, "attached" },

    DO("# dorssel/usbipd-win#747: all that is behind a hub"),
    { "usb-attach guest 1-3 --hub", CMD_OK, "1-3.1" },
    DO("driver 1-3.1 usbfs"),

    DO("# virt-manager/virt-manager#567: it is not there"),
    { "usb-attach guest 1-9", CMD_FAILED, "no such device on this host" },
    { "usb-attach guest 0951:1666", CMD_FAILED, "no such device on this host" },

    /* --- more of the same kinds ------------------------------------------- */

    DO("# dockur/windows#655: two card readers of one model"),
    DO("plug 1-5 card-a 20"),
    DO("plug 1-6 card-b 21"),
    { "usb-attach guest 11b0:a012", CMD_FAILED, "1-6" },
    { "usb-attach guest 11b0:a012:B", CMD_OK, "usb 1-6: attached" },
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("unplug 1-6"),
    DO("plug 1-5 card-b 22"),
    DO("plug 1-6 card-a 23"),
    { "usb-assign --list", CMD_OK, "guest  1-5     11b0:a012  A  " },
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    { "usb-reconcile", CMD_OK, "usb 1-6: in-place" },

    DO("# dorssel/usbipd-win#452: several with one serial number, moved"),
    DO("plug 1-5 cp210x 20"),
    DO("plug 1-6 cp210x 21"),
    DO("plug 1-7 cp210x 22"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    { "usb-assign other 1-7", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 1-8 cp210x 23"),
    { "usb-reconcile", CMD_OK, "guest other: usb 1-7: attached" },
    { "usb-unassign guest 1-6", CMD_OK, "no longer" },
    { "usb-assign --list guest", CMD_OK, "guest  1-5     10c4:ea60  0001  " },

    DO("# dockur/windows#1425: four alike, two in each of two guests"),
    DO("plug 1-5 meter 20"),
    DO("plug 1-6 meter 21"),
    DO("plug 1-7 meter 22"),
    DO("plug 1-8 meter 23"),
    { "usb-assign guest 1-8", CMD_OK, "assigned" },
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    { "usb-assign other 1-5", CMD_OK, "assigned" },
    { "usb-assign other 1-7", CMD_OK, "assigned" },
    DO("unplug 1-8"),
    { "usb-reconcile", CMD_OK, "guest guest: usb 1-6: attached" },
    DO("is /libxl/6/device/vusb/0/port/1 1-5"),
    DO("is /libxl/6/device/vusb/0/port/2 1-7"),
    DO("is " BE "2 "),

    DO("# freedomofpress/securedrop-workstation#307: the other bus of a port"),
    DO("plug 1-5 card-a 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 2-5 card-a 21"),
    { "usb-reconcile", CMD_OK, "usb 2-5: attached" },

    DO("# winboat-org/winboat#487, NanoVNA#142: firmware is loaded in it"),
    DO("plug 1-5 analyzer 20"),
    { "usb-assign guest 1-5 --place", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    DO("unplug 1-5"),
    DO("plug 1-5 dfu 21"),
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    DO("unplug 1-5"),
    DO("plug 1-5 analyzer 22"),
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    { "usb-detach guest 1-5", CMD_OK, "detached" },
    DO("driver 1-5 cdc_acm"),

    DO("# USBGuard/usbguard#156: a modem that is a CD first"),
    DO("plug 1-5 modem-cd 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 1-5 modem 21"),
    { "usb-reconcile", CMD_OK, "not plugged in" },
    DO("driver 1-5 option"),
    { "usb-unassign guest 1-5", CMD_OK, "no longer" },
    { "usb-assign guest 1-5 --place", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },

    DO("# verge-io/docs#471: other addresses after a reboot"),
    DO("plug 1-5 lte 20"),
    { "usb-assign guest 1.20", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 1-6 card-a 20"),
    DO("plug 1-5 lte 21"),
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    DO("driver 1-6 usb-storage"),

    DO("# pyusb/pyusb#154, pwr-Solaar/Solaar#3292: serials of any bytes"),
    DO("plug 1-5 odd 20"),
    DO("plug 1-6 quotes 21"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-assign guest 1-6", CMD_OK, "assigned" },
    { "usb-assign --list", CMD_OK, "\\xc3(:\\xff" },
    { "usb-assign --list --json", CMD_OK, "\"serial\": " },
    DO("unplug 1-5"),
    DO("unplug 1-6"),
    DO("plug 1-7 odd 22"),
    DO("plug 1-8 quotes 23"),
    { "usb-reconcile", CMD_OK, "usb 1-7: attached" },
    { "usb-reconcile", CMD_OK, "usb 1-8: in-place" },

    DO("# USBGuard/usbguard#472: nothing is authorized any more"),
    DO("plug 1-5 bare 20"),
    DO("sysfs bus/usb/devices/1-5/authorized 0"),
    { "usb-assign guest 1-5", CMD_OK, "not authorized by this host" },
    { "usb-list", CMD_OK, "not authorized" },
    { "usb-reconcile", CMD_OK, "waits: not authorized by this host" },

    DO("# USBGuard/usbguard#299: blocked, and then authorized"),
    DO("plug 1-5 cp210x 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    DO("unplug 1-5"),
    DO("plug 1-5 bare 21"),
    DO("sysfs bus/usb/devices/1-5/authorized 0"),
    { "usb-reconcile", CMD_OK, "not authorized" },
    DO("unplug 1-5"),
    DO("plug 1-5 cp210x 21"),
    DO("sysfs bus/usb/devices/1-5/authorized 1"),
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },

    DO("# dorssel/usbipd-win#163: a telephone that adb has"),
    DO("plug 1-5 phone+adb 20"),
    DO("claim 1-5"),
    DO("process 4711 adb /dev/bus/usb/001/020"),
    { "usb-attach guest 1-5 --force", CMD_FAILED, "process adb (pid 4711)" },
    { "usb-list", CMD_OK, "process adb (pid 4711)" },
    { "usb-assign guest 1-5", CMD_OK, "process adb (pid 4711)" },
    DO("driver 1-5 usbfs"),

    DO("# QubesOS/qubes-app-linux-usb-proxy#12: another host has it by usbip"),
    DO("plug 1-5 meter 20"),
    DO("link bus/usb/devices/1-5/driver ../../drivers/usbip-host"),
    { "usb-attach guest 1-5 --force", CMD_FAILED, "exported by usbip" },

    DO("# orbstack/orbstack#2642, xcp-ng/xcp#503: it resets itself"),
    DO("plug 1-5 lte 20"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    DO("unplug 1-5"),
    { "usb-list", CMD_OK, "BUSID" },
    DO("plug 1-5 lte 21"),
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },
    DO("is " BE "1 1-5"),
    { "usb-list", CMD_OK, "attached" },

    DO("# vadimgrn/usbip-win2#87: pulled out before it was detached"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },
    DO("unplug 1-2"),
    DO("plug 1-2 card-a 30"),
    { "usb-attach guest 1-2", CMD_FAILED, "attached already" },
    { "usb-detach guest 1-2", CMD_OK, "detached" },
    DO("driver 1-2 usb-storage"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },

    DO("# vadimgrn/usbip-win2#30: a phantom in one port, others go on"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },
    { "usb-attach guest 1-1", CMD_OK, "attached" },
    DO("unplug 1-2"),
    DO("plug 1-5 meter 30"),
    { "usb-assign guest 1-5", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-2: freed" },
    DO("is " BE "1 1-5"),
    DO("is " BE "2 1-1"),

    DO("# dorssel/usbipd-win#138, #791: back on the host without a driver"),
    DO("plug 1-5 analyzer 20"),
    { "usb-attach guest 1-5", CMD_OK, "attached" },
    DO("kill-backend"),
    DO("driver 1-5 none"),
    { "usb-detach guest 1-5", CMD_OK, "detached" },
    DO("driver 1-5 cdc_acm"),

    DO("# xcp-ng/xcp#52: the only network card, given away by intent"),
    DO("plug 1-5 uplink 20"),
    DO("link class/net/eth1 ../../devices/pci0/usb1/1-5/1-5:1.0/net/eth1"),
    DO("sysfs class/net/eth1/upper_ovs-system x"),
    { "usb-assign guest 1-5", CMD_OK, "carries the network" },
    { "usb-reconcile", CMD_FAILED, "carries the network" },
    { "usb-assign guest 1-5 --force", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "usb 1-5: attached" },

    DO("# QubesOS/qubes-issues#4103, #8495: a headset has room of its own"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },
    DO("plug 1-5 headset 20"),
    { "usb-attach guest 1-5", CMD_OK, "controller 1 port 1" },
    { "usb-attach guest 1-1", CMD_OK, "controller 0 port 2" },

    DO("# bhyve's and others' open end: a camera at SuperSpeed"),
    DO("plug 2-5 camera-super 20"),
    { "usb-assign guest 2-5", CMD_OK, "try a USB 2 port or cable" },
    { "usb-reconcile", CMD_FAILED, "try a USB 2 port or cable" },
    { "usb-attach other 2-5", CMD_OK, "attached" },

    DO("# QubesOS/qubes-issues#4692, #6396: one disk in two guests"),
    DO("link class/block/sdb ../../devices/pci0/usb1/1-2/1-2:1.0/block/sdb"),
    DO("link class/block/sdb1 "
       "../../devices/pci0/usb1/1-2/1-2:1.0/block/sdb/sdb1"),
    DO("sysfs class/block/sdb/dev 8:16"),
    DO("sysfs class/block/sdb1/dev 8:17"),
    DO("xenstore /local/domain/0/backend/vbd/6/51712/physical-device 8:11"),
    DO("xenstore /local/domain/0/backend/vbd/6/51712/state 4"),
    { "usb-attach guest 1-2 --force", CMD_FAILED, "is a disk of a guest" },
    DO("xenstore /local/domain/0/backend/vbd/6/51712/state 6"),
    { "usb-attach guest 1-2", CMD_OK, "attached" },
    { "usb-attach other 1-2", CMD_FAILED, "attached already to domain 5" },

    DO("# a LUN by the long name that udev gives a disk"),
    DO("link class/block/sdb ../../devices/pci0/usb1/1-2/1-2:1.0/block/sdb"),
    DO("sysfs class/block/sdb/dev 8:16"),
    DO("sysfs dev/disk/by-id/" LONG_NAME " 8:16"),
    DO("xenstore /local/domain/0/backend/vscsi/6/0/vscsi-devs/dev-0/p-devname "
       "/dev/disk/by-id/" LONG_NAME),
    { "usb-attach guest 1-2", CMD_FAILED, "is a disk of a guest" },

    DO("# vadimgrn/usbip-win2#165: its guest ended without a message"),
    DO("xenstore /libxl-ext/usb/1-2/domid 9"),
    DO("xenstore /libxl-ext/usb/1-2/address 3"),
    { "usb-list", CMD_OK, "1-2" },
    { "usb-attach guest 1-2", CMD_OK, "attached" },

    DO("# Botspot/bvm#37: a hub cannot be given, what is behind it can"),
    { "usb-attach guest 1-3", CMD_FAILED, "or all with --hub" },
    { "usb-attach guest 1-2 --hub", CMD_FAILED, "hub" },

    DO("# USBGuard/usbguard#617, canonical/lxd#13411: a dock that comes late"),
    DO("unplug 1-3.1"),
    DO("unplug 1-3"),
    { "usb-assign guest 1-3 --hub", CMD_OK, "assigned" },
    { "usb-reconcile", CMD_OK, "waits" },
    DO("plug 1-3.2 meter 40"),
    DO("plug 1-3.4 lte 41"),
    { "usb-reconcile", CMD_OK, "usb 1-3.4: attached" },
    DO("driver 1-3.2 usbfs"),
    DO("driver 1-3.4 usbfs"),
};

static void take_step(struct host *h, const struct step *s)
{
    char *argv[16] = { NULL }, *copy = strdup(s->line), *rest = copy;
    int argc = 0;
    while ((argv[argc] = strsep(&rest, " ")))
        argc++;
    if (!happens(h, argv)) {
        int status = run(h, argc, argv);
        bool says = *s->says
                        ? strstr(h->out, s->says) || strstr(h->err, s->says)
                        : !strstr(h->err, "error:");
        if (status != s->status || !says)
            fail_msg("%s: status %d:\n%s%s", s->line, status, h->out, h->err);
    }
    free(copy);
}

static void situations(void **state)
{
    struct host h = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (*steps[i].line != '#') {
            take_step(&h, &steps[i]);
            continue;
        }
        print_message("%s\n", steps[i].line);
        close_host(&h);
        open_host(&h);
    }
    close_host(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(situations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
