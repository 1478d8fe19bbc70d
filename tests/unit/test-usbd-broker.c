/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The privileged half of a USB backend, on a host in memory, with a worker that
 * the test plays.
 */
#include "test.h"

#include <unistd.h>

#include "fakes/usb_world.h"
#include "fakes/usbd_world.h"
#include "usbd/port_status.h"

#define ANNOUNCED "/local/domain/0/device-model/5/backends/qusb"

static int setup(void **state)
{
    *state = usbd_world_new();
    return 0;
}

static int teardown(void **state)
{
    usbd_world_free(*state);
    return 0;
}

static void assert_be(struct usbd_world *w, unsigned devid, const char *value)
{
    assert_string_equal(usbd_world_be(w, devid, "state"), value);
}

static void assert_status(struct usbd_world *w, unsigned devid, unsigned port,
                          const char *value)
{
    const char *now = usbd_world_status(w, devid, port);
    if (!value) {
        assert_null(now);
        return;
    }
    assert_non_null(now);
    assert_string_equal(now, value);
}

static void assert_line(struct usbd_world *w, const char *part)
{
    if (!strstr(w->lines, part))
        fail_msg("no \"%s\" in:\n%s", part, w->lines);
}

/* The next message, of this kind, for there. */
static struct xlx__usbd_message hear(struct usbd_world *w, uint32_t kind,
                                     unsigned devid, unsigned port)
{
    struct xlx__usbd_message m;
    bool had_fd;
    assert_int_equal(usbd_world_step(w), 0);
    assert_true(usbd_world_hear(w, &m, &had_fd));
    assert_int_equal(m.kind, kind);
    assert_int_equal(m.devid, devid);
    assert_int_equal(m.port, port);
    assert_int_equal(had_fd, kind == XLX__USBD_PLUG);
    return m;
}

static void hear_nothing(struct usbd_world *w)
{
    struct xlx__usbd_message m;
    bool had_fd;
    assert_int_equal(usbd_world_step(w), 0);
    assert_false(usbd_world_hear(w, &m, &had_fd));
}

static struct usbd_fake_device *device(struct usbd_world *w, const char *busid)
{
    return usbd_fake_find(&w->devices, busid);
}

/* A controller that is open, with nothing on it. */
static void start_open(struct usbd_world *w)
{
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_start(w), 0);
    usbd_world_connect(w, 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "4");
}

/* The same with a device on port 1, configured by the guest. */
static void start_with_device(struct usbd_world *w, const char *busid)
{
    start_open(w);
    usbd_world_fill(w, 0, 1, busid);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_int_equal(usbd_fake_claimed(&w->devices), 1);
}

/* --- controllers ---------------------------------------------------------- */

static void it_announces_itself(void **state)
{
    struct usbd_world *w = *state;
    assert_int_equal(usbd_world_start(w), 0);
    assert_string_equal(xs_mem_get(w->xs, ANNOUNCED), "");
}

/* Once for each time that it is opened, behind its devices. */
static void the_worker_learns_when_all_are_there(void **state)
{
    struct usbd_world *w = *state;
    struct xlx__usbd_message m;
    bool had_fd;
    start_with_device(w, "1-2");
    assert_int_equal(w->settled, 1);
    usbd_world_fill(w, 0, 1, "");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_int_equal(w->settled, 1);
    assert_false(usbd_world_hear(w, &m, &had_fd));
}

static void a_controller_is_made_and_connected(void **state)
{
    struct usbd_world *w = *state;
    assert_int_equal(usbd_world_start(w), 0);
    usbd_world_make(w, 3);
    hear_nothing(w);
    assert_be(w, 3, "2");
    usbd_world_connect(w, 3);
    struct xlx__usbd_message m = hear(w, XLX__USBD_OPEN, 3, 0);
    assert_int_equal(m.hc.urb_ref, 8);
    assert_int_equal(m.hc.conn_ref, 9);
    assert_int_equal(m.hc.evtchn, 17);
    assert_int_equal(m.hc.nr_ports, 3);
    assert_string_equal(m.hc.guest, "00000000-0000-4000-8000-000000000005");
    assert_be(w, 3, "2");
    usbd_world_tell(w, XLX__USBD_OPENED, 3, 0, 0, 0);
    hear_nothing(w);
    assert_be(w, 3, "4");
}

static void a_frontend_that_is_initialised_will_do(void **state)
{
    struct usbd_world *w = *state;
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_start(w), 0);
    usbd_world_connect(w, 0);
    usbd_world_put_fe(w, 0, "state", "3");
    hear(w, XLX__USBD_OPEN, 0, 0);
}

static void one_that_cannot_be_opened_is_closed(void **state)
{
    struct usbd_world *w = *state;
    w->open_error = -EINVAL;
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_start(w), 0);
    usbd_world_connect(w, 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "6");
    assert_line(w, "domain 5: controller 0: cannot be served: Invalid");
    hear_nothing(w);
}

