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
    { "bare", NULL, KIND("10c4", "ea60", "12", "0001", { NULL }) },
};

/* --- a host --------------------------------------------------------------- */

struct host {
    struct usb_world *world;
    char text[32][16]; /* what sysfs_mem does not copy */
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
    assert_true(h->nr_texts < 32 && strlen(text) < sizeof(h->text[0]));
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
