/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * It comes back: replug, re-enumeration, reboot, on a host in memory.
 */
#include "test.h"

#include <unistd.h>

#include "core/clock.h"
#include "fakes/usb_world.h"
#include "host/lock.h"
#include "usb/device.h"
#include "usb/job.h"
#include "usb/reconcile.h"

#define BE "/local/domain/0/backend/qusb/5"
#define NR_REPORTS 16

struct line {
    enum xlx_usb_outcome outcome;
    char guest[32], busid[32], reason[200];
    uint32_t domid;
    struct xlx_usb_place place;
    bool wish;
};

struct fixture {
    struct usb_world *w;
    struct xlx__reconciler r;
    struct line line[NR_REPORTS]; /* of the last pass */
    int nr;
    struct xlx__pass pass;
    int64_t now;
};

static void report(void *user, const struct xlx_usb_report *r)
{
    struct fixture *f = user;
    assert_true(f->nr < NR_REPORTS);
    struct line *l = &f->line[f->nr++];
    *l = (struct line){ .outcome = r->outcome,
                        .domid = r->domid,
                        .place = r->place,
                        .wish = r->wish };
    snprintf(l->guest, sizeof(l->guest), "%s", r->guest);
    snprintf(l->busid, sizeof(l->busid), "%s", r->busid);
    snprintf(l->reason, sizeof(l->reason), "%s", r->reason);
}

static int setup(void **state)
{
    static const struct xlx_usb_reconcile_config quick = { .timeout_ms = 200 };
    struct fixture *f = calloc(1, sizeof(*f));
    f->w = usb_world_new();
    f->now = 1000000;
    xlx__reconciler_init(&f->r, f->w->ctx, &quick, report, f);
    f->r.only_changes = true;
    f->r.busy_ms = 0;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    xlx__reconciler_free(&f->r);
    usb_world_free(f->w);
    free(f);
    return 0;
}

static void assign(struct fixture *f, const char *guest, const char *busid)
{
    assert_int_equal(xlx_usb_assign(f->w->ctx, guest, busid, false, NULL), 0);
}

/* One pass; returns how many reports there were. */
static int pass(struct fixture *f)
{
    f->nr = 0;
    assert_int_equal(xlx__reconcile_pass(&f->r, f->now, &f->pass), 0);
    return f->nr;
}

/* One pass a second later. */
static int later(struct fixture *f)
{
    f->now += 1000 + 300; /* and what the last try took */
    return pass(f);
}

static void assert_line(const struct fixture *f, int i,
                        enum xlx_usb_outcome outcome, const char *busid)
{
    assert_true(i < f->nr);
    if (f->line[i].outcome != outcome || strcmp(f->line[i].busid, busid))
        fail_msg("%s %s (%s), not %s %s",
                 xlx_usb_outcome_name(f->line[i].outcome), f->line[i].busid,
                 f->line[i].reason, xlx_usb_outcome_name(outcome), busid);
}

static void assert_port(const struct fixture *f, int port, const char *busid)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/qusb/%u/0/port/%d",
             f->w->domid, port);
    const char *now = xs_mem_get(f->w->xs, path);
    assert_string_equal(now ? now : "-", busid);
}

static void assert_has(const struct fixture *f, const char *busid, bool has)
{
    const char *driver = sysfs_mem_find(f->w->sysfs, busid)->intf[0].driver;
    assert_int_equal(driver && !strcmp(driver, "usbfs"), has);
}

/* --- plugging by hand ----------------------------------------------------- */

static const struct sysfs_dev stick = {
    .class = "00", .vendor = "46f4", .product_id = "0001", .speed = "480",
    .serial = "S1",
    .intf = { { "", "usb-storage", "usb-storage", "080650" },
              { "", NULL, NULL, "ff0000" } },
};

static const struct sysfs_dev mouse = {
    .class = "00", .vendor = "0627", .product_id = "0001", .speed = "12",
    .intf = { { "", "usbhid", "usbhid", "030102" } },
};

/* Strings of a device stay the caller's: kept for the test's life. */
static void plug(struct fixture *f, const struct sysfs_dev *like,
                 const char *busid, const char *address)
{
    static const char *const names[][2] = {
        { "1-2:1.0", "1-2:1.1" }, { "1-5:1.0", "1-5:1.1" },
        { "1-6:1.0", "1-6:1.1" }, { "1-3.1:1.0", "1-3.1:1.1" },
    };
    struct sysfs_dev dev = *like;
    dev.busid = busid;
    dev.address = address;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        for (int i = 0; i < 2 && !strncmp(names[n][0], busid, strlen(busid)) &&
                        dev.intf[i].name; i++)
            dev.intf[i].name = names[n][i];
    sysfs_mem_plug(f->w->sysfs, &dev);
}

