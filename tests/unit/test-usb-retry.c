/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-reconcile when something fails: one thing at a time, and less often.
 */
#include "test.h"

#include <unistd.h>

#include "core/clock.h"
#include "fakes/passes.h"
#include "usb/attach/locks.h"

static void one_failure_does_not_stop_the_others(void **state)
{
    struct passes *f = *state;
    passes_assign(f, "guest", "1-4"); /* a program of the host has it */
    passes_assign(f, "guest", "2-1"); /* SuperSpeed */
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 3);
    passes_assert_line(f, 0, XLX_USB_FAILED, "1-4");
    assert_non_null(strstr(f->line[0].reason, "program on this host"));
    passes_assert_line(f, 1, XLX_USB_FAILED, "2-1");
    passes_assert_line(f, 2, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->pass.bad, 2);
    passes_assert_has(f, "1-2", true);
    /* what has failed comes last from now on, and is not told twice */
    passes_assign(f, "guest", "1-1");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-1");
    assert_int_equal(f->pass.bad, 2);
}

/* --- a backend whose main process was killed ----------------------------- */

/* What the guest has it keeps, whether that was assigned or not. */
static void a_killed_backend_has_a_successor(void **state)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct passes *f = *state;
    struct xlx_usb_place got;
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 1);
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 5, "1-1", &any, 0, PASSES_LONG_MS, &got), 0);
    for (int i = 2; i < 4; i++) {
        usb_world_kill_backend(f->w);
        passes_assert_has(f, "1-1", false);
        assert_int_equal(passes_later(f), 0);
        assert_int_equal(f->w->starts, i);
        passes_assert_has(f, "1-1", true);
        passes_assert_has(f, "1-2", true);
        assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL),
                         i == 2 ? 1 : -ENOENT);
    }
}

static void one_that_ended_in_order_has_none(void **state)
{
    struct passes *f = *state;
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 1);
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 1);
    assert_int_equal(xlx_usb_hc_destroy(f->w->ctx, 5, 0, PASSES_LONG_MS), 0);
    assert_int_equal(passes_later(f), 0);
    assert_int_equal(f->w->starts, 1);
}

static void nor_has_one_that_was_never_there(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 2);
    usb_world_kill_backend(f->w);
    f->w->stale = false; /* no pidfile */
    passes_later(f);
    assert_int_equal(f->w->starts, 1);
}

/* A domid is used again, and its next guest's QEMU serves qusb itself. */
static void another_guests_controllers_are_left_alone(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 2);
    usb_world_kill_backend(f->w);
    xs_mem_put(f->w->xs, "/local/domain/0/device-model/5/backends/qdisk", "");
    passes_later(f);
    assert_int_equal(f->w->starts, 1);
    xs_mem_put(f->w->xs, "/local/domain/0/device-model/5/backends", NULL);
    f->now += 60000;
    passes_later(f);
    assert_int_equal(f->w->starts, 2);
}

static void a_backend_that_does_not_start_is_tried_again_later(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 2);
    usb_world_kill_backend(f->w);
    f->w->refusal = "no event channels";
    passes_later(f);
    passes_now(f);
    assert_int_equal(f->w->starts, 2);
    assert_in_range(f->pass.next, f->now + 1, f->now + 2 * 1000);
    f->w->refusal = NULL;
    passes_later(f);
    assert_int_equal(f->w->starts, 3);
    passes_assert_has(f, "1-2", true);
}

static void nor_is_it_started_beside_a_command(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    usb_world_kill_backend(f->w);
    int lock = xlx__usb_lock_domain(f->w->ctx, 5, 0);
    assert_true(lock >= 0);
    passes_later(f);
    assert_int_equal(f->w->starts, 1);
    close(lock);
    passes_later(f);
    assert_int_equal(f->w->starts, 2);
}

static void end_guest(void *user)
{
    usb_world_destroy(user);
}

/* What a pass reports as failed, or NULL. */
static const char *failure_of(const struct passes *f)
{
    for (int i = 0; i < f->nr; i++)
        if (f->line[i].outcome == XLX_USB_FAILED)
            return f->line[i].reason;
    return NULL;
}

/* True while there is an n-th call. Nobody answers any more then, so that the
 * time is soon over; on a busy machine it is over before the guest dies, and
 * there is a failure, which there is not when there is more time. */
