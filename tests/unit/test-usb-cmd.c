/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The usb commands in process: what they understand, print and return.
 */
#include "test.h"

#include <signal.h>

#include "cmd.h"
#include "fakes/uevent_mem.h"
#include "fakes/usb_world.h"
#include "usbd/state.h"
#include "guard_usb.h"

struct fixture {
    struct usb_world *world;
    char *out, *err; /* of the last call */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->world = usb_world_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    usb_world_free(f->world);
    free(f->out);
    free(f->err);
    free(f);
    return 0;
}

static void log_to(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    fprintf(user, "%s\n", text);
}

/* Runs a command line, split at blanks; returns its exit status. */
static int call(struct fixture *f, const char *line)
{
    char *argv[16], *copy = strdup(line), *rest = copy;
    size_t size;
    int argc = 0;
    struct cmd_env env = { .ctx = f->world->ctx };
    while ((argv[argc] = strsep(&rest, " ")))
        argc++;
    free(f->out);
    free(f->err);
    env.out = open_memstream(&f->out, &size);
    env.err = open_memstream(&f->err, &size);
    xlx_ctx_set_log(env.ctx, log_to, env.err, XLX_LOG_INFO);
    int status = cmd_find(argv[0])->run(&env, argc, argv);
    xlx_ctx_set_log(env.ctx, NULL, NULL, XLX_LOG_ERROR);
    fclose(env.out);
    fclose(env.err);
    free(copy);
    return status;
}

struct row {
    const char *line;
    int status;
    const char *says; /* on stdout, or a part of it on stderr */
};