static void the_guest_closes(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_put_fe(w, 0, "state", "6");
    hear(w, XLX__USBD_CLOSE, 0, 0);
    assert_be(w, 0, "4");
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    hear_nothing(w);
    assert_be(w, 0, "6");
}

static void the_guest_is_closing(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_put_fe(w, 0, "state", "5");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "5");
    usbd_world_put_fe(w, 0, "state", "6");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "6");
}

/* It takes back what is in flight first, and waits for the answers. */
static void
what_the_toolstack_closes_is_served_until_the_guest_follows(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_put_be(w, 0, "online", "0");
    usbd_world_put_be(w, 0, "state", "5");
    hear_nothing(w);
    assert_be(w, 0, "5");
    usbd_world_put_fe(w, 0, "state", "6");
    hear(w, XLX__USBD_CLOSE, 0, 0);
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    hear_nothing(w);
    assert_be(w, 0, "6");
}

static void a_guest_that_comes_back_is_connected_again(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_put_fe(w, 0, "state", "1");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "2");
    /* Kept for it: this host gets nothing of it meanwhile. */
    assert_int_equal(usbd_fake_claimed(&w->devices), 1);
    assert_int_equal(device(w, "1-2")->given_back, 0);
    usbd_world_put_fe(w, 0, "state", "4");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "4");
    assert_true(w->has[0][1]);
    assert_int_equal(device(w, "1-2")->resets, 1);
    assert_status(w, 0, 1, "1-2 configured");
}

static void one_that_is_not_online_stays_closed(void **state)
{
    struct usbd_world *w = *state;
    usbd_world_make(w, 0);
    usbd_world_put_be(w, 0, "state", "6");
    usbd_world_put_be(w, 0, "online", "0");
    assert_int_equal(usbd_world_start(w), 0);
    hear_nothing(w);
    assert_be(w, 0, "6");
}

static void nodes_that_go_close_it_at_once(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_remove(w, 0);
    hear(w, XLX__USBD_CLOSE, 0, 0);
    assert_int_equal(device(w, "1-2")->given_back, 0);
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    hear_nothing(w);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_int_equal(device(w, "1-2")->resets, 1);
    assert_null(usbd_world_be(w, 0, "state"));
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

/* The same number, made anew before anybody looked. */
static void one_that_was_made_again_is_another(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_remove(w, 0);
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_be(w, 0, "2");
    assert_int_equal(device(w, "1-2")->given_back, 1);
}

static void hostile_nodes_close_only_their_own(void **state)
{
    static const struct {
        const char *node, *value;
    } bad[] = {
        { "urb-ring-ref", "4294967296" }, { "urb-ring-ref", "-1" },
        { "urb-ring-ref", NULL },         { "conn-ring-ref", "8 " },
        { "event-channel", "0" },         { "event-channel", "131072" },
        { "event-channel", "" },
    };
    struct usbd_world *w = *state;
    start_open(w);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        usbd_world_make(w, 1);
        usbd_world_connect(w, 1);
        usbd_world_put_fe(w, 1, bad[i].node, bad[i].value);
        *w->lines = '\0';
        assert_int_equal(usbd_world_settle(w), 0);
        assert_be(w, 1, "6");
        assert_be(w, 0, "4");
        assert_line(w, bad[i].node);
        assert_line(w, "domain 5: controller 1: ");
    }
}

static void numbers_at_their_bounds(void **state)
{
    static const struct {
        const char *node, *value;
        bool good;
    } tries[] = {
        { "num-ports", "0", false },    { "num-ports", "1", true },
        { "num-ports", "31", true },    { "num-ports", "32", false },
        { "event-channel", "1", true }, { "event-channel", "131071", true },
        { "urb-ring-ref", "0", true },  { "urb-ring-ref", "4294967295", true },
    };
    struct usbd_world *w = *state;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        usbd_world_make(w, 0);
        usbd_world_connect(w, 0);
        if (strcmp(tries[i].node, "num-ports"))
            usbd_world_put_fe(w, 0, tries[i].node, tries[i].value);
        else
            usbd_world_put_be(w, 0, tries[i].node, tries[i].value);
        assert_int_equal(usbd_world_start(w), 0);
        assert_int_equal(usbd_world_settle(w), 0);
        assert_be(w, 0, tries[i].good ? "4" : "6");
        usbd_world_remove(w, 0);
    }
}

/* The rest of the loop is not to be held up by a guest that lies over and over,
 * and the log neither. */
static void lines_that_a_guest_provokes_are_limited(void **state)
{
    struct usbd_world *w = *state;
    int lines = 0;
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_start(w), 0);
    for (int i = 0; i < 40; i++) {
        usbd_world_connect(w, 0);
        usbd_world_put_fe(w, 0, "urb-ring-ref", "x");
        assert_int_equal(usbd_world_step(w), 0);
        usbd_world_put_fe(w, 0, "state", "1");
        assert_int_equal(usbd_world_step(w), 0);
    }
    for (const char *p = w->lines; (p = strstr(p, "urb-ring-ref")); p++)
        lines++;
    assert_in_range(lines, 10, 20);
}

