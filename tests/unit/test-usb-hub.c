/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whole hubs: what is behind one now, and what is plugged in there later.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/passes.h"
#include "usb/assign/hubs.h"
#include "usb/attach/locks.h"
#include "usb/device/identity.h"

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

static int detach_hub(struct passes *f, const char *hub, unsigned flags)
{
    f->nr = 0;
    return xlx_usb_detach_hub(f->w->ctx, 5, hub, flags, PASSES_LONG_MS,
                              passes_report, f);
}

static void attach_one(struct passes *f, uint32_t domid, const char *busid)
{
    struct xlx_usb_place got;
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, domid, busid, &any, 0, PASSES_LONG_MS, &got),
        0);
}

/* Not what is elsewhere, nor another guest's. */
static void all_of_it_comes_back(void **state)
{
    struct passes *f = *state;
    attach_one(f, 5, "1-3.1");
    attach_one(f, 6, "1-3.2");
    attach_one(f, 5, "1-30");
    attach_one(f, 5, "1-3.4.1");
    assert_int_equal(detach_hub(f, "1-3", XLX_USB_DRY_RUN), 0);
    assert_int_equal(f->nr, 0);
    passes_assert_has(f, "1-3.1", true);
    assert_int_equal(detach_hub(f, "1-3", 0), 0);
    assert_int_equal(f->nr, 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-3.1");
    passes_assert_line(f, 1, XLX_USB_FREED, "1-3.4.1");
    assert_int_equal(f->line[1].place.port, 3);
    passes_assert_has(f, "1-3.1", false);
    passes_assert_has(f, "1-3.4.1", false);
    passes_assert_port(f, 2, "1-30");
    assert_int_equal(f->w->qemu_dev[0].bus, 1);
}

/* Its devices are written in the guest's ports all the same. */
static void so_it_does_when_the_hub_was_pulled_out(void **state)
{
    static const char *const all[] = { "1-3", "1-3.1", "1-3.2", "1-3.4",
                                       "1-3.4.1" };
    struct passes *f = *state;
    assert_int_equal(attach_hub(f, "1-3.4", 0), 0);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        passes_unplug(f, all[i]);
    assert_int_equal(detach_hub(f, "1-3", 0), 0);
    assert_int_equal(f->nr, 1);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-3.4.1");
    passes_assert_port(f, 1, "");
}

static void count_errors(void *user, enum xlx_log_level level, const char *text)
{
    (void)text;
    *(int *)user += level == XLX_LOG_ERROR;
}

static void one_that_stays_stops_no_other(void **state)
{
    struct passes *f = *state;
    int errors = 0;
    assert_int_equal(attach_hub(f, "1-3", 0), 0);
    int lock = xlx__usb_lock_device(f->w->ctx, "1-3.1", 0);
    assert_true(lock >= 0);
    xlx_ctx_set_log(f->w->ctx, count_errors, &errors, XLX_LOG_ERROR);
    f->nr = 0;
    assert_int_equal(
        xlx_usb_detach_hub(f->w->ctx, 5, "1-3", 0, 2000, passes_report, f), 1);
    close(lock);
    assert_int_equal(f->nr, 3);
    passes_assert_line(f, 0, XLX_USB_FAILED, "1-3.1");
    assert_non_null(strstr(f->line[0].reason, "lock"));
    passes_assert_line(f, 2, XLX_USB_FREED, "1-3.4.1");
    assert_int_equal(errors, 0);
}

static void what_cannot_come_back(void **state)
{
    struct passes *f = *state;
    attach_one(f, 5, "1-2");
    assert_int_equal(detach_hub(f, "1-2", 0), -ENOTSUP);
    assert_int_equal(detach_hub(f, "1-3", 0), -ENODEV);
    assert_non_null(strstr(xlx_ctx_error(f->w->ctx), "nothing that is behind"));
    assert_int_equal(detach_hub(f, "1-99", 0), -ENODEV);
    assert_int_equal(detach_hub(f, "9999:0001", 0), -ENODEV);
    assert_int_equal(detach_hub(f, "x", 0), -EINVAL);
    assert_int_equal(
        xlx_usb_detach_hub(f->w->ctx, 99, "1-3", 0, 5000, passes_report, f),
        -ESRCH);
    assert_int_equal(f->nr, 0);
    passes_assert_has(f, "1-2", true);
}

static void put_policy(struct passes *f, const char *text)
{
    const char *path = xlx_ctx_path(f->w->ctx, XLX_PATH_USB_POLICY);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
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
    int errors = 0;
    xlx_ctx_set_log(f->w->ctx, count_errors, &errors, XLX_LOG_ERROR);
    assert_int_equal(attach_hub(f, "1-3.4", 0), -ENODEV);
    assert_int_equal(errors, 1);
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

/* --- and later ------------------------------------------------------------ */

static void assign_hub(struct passes *f, const char *guest, const char *hub)
{
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, guest, hub, XLX_USB_BY_HUB, NULL), 0);
}

