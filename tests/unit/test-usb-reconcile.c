/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * It comes back: replug, re-enumeration, reboot, on a host in memory.
 */
#include "test.h"

#include "fakes/passes.h"

#define BE "/local/domain/0/backend/qusb/5"

/* --- what comes back ------------------------------------------------------ */

static void what_is_assigned_is_attached(void **state)
{
    struct passes *f = *state;
    assert_int_equal(passes_now(f), 0);
    passes_start_with_two(f);
    passes_assert_has(f, "1-2", true);
    assert_string_equal(f->w->ctx->error, "");
}

static void what_is_attached_already_stays(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    assert_int_equal(xlx_usb_attach(f->w->ctx, 5, "1-2", &any, 0, 2000, &got),
                     0);
    assert_int_equal(xlx_usb_attach(f->w->ctx, 5, "1-1", &any, 0, 2000, &got),
                     0);
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 1);
    passes_assert_line(f, 0, XLX_USB_IN_PLACE, "1-2");
    assert_int_equal(f->line[0].place.port, 1);
    passes_assert_port(f, 2, "1-1"); /* nobody's business */
}

static void a_replug_into_the_same_port(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 1, XLX_USB_FREED, "1-2");
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-2");
    passes_assert_port(f, 1, "");
    assert_int_equal(passes_now(f), 0);
    passes_plug(f, &passes_stick, "1-2", "33");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    passes_assert_has(f, "1-2", true);
}

static void a_replug_into_another_port(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    passes_plug(f, &passes_stick, "1-5", "33");
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-2");
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-5");
    passes_assert_port(f, 1, "1-5");
    passes_assert_has(f, "1-5", true);
    /* without a serial too, when it is the only one */
    passes_unplug(f, "1-3.1");
    passes_plug(f, &passes_mouse, "1-6", "34");
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-6");
}

static void a_new_address_is_a_new_device(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    passes_plug(f, &passes_stick, "1-2", "33"); /* so fast that nobody saw it */
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "plugged in again"));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    passes_assert_has(f, "1-2", true);
    assert_int_equal(passes_now(f), 0);
}

static void what_the_backend_has_lost(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver = "usb-storage";
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[1].driver = NULL;
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "lost"));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    passes_assert_has(f, "1-2", true);
}

static void what_another_tool_is_attaching(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    f->w->no_claim = true;
    xs_mem_put(f->w->xs, BE "/0/port/3", "1-1");
    passes_assign(f, "guest", "1-1");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_IN_PLACE, "1-1");
    passes_assert_port(f, 3, "1-1");
}

static void a_keyboard_in_the_place_of_the_stick(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev evil = passes_stick;
    passes_start_with_two(f);
    evil.intf[0].class = "030101";
    passes_unplug(f, "1-2");
    passes_plug(f, &evil, "1-2", "33");
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 1, XLX_USB_FREED, "1-2");
    passes_assert_line(f, 0, XLX_USB_CHANGED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "030101"));
    passes_assert_has(f, "1-2", false);
    passes_assert_port(f, 1, "");
    assert_int_equal(passes_later(f), 0);
}

static void another_configuration_is_no_change(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].class = "020600";
    assert_int_equal(passes_later(f), 0);
    passes_assert_has(f, "1-2", true);
}

static void attached_by_another_tool_and_replaced(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    xs_mem_put(f->w->xs, "/libxl-ext/usb/1-2", NULL);
    assert_int_equal(passes_later(f), 0);
    struct sysfs_dev other = passes_stick;
    other.serial = "S9";
    other.intf[0].driver = "usbfs"; /* taken by the backend all by itself */
    passes_unplug(f, "1-2");
    passes_plug(f, &other, "1-2", "33");
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 1, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[1].reason, "another device"));
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-2");
}

static void twins_without_serial(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-3.1");
    passes_plug(f, &passes_mouse, "1-5", "33");
    passes_plug(f, &passes_mouse, "1-6", "34");
    assert_true(passes_later(f) == 2);
    passes_assert_line(f, 0, XLX_USB_AMBIGUOUS, "1-3.1");
    assert_non_null(strstr(f->line[0].reason, "1-5, 1-6"));
    passes_unplug(f, "1-5");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-6");
}

