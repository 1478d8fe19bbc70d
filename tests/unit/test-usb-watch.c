/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The watch: what wakes it, what it tells, and that it sleeps. And the uevents
 * it reads.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "fakes/uevent_mem.h"
#include "fakes/usb_world.h"
#include "libxl_ext_evtchn.h"
#include "libxl_ext_usb.h"

struct fixture {
    struct usb_world *w;
    struct uevent_mem *uevents;
    xlx_usb_watch *watch;
    char told[4096]; /* "attached 1-2;" ... since the last look */
};

static void report(void *user, const struct xlx_usb_report *r)
{
    struct fixture *f = user;
    size_t n = strlen(f->told);
    snprintf(f->told + n, sizeof(f->told) - n, "%s %s;",
             xlx_usb_outcome_name(r->outcome), r->busid);
}

static int setup(void **state)
{
    static const struct xlx_usb_reconcile_config usual = {
        .timeout_ms = 5000 /* never reached */
    };
    struct fixture *f = calloc(1, sizeof(*f));
    f->w = usb_world_new();
    f->uevents = uevent_mem_new();
    f->w->ctx->uevents = uevent_mem_seam(f->uevents);
    assert_int_equal(xlx_usb_watch_new(f->w->ctx, &usual, sizeof(usual), report,
                                       f, &f->watch),
                     0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx_usb_watch_free(f->watch);
    usb_world_free(f->w);
    free(f);
    return 0;
}

static bool is_awake(struct fixture *f, int ms)
{
    struct pollfd fd = { .fd = xlx_usb_watch_fd(f->watch), .events = POLLIN };
    return poll(&fd, 1, ms) == 1;
}

/* Dispatches until that is told. */
static void expect(struct fixture *f, const char *text)
{
    int64_t until = xlx__now_ms() + 5000;
    while (strcmp(f->told, text) && xlx__now_ms() < until) {
        is_awake(f, 10);
        assert_int_equal(xlx_usb_watch_dispatch(f->watch), 0);
    }
    assert_string_equal(f->told, text);
    f->told[0] = '\0';
}

/* Until nothing wakes it any more. */
static void calm_down(struct fixture *f)
{
    while (is_awake(f, 500))
        assert_int_equal(xlx_usb_watch_dispatch(f->watch), 0);
}

static void assign(struct fixture *f, const char *busid)
{
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", busid, 0, NULL), 0);
}

/* --- what wakes it -------------------------------------------------------- */

static void what_is_assigned_wakes_it(void **state)
{
    struct fixture *f = *state;
    calm_down(f);
    assign(f, "1-2");
    assert_true(is_awake(f, 0));
    expect(f, "attached 1-2;");
    calm_down(f);
    assert_string_equal(f->told, "");
}

static void an_idle_one_sleeps(void **state)
{
    struct fixture *f = *state;
    assign(f, "1-2");
    expect(f, "attached 1-2;");
    calm_down(f);
    assert_false(is_awake(f, 1500));
}

static void a_replug_wakes_it(void **state)
{
    struct fixture *f = *state;
    struct sysfs_dev stick = *sysfs_mem_find(f->w->sysfs, "1-2");
    assign(f, "1-2");
    expect(f, "attached 1-2;");
    calm_down(f);
    sysfs_mem_unplug(f->w->sysfs, "1-2");
    uevent_mem_send(f->uevents, "remove", "1-2");
    assert_true(is_awake(f, 0));
    expect(f, "waits 1-2;freed 1-2;");
    calm_down(f);
    stick.address = "9";
    sysfs_mem_plug(f->w->sysfs, &stick);
    uevent_mem_send(f->uevents, "add", "1-2");
    uevent_mem_send(f->uevents, "bind", "1-2");
    expect(f, "attached 1-2;");
    calm_down(f);
    assert_string_equal(f->told, "");
}

static void a_guest_wakes_it(void **state)
{
    struct fixture *f = *state;
    assign(f, "1-2");
    expect(f, "attached 1-2;");
    usb_world_destroy(f->w);
    usb_world_create(f->w, 9, WORLD_UUID);
    expect(f, "attached 1-2;");
}

static void a_guest_that_starts_is_told_its_vectors(void **state)
{
    static const char node[] = "/local/domain/9/libxl-ext/vectors";
    struct fixture *f = *state;
    int64_t until = xlx__now_ms() + 5000;
    assert_int_equal(xlx_evtchn_policy_set(f->w->ctx, "guest", "vif"), 0);
    usb_world_destroy(f->w);
    usb_world_create(f->w, 9, WORLD_UUID);
    while (!xs_mem_get(f->w->xs, node) && xlx__now_ms() < until) {
        is_awake(f, 10);
        assert_int_equal(xlx_usb_watch_dispatch(f->watch), 0);
    }
    assert_non_null(xs_mem_get(f->w->xs, node));
    assert_string_equal(xs_mem_get(f->w->xs, node), "vif");
}

/* main has its pidfile open until it ends, and the kernel tells of that. */
static void a_killed_backend_wakes_it(void **state)
{
    struct fixture *f = *state;
    char pidfile[128];
    assign(f, "1-2");
    expect(f, "attached 1-2;");
    snprintf(pidfile, sizeof(pidfile), "%s/usb/5.pid", f->w->dir);
    int main_has = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(main_has >= 0);
    calm_down(f);
    usb_world_kill_backend(f->w);
    assert_false(is_awake(f, 0));
    close(main_has);
    assert_true(is_awake(f, 0));
    calm_down(f);
    assert_int_equal(f->w->starts, 2);
    assert_string_equal(f->told, "");
}

static void lost_uevents_are_made_up_for(void **state)
{
    struct fixture *f = *state;
    assign(f, "1-4"); /* a program has it */
    expect(f, "failed 1-4;");
    calm_down(f);
    sysfs_mem_find(f->w->sysfs, "1-4")->intf[0].driver = "ftdi_sio";
    uevent_mem_lose(f->uevents);
    expect(f, "attached 1-4;");
}

static void what_fails_is_tried_again(void **state)
{
    struct fixture *f = *state;
    assign(f, "1-4");
    expect(f, "failed 1-4;");
    sysfs_mem_find(f->w->sysfs, "1-4")->intf[0].driver = "ftdi_sio";
    int64_t before = xlx__now_ms();
    while (is_awake(f, 3000) && !*f->told)
        assert_int_equal(xlx_usb_watch_dispatch(f->watch), 0);
    assert_string_equal(f->told, "attached 1-4;");
    assert_in_range(xlx__now_ms() - before, 500, 2500);
}

static void there_is_only_one(void **state)
{
    struct fixture *f = *state;
    xlx_usb_watch *second;
    assert_int_equal(xlx_usb_watch_new(f->w->ctx, NULL, 0, report, f, &second),
                     -EBUSY);
    assert_non_null(strstr(xlx_ctx_error(f->w->ctx), "reconcile.pid"));
    xlx_usb_watch_free(f->watch);
    f->watch = NULL;
    assert_int_equal(
        xlx_usb_watch_new(f->w->ctx, NULL, 0, report, f, &f->watch), 0);
}

static void half_made_ones_are_taken_apart(void **state)
{
    struct fixture *f = *state;
    xlx_usb_watch_free(f->watch);
    f->watch = NULL;
    for (int n = 1; n < 40; n++) {
        f->w->nth = (struct nth){ .fail_at = n };
        if (!xlx_usb_watch_new(f->w->ctx, NULL, 0, report, f, &f->watch))
            break;
        assert_null(f->watch);
    }
    assert_non_null(f->watch);
    f->w->nth = (struct nth){ 0 };
    xlx_ctx_set_path(f->w->ctx, XLX_PATH_STATE, "/dev/null/x");
    xlx_usb_watch_free(f->watch);
    f->watch = NULL;
    assert_int_equal(
        xlx_usb_watch_new(f->w->ctx, NULL, 0, report, f, &f->watch), -ENOTDIR);
}

/* --- uevents -------------------------------------------------------------- */

#define DEV "add@/devices/pci0000:00/usb1/1-2\0"
#define PATH "DEVPATH=/devices/pci0000:00/usb1/1-2\0"

struct message {
    const char *text;
    size_t len;
    const char *action, *busid; /* NULL: of no interest */
};

#define MESSAGE(text, action, busid)          \
    {                                         \
        text, sizeof(text) - 1, action, busid \
    }

static const struct message messages[] = {
    MESSAGE(DEV "ACTION=add\0" PATH "SUBSYSTEM=usb\0DEVTYPE=usb_device\0",
            "add", "1-2"),
    MESSAGE(DEV "ACTION=remove\0" PATH "SUBSYSTEM=usb\0X=\0"
                "DEVTYPE=usb_device\0",
            "remove", "1-2"),
    MESSAGE(DEV "ACTION=add\0" PATH "SUBSYSTEM=usb\0DEVTYPE=usb_interface\0",
            NULL, NULL),
    MESSAGE(DEV "ACTION=add\0" PATH "SUBSYSTEM=hid\0DEVTYPE=usb_device\0", NULL,
            NULL),
    MESSAGE(DEV "ACTION=add\0" PATH "DEVTYPE=usb_device\0", NULL, NULL),
    MESSAGE(DEV "ACTION=add\0" PATH "SUBSYSTEM=usb\0", NULL, NULL),
    MESSAGE(DEV PATH "SUBSYSTEM=usb\0DEVTYPE=usb_device\0", NULL, NULL),
    MESSAGE(DEV "ACTION=add\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0", NULL, NULL),
    MESSAGE(DEV "ACTION=add\0DEVPATH=x\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0",
            NULL, NULL),
    MESSAGE(DEV "ACTION=add\0DEVPATH=/x/\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0",
            NULL, NULL),
    MESSAGE(DEV "ACTION=aaaaaaaaaabbbbbbbbbbccccccccccdd\0" PATH
                "SUBSYSTEM=usb\0DEVTYPE=usb_device\0",
            NULL, NULL),
    MESSAGE(DEV "ACTION=add\0" PATH "SUBSYSTEM=usb\0DEVTYPE=usb_device", NULL,
            NULL), /* cut off */
    MESSAGE("libudev\0ACTION=add\0" PATH "SUBSYSTEM=usb\0DEVTYPE=usb_device\0",
            NULL, NULL),
    MESSAGE("\0", NULL, NULL),
    MESSAGE("\0\0\0", NULL, NULL),
    { "", 0, NULL, NULL },
};

static void messages_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const struct message *m = &messages[i];
        struct xlx__uevent event;
        char *copy = malloc(m->len + 1); /* so that ASan sees the end */
        memcpy(copy, m->text, m->len);
        copy = realloc(copy, m->len ? m->len : 1);
        bool good = xlx__uevent_parse(copy, m->len, &event);
        free(copy);
        if (good != !!m->action)
            fail_msg("message %zu", i);
        if (!good)
            continue;
        assert_string_equal(event.action, m->action);
        assert_string_equal(event.busid, m->busid);
    }
}