static void controllers_beyond_the_maximum_are_left_alone(void **state)
{
    struct usbd_world *w = *state;
    for (unsigned i = 0; i <= XLX__USBD_HC_MAX; i++)
        usbd_world_make(w, 10 + i);
    assert_int_equal(usbd_world_start(w), 0);
    hear_nothing(w);
    assert_be(w, 10 + XLX__USBD_HC_MAX - 1, "2");
    assert_be(w, 10 + XLX__USBD_HC_MAX, "1");
    assert_line(w, "more than 16 controllers");
}

/* --- ports ---------------------------------------------------------------- */

static void a_device_is_plugged_in(void **state)
{
    static const struct {
        const char *busid;
        uint32_t speed, super_speed;
    } tries[] = {
        { "1-3", XLX__USBD_LOW, 0 },
        { "2-2", XLX__USBD_FULL, 0 },
        { "1-2", XLX__USBD_HIGH, 0 },
        { "2-1", XLX__USBD_HIGH, 1 },
    };
    struct usbd_world *w = *state;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        char status[64];
        usbd_world_remove(w, 0);
        start_open(w);
        usbd_world_fill(w, 0, 2, tries[i].busid);
        struct xlx__usbd_message m = hear(w, XLX__USBD_PLUG, 0, 2);
        assert_int_equal(m.dev.speed, tries[i].speed);
        assert_int_equal(m.dev.super_speed, tries[i].super_speed);
        snprintf(status, sizeof(status), "%s opened", tries[i].busid);
        assert_status(w, 0, 2, status);
        usbd_world_tell(w, XLX__USBD_CONFIGURED, 0, 2, 0, 0);
        hear_nothing(w);
        snprintf(status, sizeof(status), "%s configured", tries[i].busid);
        assert_status(w, 0, 2, status);
    }
}

static void what_cannot_be_had_is_said(void **state)
{
    static const struct {
        const char *busid, *why;
    } tries[] = {
        { "1-9", "no such device on this host" },
        { "1-4", "it is a hub" },
        { "2-3", "its speed is not known" },
        { "usb1", "it is not a busid" },
        { "../1-2", "it is not a busid" },
        { "1-2:1.0", "it is not a busid" },
        { "1-3", "the fake fails: Device or resource busy" },
    };
    struct usbd_world *w = *state;
    start_open(w);
    w->devices.busy = "1-3";
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        char text[128];
        *w->lines = '\0';
        usbd_world_fill(w, 0, 1, tries[i].busid);
        hear_nothing(w);
        snprintf(text, sizeof(text), "%s failed: %s", tries[i].busid,
                 tries[i].why);
        assert_status(w, 0, 1, text);
        snprintf(text, sizeof(text),
                 "domain 5: controller 0 port 1: usb %s: %s", tries[i].busid,
                 tries[i].why);
        assert_line(w, text);
        assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    }
    usbd_world_fill(w, 0, 1, "");
    hear_nothing(w);
    assert_status(w, 0, 1, NULL);
}

/* What was written down for the guest is another device than what is in its
 * place by now; of what was not written down, whatever is there. */
static void another_device_in_its_place_is_not_taken(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    xs_mem_put(w->xs, "/libxl-ext/usb/1-2/domid", "5");
    xs_mem_put(w->xs, "/libxl-ext/usb/1-2/address", "99");
    usbd_world_fill(w, 0, 1, "1-2");
    hear_nothing(w);
    assert_status(w, 0, 1, "1-2 failed: no such device on this host");
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    usbd_world_fill(w, 0, 1, "");
    hear_nothing(w);
    xs_mem_put(w->xs, "/libxl-ext/usb/1-2", NULL);
    usbd_world_fill(w, 0, 1, "1-2");
    hear(w, XLX__USBD_PLUG, 0, 1);
}

static void a_name_that_is_too_long_is_none(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_fill(w, 0, 1, "1-2.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1");
    hear_nothing(w);
    assert_status(w, 0, 1, "? failed: it is not a busid");
}

/* The library reads what the broker writes. */
static void a_command_reads_the_status(void **state)
{
    struct usbd_world *w = *state;
    struct xlx__usbd_status s;
    start_with_device(w, "1-2");
    assert_int_equal(xlx__usbd_status_read(w->ctx, 5, 0, 1, &s), 1);
    assert_int_equal(s.what, XLX__USBD_CONFIGURED_PORT);
    assert_string_equal(s.busid, "1-2");
    assert_int_equal(s.address, 3);
    assert_int_equal(xlx__usbd_status_read(w->ctx, 5, 0, 2, &s), 0);
    usbd_world_fill(w, 0, 2, "1-9");
    hear_nothing(w);
    assert_int_equal(xlx__usbd_status_read(w->ctx, 5, 0, 2, &s), 1);
    assert_int_equal(s.what, XLX__USBD_FAILED_PORT);
    assert_string_equal(s.why, "no such device on this host");
    xs_mem_put(w->xs, "/libxl-ext/usb-backend/5/0/2", "1-9");
    assert_int_equal(xlx__usbd_status_read(w->ctx, 5, 0, 2, &s), 0);
}