static bool dies_at(int n, int timeout_ms)
{
    struct passes *f;
    passes_setup((void **)&f);
    passes_assign(f, "guest", "1-2");
    passes_assign(f, "guest", "1-1");
    f->r.timeout_ms = timeout_ms;
    f->w->nth = (struct nth){ .act_at = n, .act = end_guest, .user = f->w };
    passes_now(f);
    bool more = f->w->nth.calls >= n, again = failure_of(f) || f->pass.bad;
    if (again && timeout_ms >= PASSES_LONG_MS)
        fail_msg("call %d: %s", n, failure_of(f));
    passes_teardown((void **)&f);
    return again ? dies_at(n, timeout_ms * 8) : more;
}

static void a_guest_that_ends_meanwhile_is_no_failure(void **state)
{
    (void)state;
    int n = 1;
    while (dies_at(n, 500))
        n += 97; /* each waits for who does not answer any more */
    assert_true(n > 100);
}

static void a_bad_file_does_not_stop_the_others(void **state)
{
    struct passes *f = *state;
    char path[128];
    passes_assign(f, "guest", "1-2");
    snprintf(path, sizeof(path),
             "%s/usb/00000000-0000-4000-8000-000000000006.json", f->w->dir);
    FILE *file = fopen(path, "w");
    fputs("{", file);
    fclose(file);
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 0, XLX_USB_FAILED, "");
    assert_non_null(strstr(f->line[0].reason, path));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(passes_later(f), 0);
    assert_int_equal(f->pass.bad, 1);
}

/* How long until the next try, having had that many. */
static void tries_become_rarer(void **state)
{
    struct passes *f = *state;
    static const int64_t pauses[] = { 1000,   2000,   4000,  8000,
                                      16000,  32000,  64000, 128000,
                                      256000, 300000, 300000 };
    passes_assign(f, "guest", "1-4");
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        passes_now(f);
        int64_t pause = f->pass.next - f->now;
        assert_in_range(pause, pauses[i], pauses[i] + f->took + 1);
        int64_t next = f->pass.next;
        f->now = next - 900;
        passes_now(f); /* too early: nothing is tried */
        assert_int_equal(f->pass.next, next);
        assert_int_equal(f->pass.bad, 1);
        f->now = next;
    }
    /* news of the device: at once, but never twice in a second */
    passes_now(f);
    int64_t took = f->took;
    xlx__backoff_reset(&f->r.backoff, "1-1");
    passes_now(f);
    assert_true(f->pass.next > f->now + 200000);
    xlx__backoff_reset(&f->r.backoff, "1-4");
    passes_now(f);
    assert_in_range(f->pass.next - f->now, 0, 1000 + took + 1);
    f->now = f->pass.next;
    sysfs_mem_find(f->w->sysfs, "1-4")->intf[0].driver = "ftdi_sio";
    assert_int_equal(passes_now(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-4");
}

static void a_port_that_is_not_freed_holds_up_only_itself(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77"; /* plugged in again */
    f->w->no_release = true;
    f->r.timeout_ms = 200; /* reached on purpose */
    passes_unplug(f, "1-3.1");
    assert_true(passes_later(f) >= 3);
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-3.1");
    passes_assert_line(f, 1, XLX_USB_FAILED, "1-2");
    passes_assert_line(f, 2, XLX_USB_FREED, "1-3.1");
    passes_assert_line(f, 3, XLX_USB_FAILED, "1-2"); /* the wish */
    f->w->no_release = false;
    f->r.timeout_ms = PASSES_LONG_MS;
    usb_world_rest(f->w); /* the backend lets go */
    passes_later(f);
    passes_assert_has(f, "1-2", true);
    passes_assert_line(f, f->nr - 1, XLX_USB_ATTACHED, "1-2");
}

static void a_guest_at_work_is_left_alone(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77";
    int lock = xlx__usb_lock_domain(f->w->ctx, 5, 0);
    assert_true(lock >= 0);
    assert_int_equal(passes_later(f), 0);
    assert_in_range(f->pass.next - f->now, 500, 1500);
    passes_assert_port(f, 1, "1-2");
    close(lock);
    assert_int_equal(passes_later(f), 2);
}

static void required_and_missing_is_bad(void **state)
{
    struct passes *f = *state;
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "1-2", XLX_USB_REQUIRED, NULL), 0);
    passes_assign(f, "guest", "1-1");
    passes_unplug(f, "1-1");
    passes_now(f);
    assert_int_equal(f->pass.bad, 0);
    passes_unplug(f, "1-2");
    passes_later(f);
    assert_int_equal(f->pass.bad, 1);
}

