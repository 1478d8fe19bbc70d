/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * QEMU from 10.0 on ends of a controller that appears while it runs, and
 * Linux's xen-hcd of one that goes before it has connected: neither is met.
 */
#include "test.h"

#include "core/clock.h"
#include "fakes/usb_world.h"
#include "usb/controller/hc.h"
#include "usb/controller/log.h"
#include "usb/backend/park.h"

#define LONG_MS 60000 /* never reached */
#define SHORT_MS 150  /* reached on purpose */
#define BE "/local/domain/0/backend/qusb/5"
#define ANNOUNCED "/local/domain/0/device-model/%u/backends/qusb"

static const struct xlx_usb_place anywhere = { XLX_USB_ANY, XLX_USB_ANY };

static int setup(void **state)
{
    struct usb_world *w = usb_world_new();
    w->qemu = 10;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct usb_world *w = *state;
    int dead = w->xenbus_dead;
    usb_world_free(w);
    return dead; /* whatever the test was about */
}

static int create(struct usb_world *w, uint32_t domid, int timeout_ms)
{
    const struct xlx_usb_hc_config config = { .type = XLX_USB_QUSB,
                                              .ports = 2 };
    uint32_t devid;
    return xlx_usb_hc_create(w->ctx, domid, &config, timeout_ms, &devid);
}

static int attach(struct usb_world *w, const char *busid)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(w->ctx, WORLD_DOMID, busid, &anywhere, 0, LONG_MS,
                          &got);
}

static void give_device_model(struct usb_world *w, uint32_t domid)
{
    char path[96];
    snprintf(path, sizeof(path), ANNOUNCED, domid);
    xs_mem_put(w->xs, path, "");
}

static void assert_state(struct usb_world *w, int devid, const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), BE "/%d/state", devid);
    const char *now = xs_mem_get(w->xs, path);
    if (!now || strcmp(now, value))
        fail_msg("controller %d: state %s, not %s", devid, now, value);
}

/* Fails with `rc` and `text`, and everything is as it was, QEMU too. */
static void assert_refused(struct usb_world *w, char *before, int got, int rc,
                           const char *text)
{
    assert_int_equal(got, rc);
    if (!strstr(xlx_ctx_error(w->ctx), text))
        fail_msg("said: %s", xlx_ctx_error(w->ctx));
    usb_world_rest(w);
    assert_int_equal(w->ended, 0);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* --- a QEMU that is not ours ---------------------------------------------- */

static const struct {
    uint32_t domid;
    const char *socket, *way_out;
} device_models[] = {
    { 5, "/var/run/xen/qmp-libxl-5", "disks as phy: and without vfb" },
    { 6, "/var/run/xen/qmp-libxl-6", "use type=devicemodel" },
};

static void a_device_model_that_would_end_is_spared(void **state)
{
    struct usb_world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        uint32_t domid = device_models[i].domid;
        give_device_model(w, domid);
        char *before = usb_world_dump(w);
        assert_refused(w, before, create(w, domid, LONG_MS), -ENOTSUP,
                       device_models[i].way_out);
        assert_non_null(strstr(xlx_ctx_error(w->ctx), "is QEMU 10.0.13"));
        assert_string_equal(w->asked_at, device_models[i].socket);
    }
    char *before = usb_world_dump(w);
    assert_refused(w, before, attach(w, "1-2"), -ENOTSUP, "is QEMU 10.0.13");
}

static void so_is_one_that_does_not_say(void **state)
{
    struct usb_world *w = *state;
    w->qemu = 7;
    w->mute = -ETIMEDOUT;
    for (size_t i = 0; i < 2; i++) {
        uint32_t domid = device_models[i].domid;
        give_device_model(w, domid);
        char *before = usb_world_dump(w);
        assert_refused(w, before, create(w, domid, LONG_MS), -ETIMEDOUT,
                       device_models[i].way_out);
        assert_non_null(strstr(xlx_ctx_error(w->ctx),
                               device_models[i].socket));
    }
}

