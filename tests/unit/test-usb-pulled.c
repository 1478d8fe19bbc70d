/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Ports whose device was pulled out, on a host in memory.
 */
#include "test.h"

#include <unistd.h>

#include "core/clock.h"
#include "fakes/passes.h"
#include "usb/attach/locks.h"
#include "usb/backend/park.h"
#include "usb/backend/pulled.h"

#define SHORT_MS 150

static int free_pulled(struct passes *f)
{
    return xlx__usb_free_pulled(f->w->ctx, WORLD_DOMID,
                                xlx__now_ms() + SHORT_MS);
}

static const char *memo(struct passes *f, const char *node)
{
    char path[64];
    snprintf(path, sizeof(path), "/libxl-ext/usb/%s/domid", node);
    return xs_mem_get(f->w->xs, path);
}

static void what_is_plugged_in_stays(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    char *before = usb_world_dump(f->w);
    assert_int_equal(free_pulled(f), 0);
    char *after = usb_world_dump(f->w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void a_pulled_device_frees_its_port(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    assert_int_equal(free_pulled(f), 1);
    passes_assert_port(f, 1, "");
    passes_assert_port(f, 2, "1-3.1");
    assert_null(memo(f, "1-2"));
    assert_non_null(strstr(usb_world_syslog, "usb 1-2: pulled out"));
    assert_int_equal(free_pulled(f), 0);
}

static void all_that_went_with_a_hub(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    passes_unplug(f, "1-3.1");
    assert_int_equal(free_pulled(f), 2);
    passes_assert_port(f, 1, "");
    passes_assert_port(f, 2, "");
}

/* QEMU takes whatever is plugged in there, be it another device. */
static void what_was_plugged_in_there_next_is_given_back(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77";
    assert_int_equal(free_pulled(f), 1);
    passes_assert_port(f, 1, "");
    passes_assert_has(f, "1-2", false);
    assert_null(memo(f, "1-2"));
}

static void what_no_address_is_known_of_stays(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    xs_mem_put(f->w->xs, "/libxl-ext/usb/1-2/address", "");
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77";
    assert_int_equal(free_pulled(f), 0);
    passes_assert_port(f, 1, "1-2");
}

static void a_command_at_work_is_not_disturbed(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    int lock = xlx__usb_lock_domain(f->w->ctx, WORLD_DOMID, 0);
    assert_int_equal(free_pulled(f), -EBUSY);
    passes_assert_port(f, 1, "1-2");
    close(lock);
    lock = xlx__usb_lock_device(f->w->ctx, "1-2", 0);
    assert_int_equal(free_pulled(f), -EBUSY);
    passes_assert_port(f, 1, "1-2");
    close(lock);
    assert_int_equal(free_pulled(f), 1);
}

/* QEMU died of it, and another device is there when the next one starts. */
static void a_new_backend_is_given_no_other_device(void **state)
{
    struct passes *f = *state;
    struct xlx__parked *list;
    passes_start_with_two(f);
    usb_world_kill_backend(f->w);
    assert_int_equal(xlx__park(f->w->ctx, WORLD_DOMID, &list), 1);
    sysfs_mem_find(f->w->sysfs, "1-2")->address = "77";
    f->w->running = true;
    xlx__unpark(f->w->ctx, list, 1);
    free(list);
    passes_assert_port(f, 1, "");
    passes_assert_has(f, "1-2", false);
    assert_null(memo(f, "1-2"));
    passes_assert_has(f, "1-3.1", true);
}

/* The watcher decided to free the port; it was freed meanwhile. */
static void two_that_free_a_port_do_not_fail(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place place = { 0, 1 };
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    assert_int_equal(free_pulled(f), 1);
    assert_int_equal(
        xlx_usb_detach(f->w->ctx, WORLD_DOMID, &place, NULL, SHORT_MS,
                       NULL),
        -ENODEV);
    passes_later(f);
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-2");
    assert_int_equal(f->pass.bad, 0);
}

/* Whichever call fails: the port is as it was, or empty, and the next look
 * ends it. */
static void any_call_may_fail_once(void **state)
{
    int n = 0;
    (void)state;
    for (bool done = false; !done; n++) {
        struct passes *f;
        passes_setup((void **)&f);
        passes_start_with_two(f);
        passes_unplug(f, "1-2");
        f->w->nth = (struct nth){ .fail_at = n + 1 };
        free_pulled(f);
        done = f->w->nth.calls < f->w->nth.fail_at;
        f->w->nth = (struct nth){ 0 };
        assert_true(free_pulled(f) >= 0);
        passes_assert_port(f, 1, "");
        passes_assert_port(f, 2, "1-3.1");
        passes_assert_has(f, "1-3.1", true);
        passes_teardown((void **)&f);
    }
    assert_in_range(n, 10, 1000);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, passes_setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_plugged_in_stays),
        TEST(a_pulled_device_frees_its_port),
        TEST(all_that_went_with_a_hub),
        TEST(what_was_plugged_in_there_next_is_given_back),
        TEST(what_no_address_is_known_of_stays),
        TEST(a_command_at_work_is_not_disturbed),
        TEST(a_new_backend_is_given_no_other_device),
        TEST(two_that_free_a_port_do_not_fail),
        cmocka_unit_test(any_call_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