static void once_is_for_one_guest_too(void **state)
{
    struct passes *f = *state;
    struct xlx_usb_reconcile_config config = { .guest = "other" };
    passes_assign(f, "guest", "1-2");
    assert_int_equal(
        xlx_usb_reconcile(f->w->ctx, &config, sizeof(config), passes_report, f),
        -ENOENT);
    passes_assign(f, "other", "1-4");
    assert_int_equal(
        xlx_usb_reconcile(f->w->ctx, &config, sizeof(config), passes_report, f),
        1);
    assert_int_equal(f->nr, 1);
    passes_assert_line(f, 0, XLX_USB_FAILED, "1-4");
    config.guest = "5";
    assert_int_equal(
        xlx_usb_reconcile(f->w->ctx, &config, sizeof(config), passes_report, f),
        0);
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(xlx_usb_reconcile(f->w->ctx, NULL, 0, passes_report, f),
                     1);
}

struct logged {
    int errors;
    char last[XLX__ERROR_MAX];
};

static void log_error(void *user, enum xlx_log_level level, const char *text)
{
    struct logged *logged = user;
    if (level != XLX_LOG_ERROR)
        return;
    logged->errors++;
    snprintf(logged->last, sizeof(logged->last), "%s", text);
}

/* What a device has failed with is reported, what the pass itself has failed
 * with is logged. */
static void assert_logged(const struct passes *f, const struct logged *logged,
                          int rc)
{
    assert_int_equal(logged->errors, rc ? 1 : 0);
    if (rc)
        assert_string_equal(logged->last, xlx_ctx_error(f->w->ctx));
}

static bool has_it(const struct passes *f)
{
    const char *port =
        xs_mem_get(f->w->xs, "/local/domain/0/backend/qusb/5/0/port/1");
    const char *driver = sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver;
    return port && !strcmp(port, "1-2") && driver && !strcmp(driver, "usbfs");
}

/* The n-th call of a pass fails. Returns what the pass returned, *calls_r how
 * many there were. On a busy machine the pass may also be short of time, and
 * leave a controller that ends while the next one looks: then it gets more. */
static int fail_once(int n, int timeout_ms, int *calls_r)
{
    struct logged logged = { 0 };
    struct passes *f;
    passes_setup((void **)&f);
    f->r.timeout_ms = timeout_ms;
    passes_assign(f, "guest", "1-2");
    xlx_ctx_set_log(f->w->ctx, log_error, &logged, XLX_LOG_ERROR);
    f->w->nth = (struct nth){ .fail_at = n };
    int64_t begun = xlx__now_ms();
    int rc = xlx__reconcile_pass(&f->r, f->now, &f->pass);
    f->now += 10000 + xlx__now_ms() - begun;
    assert_logged(f, &logged, rc);
    *calls_r = f->w->nth.calls;
    f->w->nth = (struct nth){ 0 };
    f->r.timeout_ms = PASSES_LONG_MS;
    passes_now(f);
    bool again = !has_it(f);
    if (again && timeout_ms >= PASSES_LONG_MS)
        fail_msg("call %d: the next pass does not put it right", n);
    passes_teardown((void **)&f);
    return again ? fail_once(n, timeout_ms * 8, calls_r) : rc;
}

/* Whichever call fails: the next pass puts it right. */
static void any_call_may_fail_once(void **state)
{
    int n = 0, calls = 0, rc = -1;
    (void)state;
    while (calls >= n && n < 2000) {
        n += 1 + n / 40;
        rc = fail_once(n, 30, &calls);
    }
    assert_int_equal(rc, 0); /* the last one had nothing to fail */
    assert_in_range(n, 20, 1999);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, passes_setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_failure_does_not_stop_the_others),
        TEST(a_killed_backend_has_a_successor),
        TEST(one_that_ended_in_order_has_none),
        TEST(nor_has_one_that_was_never_there),
        TEST(another_guests_controllers_are_left_alone),
        TEST(a_backend_that_does_not_start_is_tried_again_later),
        TEST(nor_is_it_started_beside_a_command),
        cmocka_unit_test(a_guest_that_ends_meanwhile_is_no_failure),
        TEST(a_bad_file_does_not_stop_the_others),
        TEST(tries_become_rarer),
        TEST(a_port_that_is_not_freed_holds_up_only_itself),
        TEST(a_guest_at_work_is_left_alone),
        TEST(required_and_missing_is_bad),
        TEST(once_is_for_one_guest_too),
        cmocka_unit_test(any_call_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