static void an_older_one_serves(void **state)
{
    struct usb_world *w = *state;
    w->qemu = 9;
    for (size_t i = 0; i < 2; i++) {
        give_device_model(w, device_models[i].domid);
        assert_int_equal(create(w, device_models[i].domid, LONG_MS), 0);
    }
    assert_int_equal(w->starts, 0);
}

static void a_controller_that_is_there_is_used(void **state)
{
    struct usb_world *w = *state;
    w->qemu = 9;
    give_device_model(w, WORLD_DOMID);
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    w->qemu = 10;
    w->asked = 0;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->asked, 0);
}

/* --- ours ----------------------------------------------------------------- */

static void ours_finds_the_controller(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->starts, 1);
    assert_int_equal(w->ended, 0);
    assert_state(w, 0, "4");
}

static void an_idle_one_starts_again_for_another(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    assert_int_equal(w->starts, 2);
    assert_int_equal(w->ended, 0);
    assert_state(w, 0, "4");
    assert_state(w, 1, "4");
    /* one that does not say is no older one */
    w->qemu = 9;
    w->mute = -ETIMEDOUT;
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    assert_int_equal(w->starts, 3);
    w->mute = 0;
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    assert_int_equal(w->starts, 3);
}

static void one_with_devices_is_left_alone(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w, WORLD_DOMID, LONG_MS), 0);
    assert_int_equal(attach(w, "1-2"), 0);
    char *before = usb_world_dump(w);
    assert_refused(w, before, create(w, WORLD_DOMID, LONG_MS), -EBUSY,
                   "detach them first");
    /* nor does a device that finds no port get it another controller */
    assert_int_equal(attach(w, "1-1"), 0);
    before = usb_world_dump(w);
    assert_refused(w, before, attach(w, "1-3.1"), -EBUSY, "detach them first");
    w->qemu = 9;
    assert_int_equal(attach(w, "1-3.1"), 0);
    assert_int_equal(w->starts, 1);
}

/* --- xen-hcd -------------------------------------------------------------- */

/* A backend that does nothing leaves the guest's driver unconnected. */
static void a_controller_is_connected_before_it_goes(void **state)
{
    struct usb_world *w = *state;
    give_device_model(w, WORLD_DOMID);
    w->qemu = 7;
    w->dead = true;
    assert_int_equal(create(w, WORLD_DOMID, SHORT_MS), -ETIMEDOUT);
    usb_world_rest(w);
    assert_null(xs_mem_get(w->xs, "/local/domain/5/device/vusb/0"));
    assert_false(w->xenbus_dead);
    /* the world would have noticed */
    struct xlx__hc hc = { .domid = 5, .devid = 3, .type = XLX_USB_QUSB,
                          .version = 2, .nr_ports = 2 };
    assert_int_equal(xlx__hc_make(w->ctx, &hc), 0);
    usb_world_rest(w);
    assert_int_equal(xlx__hc_remove(w->ctx, &hc), 0);
    usb_world_rest(w);
    assert_true(w->xenbus_dead);
    w->xenbus_dead = false;
}

static void a_dead_ones_too(void **state)
{
    struct usb_world *w = *state;
    struct xlx__hc hc = { .domid = 5, .devid = 0, .type = XLX_USB_QUSB,
                          .version = 2, .nr_ports = 2 };
    assert_int_equal(xlx__hc_make(w->ctx, &hc), 0);
    usb_world_rest(w);
    xlx__close_all(w->ctx, WORLD_DOMID);
    usb_world_rest(w);
    assert_null(xs_mem_get(w->xs, "/local/domain/5/device/vusb/0"));
}

/* --- from one QEMU to the next -------------------------------------------- */