/* One after the other, on one host. */
static const struct row rows[] = {
    { "usb-attach guest 1-2", CMD_OK,
      "usb 1-2: attached to domain 5, controller 0 port 1\n" },
    { "usb-attach 5 1-1 controller=0 port=8", CMD_OK,
      "usb 1-1: attached to domain 5, controller 0 port 8\n" },
    { "usb-detach guest 1-1", CMD_OK,
      "usb 1-1: detached from domain 5, controller 0 port 8\n" },
    { "usb-detach guest controller=0 port=1", CMD_OK,
      "usb 1-2: detached from domain 5, controller 0 port 1\n" },
    /* any name, any form */
    { "usb-attach guest 46f4:0001:S1", CMD_OK,
      "usb 1-2: attached to domain 5, controller 0 port 1\n" },
    { "usb-detach guest 46F4:0001", CMD_OK,
      "usb 1-2: detached from domain 5, controller 0 port 1\n" },
    { "usb-attach guest 0 3 1.3", CMD_OK,
      "usb 1-2: attached to domain 5, controller 0 port 3\n" },
    { "usb-detach guest 0 3", CMD_OK,
      "usb 1-2: detached from domain 5, controller 0 port 3\n" },
    { "usbdev-attach guest hostbus=001 hostaddr=3 controller=0 type=hostdev",
      CMD_OK, "usb 1-2: attached to domain 5, controller 0 port 1\n" },
    { "usbdev-detach guest controller=0 port=1", CMD_OK,
      "usb 1-2: detached from domain 5, controller 0 port 1\n" },
    { "usbctrl-attach guest version=2 ports=8", CMD_OK,
      "domain 5: USB controller 1 created (qusb)\n" },
    { "usbctrl-detach guest 1", CMD_OK,
      "domain 5: USB controller 1 destroyed\n" },
    { "usb-hc-create guest", CMD_OK,
      "domain 5: USB controller 1 created (qusb)\n" },
    { "usb-hc-create guest version=1 ports=31 type=qusb", CMD_OK,
      "domain 5: USB controller 2 created (qusb)\n" },
    { "usb-hc-create guest 1 2 --wait 5", CMD_OK,
      "domain 5: USB controller 3 created (qusb)\n" },
    { "usb-hc-destroy guest 2", CMD_OK,
      "domain 5: USB controller 2 destroyed\n" },

    { "usb-hc-create other type=devicemodel version=2", CMD_OK,
      "domain 6: USB controller 0 created (devicemodel)\n" },
    { "usb-hc-create other", CMD_OK,
      "domain 6: USB controller 1 created (devicemodel)\n" },

    { "usb-attach", CMD_USAGE, "too few arguments" },
    { "usb-attach guest", CMD_USAGE, "too few arguments" },
    { "usb-attach guest 1-2 controller=0 port=1 x", CMD_USAGE,
      "x: no such argument" },
    { "usb-attach guest 1 2 3 4 5 6", CMD_USAGE, "6: too many arguments" },
    { "usb-attach guest 1 2 1-2 4", CMD_USAGE, "no such argument" },
    { "usb-attach guest 0 32 1-2", CMD_USAGE, "32: a port, 1 to 31" },
    { "usb-attach guest x 1 1-2", CMD_USAGE,
      "x: not the number of a controller" },
    { "usb-attach guest 0 1", CMD_USAGE, "which device" },
    { "usbdev-attach guest hostbus=1", CMD_USAGE, "need each other" },
    { "usbdev-attach guest 1-2 hostbus=1 hostaddr=3", CMD_USAGE,
      "two devices: 1-2 and 1.3" },
    { "usbdev-attach guest hostbus=010 hostaddr=3 type=x", CMD_USAGE,
      "type=x: no such argument" },
    { "usb-attach guest 1-2 ctrl=0", CMD_USAGE, "ctrl=0: no such argument" },
    { "usb-attach guest 1-2 port=0", CMD_USAGE, "from 1 to 31" },
    { "usb-attach guest 1-2 port=32", CMD_USAGE, "from 1 to 31" },
    { "usb-attach guest 1-2 controller=0x1", CMD_USAGE, "a number" },
    { "usb-attach guest 1-2 controller=", CMD_USAGE, "a number" },
    { "usb-attach guest 1-2 controller=4294967296", CMD_USAGE, "a number" },
    { "usb-attach guest 1-2 --wait 0", CMD_USAGE, "1 to 3600 seconds" },
    { "usb-attach guest 1-2 --wait=3601", CMD_USAGE, "1 to 3600 seconds" },
    { "usb-attach guest 1-2 --wait=x", CMD_USAGE, "1 to 3600 seconds" },
    { "usb-attach guest 1-2 --nowait", CMD_USAGE,
      "--nowait: no such option: did you mean --wait?" },
    { "usb-attach guest 1-2 --wiat=5", CMD_USAGE,
      "--wiat=5: no such option: did you mean --wait?" },
    { "usb-attach guest 1-2 --hlep", CMD_USAGE, "did you mean --help?" },
    { "usb-attach guest 1-2 --color", CMD_USAGE, "--color: no such option\n" },
    { "usb-attach guest 1-2 --force=yes", CMD_USAGE,
      "--force=yes: the option takes no argument" },
    { "usb-attach guest 1-2 --wait", CMD_USAGE,
      "--wait: the option needs an argument" },
    { "usb-attach guest 1-2 -fx", CMD_USAGE, "-x: no such option\n" },
    { "usb-detach guest controller=0", CMD_USAGE, "which device" },
    { "usb-detach guest port=1", CMD_USAGE, "which device" },
    { "usb-detach guest", CMD_USAGE, "too few" },
    { "usb-hc-create guest version=4", CMD_USAGE, "from 1 to 3" },
    { "usb-hc-create guest ports=0", CMD_USAGE, "from 1 to 31" },
    { "usb-hc-create guest 4 8", CMD_USAGE, "version takes a number" },
    { "usb-hc-create guest 2 32", CMD_USAGE, "ports takes a number" },
    { "usb-hc-create guest type=ehci", CMD_USAGE,
      "auto, qusb, pv or devicemodel" },
    { "usb-hc-create guest 2", CMD_USAGE, "no such argument" },
    { "usb-hc-destroy guest -1", CMD_USAGE, "no such option" },
    { "usb-hc-destroy guest x", CMD_USAGE, "the number of a controller" },
    { "usb-assign guest 1-2 controller=7 port=3 --required -f", CMD_OK,
      "usb 1-2: assigned to guest guest\n" },
    { "usb-assign guest 1-3.1", CMD_OK,
      "usb 1-3.1: assigned to guest guest\n" },
    { "usb-assign --list guest", CMD_OK,
      "NAME   DEVICE  ID         SERIAL  CTRL/PORT  OPTIONS         UUID\n"
      "guest  1-2     46f4:0001  S1      7/3        required,force  " WORLD_UUID
      "\n"
      "guest  1-3.1   0627:0001  -       -          -               " WORLD_UUID
      "\n" },
    { "usb-reconcile guest", CMD_OK,
      "guest guest: usb 1-2: attached, controller 7 port 3\n"
      "guest guest: usb 1-3.1: attached, controller 0 port 1\n" },
    { "usb-unassign guest 1-2", CMD_OK,
      "usb 1-2: no longer assigned to guest guest\n" },
    { "usb-assign guest 1-3 --hub controller=7", CMD_OK,
      "usb 1-3: assigned to guest guest\n" },
    { "usb-assign guest 1-2 --hub", CMD_FAILED, "usb 1-2: is not a hub" },
    { "usb-assign guest 1-3.1 --hub --place", CMD_USAGE, "--hub and --place" },
    { "usb-assign --list", CMD_OK,
      "NAME   DEVICE  ID             SERIAL  CTRL/PORT  OPTIONS  UUID\n"
      "guest  1-3.1   0627:0001      -       -          -        " WORLD_UUID
      "\n"
      "guest  1-3     any behind it  -       7/-        -        " WORLD_UUID
      "\n" },
    { "usb-unassign guest --all", CMD_OK,
      "guest guest: nothing is assigned to it any more\n" },
    { "usb-unassign guest --all", CMD_FAILED, "nothing is assigned" },
    { "usb-reconcile guest", CMD_FAILED, "nothing is assigned" },
    { "usb-hc-destroy guest 7", CMD_OK,
      "domain 5: USB controller 7 destroyed\n" },
    { "usb-assign guest", CMD_USAGE, "a domain and a device" },
    { "usb-assign guest 1-2 a=b", CMD_USAGE, "a=b: no such argument" },
    { "usb-assign guest 1-2 port=0", CMD_USAGE, "from 1 to 31" },
    { "usb-assign guest 1-2 controller=x", CMD_USAGE, "from 0 to 65535" },
    { "usb-assign guest 1-2 port=1", CMD_FAILED, "name its controller too" },
    { "usb-assign --list a b", CMD_USAGE, "one domain at most" },
    { "usb-assign nobody 1-2", CMD_FAILED, "no such domain" },
    { "usb-unassign guest", CMD_USAGE, "or --all" },
    { "usb-unassign guest 1-2 --all", CMD_USAGE, "or --all" },
    { "usb-reconcile a b", CMD_USAGE, "one domain at most" },
    { "usb-reconcile --wait=0", CMD_USAGE, "1 to 3600 seconds" },
    { "usb-list --stats", CMD_USAGE, "--stats needs a domain" },
    { "usb-assign guest 1-2 --watch", CMD_USAGE, "needs --list" },
    { "usb-list guest other", CMD_USAGE, "one domain" },

    { "usb-list none", CMD_FAILED, "domain none: no such domain" },
    { "usb-attach none 1-2", CMD_FAILED, "domain none: no such domain" },
    { "usb-attach guest 1-9", CMD_FAILED, "usb 1-9: no such device" },
    { "usb-attach guest 0627:0001", CMD_FAILED,
      "2 devices match: name one by its place: 1-1, 1-3.1" },
    { "usb-attach guest 1-3", CMD_FAILED, "is a hub" },
    { "usb-attach guest 1-3 --hub --json", CMD_OK,
      "{\"outcome\":\"in-place\",\"guest\":\"\",\"domid\":5,\"busid\":"
      "\"1-3.1\",\"controller\":0,\"port\":1,\"reason\":\"\"}\n" },
    { "usb-detach guest 1-3.1", CMD_OK,
      "usb 1-3.1: detached from domain 5, controller 0 port 1\n" },
    { "usb-attach guest 1-3 --hub", CMD_OK,
      "domain 5: usb 1-3.1: attached, controller 0 port 1\n" },
    { "usb-detach guest 1-3 --hub", CMD_OK,
      "domain 5: usb 1-3.1: freed, controller 0 port 1\n" },
    { "usb-detach guest 1-3 --hub", CMD_FAILED,
      "usb 1-3: domain 5 has nothing that is behind it" },
    { "usb-detach guest 1-3 --hub --move other", CMD_USAGE, "--hub or --move" },
    { "usb-detach guest controller=0 port=1 --hub", CMD_USAGE, "which hub" },
    { "usb-detach guest 1-3 port=1 --hub", CMD_USAGE, "which hub" },
    { "usb-detach guest 0 1 1-3 --hub", CMD_USAGE, "which hub" },
    { "usb-detach guest 1-2 --hub", CMD_FAILED, "usb 1-2: is not a hub" },
    { "usb-attach guest 1-2 --hub", CMD_FAILED, "usb 1-2: is not a hub" },
    { "usb-attach guest 1-3 --hub controller=0 port=1", CMD_FAILED,
      "cannot share one port" },
    { "usb-detach guest 1-2 --move guest", CMD_FAILED, "not attached" },
    { "usb-list-assignable-devices x", CMD_USAGE, "takes no operand" },
    { "usb-detach guest 1-2", CMD_FAILED, "not attached to domain 5" },
    { "usb-hc-destroy guest 9", CMD_FAILED, "no USB controller 9" },
    { "usb-hc-create guest type=pv", CMD_FAILED, "type pv" },
    { "usb-hc-create other type=qusb", CMD_FAILED, "use type=pv" },
    { "usb-hc-create guest version=3", CMD_FAILED, "version 3" },

    { "usb-policy", CMD_USAGE, "takes check or list" },
    { "usb-policy allow 1-2", CMD_USAGE, "takes check or list" },
    { "usb-policy check 1-2 1-3", CMD_USAGE, "1-3: too many arguments" },
    { "usb-policy list 1-2", CMD_USAGE, "1-2: too many arguments" },
    { "usb-policy check --wait=1 1-2", CMD_USAGE, "no such option" },
    { "usb-policy check 1-9", CMD_FAILED, "usb 1-9: no such device" },
    { "usb-policy check 1-3", CMD_FAILED, "usb 1-3: is a hub" },
    { "usb-policy check x", CMD_FAILED, "usb x: " },
    { "usb-policy check 0627:0001", CMD_FAILED, "2 devices match" },
    { "usb-policy list", CMD_OK,
      "RULE                                      PLACE\n"
      "(there is no policy: everything is allowed)\n" },
};