static void one_device_is_on_one_port(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 2, "1-2");
    hear_nothing(w);
    assert_status(w, 0, 2,
                  "1-2 failed: this guest has it on controller 0 port 1");
    assert_status(w, 0, 1, "1-2 configured");
}

static void a_device_moves_to_another_port(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 2, "1-2");
    usbd_world_fill(w, 0, 1, "");
    assert_int_equal(usbd_world_settle(w), 0);
    assert_status(w, 0, 1, NULL);
    assert_status(w, 0, 2, "1-2 configured");
    assert_true(w->has[0][2]);
    assert_false(w->has[0][1]);
}

static void a_device_is_taken_away(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 1, "");
    hear(w, XLX__USBD_UNPLUG, 0, 1);
    assert_status(w, 0, 1, "1-2 configured");
    assert_int_equal(usbd_fake_claimed(&w->devices), 1);
    usbd_world_tell(w, XLX__USBD_UNPLUGGED, 0, 1, 0, 0);
    hear_nothing(w);
    assert_status(w, 0, 1, NULL);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_int_equal(device(w, "1-2")->resets, 1);
}

/* Nothing can be half done in it. */
static void one_that_the_guest_did_not_configure_is_not_reset(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_fill(w, 0, 1, "1-2");
    hear(w, XLX__USBD_PLUG, 0, 1);
    usbd_world_fill(w, 0, 1, "");
    hear(w, XLX__USBD_UNPLUG, 0, 1);
    usbd_world_tell(w, XLX__USBD_UNPLUGGED, 0, 1, 0, 0);
    hear_nothing(w);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_int_equal(device(w, "1-2")->resets, 0);
}

static void one_device_follows_another(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 1, "1-3");
    hear(w, XLX__USBD_UNPLUG, 0, 1);
    assert_int_equal(device(w, "1-3")->claims, 0);
    usbd_world_tell(w, XLX__USBD_UNPLUGGED, 0, 1, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 1);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_status(w, 0, 1, "1-3 opened");
}

static void ports_that_are_filled_before_are_plugged_then(void **state)
{
    struct usbd_world *w = *state;
    usbd_world_make(w, 0);
    usbd_world_fill(w, 0, 3, "1-2");
    assert_int_equal(usbd_world_start(w), 0);
    usbd_world_connect(w, 0);
    hear(w, XLX__USBD_OPEN, 0, 0);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    usbd_world_tell(w, XLX__USBD_OPENED, 0, 0, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 3);
    assert_be(w, 0, "4");
}

static void ports_beyond_the_controllers_are_none(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_fill(w, 0, 4, "1-2");
    hear_nothing(w);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
}

static void one_that_is_closing_gets_no_device(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    usbd_world_put_be(w, 0, "state", "5");
    usbd_world_fill(w, 0, 1, "1-2");
    hear_nothing(w);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
}

/* --- configurations ------------------------------------------------------- */

static void the_guest_chooses_another_configuration(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 2);
    struct xlx__usbd_message m = hear(w, XLX__USBD_PLUG, 0, 1);
    assert_int_equal(m.dev.speed, XLX__USBD_HIGH);
    assert_int_equal(device(w, "1-2")->config, 2);
    assert_int_equal(usbd_fake_claimed(&w->devices), 1);
}

static void one_that_cannot_be_set_is_refused(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    w->devices.refuses_config = 2;
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 2);
    struct xlx__usbd_message m = hear(w, XLX__USBD_NOT_CONFIGURED, 0, 1);
    assert_int_equal(m.error, -EPIPE);
    /* Held, so that no driver of this host gets it. */
    assert_int_equal(usbd_fake_claimed(&w->devices), 1);
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 3);
    hear(w, XLX__USBD_PLUG, 0, 1);
}

static void configurations_at_their_bounds(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 1);
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 255);
    hear(w, XLX__USBD_PLUG, 0, 1);
    assert_int_equal(device(w, "1-2")->config, 255);
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 256);
    hear_nothing(w);
    assert_int_equal(device(w, "1-2")->config, 255);
    assert_line(w, "configuration 256");
}

static void one_that_went_while_it_was_configured_is_gone(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    sysfs_mem_unplug(w->sysfs, "1-2");
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 2);
    struct xlx__usbd_message m = hear(w, XLX__USBD_NOT_CONFIGURED, 0, 1);
    assert_int_equal(m.error, -ENODEV);
    hear(w, XLX__USBD_UNPLUG, 0, 1);
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "");
    usbd_world_tell(w, XLX__USBD_UNPLUGGED, 0, 1, 0, 0);
    hear_nothing(w);
    assert_status(w, 0, 1, NULL);
}

/* It asked before it knew. */
static void configure_and_close_cross(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_put_fe(w, 0, "state", "6");
    hear(w, XLX__USBD_CLOSE, 0, 0);
    usbd_world_tell(w, XLX__USBD_CONFIGURE, 0, 1, 0, 2);
    hear_nothing(w);
    assert_int_equal(device(w, "1-2")->claims, 1);
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    hear_nothing(w);
    assert_be(w, 0, "6");
    assert_string_equal(w->lines, "");
}