static const struct passes_line *line_of(const struct passes *f,
                                         const char *busid)
{
    for (int i = 0; i < f->nr; i++)
        if (!strcmp(f->line[i].busid, busid))
            return &f->line[i];
    fail_msg("nothing is told about %s", busid);
    return NULL;
}

static void assert_told(const struct passes *f, const char *busid,
                        enum xlx_usb_outcome outcome, const char *guest)
{
    const struct passes_line *l = line_of(f, busid);
    if (l->outcome != outcome || strcmp(l->guest, guest))
        fail_msg("%s: %s %s (%s)", busid, xlx_usb_outcome_name(l->outcome),
                 l->guest, l->reason);
}

static void what_is_plugged_in_later_comes_too(void **state)
{
    struct passes *f = *state;
    assign_hub(f, "guest", "1-3");
    assert_int_equal(passes_now(f), 3);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-3.1");
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-3.2");
    passes_assert_line(f, 2, XLX_USB_ATTACHED, "1-3.4.1");
    passes_assert_has(f, "1-30", false);
    assert_int_equal(passes_later(f), 0);
    plug(f, &passes_mouse, "1-3.4.2", "1-3.4.2:1.0", "40");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-3.4.2");
    /* Another kind of device in the same port is as welcome. */
    passes_unplug(f, "1-3.2");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-3.2");
    plug(f, &passes_mouse, "1-3.2", "1-3.2:1.0", "41");
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-3.2");
    assert_int_equal(f->pass.bad, 0);
}

/* The hub is unplugged, and a stick is put into its port. */
static void nothing_is_behind_it(void **state)
{
    struct passes *f = *state;
    static const char *const all[] = { "1-3", "1-3.1", "1-3.2", "1-3.4",
                                       "1-3.4.1" };
    assign_hub(f, "guest", "1-3");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        passes_unplug(f, all[i]);
    plug(f, &passes_stick, "1-3", "1-3:1.0", "50");
    assert_int_equal(passes_now(f), 1);
    assert_told(f, "1-3", XLX_USB_WAITS, "guest");
    assert_string_equal(f->line[0].reason, "nothing is plugged in behind it");
    passes_assert_has(f, "1-3", false);
}

static void the_policy_decides_about_each(void **state)
{
    struct passes *f = *state;
    put_policy(f, "DENY: class=08\nALLOW:\n");
    assign_hub(f, "guest", "1-3");
    assert_int_equal(passes_now(f), 3);
    assert_told(f, "1-3.1", XLX_USB_ATTACHED, "guest");
    assert_told(f, "1-3.2", XLX_USB_FAILED, "guest");
    assert_told(f, "1-3.4.1", XLX_USB_ATTACHED, "guest");
}

/* What is said of one device or one place counts more than what is said of a
 * hub, and of a nearer hub more than of a farther one. "other" comes last. */
static void the_nearest_word_counts(void **state)
{
    struct passes *f = *state;
    plug(f, &passes_mouse, "1-3.4.3", "1-3.4.3:1.0", "51");
    assign_hub(f, "guest", "1-3");
    assign_hub(f, "other", "1-3.4");
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "other", "1-3.1", XLX_USB_BY_PLACE, NULL), 0);
    passes_assign(f, "guest", "1-3.2");
    passes_now(f);
    assert_told(f, "1-3.1", XLX_USB_ATTACHED, "other");
    assert_told(f, "1-3.2", XLX_USB_ATTACHED, "guest");
    assert_told(f, "1-3.4.1", XLX_USB_ATTACHED, "other");
    assert_told(f, "1-3.4.3", XLX_USB_ATTACHED, "other");
    assert_int_equal(f->nr, 5);
    /* Nothing is left of the guest's own hub. */
    assert_told(f, "1-3", XLX_USB_WAITS, "guest");
}