/* Sent by a process, which only root may: not by the kernel. */
static void others_are_not_believed(void **state)
{
    struct sockaddr_nl to = { .nl_family = AF_NETLINK };
    socklen_t len = sizeof(to);
    struct xlx__uevents *u;
    struct xlx__uevent event;
    xlx_ctx *ctx;
    (void)state;
    xlx_ctx_new(&ctx);
    int rc = xlx__uevents_kernel(ctx, &u), fd = -1;
    if (!rc) {
        getsockname(u->ops->fd(u), (struct sockaddr *)&to, &len);
        fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
        if (sendto(fd, messages[0].text, messages[0].len, 0,
                   (struct sockaddr *)&to, len) < 0)
            rc = -errno;
        else
            assert_int_equal(u->ops->next(u, &event), 0);
        close(fd);
        u->seam.close(&u->seam);
    }
    xlx_ctx_free(ctx);
    if (rc)
        skip();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_assigned_wakes_it),
        TEST(an_idle_one_sleeps),
        TEST(a_replug_wakes_it),
        TEST(a_guest_wakes_it),
        TEST(a_guest_that_starts_is_told_its_vectors),
        TEST(a_killed_backend_wakes_it),
        TEST(lost_uevents_are_made_up_for),
        TEST(what_fails_is_tried_again),
        TEST(there_is_only_one),
        TEST(half_made_ones_are_taken_apart),
        cmocka_unit_test(messages_are_read),
        cmocka_unit_test(others_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