/* --- pulled out ----------------------------------------------------------- */

static void put_memo(struct usbd_world *w, const char *domid,
                     const char *address)
{
    xs_mem_put(w->xs, "/libxl-ext/usb/1-2/domid", domid);
    xs_mem_put(w->xs, "/libxl-ext/usb/1-2/address", address);
}

static void a_pulled_device_frees_its_port(void **state)
{
    struct usbd_world *w = *state;
    put_memo(w, "5", "3");
    start_with_device(w, "1-2");
    sysfs_mem_unplug(w->sysfs, "1-2");
    usbd_world_tell(w, XLX__USBD_GONE, 0, 1, 0, 0);
    hear_nothing(w);
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "");
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_non_null(strstr(usb_world_syslog, "usb 1-2: pulled out: detach from "
                                             "domain 5, controller 0 port 1"));
}

/* Plugged in again, and given to somebody. */
static void what_is_written_of_the_next_one_stays(void **state)
{
    static const char *const memos[][2] = { { "5", "4" }, { "6", "3" } };
    struct usbd_world *w = *state;
    for (int i = 0; i < 2; i++) {
        usbd_world_remove(w, 0);
        xs_mem_put(w->xs, "/libxl-ext/usb/1-2", NULL);
        start_with_device(w, "1-2");
        put_memo(w, memos[i][0], memos[i][1]);
        usbd_world_tell(w, XLX__USBD_GONE, 0, 1, 0, 0);
        hear_nothing(w);
        assert_string_equal(usbd_world_be(w, 0, "port/1"), "");
        assert_string_equal(xs_mem_get(w->xs, "/libxl-ext/usb/1-2/domid"),
                            memos[i][0]);
    }
}

static void a_port_that_changed_meanwhile_is_not_emptied(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 1, "1-3");
    usbd_world_tell(w, XLX__USBD_GONE, 0, 1, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 1);
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "1-3");
}

/* It is told to let go of what it has just lost. */
static void gone_and_unplug_cross(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_fill(w, 0, 1, "");
    hear(w, XLX__USBD_UNPLUG, 0, 1);
    /* Plugged in again, and wanted on the same port. */
    sysfs_mem_find(w->sysfs, "1-2")->address = "44";
    usbd_world_fill(w, 0, 1, "1-2");
    usbd_world_tell(w, XLX__USBD_GONE, 0, 1, 0, 0);
    usbd_world_tell(w, XLX__USBD_UNPLUGGED, 0, 1, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 1);
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "1-2");
    assert_int_equal(device(w, "1-2")->address, 44);
    assert_int_equal(device(w, "1-2")->given_back, 0);
}

/* --- a worker that lies --------------------------------------------------- */

static void a_worker_that_lies_is_not_believed(void **state)
{
    struct usbd_world *w = *state;
    static const struct {
        enum xlx__usbd_kind kind;
        unsigned devid, port;
        int32_t error;
    } lies[] = {
        { XLX__USBD_OPENED, 0, 0, 0 },
        { XLX__USBD_OPENED, 0, 0, -5 },
        { XLX__USBD_CLOSED, 0, 0, 0 },
        { XLX__USBD_CLOSED, 9, 0, 0 },
        { XLX__USBD_UNPLUGGED, 0, 1, 0 },
        { XLX__USBD_UNPLUGGED, 0, 0, 0 },
        { XLX__USBD_UNPLUGGED, 0, 32, 0 },
        { XLX__USBD_GONE, 0, 2, 0 },
        { XLX__USBD_GONE, 0, UINT32_MAX, 0 },
        { XLX__USBD_GONE, 77, 1, 0 },
        { XLX__USBD_CONFIGURE, 0, 2, 0 },
        { XLX__USBD_CONFIGURE, 0, 31, 0 },
        { XLX__USBD_CONFIGURED, 0, 3, 0 },
        { XLX__USBD_PLUG, 0, 1, 0 },
        { 99, 0, 1, 0 },
    };
    start_with_device(w, "1-2");
    char *before = xs_mem_dump(w->xs);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        usbd_world_tell(w, lies[i].kind, lies[i].devid, lies[i].port,
                        lies[i].error, 1);
        hear_nothing(w);
        char *after = xs_mem_dump(w->xs);
        assert_string_equal(after, before);
        free(after);
        assert_int_equal(usbd_fake_claimed(&w->devices), 1);
        assert_int_equal(device(w, "1-2")->claims, 1);
    }
    free(before);
}

static void a_worker_that_sends_no_message_is_ended(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    assert_int_equal(write(w->worker, "x", 1), 1);
    assert_int_equal(usbd_world_step(w), -EPROTO);
}

/* A socket takes some hundred messages. */
static void a_worker_that_does_not_read_is_waited_for(void **state)
{
    struct usbd_world *w = *state;
    struct xlx__usbd_message m = { 0 };
    bool had_fd;
    start_open(w);
    while (!xlx__usbd_send(w->sock, &m, -1))
        ;
    usbd_world_fill(w, 0, 1, "1-2");
    assert_int_equal(usbd_world_step(w), 0);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    while (usbd_world_hear(w, &m, &had_fd))
        ;
    hear(w, XLX__USBD_PLUG, 0, 1);
}