static void it_is_written_down_and_taken_back(void **state)
{
    struct passes *f = *state;
    struct xlx__intent *list = NULL;
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "1-2", XLX_USB_BY_HUB, NULL),
        -ENOTSUP);
    const struct xlx_usb_place port = { 0, 1 };
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "1-3", XLX_USB_BY_HUB, &port),
        -EINVAL);
    assign_hub(f, "guest", "1-3");
    assign_hub(f, "guest", "1-3");
    assert_int_equal(xlx__intent_list(f->w->ctx, "guest", &list), 1);
    assert_int_equal(list->nr_wishes, 1);
    assert_true(list->wish[0].identity.by_place);
    assert_true(list->wish[0].identity.hub);
    assert_string_equal(list->wish[0].identity.busid, "1-3");
    free(list);
    assign_hub(f, "guest", "1-9"); /* not plugged in yet */
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "1-3"), 1);
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "1-9"), 1);
    /* A place is no hub. */
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "1-9", XLX_USB_BY_PLACE, NULL), 0);
    assert_int_equal(xlx__intent_list(f->w->ctx, "guest", &list), 1);
    assert_false(list->wish[0].identity.hub);
    free(list);
}

static void the_list_knows(void **state)
{
    struct passes *f = *state;
    struct xlx_usb_device *list = NULL;
    int assigned = 0;
    assign_hub(f, "guest", "1-3");
    int nr = xlx_usb_devices(f->w->ctx, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        if (list[i].state == XLX_USB_IS_ASSIGNED) {
            assert_string_equal(list[i].guest, "guest");
            assert_memory_equal(list[i].busid, "1-3.", 4);
            assigned++;
        }
    free(list);
    assert_int_equal(assigned, 3);
}

/* Buses have other numbers after a boot. */
static void a_hub_is_where_its_controller_is(void **state)
{
    static const struct {
        const char *hub, *hub_controller, *dev, *dev_controller;
        bool behind;
    } rows[] = {
        { "1-4", "", "1-4.1", "", true },
        { "1-4", "pci/usb1", "1-4.1", "", true },
        { "1-4", "pci/usb1", "2-4.1", "pci/usb1", true },
        { "1-4", "pci/usb1", "1-4.1", "pci/usb2", false },
        { "1-4", "", "2-4.1", "", false },
        { "1-4", "pci/usb1", "2-40.1", "pci/usb1", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xlx_usb_identity id = { .by_place = true, .hub = true };
        struct xlx__usbdev dev = { 0 };
        strcpy(id.busid, rows[i].hub);
        strcpy(id.controller, rows[i].hub_controller);
        strcpy(dev.busid, rows[i].dev);
        strcpy(dev.controller, rows[i].dev_controller);
        assert_int_equal(xlx__identity_behind(&id, &dev), rows[i].behind);
        id.hub = false;
        assert_false(xlx__identity_behind(&id, &dev));
    }
}

/* A guest can have so many, whatever is behind its hubs. */
static void hubs_have_an_end(void **state)
{
    struct xlx__guest *guest = calloc(1, sizeof(*guest));
    struct xlx__usbdev *devs =
        calloc(XLX_USB_ASSIGNMENTS_MAX + 1, sizeof(*devs));
    (void)state;
    for (int i = 0; i <= XLX_USB_ASSIGNMENTS_MAX; i++)
        snprintf(devs[i].busid, sizeof(devs[i].busid), "1-1.%d.%d", i / 8 + 1,
                 i % 8 + 1);
    for (int nr = XLX_USB_ASSIGNMENTS_MAX - 1;
         nr <= XLX_USB_ASSIGNMENTS_MAX + 1; nr++) {
        *guest = (struct xlx__guest){ .intent.nr_wishes = 1 };
        struct xlx_usb_identity *id = &guest->intent.wish[0].identity;
        *id = (struct xlx_usb_identity){ .by_place = true, .hub = true };
        strcpy(id->busid, "1-1");
        int over = nr > XLX_USB_ASSIGNMENTS_MAX;
        assert_int_equal(xlx__hubs_expand(guest, 1, devs, nr), over);
        assert_int_equal(guest->intent.nr_wishes, nr - over);
        const struct xlx__intent_wish *last =
            &guest->intent.wish[nr - over - 1];
        assert_string_equal(last->identity.busid, devs[nr - over - 1].busid);
        assert_false(last->identity.hub);
    }
    free(guest);
    free(devs);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_behind_it),
        TEST(all_of_it_comes_back),
        TEST(so_it_does_when_the_hub_was_pulled_out),
        TEST(one_that_stays_stops_no_other),
        TEST(what_cannot_come_back),
        TEST(one_failure_stops_no_other),
        TEST(what_cannot_be_tried),
        TEST(a_dry_run_changes_nothing),
        TEST(what_is_plugged_in_later_comes_too),
        TEST(nothing_is_behind_it),
        TEST(the_policy_decides_about_each),
        TEST(the_nearest_word_counts),
        TEST(it_is_written_down_and_taken_back),
        TEST(the_list_knows),
        cmocka_unit_test(a_hub_is_where_its_controller_is),
        cmocka_unit_test(hubs_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