static void commands_parse_call_and_print(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = call(f, rows[i].line);
        if (status != rows[i].status)
            fail_msg("%s: exit status %d: %s", rows[i].line, status, f->err);
        if (status == CMD_OK) {
            assert_string_equal(f->out, rows[i].says);
            assert_string_equal(f->err, "");
        } else {
            if (!strstr(f->err, rows[i].says))
                fail_msg("%s: says %s", rows[i].line, f->err);
            assert_string_equal(f->out, "");
        }
        if (status == CMD_FAILED) /* one line */
            assert_ptr_equal(strchr(f->err, '\n'), f->err + strlen(f->err) - 1);
    }
}

static void a_mistyped_guest_has_a_suggestion(void **state)
{
    static const char *const lines[] = {
        "usb-list geust",          "usb-attach geust 1-2",
        "usb-assign geust 1-2",    "usb-hc-create geust",
        "usb-detach geust 1-2",    "lazy-wait geust",
        "lazy-set geust --resume",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(call(f, lines[i]), CMD_FAILED);
        if (!strstr(f->err, "no such domain\n") ||
            !strstr(f->err, "xl-ext: geust: did you mean guest?\n"))
            fail_msg("%s: %s", lines[i], f->err);
    }
    assert_int_equal(call(f, "usb-list 55"), CMD_FAILED);
    assert_null(strstr(f->err, "did you mean"));
    /* Any bytes, also of a guest that could not be listed. */
    xs_mem_put(f->world->xs, "/local/domain/6/name", "ot\033her");
    assert_int_equal(call(f, "usb-list otxher"), CMD_FAILED);
    assert_non_null(strstr(f->err, "otxher: did you mean ot\\x1bher?\n"));
    /* One without a name is not what an empty word means. */
    xs_mem_put(f->world->xs, "/local/domain/6/name", NULL);
    assert_int_equal(call(f, "usb-list "), CMD_FAILED);
    assert_null(strstr(f->err, "did you mean"));
}

static void assigned_devices_as_json(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-assign guest 1-2 --required"), CMD_OK);
    assert_int_equal(call(f, "usb-assign --list --json"), CMD_OK);
    assert_non_null(strstr(f->out, "\"name\": \"guest\""));
    assert_non_null(strstr(f->out, "\"080650\""));
    assert_non_null(strstr(f->out, "\"required\": true"));
    assert_int_equal(call(f, "usb-reconcile --json"), CMD_OK);
    assert_string_equal(
        f->out,
        "{\"outcome\":\"attached\",\"guest\":\"guest\",\"domid\":5,"
        "\"busid\":\"1-2\",\"controller\":0,\"port\":1,\"reason\":\"\","
        "\"vendor_id\":\"46f4\",\"product_id\":\"0001\",\"serial\":\"S1\","
        "\"required\":true}\n");
    sysfs_mem_unplug(f->world->sysfs, "1-2");
    assert_int_equal(call(f, "usb-reconcile"), CMD_FAILED);
    assert_string_equal(
        f->out,
        "guest guest: usb 1-2: waits: not plugged in (required)\n"
        "guest guest: usb 1-2: freed, controller 0 port 1: its device was "
        "unplugged\n");
}

/* What is done is told as JSON, too. */
static void what_was_done_as_json(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-attach guest 1-2 --json -n"), CMD_OK);
    assert_string_equal(f->out, "{\n"
                                "    \"busid\": \"1-2\",\n"
                                "    \"domid\": 5,\n"
                                "    \"port\": 1,\n"
                                "    \"dry_run\": true\n"
                                "}\n");
    assert_int_equal(call(f, "usb-hc-create guest ports=3 --json"), CMD_OK);
    assert_string_equal(f->out, "{\n"
                                "    \"domid\": 5,\n"
                                "    \"devid\": 0,\n"
                                "    \"type\": \"qusb\"\n"
                                "}\n");
    assert_int_equal(call(f, "usb-attach guest 1-2 port=3 controller=0 -j"),
                     CMD_OK);
    assert_string_equal(f->out, "{\n"
                                "    \"busid\": \"1-2\",\n"
                                "    \"domid\": 5,\n"
                                "    \"controller\": 0,\n"
                                "    \"port\": 3,\n"
                                "    \"type\": \"qusb\",\n"
                                "    \"dry_run\": false\n"
                                "}\n");
    assert_int_equal(call(f, "usb-attach guest 1-2 -j"), CMD_FAILED);
    assert_string_equal(f->out, "");
}