/* --- ends ----------------------------------------------------------------- */

static void the_guest_goes(void **state)
{
    struct usbd_world *w = *state;
    put_memo(w, "5", "3");
    start_with_device(w, "1-2");
    xs_mem_put(w->xs, "/local/domain/5", NULL);
    hear(w, XLX__USBD_CLOSE, 0, 0);
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    assert_int_equal(usbd_world_step(w), XLX__USBD_GUEST_GONE);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_null(xs_mem_get(w->xs, "/local/domain/0/backend/qusb/5"));
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
    assert_null(xs_mem_get(w->xs, "/local/domain/5"));
}

static void it_starts_when_the_guest_has_gone(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    xs_mem_put(w->xs, "/local/domain/5", NULL);
    xs_mem_put(w->xs, ANNOUNCED, NULL);
    assert_int_equal(usbd_world_start(w), 0);
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_int_equal(usbd_world_settle(w), XLX__USBD_GUEST_GONE);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

static void it_is_asked_to_end(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    xlx__usbd_broker_ask(w->broker);
    /* The guest still gets its answers. */
    hear_nothing(w);
    assert_be(w, 0, "5");
    usbd_world_put_fe(w, 0, "state", "6");
    hear(w, XLX__USBD_CLOSE, 0, 0);
    usbd_world_tell(w, XLX__USBD_CLOSED, 0, 0, 0, 0);
    assert_int_equal(usbd_world_step(w), XLX__USBD_ASKED);
    assert_be(w, 0, "6");
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

static void it_is_asked_to_end_with_nothing_open(void **state)
{
    struct usbd_world *w = *state;
    usbd_world_make(w, 0);
    assert_int_equal(usbd_world_start(w), 0);
    hear_nothing(w);
    xlx__usbd_broker_ask(w->broker);
    assert_int_equal(usbd_world_step(w), XLX__USBD_ASKED);
    assert_be(w, 0, "2");
}

static void nobody_keeps_a_worker_alive(void **state)
{
    struct usbd_world *w = *state;
    put_memo(w, "5", "3");
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    assert_int_equal(xlx__usbd_broker_give_up(w->ctx, USBD_DOMID,
                                              usbd_fake_new(&w->devices)),
                     0);
    assert_be(w, 0, "6");
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "");
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_int_equal(device(w, "1-2")->resets, 1);
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

/* What is readable stands for a signal that came. */
static void its_loop_ends_by_a_signal(void **state)
{
    struct usbd_world *w = *state;
    int signals[2];
    assert_int_equal(pipe(signals), 0);
    assert_int_equal(write(signals[1], "x", 1), 1);
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(xlx__usbd_broker_run(w->broker, signals[0]),
                     XLX__USBD_ASKED);
    close(signals[0]);
    close(signals[1]);
}

static void its_loop_ends_with_its_worker(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    close(w->worker);
    w->worker = -1;
    assert_int_equal(xlx__usbd_broker_run(w->broker, -1), -EPIPE);
    /* The next one goes on with what this one had. */
    assert_status(w, 0, 1, "1-2 configured");
    assert_non_null(xs_mem_get(w->xs, ANNOUNCED));
}

/* --- one after the other -------------------------------------------------- */

static void the_next_one_goes_on(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_int_equal(usbd_world_start(w), 0);
    hear(w, XLX__USBD_OPEN, 0, 0);
    assert_be(w, 0, "4");
    usbd_world_tell(w, XLX__USBD_OPENED, 0, 0, 0, 0);
    hear(w, XLX__USBD_PLUG, 0, 1);
    assert_be(w, 0, "4");
    assert_int_equal(device(w, "1-2")->resets, 1);
    assert_int_equal(device(w, "1-2")->given_back, 0);
}

static void what_was_taken_away_meanwhile_is_given_back(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    usbd_world_fill(w, 0, 1, "");
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_int_equal(device(w, "1-2")->given_back, 1);
    assert_int_equal(device(w, "1-2")->resets, 1);
    assert_status(w, 0, 1, NULL);
}

/* The device that is there now was never ours. */
static void what_was_taken_away_and_pulled_out_meanwhile(void **state)
{
    struct usbd_world *w = *state;
    put_memo(w, "5", "3");
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    usbd_world_fill(w, 0, 1, "");
    sysfs_mem_find(w->sysfs, "1-2")->address = "44";
    device(w, "1-2")->address = 44;
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_int_equal(device(w, "1-2")->given_back, 0);
    assert_int_equal(device(w, "1-2")->resets, 0);
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

/* Another device, maybe, in its place. */
static void what_was_pulled_out_meanwhile_is_gone(void **state)
{
    struct usbd_world *w = *state;
    put_memo(w, "5", "3");
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    sysfs_mem_find(w->sysfs, "1-2")->address = "44";
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_string_equal(usbd_world_be(w, 0, "port/1"), "");
    assert_int_equal(device(w, "1-2")->claims, 1);
    assert_int_equal(device(w, "1-2")->given_back, 0);
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
}

static void what_failed_is_tried_again(void **state)
{
    struct usbd_world *w = *state;
    start_open(w);
    w->devices.busy = "1-2";
    usbd_world_fill(w, 0, 1, "1-2");
    assert_int_equal(usbd_world_settle(w), 0);
    usbd_world_kill(w);
    w->devices.busy = NULL;
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_status(w, 0, 1, "1-2 configured");
}

static void one_that_cannot_be_had_again_gets_its_driver(void **state)
{
    struct usbd_world *w = *state;
    start_with_device(w, "1-2");
    usbd_world_kill(w);
    w->devices.busy = "1-2";
    assert_int_equal(usbd_world_start(w), 0);
    assert_int_equal(usbd_world_settle(w), 0);
    assert_status(w, 0, 1,
                  "1-2 failed: the fake fails: Device or resource "
                  "busy");
    assert_int_equal(device(w, "1-2")->given_back, 1);
}

/* In every state of both ends: no lie is written over them, and a guest that
 * is connected is served. */
static void it_starts_in_any_state(void **state)
{
    struct usbd_world *w = *state;
    for (char be = '0'; be <= '8'; be++)
        for (char fe = '0'; fe <= '8'; fe++) {
            const char be_text[] = { be, 0 }, fe_text[] = { fe, 0 };
            bool connected = fe == '3' || fe == '4';
            usbd_world_make(w, 0);
            usbd_world_connect(w, 0);
            usbd_world_fill(w, 0, 1, "1-2");
            usbd_world_put_be(w, 0, "state", be_text);
            usbd_world_put_fe(w, 0, "state", fe_text);
            assert_int_equal(usbd_world_start(w), 0);
            assert_int_equal(usbd_world_settle(w), 0);
            char now = *usbd_world_be(w, 0, "state");
            if (connected && be >= '1' && be <= '4')
                assert_int_equal(now, '4');
            else if (connected && be == '5')
                assert_int_equal(now, '5');
            else
                assert_int_not_equal(now, '4');
            assert_int_equal(usbd_fake_claimed(&w->devices), now == '4');
            assert_string_equal(
                xs_mem_get(w->xs, "/local/domain/5/device/vusb/0/state"),
                fe_text);
            usbd_world_remove(w, 0);
            assert_int_equal(usbd_world_settle(w), 0);
            assert_int_equal(usbd_fake_claimed(&w->devices), 0);
        }
}

static void remove_it(void *w)
{
    usbd_world_remove(w, 0);
}

/* At whatever call the toolstack takes it away: nothing of it comes back. */
static void nodes_that_go_meanwhile_stay_away(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        struct usbd_world *w = usbd_world_new();
        usbd_world_make(w, 0);
        usbd_world_connect(w, 0);
        usbd_world_fill(w, 0, 1, "1-2");
        w->nth.act_at = n;
        w->nth.act = remove_it;
        w->nth.user = w;
        assert_int_equal(usbd_world_start(w), 0);
        assert_int_equal(usbd_world_settle(w), 0);
        bool acted = w->nth.calls >= n;
        if (acted) {
            assert_null(usbd_world_be(w, 0, "state"));
            assert_null(usbd_world_status(w, 0, 1));
            assert_int_equal(usbd_fake_claimed(&w->devices), 0);
        }
        usbd_world_free(w);
        if (!acted) {
            assert_true(n > 40);
            return;
        }
    }
}

/* --- whatever fails, and whoever dies ------------------------------------- */

/* A device is where the status says, and claimed for nobody else. */
static void assert_sane(struct usbd_world *w, const char *busid)
{
    const char *now = usbd_world_status(w, 0, 1);
    char failed[64];
    snprintf(failed, sizeof(failed), "%s failed: ", busid);
    if (!*busid)
        assert_null(now);
    else if (!now)
        fail_msg("usb %s: no status", busid);
    else if (!strncmp(now, failed, strlen(failed)))
        assert_true(strlen(now) > strlen(failed));
    else
        assert_non_null(strstr(now, " configured"));
    bool has = now && strstr(now, " configured");
    assert_int_equal(usbd_fake_claimed(&w->devices), has);
    assert_int_equal(w->has[0][1], has);
}

static void settle(struct usbd_world *w)
{
    assert_int_equal(usbd_world_settle(w), 0);
}

/* A controller's whole life. */
static void live(struct usbd_world *w)
{
    if (usbd_world_start(w))
        assert_int_equal(usbd_world_start(w), 0);
    usbd_world_make(w, 0);
    settle(w);
    assert_be(w, 0, "2");
    usbd_world_connect(w, 0);
    settle(w);
    assert_be(w, 0, "4");
    usbd_world_fill(w, 0, 1, "1-2");
    settle(w);
    assert_sane(w, "1-2");
    usbd_world_fill(w, 0, 1, "1-3");
    settle(w);
    assert_sane(w, "1-3");
    usbd_world_fill(w, 0, 1, "");
    settle(w);
    assert_sane(w, "");
    usbd_world_fill(w, 0, 1, "1-2");
    settle(w);
    assert_sane(w, "1-2");
    usbd_world_put_fe(w, 0, "state", "6");
    settle(w);
    assert_be(w, 0, "6");
    usbd_world_remove(w, 0);
    settle(w);
    assert_int_equal(usbd_fake_claimed(&w->devices), 0);
    assert_null(xs_mem_get(w->xs, "/libxl-ext"));
    xs_mem_put(w->xs, "/local/domain/5", NULL);
    assert_int_equal(usbd_world_settle(w), XLX__USBD_GUEST_GONE);
    assert_null(xs_mem_get(w->xs, "/local/domain/0/backend/qusb"));
    assert_null(xs_mem_get(w->xs, ANNOUNCED));
    assert_null(xs_mem_get(w->xs, "/local/domain/5"));
    /* Nobody is left without a driver. */
    for (int i = 0; i < USBD_FAKE_MAX; i++)
        if (w->devices.dev[i].claims)
            assert_true(w->devices.dev[i].given_back);
}

static void whichever_call_fails(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        struct usbd_world *w = usbd_world_new();
        w->nth.fail_at = n;
        live(w);
        bool failed = w->nth.calls >= n;
        usbd_world_free(w);
        if (!failed) {
            assert_true(n > 100);
            return;
        }
    }
}

static void the_worker_dies_at_any_message(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        struct usbd_world *w = usbd_world_new();
        w->dies_at = n;
        live(w);
        bool died = w->messages >= n;
        assert_int_equal(w->deaths, died);
        usbd_world_free(w);
        if (!died) {
            assert_true(n > 7);
            return;
        }
    }
}