static void unplug(struct fixture *f, const char *busid)
{
    sysfs_mem_unplug(f->w->sysfs, busid);
}

/* The guest has the stick from 1-2 and the mouse from 1-3.1, by intent. */
static void start_with_two(struct fixture *f)
{
    assign(f, "guest", "1-2");
    assign(f, "guest", "1-3.1");
    assert_int_equal(pass(f), 2);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_line(f, 1, XLX_USB_ATTACHED, "1-3.1");
    assert_port(f, 1, "1-2");
    assert_port(f, 2, "1-3.1");
    assert_true(f->pass.acted);
    assert_int_equal(pass(f), 0);
    assert_false(f->pass.acted);
    assert_true(f->pass.next == INT64_MAX);
}

/* --- what comes back ------------------------------------------------------ */

static void what_is_assigned_is_attached(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(pass(f), 0);
    start_with_two(f);
    assert_has(f, "1-2", true);
    assert_string_equal(f->w->ctx->error, "");
}

static void what_is_attached_already_stays(void **state)
{
    struct fixture *f = *state;
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    assert_int_equal(xlx_usb_attach(f->w->ctx, 5, "1-2", &any, 0, 2000, &got), 0);
    assert_int_equal(xlx_usb_attach(f->w->ctx, 5, "1-1", &any, 0, 2000, &got), 0);
    assign(f, "guest", "1-2");
    assert_int_equal(pass(f), 1);
    assert_line(f, 0, XLX_USB_IN_PLACE, "1-2");
    assert_int_equal(f->line[0].place.port, 1);
    assert_port(f, 2, "1-1"); /* nobody's business */
}

static void a_replug_into_the_same_port(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    unplug(f, "1-2");
    assert_int_equal(pass(f), 2);
    assert_line(f, 1, XLX_USB_FREED, "1-2");
    assert_line(f, 0, XLX_USB_WAITS, "1-2");
    assert_port(f, 1, "");
    assert_int_equal(pass(f), 0);
    plug(f, &stick, "1-2", "33");
    assert_int_equal(later(f), 1);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_has(f, "1-2", true);
}

static void a_replug_into_another_port(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    unplug(f, "1-2");
    plug(f, &stick, "1-5", "33");
    assert_true(later(f) == 2);
    assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_line(f, 1, XLX_USB_ATTACHED, "1-5");
    assert_port(f, 1, "1-5");
    assert_has(f, "1-5", true);
    /* without a serial too, when it is the only one */
    unplug(f, "1-3.1");
    plug(f, &mouse, "1-6", "34");
    assert_true(later(f) == 2);
    assert_line(f, 1, XLX_USB_ATTACHED, "1-6");
}

static void a_new_address_is_a_new_device(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    unplug(f, "1-2");
    plug(f, &stick, "1-2", "33"); /* so fast that nobody saw it */
    assert_true(later(f) == 2);
    assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "plugged in again"));
    assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_has(f, "1-2", true);
    assert_int_equal(pass(f), 0);
}

static void what_the_backend_has_lost(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver = "usb-storage";
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[1].driver = NULL;
    assert_true(later(f) == 2);
    assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "lost"));
    assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_has(f, "1-2", true);
}

static void a_keyboard_in_the_place_of_the_stick(void **state)
{
    struct fixture *f = *state;
    struct sysfs_dev evil = stick;
    start_with_two(f);
    evil.intf[0].class = "030101";
    unplug(f, "1-2");
    plug(f, &evil, "1-2", "33");
    assert_true(later(f) == 2);
    assert_line(f, 1, XLX_USB_FREED, "1-2");
    assert_line(f, 0, XLX_USB_CHANGED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "030101"));
    assert_has(f, "1-2", false);
    assert_port(f, 1, "");
    assert_int_equal(later(f), 0);
}

static void another_configuration_is_no_change(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].class = "020600";
    assert_int_equal(later(f), 0);
    assert_has(f, "1-2", true);
}

static void attached_by_another_tool_and_replaced(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    xs_mem_put(f->w->xs, "/libxl-ext/usb/1-2", NULL);
    assert_int_equal(later(f), 0);
    struct sysfs_dev other = stick;
    other.serial = "S9";
    other.intf[0].driver = "usbfs"; /* taken by the backend all by itself */
    unplug(f, "1-2");
    plug(f, &other, "1-2", "33");
    assert_true(later(f) == 2);
    assert_line(f, 1, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[1].reason, "another device"));
    assert_line(f, 0, XLX_USB_WAITS, "1-2");
}

