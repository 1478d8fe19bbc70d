/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whole hubs: what is behind one now, and what is plugged in there later.
 */
#include "test.h"

#include "fakes/passes.h"

static const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };

static void plug(struct passes *f, const struct sysfs_dev *like,
                 const char *busid, const char *intf, const char *address)
{
    struct sysfs_dev dev = *like;
    dev.busid = busid;
    dev.address = address;
    dev.intf[0].name = intf;
    dev.intf[1].name = NULL;
    sysfs_mem_plug(f->w->sysfs, &dev);
}

/* Behind the hub at 1-3, where there is a mouse at 1-3.1: a stick, and a second
 * hub with a mouse. At 1-30 is another one. */
static int setup(void **state)
{
    passes_setup(state);
    struct passes *f = *state;
    const struct sysfs_dev *hub = sysfs_mem_find(f->w->sysfs, "1-3");
    plug(f, hub, "1-3.4", "1-3.4:1.0", "31");
    plug(f, &passes_stick, "1-3.2", "1-3.2:1.0", "30");
    plug(f, &passes_mouse, "1-3.4.1", "1-3.4.1:1.0", "32");
    plug(f, &passes_mouse, "1-30", "1-30:1.0", "33");
    return 0;
}

static int attach_hub(struct passes *f, const char *hub, unsigned flags)
{
    f->nr = 0;
    return xlx_usb_attach_hub(f->w->ctx, 5, hub, &any, flags, PASSES_LONG_MS,
                              passes_report, f);
}

/* --- now ------------------------------------------------------------------ */

static void all_that_is_behind_it(void **state)
{
    struct passes *f = *state;
    assert_int_equal(attach_hub(f, "1-3", 0), 0);
    assert_int_equal(f->nr, 3);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-3.1");
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-3.2");
    passes_assert_line(f, 2, XLX_USB_ATTACHED, "1-3.4.1");
    passes_assert_port(f, 1, "1-3.1");
    passes_assert_port(f, 2, "1-3.2");
    passes_assert_port(f, 3, "1-3.4.1");
    assert_int_equal(f->line[2].place.port, 3);
    passes_assert_has(f, "1-30", false);
    /* A second time there is nothing to do. */
    assert_int_equal(attach_hub(f, "1-3", 0), 0);
    assert_int_equal(f->nr, 3);
    passes_assert_line(f, 2, XLX_USB_IN_PLACE, "1-3.4.1");
    assert_int_equal(f->line[2].place.port, 3);
}

static void put_policy(struct passes *f, const char *text)
{
    const char *path = xlx_ctx_path(f->w->ctx, XLX_PATH_USB_POLICY);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void count_errors(void *user, enum xlx_log_level level, const char *text)
{
    (void)text;
    *(int *)user += level == XLX_LOG_ERROR;
}

/* Each is judged by itself, and what is said of it is said once. */
static void one_failure_stops_no_other(void **state)
{
    struct passes *f = *state;
    int errors = 0;
    put_policy(f, "DENY: class=08\nALLOW:\n");
    xlx_ctx_set_log(f->w->ctx, count_errors, &errors, XLX_LOG_ERROR);
    assert_int_equal(attach_hub(f, "1-3", 0), 1);
    assert_int_equal(f->nr, 3);
    passes_assert_line(f, 1, XLX_USB_FAILED, "1-3.2");
    assert_non_null(strstr(f->line[1].reason, "forbidden by policy"));
    passes_assert_has(f, "1-3.1", true);
    passes_assert_has(f, "1-3.2", false);
    passes_assert_has(f, "1-3.4.1", true);
    assert_int_equal(errors, 0);
    assert_int_equal(attach_hub(f, "1-9", 0), -ENODEV);
    assert_int_equal(errors, 1);
}

static void what_cannot_be_tried(void **state)
{
    static const struct xlx_usb_place port = { 0, 1 };
    struct passes *f = *state;
    assert_int_equal(attach_hub(f, "1-2", 0), -ENOTSUP);
    assert_int_equal(attach_hub(f, "usb1", 0), -ENOTSUP);
    assert_int_equal(xlx_usb_attach_hub(f->w->ctx, 5, "1-3", &port, 0, 5000,
                                        passes_report, f),
                     -EINVAL);
    assert_int_equal(xlx_usb_attach_hub(f->w->ctx, 99, "1-3", &any, 0, 5000,
                                        passes_report, f),
                     -ESRCH);
    sysfs_mem_unplug(f->w->sysfs, "1-3.4.1");
    assert_int_equal(attach_hub(f, "1-3.4", 0), -ENODEV);
    assert_non_null(strstr(xlx_ctx_error(f->w->ctx), "nothing is plugged in"));
    assert_int_equal(f->nr, 0);
}

static void a_dry_run_changes_nothing(void **state)
{
    struct passes *f = *state;
    char *before = usb_world_dump(f->w);
    put_policy(f, "DENY: class=08\nALLOW:\n");
    assert_int_equal(attach_hub(f, "1-3", XLX_USB_DRY_RUN), 1);
    assert_int_equal(f->nr, 1);
    passes_assert_line(f, 0, XLX_USB_FAILED, "1-3.2");
    char *after = usb_world_dump(f->w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_behind_it),
        TEST(one_failure_stops_no_other),
        TEST(what_cannot_be_tried),
        TEST(a_dry_run_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