/* --- guests --------------------------------------------------------------- */

static void a_reboot_brings_a_new_domid(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    usb_world_destroy(f->w);
    assert_int_equal(passes_now(f), 0);
    passes_assert_has(f, "1-2", false);
    usb_world_create(f->w, 7, WORLD_UUID);
    assert_int_equal(passes_now(f), 2); /* at once */
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->line[0].domid, 7);
    passes_assert_port(f, 1, "1-2");
}

static void a_new_uuid_keeps_the_name(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    usb_world_destroy(f->w);
    usb_world_create(f->w, 8, "11111111-2222-4333-8444-555555555555");
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
}

static void a_controller_that_was_asked_for_is_made_again(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place place = { 3, 12 };
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "1-2", XLX_USB_REQUIRED, &place), 0);
    assert_int_equal(passes_now(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->line[0].place.hc, 3);
    assert_int_equal(f->line[0].place.port, 12);
    assert_string_equal(xs_mem_get(f->w->xs, BE "/3/port/12"), "1-2");
}

static void two_guests_want_one_device(void **state)
{
    struct passes *f = *state;
    xs_mem_put(f->w->xs, "/libxl/6/type", "pvh");
    passes_assign(f, "other", "1-2");
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 0, XLX_USB_TAKEN, "1-2");
    assert_string_equal(f->line[0].guest, "other");
    assert_non_null(strstr(f->line[0].reason, "guest guest"));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
    assert_string_equal(f->line[1].guest, "guest");
    assert_int_equal(passes_later(f), 0);
}

static void who_has_a_device_keeps_it(void **state)
{
    struct passes *f = *state;
    passes_assign(f, "guest", "1-2");
    passes_now(f);
    xs_mem_put(f->w->xs, "/local/domain/6/name", "a-first");
    passes_assign(f, "a-first", "1-2");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_TAKEN, "1-2");
    passes_assert_has(f, "1-2", true);
}

static void controllers_are_made_before_the_first_device(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place one = { 1, 1 }, two = { 2, 1 };
    passes_assign(f, "guest", "1-1");
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-2", 0, &one), 0);
    assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-3.1", 0, &two), 0);
    assert_int_equal(passes_now(f), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->line[i].outcome, XLX_USB_ATTACHED);
    /* and the one that can go anywhere took nobody's place */
    passes_assert_line(f, 2, XLX_USB_ATTACHED, "1-1");
    assert_int_equal(f->line[2].place.hc, 1);
    assert_int_equal(f->line[2].place.port, 2);
}

static void a_guest_that_does_not_run_keeps_its_place(void **state)
{
    struct passes *f = *state;
    passes_assign(f, "other", "1-3.1");
    passes_plug(f, &passes_mouse, "1-6", "40");
    passes_assign(f, "guest", "1-6");
    xs_mem_put(f->w->xs, "/local/domain/6", NULL);
    passes_unplug(f, "1-6");
    assert_int_equal(passes_now(f), 1);
    passes_assert_line(f, 0, XLX_USB_TAKEN, "1-3.1");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, passes_setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_assigned_is_attached),
        TEST(what_is_attached_already_stays),
        TEST(a_replug_into_the_same_port),
        TEST(a_replug_into_another_port),
        TEST(a_new_address_is_a_new_device),
        TEST(what_the_backend_has_lost),
        TEST(what_another_tool_is_attaching),
        TEST(a_keyboard_in_the_place_of_the_stick),
        TEST(another_configuration_is_no_change),
        TEST(attached_by_another_tool_and_replaced),
        TEST(twins_without_serial),
        TEST(a_reboot_brings_a_new_domid),
        TEST(a_new_uuid_keeps_the_name),
        TEST(a_controller_that_was_asked_for_is_made_again),
        TEST(two_guests_want_one_device),
        TEST(who_has_a_device_keeps_it),
        TEST(controllers_are_made_before_the_first_device),
        TEST(a_guest_that_does_not_run_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