static void what_was_assigned_as_json(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-assign guest 1-1"), CMD_OK);
    assert_int_equal(call(f, "usb-assign guest 1-2 --json --required"), CMD_OK);
    assert_non_null(strstr(f->out, "\"name\": \"guest\""));
    assert_non_null(strstr(f->out, "\"uuid\": \"" WORLD_UUID "\""));
    assert_non_null(strstr(f->out, "\"busid\": \"1-2\""));
    assert_non_null(strstr(f->out, "\"serial\": \"S1\""));
    assert_non_null(strstr(f->out, "\"required\": true"));
    assert_null(strstr(f->out, "1-1"));
    assert_int_equal(call(f, "usb-assign guest 1-7 --place --json"), CMD_OK);
    assert_non_null(strstr(f->out, "\"busid\": \"1-7\""));
    assert_non_null(strstr(f->out, "\"by_place\": true"));
    assert_null(strstr(f->out, "1-2"));
    assert_int_equal(call(f, "usb-assign guest 1-7 --hub --json"), CMD_OK);
    assert_non_null(strstr(f->out, "\"hub\": true"));
}

static void a_watch_ends_with_a_signal(void **state)
{
    struct fixture *f = *state;
    sigset_t term, pending;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    f->world->ctx->uevents = uevent_mem_seam(uevent_mem_new());
    raise(SIGTERM);
    assert_int_equal(call(f, "usb-reconcile --watch"), CMD_OK);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGTERM));
    sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void a_listing_shows_all_ports(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-list guest"), CMD_OK);
    assert_string_equal(f->out, "");
    assert_string_equal(f->err, "domain 5: has no USB controllers\n");
    assert_int_equal(call(f, "usb-hc-create guest ports=4"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-3.1"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-1"), CMD_OK);
    sysfs_mem_unplug(f->world->sysfs, "1-1");
    assert_int_equal(call(f, "usb-list guest"), CMD_OK);
    assert_string_equal(f->out,
                        "DEVID  TYPE  BACKEND  STATE      USB  PORTS\n"
                        "0      qusb  0        connected  2    4\n"
                        "  PORT  DEVICE  ID         NAME\n"
                        "  1     1-2     46f4:0001  QEMU QEMU USB HARDDRIVE\n"
                        "  2     1-3.1   0627:0001  bad \\x1b[31m\\xff name\n"
                        "  3     1-1     -          (not plugged in)\n"
                        "  4     -       -\n");
}