static void the_broker_is_killed_after_any_step(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        struct usbd_world *w = usbd_world_new();
        w->killed_at = n;
        live(w);
        bool killed = w->steps >= n;
        usbd_world_free(w);
        if (!killed) {
            assert_true(n > 15);
            return;
        }
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_announces_itself),
        T(the_worker_learns_when_all_are_there),
        T(a_controller_is_made_and_connected),
        T(a_frontend_that_is_initialised_will_do),
        T(one_that_cannot_be_opened_is_closed),
        T(the_guest_closes),
        T(the_guest_is_closing),
        T(what_the_toolstack_closes_is_served_until_the_guest_follows),
        T(a_guest_that_comes_back_is_connected_again),
        T(one_that_is_not_online_stays_closed),
        T(nodes_that_go_close_it_at_once),
        T(one_that_was_made_again_is_another),
        T(hostile_nodes_close_only_their_own),
        T(numbers_at_their_bounds),
        T(lines_that_a_guest_provokes_are_limited),
        T(controllers_beyond_the_maximum_are_left_alone),
        T(a_device_is_plugged_in),
        T(what_cannot_be_had_is_said),
        T(another_device_in_its_place_is_not_taken),
        T(a_name_that_is_too_long_is_none),
        T(a_command_reads_the_status),
        T(one_device_is_on_one_port),
        T(a_device_moves_to_another_port),
        T(a_device_is_taken_away),
        T(one_that_the_guest_did_not_configure_is_not_reset),
        T(one_device_follows_another),
        T(ports_that_are_filled_before_are_plugged_then),
        T(ports_beyond_the_controllers_are_none),
        T(one_that_is_closing_gets_no_device),
        T(the_guest_chooses_another_configuration),
        T(one_that_cannot_be_set_is_refused),
        T(configurations_at_their_bounds),
        T(one_that_went_while_it_was_configured_is_gone),
        T(configure_and_close_cross),
        T(a_pulled_device_frees_its_port),
        T(what_is_written_of_the_next_one_stays),
        T(a_port_that_changed_meanwhile_is_not_emptied),
        T(gone_and_unplug_cross),
        T(a_worker_that_lies_is_not_believed),
        T(a_worker_that_sends_no_message_is_ended),
        T(a_worker_that_does_not_read_is_waited_for),
        T(the_guest_goes),
        T(it_starts_when_the_guest_has_gone),
        T(it_is_asked_to_end),
        T(it_is_asked_to_end_with_nothing_open),
        T(its_loop_ends_by_a_signal),
        T(its_loop_ends_with_its_worker),
        T(nobody_keeps_a_worker_alive),
        T(the_next_one_goes_on),
        T(what_was_taken_away_meanwhile_is_given_back),
        T(what_was_taken_away_and_pulled_out_meanwhile),
        T(what_was_pulled_out_meanwhile_is_gone),
        T(what_failed_is_tried_again),
        T(one_that_cannot_be_had_again_gets_its_driver),
        T(it_starts_in_any_state),
        cmocka_unit_test(nodes_that_go_meanwhile_stay_away),
        cmocka_unit_test(whichever_call_fails),
        cmocka_unit_test(the_worker_dies_at_any_message),
        cmocka_unit_test(the_broker_is_killed_after_any_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