static void twins_without_serial(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    unplug(f, "1-3.1");
    plug(f, &mouse, "1-5", "33");
    plug(f, &mouse, "1-6", "34");
    assert_true(later(f) == 2);
    assert_line(f, 0, XLX_USB_AMBIGUOUS, "1-3.1");
    assert_non_null(strstr(f->line[0].reason, "1-5, 1-6"));
    unplug(f, "1-5");
    assert_int_equal(later(f), 1);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-6");
}

/* --- guests --------------------------------------------------------------- */

static void a_reboot_brings_a_new_domid(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    usb_world_destroy(f->w);
    assert_int_equal(pass(f), 0);
    assert_has(f, "1-2", false);
    usb_world_create(f->w, 7, WORLD_UUID);
    assert_int_equal(pass(f), 2); /* at once */
    assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->line[0].domid, 7);
    assert_port(f, 1, "1-2");
}

static void a_new_uuid_keeps_the_name(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    usb_world_destroy(f->w);
    usb_world_create(f->w, 8, "11111111-2222-4333-8444-555555555555");
    assert_int_equal(pass(f), 2);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
}

static void a_controller_that_was_asked_for_is_made_again(void **state)
{
    struct fixture *f = *state;
    const struct xlx_usb_place place = { 3, 12 };
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-2", true, &place), 0);
    assert_int_equal(pass(f), 1);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->line[0].place.hc, 3);
    assert_int_equal(f->line[0].place.port, 12);
    assert_string_equal(xs_mem_get(f->w->xs, BE "/3/port/12"), "1-2");
}

static void two_guests_want_one_device(void **state)
{
    struct fixture *f = *state;
    xs_mem_put(f->w->xs, "/libxl/6/type", "pvh");
    assign(f, "other", "1-2");
    assign(f, "guest", "1-2");
    assert_int_equal(pass(f), 2);
    assert_line(f, 0, XLX_USB_TAKEN, "1-2");
    assert_string_equal(f->line[0].guest, "other");
    assert_non_null(strstr(f->line[0].reason, "guest guest"));
    assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_string_equal(f->line[1].guest, "guest");
    assert_int_equal(later(f), 0);
}

static void who_has_a_device_keeps_it(void **state)
{
    struct fixture *f = *state;
    assign(f, "guest", "1-2");
    pass(f);
    xs_mem_put(f->w->xs, "/local/domain/6/name", "a-first");
    assign(f, "a-first", "1-2");
    assert_int_equal(later(f), 1);
    assert_line(f, 0, XLX_USB_TAKEN, "1-2");
    assert_has(f, "1-2", true);
}

static void a_guest_that_does_not_run_keeps_its_place(void **state)
{
    struct fixture *f = *state;
    assign(f, "other", "1-3.1");
    plug(f, &mouse, "1-6", "40");
    assign(f, "guest", "1-6");
    xs_mem_put(f->w->xs, "/local/domain/6", NULL);
    unplug(f, "1-6");
    assert_int_equal(pass(f), 1);
    assert_line(f, 0, XLX_USB_TAKEN, "1-3.1");
}

/* --- failures ------------------------------------------------------------- */

static void one_failure_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    assign(f, "guest", "1-4"); /* a program of the host has it */
    assign(f, "guest", "2-1"); /* SuperSpeed */
    assign(f, "guest", "1-2");
    assert_int_equal(pass(f), 3);
    assert_line(f, 0, XLX_USB_FAILED, "1-4");
    assert_non_null(strstr(f->line[0].reason, "program on this host"));
    assert_line(f, 1, XLX_USB_FAILED, "2-1");
    assert_line(f, 2, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->pass.bad, 2);
    assert_has(f, "1-2", true);
    /* what has failed comes last from now on, and is not told twice */
    assign(f, "guest", "1-1");
    assert_int_equal(later(f), 1);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-1");
    assert_int_equal(f->pass.bad, 2);
}

static void a_bad_file_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    char path[128];
    assign(f, "guest", "1-2");
    snprintf(path, sizeof(path),
             "%s/usb/00000000-0000-4000-8000-000000000006.json", f->w->dir);
    FILE *file = fopen(path, "w");
    fputs("{", file);
    fclose(file);
    assert_int_equal(pass(f), 2);
    assert_line(f, 0, XLX_USB_FAILED, "");
    assert_non_null(strstr(f->line[0].reason, path));
    assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(later(f), 0);
    assert_int_equal(f->pass.bad, 1);
}