static void put_policy(struct fixture *f, const char *text)
{
    const char *path = xlx_ctx_path(f->world->ctx, XLX_PATH_USB_POLICY);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* What was printed, "@" in the place of the policy's path. */
static void assert_prints(struct fixture *f, const char *line, int status,
                          const char *want)
{
    const char *path = xlx_ctx_path(f->world->ctx, XLX_PATH_USB_POLICY);
    assert_int_equal(call(f, line), status);
    assert_string_equal(f->err, "");
    for (char *at; (at = strstr(f->out, path));) {
        *at = '@';
        memmove(at + 1, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
    assert_string_equal(f->out, want);
}

static void assert_has(const char *text, const char *const *parts)
{
    for (; *parts; parts++)
        if (!strstr(text, *parts))
            fail_msg("%s is not in %s", *parts, text);
}

static void a_table_has_every_device(void **state)
{
    struct fixture *f = *state;
    struct sysfs_mem *sysfs = f->world->sysfs;
    put_policy(f, "DENY: class=08 vid=46f4 pid=0001\nALLOW:\n");
    sysfs_mem_find(sysfs, "1-3.1")->product_id = "0002";
    assert_int_equal(call(f, "usb-assign guest 1-3.1"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-1"), CMD_OK);
    sysfs_mem_put(sysfs, "bus/usb/devices/2-1/authorized", "0");
    assert_prints(
        f, "usb-list", CMD_OK,
        "BUSID  ID         NAME                     SPEED  STATE           "
        "GUEST  CTRL/PORT  REASON\n"
        "1-1    0627:0001  QEMU QEMU USB Keyboard   480M   attached        "
        "guest  0/1\n"
        "1-2    46f4:0001  QEMU QEMU USB HARDDRIVE  480M   forbidden       "
        "-      -          forbidden by policy: @:1: DENY: vid=46f4 pid=0001 "
        "class=08\n"
        "1-3    0409:55aa  QEMU QEMU USB Hub        12M    hub             "
        "-      -\n"
        "1-3.1  0627:0002  bad \\x1b[31m\\xff name    12M    assigned        "
        "guest  -\n"
        "1-4    0403:6001  QEMU QEMU USB SERIAL     12M    in use          "
        "-      -          in use by a program on this host (driver usbfs or "
        "usbback)\n"
        "2-1    46f4:0001  QEMU QEMU USB HARDDRIVE  5G     not authorized  "
        "-      -          is not authorized by this host (see USBGuard, or "
        "its "
        "file authorized in sysfs)\n");
    assert_int_equal(call(f, "usb-list --json"), CMD_OK);
    static const char *const parts[] = {
        "\"state\": \"attached\"",  "\"state\": \"assigned\"",
        "\"state\": \"forbidden\"", "\"state\": \"in-use\"",
        "\"state\": \"hub\"",       "\"state\": \"not-authorized\"",
        "\"guest\": \"guest\"",     NULL,
    };
    assert_has(f->out, parts);
}

/* A second stick like that of 1-2, with the same serial number. */
static void plug_twin(struct fixture *f, bool elsewhere)
{
    struct sysfs_dev twin = *sysfs_mem_find(f->world->sysfs, "1-2");
    twin.busid = elsewhere ? "1-7" : "1-6";
    twin.address = "9";
    twin.intf[0].name = elsewhere ? "1-7:1.0" : "1-6:1.0";
    twin.intf[1].name = elsewhere ? "1-7:1.1" : "1-6:1.1";
    twin.intf[0].driver = "usb-storage";
    twin.intf[1].driver = NULL;
    sysfs_mem_plug(f->world->sysfs, &twin);
}

/* The one that is pulled out may have been either. */
static void twins_are_their_own_guests(void **state)
{
    struct fixture *f = *state;
    plug_twin(f, false);
    assert_int_equal(call(f, "usb-assign other 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-assign guest 1-6"), CMD_OK);
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    static const char *const both[] = { "480M   assigned  other  -\n",
                                        "480M   assigned  guest  -\n", NULL };
    assert_has(f->out, both);
    sysfs_mem_unplug(f->world->sysfs, "1-6");
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_non_null(strstr(f->out, "480M   assigned  other  -\n"));
    assert_null(strstr(f->out, "guest"));
    assert_int_equal(call(f, "usb-unassign other --all"), CMD_OK);
    assert_int_equal(call(f, "usb-attach other 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_non_null(strstr(f->out, "480M   attached  other  0/1\n"));
    assert_null(strstr(f->out, "guest"));
}

/* As usb-reconcile sees it. */
static void what_a_guest_has_is_not_missing(void **state)
{
    struct fixture *f = *state;
    plug_twin(f, false);
    assert_int_equal(call(f, "usb-assign guest 1-6"), CMD_OK);
    sysfs_mem_unplug(f->world->sysfs, "1-6");
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    plug_twin(f, true);
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_non_null(strstr(f->out, "480M   attached  guest  0/1\n"));
    assert_non_null(strstr(f->out, "480M   free      -      -\n"));
    assert_null(strstr(f->out, "assigned"));
    assert_int_equal(call(f, "usb-reconcile"), CMD_OK);
    assert_string_equal(f->out, "guest guest: usb 1-2: in-place, controller 0 "
                                "port 1\n");
}

static void a_guests_device_may_be_in_use_here(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-assign guest 1-4"), CMD_OK);
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_non_null(strstr(f->out, "in use  guest  -          in use by a "));
    /* What cannot be read is told, and hides nothing else. */
    char path[128];
    snprintf(path, sizeof(path), "%s/usb/" WORLD_UUID ".json", f->world->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_non_null(strstr(f->err, "correct or remove it"));
    assert_non_null(strstr(f->out, "in use  -      -          in use by a "));
}

/* Nor is a xenstore that does not exist waited for, or missed. */
static void lists_need_no_xen(void **state)
{
    struct fixture *f = *state;
    struct xlx__xs *xs = f->world->ctx->xs;
    sysfs_mem_put(f->world->sysfs, "hypervisor/type", NULL);
    f->world->ctx->xs = NULL;
    int listed = call(f, "usb-list-assignable-devices");
    assert_string_equal(f->err, "");
    assert_non_null(strstr(f->out, "1-2          : ID 46f4:0001"));
    int table = call(f, "usb-list");
    assert_string_equal(f->err, "");
    assert_non_null(strstr(f->out, "480M   free    -      -\n"));
    assert_non_null(strstr(f->out, "12M    in use  -      -"));
    /* Everything else says what is missing. */
    int attach = call(f, "usb-attach guest 1-2");
    assert_non_null(strstr(f->err, "xenstore: "));
    assert_null(f->world->ctx->xs);
    f->world->ctx->xs = xs;
    assert_int_equal(listed, CMD_OK);
    assert_int_equal(table, CMD_OK);
    assert_int_equal(attach, CMD_FAILED);
}

static void nothing_is_said(void **state)
{
    struct fixture *f = *state;
    static const char *const all[] = { "1-1", "1-2", "1-3.1", "2-1" };
    assert_int_equal(call(f, "usb-assign --list"), CMD_OK);
    assert_string_equal(f->err, "nothing is assigned to any guest\n");
    assert_int_equal(call(f, "usb-assign --list guest"), CMD_OK);
    assert_string_equal(f->err, "guest guest: nothing is assigned to it\n");
    assert_int_equal(call(f, "usb-reconcile"), CMD_OK);
    assert_string_equal(f->err, "nothing is assigned to a guest that runs\n");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sysfs_mem_unplug(f->world->sysfs, all[i]);
    assert_int_equal(call(f, "usb-list-assignable-devices"), CMD_OK);
    assert_string_equal(f->err, "no device of this host can be attached: --all "
                                "has the reasons\n");
    sysfs_mem_unplug(f->world->sysfs, "1-3");
    sysfs_mem_unplug(f->world->sysfs, "1-4");
    assert_int_equal(call(f, "usb-list-assignable-devices"), CMD_OK);
    assert_string_equal(f->err, "this host has no USB devices\n");
    assert_int_equal(call(f, "usb-list"), CMD_OK);
    assert_string_equal(f->err, "this host has no USB devices\n");
    assert_string_equal(f->out, "");
    assert_int_equal(call(f, "usb-list --json"), CMD_OK);
    assert_string_equal(f->err, "");
    assert_string_equal(f->out, "{\n    \"devices\": [\n\n    ]\n}\n");
}

/* A reader who has had enough of it. */
static ssize_t write_and_end(void *user, const char *text, size_t n)
{
    FILE *to = user;
    raise(SIGTERM);
    return (ssize_t)fwrite(text, 1, n, to);
}

/* A --watch prints `part` once before its reader ends it. */
static void watch_once(struct fixture *f, const char *command, const char *more,
                       const char *part)
{
    cookie_io_functions_t io = { .write = write_and_end };
    char *argv[] = { strdup(command), strdup("--watch"),
                     more ? strdup(more) : NULL, NULL };
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    struct cmd_env env = { .ctx = f->world->ctx, .err = stderr };
    env.out = fopencookie(to, "w", io);
    int status = cmd_find(command)->run(&env, more ? 3 : 2, argv);
    fclose(env.out);
    fclose(to);
    assert_int_equal(status, CMD_OK);
    char *first = strstr(text, part);
    if (!first || strstr(first + 1, part))
        fail_msg("%s %s: %s", command, part, text);
    free(text);
    for (int i = 0; i < 3; i++)
        free(argv[i]);
}

static void lists_are_repeated_until_a_signal(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *command, *more, *part;
    } lists[] = {
        { "usb-list", NULL, "BUSID  ID" },
        { "usb-list", "guest", "DEVID  TYPE" },
        { "usb-list", "--json", "\"devices\": [" },
        { "usb-list-assignable-devices", NULL, "1-1          : ID" },
        { "usb-assign", "--list", "NAME   DEVICE  ID" },
    };
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    assert_int_equal(call(f, "usb-hc-create guest"), CMD_OK);
    assert_int_equal(call(f, "usb-assign guest 1-2"), CMD_OK);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        watch_once(f, lists[i].command, lists[i].more, lists[i].part);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void json_has_the_same(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-list --json guest"), CMD_OK);
    assert_non_null(strstr(f->out, "\"controllers\": ["));
    assert_int_equal(call(f, "usb-hc-create guest ports=2"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-3.1"), CMD_OK);
    assert_int_equal(call(f, "usb-list guest --json"), CMD_OK);
    static const char *const parts[] = {
        "\"domid\": 5",
        "\"devid\": 0",
        "\"type\": \"qusb\"",
        "\"state\": 4",
        "\"state_name\": \"connected\"",
        "\"version\": 2",
        "\"port\": 1",
        "\"busid\": \"1-3.1\"",
        "\"present\": true",
        "\"vendor_id\": \"0627\"",
        "\"name\": \"bad \\\\x1b[31m\\\\xff name\"",
        "\"port\": 2",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(f->out, parts[i]))
            fail_msg("%s is not in %s", parts[i], f->out);
}

static void a_dry_run_says_what_it_would_do(void **state)
{
    struct fixture *f = *state;
    char *before = usb_world_dump(f->world);
    assert_int_equal(call(f, "usb-attach guest 1-2 --dry-run"), CMD_OK);
    assert_string_equal(f->out, "");
    assert_string_equal(f->err,
                        "would take usb 1-2:1.0 from usb-storage\n"
                        "would make a USB controller with 8 ports for domain "
                        "5, and put usb 1-2 on its port 1\n");
    char *after = usb_world_dump(f->world);
    assert_string_equal(after, before);
    free(before);
    free(after);

    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    before = usb_world_dump(f->world);
    assert_int_equal(call(f, "usb-attach guest 1-1 -n"), CMD_OK);
    assert_non_null(strstr(f->err, "usb 1-1 on port 2 of controller 0"));
    assert_int_equal(call(f, "usb-attach guest 1-2 -n"), CMD_FAILED);
    assert_int_equal(call(f, "usb-detach guest 1-2 -n"), CMD_OK);
    assert_non_null(strstr(f->out, "would detach port 1"));
    assert_int_equal(call(f, "usb-detach guest 1-2 -n --move other"), CMD_OK);
    assert_non_null(strstr(f->err, "attach it to domain 6"));
    assert_int_equal(call(f, "usb-detach guest 1-3 --hub -n"), CMD_FAILED);
    after = usb_world_dump(f->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void the_hosts_devices_are_listed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-list-assignable-devices"), CMD_OK);
    assert_string_equal(
        f->out, "1-1          : ID 0627:0001 QEMU QEMU USB Keyboard\n"
                "1-3.1        : ID 0627:0001 bad \\x1b[31m\\xff "
                "name\n"
                "2-1          : ID 46f4:0001 QEMU QEMU USB HARDDRIVE\n");
    assert_int_equal(call(f, "usb-list-assignable-devices --all"), CMD_OK);
    assert_non_null(strstr(
        f->out, "1-2          : ID 46f4:0001 QEMU QEMU USB HARDDRIVE "
                "[attached already to domain 5, controller 0 port 1]\n"));
    assert_non_null(strstr(f->out, "[is a hub: "));
    assert_non_null(strstr(f->out, "[in use by a program on this host"));
    assert_int_equal(call(f, "usb-list-assignable-devices -a -j"), CMD_OK);
    static const char *const parts[] = {
        "\"devices\": [",
        "\"busid\": \"1-2\"",
        "\"bus\": 1",
        "\"address\": 3",
        "\"serial\": \"S1\"",
        "\"speed\": 480",
        "\"assignable\": false",
        "\"reason\": \"is a hub",
        "\"domid\": 5",
        "\"controller\": 0",
        "\"port\": 1",
        "\"forceable\": false",
        "\"hub\": true",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(f->out, parts[i]))
            fail_msg("%s is not in %s", parts[i], f->out);
}

static void the_policy_is_explained(void **state)
{
    struct fixture *f = *state;
    assert_prints(f, "usb-policy check 1-1", CMD_OK,
                  "DEVICE         KEYS                          VERDICT  RULE  "
                  "                PLACE\n"
                  "1-1            vid=0627 pid=0001 rel=0000    allowed  "
                  "(there is no policy)\n"
                  "  interface 0  class=03 subclass=01 prot=01  allowed  "
                  "(there is no policy)\n");
    put_policy(f, "# disks\nDENY: class=08 vid=46F4\nALLOW: class=03 # keys\n"
                  "ALLOW: class=08\n");
    assert_prints(f, "usb-policy check 1-1", CMD_OK,
                  "DEVICE         KEYS                          VERDICT  RULE  "
                  "           PLACE\n"
                  "1-1            vid=0627 pid=0001 rel=0000    allowed  "
                  "ALLOW: class=03  @:3\n"
                  "  interface 0  class=03 subclass=01 prot=01  allowed  "
                  "ALLOW: class=03  @:3\n");
    assert_prints(f, "usb-policy check 1-2", CMD_FAILED,
                  "DEVICE         KEYS                          VERDICT  RULE  "
                  "                   PLACE\n"
                  "1-2            vid=46f4 pid=0001 rel=0000    denied   DENY: "
                  "vid=46f4 class=08  @:2\n"
                  "  interface 0  class=08 subclass=06 prot=50  denied   DENY: "
                  "vid=46f4 class=08  @:2\n"
                  "  interface 1  class=ff subclass=00 prot=00  denied   (no "
                  "rule matches)\n");
    assert_prints(
        f, "usb-policy check", CMD_OK,
        "DEVICE  KEYS                        VERDICT  RULE                     "
        "PLACE\n"
        "1-1     vid=0627 pid=0001 rel=0000  allowed  ALLOW: class=03          "
        "@:3\n"
        "1-2     vid=46f4 pid=0001 rel=0000  denied   DENY: vid=46f4 class=08  "
        "@:2\n"
        "1-3.1   vid=0627 pid=0001 rel=0000  allowed  ALLOW: class=03          "
        "@:3\n"
        "1-4     vid=0403 pid=6001 rel=0000  denied   (no rule matches)\n"
        "2-1     vid=46f4 pid=0001 rel=0000  denied   DENY: vid=46f4 class=08  "
        "@:2\n");
    assert_prints(f, "usb-policy list", CMD_OK,
                  "RULE                              PLACE\n"
                  "DENY: vid=46f4 class=08           @:2\n"
                  "ALLOW: class=03                   @:3\n"
                  "ALLOW: class=08                   @:4\n"
                  "(what no rule matches is denied)\n");
}

/* A detach was killed when the port was empty and the backend dead. */
static void a_detach_that_finds_nothing_repairs(void **state)
{
    struct fixture *f = *state;
    struct usb_world *w = f->world;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    usb_world_kill_backend(w);
    xs_mem_put(w->xs, "/local/domain/0/backend/qusb/5/0/port/1", "");
    assert_null(sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver);
    assert_int_equal(call(f, "usb-detach guest 1-2 --dry-run"), CMD_FAILED);
    assert_null(sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver);
    assert_int_equal(call(f, "usb-detach guest 1-2"), CMD_FAILED);
    assert_non_null(strstr(f->err, "usb 1-2: not attached to domain 5"));
    assert_string_equal(sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver,
                        "usb-storage");
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

static void devices_without_interfaces_are_explained(void **state)
{
    struct fixture *f = *state;
    sysfs_mem_find(f->world->sysfs, "1-4")->intf[0].name = NULL;
    put_policy(f, "DENY: class=08\nALLOW:");
    assert_prints(f, "usb-policy check 0403:6001", CMD_FAILED,
                  "DEVICE            KEYS                        VERDICT  RULE "
                  "           PLACE\n"
                  "1-4               vid=0403 pid=6001 rel=0000  denied   "
                  "DENY: class=08  @:1\n"
                  "  not configured  (it may be anything)        denied   "
                  "DENY: class=08  @:1\n");
}

static void a_broken_policy_is_one_line(void **state)
{
    struct fixture *f = *state;
    static const char *const calls[] = {
        "usb-policy check",     "usb-policy check --json", "usb-policy list",
        "usb-policy check 1-2", "usb-policy list --json",
    };
    put_policy(f, "ALLOW:\nDENY: vendor=1234\n");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        assert_int_equal(call(f, calls[i]), CMD_FAILED);
        assert_string_equal(f->out, "");
        assert_non_null(strstr(f->err, "usb-policy.conf:2: vendor: no such "));
        assert_ptr_equal(strchr(f->err, '\n'), f->err + strlen(f->err) - 1);
    }
}

static void the_policy_as_json(void **state)
{
    struct fixture *f = *state;
    static const char *const device[] = {
        "\"devices\": [",
        "\"busid\": \"1-2\"",
        "\"vendor_id\": \"46f4\"",
        "\"product_id\": \"0001\"",
        "\"release\": \"0000\"",
        "\"allowed\": false",
        "\"more_interfaces\": false",
        "\"interface\": 0",
        "\"class\": \"08\"",
        "\"subclass\": \"06\"",
        "\"protocol\": \"50\"",
        "\"allowed\": true",
        "/usb-policy.conf\"",
        "\"line\": 2",
        "\"rule\": \"ALLOW: class=08\"",
        "\"interface\": 1",
        NULL,
    };
    static const char *const rules[] = {
        "\"rules\": [",
        "\"line\": 2",
        "\"rule\": \"ALLOW: class=08\"",
        "\"allowed\": true",
        "\"allowed\": false",
        NULL,
    };
    put_policy(f, "\nALLOW: class=08\n");
    assert_int_equal(call(f, "usb-policy check --json 1-2"), CMD_FAILED);
    assert_has(f->out, device);
    assert_null(strstr(f->out, "\"2-1\""));
    assert_int_equal(call(f, "usb-policy --json check"), CMD_OK);
    assert_has(f->out, device);
    assert_non_null(strstr(f->out, "\"2-1\""));
    assert_int_equal(call(f, "usb-policy list --json"), CMD_OK);
    assert_has(f->out, rules);
}

/* --- save and migrate ----------------------------------------------------- */

static void quiet(struct fixture *f, struct cmd_env *env)
{
    static size_t size; /* written until the streams are closed */
    free(f->out);
    free(f->err);
    *env = (struct cmd_env){ .ctx = f->world->ctx };
    env->out = open_memstream(&f->out, &size);
    env->err = open_memstream(&f->err, &size);
}

static void loud(struct cmd_env *env)
{
    fclose(env->out);
    fclose(env->err);
}

static void save_refuses_a_guest_with_devices(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-1"), CMD_OK);
    char *before = usb_world_dump(f->world);
    assert_int_equal(call(f, "save guest /tmp/file"), CMD_FAILED);
    assert_non_null(strstr(f->err, "domain 5: has USB devices: 1-2, 1-1: "));
    assert_int_equal(call(f, "migrate --usb=refuse guest host"), CMD_FAILED);
    assert_non_null(strstr(f->err, "domain 5: has USB devices: 1-2, 1-1: "));
    assert_int_equal(call(f, "save --usb=x guest /tmp/file"), CMD_USAGE);
    char *after = usb_world_dump(f->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

#define GUEST_5 "00000000-0000-4000-8000-000000000005"

/* The state file as a worker of that guest leaves it, cut to `size`. */
static void leave_state(struct fixture *f, const char *guest, uint32_t magic,
                        size_t size)
{
    struct xlx__usbd_state *state = calloc(1, sizeof(*state));
    char path[128];
    state->magic = magic;
    state->version = XLX__USBD_STATE_VERSION;
    state->hc[2].used = 1;
    state->hc[2].devid = 0;
    memcpy(state->hc[2].guest, guest, strlen(guest));
    struct xlx__usbd_stats *stats = &state->hc[2].port[0].stats;
    stats->requests = 1234;
    stats->bytes_in = 3 * 1024;
    stats->errors = UINT64_MAX;
    stats->latency[2] = 70;
    stats->latency[7] = 30;
    snprintf(path, sizeof(path), "%s/usb/5.state", f->world->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(state, 1, size, file), size);
    fclose(file);
    free(state);
}

static void what_went_through_a_port_is_shown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
    leave_state(f, GUEST_5, XLX__USBD_STATE_MAGIC,
                sizeof(struct xlx__usbd_state));
    assert_int_equal(call(f, "usb-list guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_non_null(strstr(
        f->out,
        "  PORT  DEVICE  ID         REQUESTS  IN KiB  OUT KiB                "
        "ERRORS  REFUSED  LOST  50% BELOW  99% BELOW  NAME\n"
        "  1     1-2     46f4:0001      1234     3.0      0.0  "
        "18446744073709551615        0     0      64 us     2.0 ms  QEMU "));
    assert_int_equal(call(f, "usb-list --stats --json guest"), CMD_OK);
    assert_non_null(strstr(f->out, "\"latency_us_99\": 2048"));
    /* Neither one of another version nor a part of one. */
    leave_state(f, GUEST_5, 1, sizeof(struct xlx__usbd_state));
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
    leave_state(f, GUEST_5, XLX__USBD_STATE_MAGIC,
                sizeof(struct xlx__usbd_state) - 1);
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
    /* Nor one of the guest that had this domid before, or that has no end. */
    leave_state(f, "00000000-0000-4000-8000-000000000004",
                XLX__USBD_STATE_MAGIC, sizeof(struct xlx__usbd_state));
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
    leave_state(f, GUEST_5 "9999", XLX__USBD_STATE_MAGIC,
                sizeof(struct xlx__usbd_state));
    assert_int_equal(call(f, "usb-list --stats guest"), CMD_OK);
    assert_null(strstr(f->out, "1234"));
}

static void what_was_detached_for_a_save_comes_back(void **state)
{
    struct fixture *f = *state;
    struct guard_usb g;
    struct cmd_env env;
    assert_int_equal(call(f, "usb-hc-create guest version=1 ports=2"), CMD_OK);
    assert_int_equal(call(f, "usb-hc-create guest ports=3"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 0 2 1-3.1"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1 3 1-2"), CMD_OK);
    char *before = usb_world_dump(f->world);
    quiet(f, &env);
    assert_int_equal(guard_usb_remove(&env, 5, true, &g), CMD_OK);
    assert_int_equal(g.removed, 2);
    assert_false(f->world->running);
    guard_usb_put_back(&env, &g);
    guard_usb_free(&g);
    loud(&env);
    char *after = usb_world_dump(f->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* What `usb-assign --list guest` prints, after its first line. */
static void assert_assigned(struct fixture *f, const char *lines)
{
    assert_int_equal(call(f, "usb-assign --list guest"), CMD_OK);
    const char *line = strchr(f->out, '\n');
    assert_string_equal(line ? line + 1 : "", lines);
}

static void a_saved_guest_is_given_its_devices_once(void **state)
{
    struct fixture *f = *state;
    struct guard_usb g;
    struct cmd_env env;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1-1"), CMD_OK);
    assert_int_equal(call(f, "usb-assign guest 1-1"), CMD_OK);
    quiet(f, &env);
    assert_int_equal(guard_usb_remove(&env, 5, true, &g), CMD_OK);
    guard_usb_begin(&env, &g);
    loud(&env);
    assert_assigned(f, "guest  1-1     0627:0001  -       -          -        "
                       "   " WORLD_UUID "\n"
                       "guest  1-2     46f4:0001  S1      -          once,for"
                       "ce  " WORLD_UUID "\n");
    /* a watcher that looks while the guest is saved */
    assert_int_equal(call(f, "usb-reconcile --wait 1"), CMD_FAILED);
    assert_non_null(strstr(f->out, "another command for the guest is running"));
    usb_world_destroy(f->world);
    quiet(f, &env);
    guard_usb_end(&env, &g);
    guard_usb_free(&g);
    loud(&env);
    usb_world_create(f->world, 7, WORLD_UUID);
    assert_int_equal(call(f, "usb-reconcile"), CMD_OK);
    assert_non_null(strstr(f->out, "usb 1-2: attached"));
    assert_string_equal(sysfs_mem_find(f->world->sysfs, "1-2")->intf[0].driver,
                        "usbfs");
    assert_assigned(
        f, "guest  1-1     0627:0001  -       -          -        " WORLD_UUID
           "\n");
    assert_int_equal(call(f, "usb-detach guest 1-2"), CMD_OK);
    assert_int_equal(call(f, "usb-reconcile"), CMD_OK);
    assert_null(strstr(f->out, "1-2"));
}

static void one_that_goes_on_has_them_again(void **state)
{
    struct fixture *f = *state;
    struct guard_usb g;
    struct cmd_env env;
    assert_int_equal(call(f, "usb-attach guest 1-2"), CMD_OK);
    char *before = usb_world_dump(f->world);
    quiet(f, &env);
    assert_int_equal(guard_usb_remove(&env, 5, true, &g), CMD_OK);
    guard_usb_begin(&env, &g);
    guard_usb_end(&env, &g);
    guard_usb_put_back(&env, &g);
    guard_usb_free(&g);
    loud(&env);
    assert_assigned(f, "");
    char *after = usb_world_dump(f->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* True when it was refused, and all is as it was. */
static bool refuses_to_save(struct fixture *f, int fail_at)
{
    struct guard_usb g;
    struct cmd_env env;
    assert_int_equal(call(f, "usb-hc-create guest"), CMD_OK);
    assert_int_equal(call(f, "usb-hc-create guest ports=3"), CMD_OK);
    assert_int_equal(call(f, "usb-attach guest 1 3 1-2"), CMD_OK);
    char *before = usb_world_dump(f->world);
    quiet(f, &env);
    f->world->nth = (struct nth){ .fail_at = fail_at };
    int rc = guard_usb_remove(&env, 5, true, &g);
    guard_usb_free(&g);
    loud(&env);
    char *after = usb_world_dump(f->world);
    if (rc == CMD_FAILED) {
        assert_int_equal(g.removed, 0);
        assert_string_equal(after, before);
    }
    free(before);
    free(after);
    return rc == CMD_FAILED;
}

static void a_device_that_does_not_let_go_stops_a_save(void **state)
{
    unsigned refused = 0;
    for (int n = 1; n < 200; n++) {
        struct fixture *f = *state;
        refused += refuses_to_save(f, n);
        teardown(state);
        setup(state);
    }
    assert_true(refused > 100);
}

/* What is said is what is done: both are libxl's 40 s for a device. */
static void the_help_has_the_deadline(void **state)
{
    static const char *const lines[] = {
        "usb-attach --help",     "usb-detach --help",    "usb-hc-create --help",
        "usb-hc-destroy --help", "usb-reconcile --help",
    };
    struct fixture *f = *state;
    char want[32];
    assert_int_equal(XLX_USB_TIMEOUT_MS, 40000);
    snprintf(want, sizeof(want), "(default %d)", XLX_USB_TIMEOUT_MS / 1000);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(call(f, lines[i]), CMD_OK);
        if (!strstr(f->out, want))
            fail_msg("%s: no %s in\n%s", lines[i], want, f->out);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_parse_call_and_print),
        TEST(a_mistyped_guest_has_a_suggestion),
        TEST(assigned_devices_as_json),
        TEST(what_was_done_as_json),
        TEST(what_was_assigned_as_json),
        TEST(a_watch_ends_with_a_signal),
        TEST(a_listing_shows_all_ports),
        TEST(a_table_has_every_device),
        TEST(twins_are_their_own_guests),
        TEST(what_a_guest_has_is_not_missing),
        TEST(a_guests_device_may_be_in_use_here),
        TEST(lists_need_no_xen),
        TEST(nothing_is_said),
        TEST(lists_are_repeated_until_a_signal),
        TEST(json_has_the_same),
        TEST(a_dry_run_says_what_it_would_do),
        TEST(save_refuses_a_guest_with_devices),
        TEST(what_went_through_a_port_is_shown),
        TEST(what_was_detached_for_a_save_comes_back),
        TEST(a_saved_guest_is_given_its_devices_once),
        TEST(one_that_goes_on_has_them_again),
        TEST(a_device_that_does_not_let_go_stops_a_save),
        TEST(the_hosts_devices_are_listed),
        TEST(the_policy_is_explained),
        TEST(a_detach_that_finds_nothing_repairs),
        TEST(devices_without_interfaces_are_explained),
        TEST(a_broken_policy_is_one_line),
        TEST(the_policy_as_json),
        TEST(the_help_has_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
