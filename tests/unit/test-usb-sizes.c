/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The public structs of PVUSB in programs that were built with an older header
 * or with a newer one.
 */
#include "test.h"

#include "fakes/sized.h"
#include "fakes/usb_world.h"

#define LONG_MS 40000

static const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };

static int setup(void **state)
{
    struct usb_world *w = usb_world_new();
    struct xlx_usb_place got;
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &any, 0, LONG_MS, &got), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    usb_world_free(*state);
    return 0;
}

/* --- lists ---------------------------------------------------------------- */

static int list_devices(void *user, void **list_r, size_t size)
{
    struct usb_world *w = user;
    struct xlx_usb_device *list = NULL;
    int nr = xlx_usb_devices(w->ctx, &list, size);
    *list_r = list;
    return nr;
}

static int list_verdicts(void *user, void **list_r, size_t size)
{
    struct usb_world *w = user;
    struct xlx_usb_policy_verdict *list = NULL;
    int nr = xlx_usb_policy_check_all(w->ctx, &list, size);
    *list_r = list;
    return nr;
}

static void lists_have_the_callers_size(void **state)
{
    sized_list_check(list_devices, *state, offsetof(struct xlx_usb_device, hub),
                     sizeof(struct xlx_usb_device));
    sized_list_check(list_verdicts, *state,
                     offsetof(struct xlx_usb_policy_verdict, allowed),
                     sizeof(struct xlx_usb_policy_verdict));
}

/* An older program does not know the last ports, a newer one more members. */
static void controllers_have_the_callers_size(void **state)
{
    const size_t sizes[] = { offsetof(struct xlx_usb_hc, port[2]),
                             sizeof(struct xlx_usb_hc) + SIZED_MORE };
    struct usb_world *w = *state;
    struct xlx_usb_hc *list;
    uint32_t devid;
    const struct xlx_usb_hc_config config = { 0 };
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &config,
                                       sizeof(config), LONG_MS, &devid),
                     0);
    for (int i = 0; i < 2; i++) {
        size_t size = sizes[i];
        assert_int_equal(xlx_usb_list(w->ctx, WORLD_DOMID, &list, size), 2);
        const struct xlx_usb_hc *second = (void *)((char *)list + size);
        assert_int_equal(list->nr_ports, 8);
        assert_string_equal(list->port[0]->busid, "1-2");
        assert_int_equal(list->port[1]->number, 2);
        assert_int_equal(second->devid, devid);
        assert_string_equal(second->port[0]->busid, "");
        free(list);
    }
}

static void assignments_have_the_callers_size(void **state)
{
    const size_t older = offsetof(struct xlx_usb_assignment, required);
    const size_t sizes[] = { older,
                             sizeof(struct xlx_usb_assignment) + SIZED_MORE };
    struct usb_world *w = *state;
    struct xlx_usb_assignment *list;
    assert_int_equal(xlx_usb_assign(w->ctx, "guest", "1-2", 0, NULL), 0);
    assert_int_equal(
        xlx_usb_assign(w->ctx, "guest", "1-1", XLX_USB_REQUIRED, NULL), 0);
    for (int i = 0; i < 2; i++) {
        size_t size = sizes[i];
        assert_int_equal(xlx_usb_assignments(w->ctx, "guest", &list, size), 2);
        const struct xlx_usb_assignment *second = (void *)((char *)list + size);
        assert_string_equal(list->guest, "guest");
        assert_string_equal(list->identity->busid, "1-2");
        assert_string_equal(second->uuid, list->uuid);
        assert_string_equal(second->identity->busid, "1-1");
        if (size > older) {
            assert_false(list->required);
            assert_true(second->required);
        }
        free(list);
    }
}

/* --- structs of the caller ------------------------------------------------ */

static int judge(void *user, void *to, size_t size)
{
    struct usb_world *w = user;
    return xlx_usb_policy_check(w->ctx, "1-2", to, size);
}

static void a_verdict_has_the_callers_size(void **state)
{
    sized_fill_check(judge, *state,
                     offsetof(struct xlx_usb_policy_verdict, allowed),
                     offsetof(struct xlx_usb_policy_verdict, intf),
                     offsetof(struct xlx_usb_policy_verdict, more_intfs) + 1);
}

static int create(void *user, const void *config, size_t size)
{
    struct usb_world *w = user;
    uint32_t devid;
    int rc =
        xlx_usb_hc_create(w->ctx, WORLD_DOMID, config, size, LONG_MS, &devid);
    return rc ? rc : xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, devid, LONG_MS);
}

static void no_report(void *user, const struct xlx_usb_report *report)
{
    (void)user;
    (void)report;
}

static int reconcile(void *user, const void *config, size_t size)
{
    struct usb_world *w = user;
    return xlx_usb_reconcile(w->ctx, config, size, no_report, NULL);
}

static int watch(void *user, const void *config, size_t size)
{
    struct usb_world *w = user;
    xlx_usb_watch *watch = NULL;
    int rc = xlx_usb_watch_new(w->ctx, config, size, no_report, NULL, &watch);
    xlx_usb_watch_free(watch);
    return rc;
}

static void configs_have_the_callers_size(void **state)
{
    static const struct xlx_usb_hc_config qusb = { .type = XLX_USB_QUSB };
    static const struct xlx_usb_reconcile_config all = { 0 };
    sized_take_check(create, *state, &qusb,
                     offsetof(struct xlx_usb_hc_config, version), sizeof(qusb));
    sized_take_check(reconcile, *state, &all,
                     offsetof(struct xlx_usb_reconcile_config, timeout_ms),
                     sizeof(all));
    sized_take_check(watch, *state, &all,
                     offsetof(struct xlx_usb_reconcile_config, timeout_ms),
                     sizeof(all));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_have_the_callers_size),
        TEST(controllers_have_the_callers_size),
        TEST(assignments_have_the_callers_size),
        TEST(a_verdict_has_the_callers_size),
        TEST(configs_have_the_callers_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