/* How long until the next try, having had that many. */
static void tries_become_rarer(void **state)
{
    struct fixture *f = *state;
    static const int64_t pauses[] = { 1000,  2000,   4000,   8000,
                                      16000, 32000,  64000,  128000,
                                      256000, 300000, 300000 };
    assign(f, "guest", "1-4");
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        pass(f);
        int64_t pause = f->pass.next - f->now;
        assert_in_range(pause, pauses[i], pauses[i] + 500);
        int64_t next = f->pass.next;
        f->now = next - 500;
        pass(f); /* too early: nothing is tried */
        assert_int_equal(f->pass.next, next);
        assert_int_equal(f->pass.bad, 1);
        f->now = next;
    }
    /* news of the device: at once, but never twice in a second */
    pass(f);
    xlx__backoff_reset(&f->r.backoff, "1-1");
    pass(f);
    assert_true(f->pass.next > f->now + 200000);
    xlx__backoff_reset(&f->r.backoff, "1-4");
    pass(f);
    assert_in_range(f->pass.next - f->now, 0, 1500);
    f->now = f->pass.next;
    sysfs_mem_find(f->w->sysfs, "1-4")->intf[0].driver = "ftdi_sio";
    assert_int_equal(pass(f), 1);
    assert_line(f, 0, XLX_USB_ATTACHED, "1-4");
}

static void a_port_that_is_not_freed_holds_up_only_itself(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77"; /* plugged in again */
    f->w->no_release = true;
    unplug(f, "1-3.1");
    assert_true(later(f) >= 3);
    assert_line(f, 0, XLX_USB_WAITS, "1-3.1");
    assert_line(f, 1, XLX_USB_FAILED, "1-2");
    assert_line(f, 2, XLX_USB_FREED, "1-3.1");
    assert_line(f, 3, XLX_USB_FAILED, "1-2"); /* the wish */
    f->w->no_release = false;
    later(f);
    assert_has(f, "1-2", true);
    assert_line(f, f->nr - 1, XLX_USB_ATTACHED, "1-2");
}

static void a_guest_at_work_is_left_alone(void **state)
{
    struct fixture *f = *state;
    start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77";
    int lock = xlx__job_lock_domain(f->w->ctx, 5, 0);
    assert_true(lock >= 0);
    assert_int_equal(later(f), 0);
    assert_in_range(f->pass.next - f->now, 500, 1500);
    assert_port(f, 1, "1-2");
    close(lock);
    assert_int_equal(later(f), 2);
}

static void required_and_missing_is_bad(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-2", true, NULL), 0);
    assign(f, "guest", "1-1");
    unplug(f, "1-1");
    pass(f);
    assert_int_equal(f->pass.bad, 0);
    unplug(f, "1-2");
    later(f);
    assert_int_equal(f->pass.bad, 1);
}

static void once_is_for_one_guest_too(void **state)
{
    struct fixture *f = *state;
    struct xlx_usb_reconcile_config config = { .guest = "other" };
    assign(f, "guest", "1-2");
    assert_int_equal(xlx_usb_reconcile(f->w->ctx, &config, report, f), -ENOENT);
    assign(f, "other", "1-4");
    assert_int_equal(xlx_usb_reconcile(f->w->ctx, &config, report, f), 1);
    assert_int_equal(f->nr, 1);
    assert_line(f, 0, XLX_USB_FAILED, "1-4");
    config.guest = "5";
    assert_int_equal(xlx_usb_reconcile(f->w->ctx, &config, report, f), 0);
    assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(xlx_usb_reconcile(f->w->ctx, NULL, report, f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_assigned_is_attached),
        TEST(what_is_attached_already_stays),
        TEST(a_replug_into_the_same_port),
        TEST(a_replug_into_another_port),
        TEST(a_new_address_is_a_new_device),
        TEST(what_the_backend_has_lost),
        TEST(a_keyboard_in_the_place_of_the_stick),
        TEST(another_configuration_is_no_change),
        TEST(attached_by_another_tool_and_replaced),
        TEST(twins_without_serial),
        TEST(a_reboot_brings_a_new_domid),
        TEST(a_new_uuid_keeps_the_name),
        TEST(a_controller_that_was_asked_for_is_made_again),
        TEST(two_guests_want_one_device),
        TEST(who_has_a_device_keeps_it),
        TEST(a_guest_that_does_not_run_keeps_its_place),
        TEST(one_failure_does_not_stop_the_others),
        TEST(a_bad_file_does_not_stop_the_others),
        TEST(tries_become_rarer),
        TEST(a_port_that_is_not_freed_holds_up_only_itself),
        TEST(a_guest_at_work_is_left_alone),
        TEST(required_and_missing_is_bad),
        TEST(once_is_for_one_guest_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