static void what_was_not_connected_stays(void **state)
{
    struct usb_world *w = *state;
    struct xlx__hc hc = { .domid = 5, .devid = 0, .type = XLX_USB_QUSB,
                          .version = 2, .nr_ports = 2 };
    struct xlx__parked *list;
    w->no_frontend = true; /* yet */
    assert_int_equal(xlx__hc_make(w->ctx, &hc), 0);
    xs_mem_put(w->xs, BE "/0/state", "2");
    assert_int_equal(xlx__park(w->ctx, WORLD_DOMID, &list), 0);
    free(list);
    assert_state(w, 0, "1");
    w->no_frontend = false;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->ended, 0);
}

static void what_was_destroyed_between_two_starts_stays_so(void **state)
{
    struct usb_world *w = *state;
    struct xlx__parked *list;
    assert_int_equal(attach(w, "1-2"), 0);
    usb_world_kill_backend(w);
    assert_int_equal(xlx__park(w->ctx, WORLD_DOMID, &list), 1);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, LONG_MS), 0);
    int64_t before = xlx__now_ms();
    xlx__unpark(w->ctx, list, 1);
    assert_true(xlx__now_ms() - before < LONG_MS);
    free(list);
    assert_null(xs_mem_get(w->xs, BE));
    assert_string_equal(sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver,
                        "usb-storage");
}

/* --- what is said of a death ---------------------------------------------- */

static void write_log(struct usb_world *w, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/xl-ext-usb-5.log", w->dir);
    FILE *log = fopen(path, "a");
    fputs(text, log);
    fclose(log);
}

static void the_last_words_are_qemus(void **state)
{
    struct usb_world *w = *state;
    char line[XLX__LOG_LINE_MAX];
    assert_int_equal(xlx__usb_log_size(w->ctx, 5), 0);
    xlx__usb_log_last_words(w->ctx, 5, 0, line);
    assert_string_equal(line, "");
    write_log(w, "qemu: of an earlier one\n");
    int64_t start = xlx__usb_log_size(w->ctx, 5);
    write_log(w, "xl-ext-usb-backend: ours\n");
    xlx__usb_log_last_words(w->ctx, 5, start, line);
    assert_string_equal(line, "");
    write_log(w, "qemu: one\nqemu: \x1b two\n\nxl-ext-usb-backend: ours\n");
    xlx__usb_log_last_words(w->ctx, 5, start, line);
    assert_string_equal(line, "qemu: ? two");
}

static void a_death_in_the_handshake_is_told(void **state)
{
    struct usb_world *w = *state;
    struct xlx__hc hc = { .domid = 5, .devid = 0, .type = XLX_USB_QUSB,
                          .version = 2, .nr_ports = 2 };
    assert_int_equal(xlx__hc_make(w->ctx, &hc), 0);
    int64_t until = xlx__now_ms() + LONG_MS;
    assert_int_equal(xlx__hc_connect(w->ctx, &hc, until), -ECONNRESET);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "meanwhile: see its log"));
    write_log(w, "xl-ext-usb-backend: domain 5: the USB backend died "
                 "(exit status 1): qemu: no hotplugging\n");
    assert_int_equal(xlx__hc_connect(w->ctx, &hc, until), -ECONNRESET);
    assert_string_equal(xlx_ctx_error(w->ctx),
                        "domain 5: USB controller: the USB backend died "
                        "meanwhile (exit status 1): qemu: no hotplugging");
    assert_true(xlx__now_ms() < until);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_model_that_would_end_is_spared),
        TEST(so_is_one_that_does_not_say),
        TEST(an_older_one_serves),
        TEST(a_controller_that_is_there_is_used),
        TEST(ours_finds_the_controller),
        TEST(an_idle_one_starts_again_for_another),
        TEST(one_with_devices_is_left_alone),
        TEST(a_controller_is_connected_before_it_goes),
        TEST(a_dead_ones_too),
        TEST(what_was_not_connected_stays),
        TEST(what_was_destroyed_between_two_starts_stays_so),
        TEST(the_last_words_are_qemus),
        TEST(a_death_in_the_handshake_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
