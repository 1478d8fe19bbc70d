/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Attach, detach, making and destroying controllers, on a host in memory. The
 * last tests fail every call of every operation once.
 */
#include "test.h"

#include <sys/stat.h>

#include "core/clock.h"
#include "fakes/usb_sets.h"
#include "fakes/usb_world.h"
#include "libxl_ext_usb.h"
#include "usb/controller/backend.h"
#include "usb/controller/hc.h"
#include "usb/controller/log.h"

#define ANY XLX_USB_ANY
#define LONG_MS 60000 /* never reached */
#define SHORT_MS 150  /* reached on purpose */
#define BE "/local/domain/0/backend/qusb/5"

static const struct xlx_usb_place anywhere = { ANY, ANY };
static const struct xlx_usb_hc_config usual = { 0 };

static int setup(void **state)
{
    *state = usb_world_new();
    return 0;
}

static int teardown(void **state)
{
    usb_world_free(*state);
    return 0;
}

static int attach(struct usb_world *w, const char *busid)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(w->ctx, WORLD_DOMID, busid, &anywhere, 0, LONG_MS,
                          &got);
}

static int detach(struct usb_world *w, uint32_t hc, uint32_t port)
{
    const struct xlx_usb_place place = { hc, port };
    return xlx_usb_detach(w->ctx, WORLD_DOMID, &place, NULL, LONG_MS, NULL);
}

static int create(struct usb_world *w)
{
    uint32_t devid;
    return xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual, sizeof(usual),
                             LONG_MS, &devid);
}

static void assert_says(struct usb_world *w, const char *text)
{
    if (!strstr(xlx_ctx_error(w->ctx), text))
        fail_msg("says: %s, not: %s", xlx_ctx_error(w->ctx), text);
}

static void assert_unchanged(struct usb_world *w, const char *before)
{
    char *now = usb_world_dump(w);
    assert_string_equal(now, before);
    free(now);
}

static void assert_node(struct usb_world *w, const char *path,
                        const char *value)
{
    const char *text = xs_mem_get(w->xs, path);
    if (!value) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, value);
}

static void assert_driver(struct usb_world *w, const char *busid, int intf,
                          const char *driver)
{
    const char *now = sysfs_mem_find(w->sysfs, busid)->intf[intf].driver;
    assert_string_equal(now ? now : "", driver);
}

/* --- the layout ----------------------------------------------------------- */

static void a_controller_is_laid_out_as_libxl_does(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_hc_config config = { XLX_USB_AUTO, 1, 2 };
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &config,
                                       sizeof(config), LONG_MS, &devid),
                     0);
    assert_int_equal(devid, 0);
    char *dump = xs_mem_dump(w->xs);
    static const char *const lines[] = {
        "/local/domain/5/device/vusb/0 =  (5:0 0:1)\n"
        "/local/domain/5/device/vusb/0/backend = " BE "/0 (5:0 0:1)\n"
        "/local/domain/5/device/vusb/0/backend-id = 0 (5:0 0:1)\n"
        "/local/domain/5/device/vusb/0/state = 4 (5:0 0:1)\n",
        /* clang-format off */
        BE "/0 =  (0:0 5:1)\n"
        BE "/0/frontend = /local/domain/5/device/vusb/0 (0:0 5:1)\n"
        BE "/0/frontend-id = 5 (0:0 5:1)\n"
        BE "/0/num-ports = 2 (0:0 5:1)\n"
        BE "/0/online = 1 (0:0 5:1)\n"
        BE "/0/port =  (0:0 5:1)\n"
        BE "/0/port/1 =  (0:0 5:1)\n"
        BE "/0/port/2 =  (0:0 5:1)\n"
        BE "/0/state = 4 (0:0 5:1)\n"
        BE "/0/type = qusb (0:0 5:1)\n"
        BE "/0/usb-ver = 1 (0:0 5:1)\n",
        /* clang-format on */
        "/libxl/5/device/vusb/0/backend = " BE "/0 (0:0)\n"
        "/libxl/5/device/vusb/0/frontend = /local/domain/5/device/vusb/0 "
        "(0:0)\n"
        "/libxl/5/device/vusb/0/frontend-id = 5 (0:0)\n"
        "/libxl/5/device/vusb/0/num-ports = 2 (0:0)\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(strstr(dump, lines[i]));
    free(dump);
}

static void a_devid_can_be_asked_for(void **state)
{
    struct usb_world *w = *state;
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create_as(w->ctx, WORLD_DOMID, 3, &usual,
                                          sizeof(usual), LONG_MS, &devid),
                     0);
    assert_int_equal(devid, 3);
    char *before = usb_world_dump(w);
    assert_int_equal(xlx_usb_hc_create_as(w->ctx, WORLD_DOMID, 3, &usual,
                                          sizeof(usual), LONG_MS, &devid),
                     -EEXIST);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void devids_go_on_behind_the_last(void **state)
{
    struct usb_world *w = *state;
    uint32_t devid;
    assert_int_equal(create(w), 0);
    xs_mem_put(w->xs, "/libxl/5/device/vusb/6/type", "qusb");
    xs_mem_collide(w->xs, 2);
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual,
                                       sizeof(usual), LONG_MS, &devid),
                     0);
    assert_int_equal(devid, 7);
}

/* --- attach and detach ---------------------------------------------------- */

static void a_device_goes_to_a_guest_and_comes_back(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_place got;
    char busid[XLX_USB_BUSID_MAX];
    char *before = usb_world_dump(w);
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &anywhere, 0, LONG_MS, &got),
        0);
    assert_int_equal(got.hc, 0);
    assert_int_equal(got.port, 1);
    assert_int_equal(w->starts, 1);
    assert_node(w, BE "/0/port/1", "1-2");
    assert_driver(w, "1-2", 0, "usbfs");
    assert_int_equal(xlx_usb_find(w->ctx, WORLD_DOMID, "1-2", &got, NULL), 0);
    assert_int_equal(got.port, 1);

    assert_int_equal(
        xlx_usb_detach(w->ctx, WORLD_DOMID, &got, NULL, LONG_MS, busid), 0);
    assert_string_equal(busid, "1-2");
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_driver(w, "1-2", 1, "");
    assert_node(w, BE "/0/port/1", "");
    assert_node(w, "/libxl-ext", NULL);

    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, LONG_MS), 0);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void a_second_device_takes_the_next_port(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(attach(w, "1-3.1"), 0);
    assert_node(w, BE "/0/port/2", "1-3.1");
    assert_int_equal(w->starts, 1);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, LONG_MS), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_driver(w, "1-3.1", 0, "usbhid");
    assert_false(w->running);
}

/* Where a QEMU of the guest's own would take what is meant for ours. */
static void a_qemu_of_the_guests_own_is_kept_out_of_it(void **state)
{
    struct usb_world *w = *state;
    xs_mem_put(w->xs, "/local/domain/0/device-model/5/backends/qdisk", "");
    xs_mem_put(w->xs, "/local/domain/0/device-model/5/backends/qusb", "");
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->starts, 1);
    assert_node(w, "/local/domain/0/backend/vusb/5/0/port/1", "1-2");
    assert_node(w, "/libxl/5/device/vusb/0/type", "pv");
    assert_node(w, BE, NULL);
}

static void what_a_killed_backend_announced_is_not_trusted(void **state)
{
    struct usb_world *w = *state;
    xs_mem_put(w->xs, "/local/domain/0/device-model/5/backends/qusb", "");
    w->stale = true;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->starts, 1);
}

static void drivers_come_back_after_the_backend_was_killed(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    usb_world_kill_backend(w);
    assert_driver(w, "1-2", 0, "");
    assert_node(w, "/libxl-ext/usb-backend/5/0/1", "1-2 configured");
    assert_int_equal(detach(w, 0, 1), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    /* the next one would take it for its own */
    assert_node(w, "/libxl-ext", NULL);
}

static void a_driver_nobody_wrote_down_is_probed_for(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w), 0);
    xs_mem_put(w->xs, BE "/0/port/3", "1-2"); /* by another tool */
    sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver = NULL;
    assert_int_equal(detach(w, 0, 3), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
}

static void a_driver_that_refuses_is_only_warned_about(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    usb_world_kill_backend(w);
    sysfs_mem_refuse(w->sysfs, "usb-storage");
    assert_int_equal(detach(w, 0, 1), 0);
    assert_driver(w, "1-2", 0, "");
}

static void an_unplugged_device_frees_its_port(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_hc *list;
    assert_int_equal(attach(w, "1-2"), 0);
    sysfs_mem_unplug(w->sysfs, "1-2");
    assert_int_equal(xlx_usb_list(w->ctx, WORLD_DOMID, &list, sizeof(*list)),
                     1);
    assert_string_equal(list->port[0]->busid, "1-2");
    assert_false(list->port[0]->present);
    free(list);
    assert_int_equal(attach(w, "1-1"), 0); /* not in anybody's way */
    assert_int_equal(detach(w, 0, 1), 0);
    assert_node(w, BE "/0/port/1", "");
}

static void a_port_with_nonsense_can_be_emptied(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w), 0);
    xs_mem_put(w->xs, BE "/0/port/2", "../../etc");
    assert_int_equal(detach(w, 0, 2), 0);
    assert_node(w, BE "/0/port/2", "");
}

static void a_port_that_changed_meanwhile_is_left_alone(void **state)
{
    struct usb_world *w = *state;
    struct xlx__hc hc;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(xlx__hc_read(w->ctx, WORLD_DOMID, 0, &hc), 0);
    assert_int_equal(xlx__hc_set_port(w->ctx, &hc, 1, "", "1-1"), -EBUSY);
    assert_int_equal(xlx__hc_set_port(w->ctx, &hc, 1, "1-1", ""), -EBUSY);
    assert_node(w, BE "/0/port/1", "1-2");
}

static void the_list_has_what_the_device_says(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_hc *list;
    assert_int_equal(xlx_usb_list(w->ctx, WORLD_DOMID, &list, sizeof(*list)),
                     0);
    assert_null(list);
    assert_int_equal(attach(w, "1-2"), 0);
    xs_mem_put(w->xs, "/libxl/5/device/vusb/x/type", "qusb");
    xs_mem_put(w->xs, "/libxl/5/device/vusb/4/type", "nonsense");
    assert_int_equal(xlx_usb_list(w->ctx, WORLD_DOMID, &list, sizeof(*list)),
                     1);
    assert_int_equal(list->nr_ports, 8);
    assert_int_equal(list->state, 4);
    assert_int_equal(list->port[0]->vendor, 0x46f4);
    assert_int_equal(list->port[0]->product, 1);
    assert_string_equal(list->port[0]->name, "QEMU QEMU USB HARDDRIVE");
    free(list);
}

static void the_guest_loses_a_controller_it_does_not_close(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w), 0);
    w->no_frontend = true;
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, SHORT_MS), 0);
    assert_node(w, BE, NULL);
    assert_node(w, "/local/domain/5/device/vusb", NULL);
    /* it would take the next one of that name for the old one */
    w->no_frontend = false;
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual,
                                       sizeof(usual), LONG_MS, &devid),
                     0);
    assert_int_equal(devid, 1);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 1, LONG_MS), 0);
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual,
                                       sizeof(usual), LONG_MS, &devid),
                     0);
    assert_int_equal(devid, 1);
}

/* Killed with all its parts while a device is given to it. */
static void a_backend_that_is_killed_meanwhile_is_told(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w), 0);
    w->dies = true;
    assert_int_equal(attach(w, "1-2"), -ECONNRESET);
    assert_says(w, "died meanwhile");
    assert_node(w, BE "/0/port/1", "");
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_int_equal(attach(w, "1-2"), 0);
    assert_int_equal(w->starts, 2);
}

static void a_device_moves_from_guest_to_guest(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place from = { 0, 1 };
    struct xlx_usb_place got;
    assert_int_equal(attach(w, "1-2"), 0);
    char *before = usb_world_dump(w);
    /* the other does not take it: the first has it again */
    w->no_frontend = true;
    assert_int_equal(xlx_usb_move(w->ctx, WORLD_DOMID, &from, NULL, 6,
                                  &anywhere, 0, SHORT_MS, &got),
                     -ETIMEDOUT);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "domain 6 does not take"));
    w->no_frontend = false;
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
    assert_int_equal(xlx_usb_move(w->ctx, WORLD_DOMID, &from, NULL, WORLD_DOMID,
                                  &anywhere, 0, LONG_MS, &got),
                     -EINVAL);
    assert_int_equal(xlx_usb_move(w->ctx, WORLD_DOMID, &from, NULL, 9,
                                  &anywhere, 0, LONG_MS, &got),
                     -ESRCH);
    assert_int_equal(xlx_usb_move(w->ctx, WORLD_DOMID, &from, NULL, 6,
                                  &anywhere, 0, LONG_MS, &got),
                     0);
    assert_node(w, "/libxl/6/device/vusb/0/port/1", "1-2");
    assert_driver(w, "1-2", 0, "usbfs");
}

static void a_device_is_found_by_any_name(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_place got;
    assert_int_equal(attach(w, "46f4:0001:S1"), 0);
    assert_int_equal(attach(w, "1.2"), 0);
    assert_int_equal(xlx_usb_find(w->ctx, WORLD_DOMID, "0627:0001", &got, NULL),
                     0);
    assert_int_equal(got.port, 2);
    assert_int_equal(attach(w, "1-3.1"), 0);
    assert_int_equal(xlx_usb_find(w->ctx, WORLD_DOMID, "0627:0001", &got, NULL),
                     -ENOTUNIQ);
    sysfs_mem_unplug(w->sysfs, "1-3.1");
    assert_int_equal(xlx_usb_find(w->ctx, WORLD_DOMID, "0627:0001", &got, NULL),
                     0);
    assert_int_equal(xlx_usb_find(w->ctx, WORLD_DOMID, "1-3.1", &got, NULL), 0);
    assert_int_equal(got.port, 3);
}

static void what_a_killed_command_left_is_put_right(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    /* killed in a detach: the port is empty, the drivers are gone */
    usb_world_kill_backend(w);
    xs_mem_put(w->xs, BE "/0/port/1", "");
    assert_driver(w, "1-2", 0, "");
    /* the next command on it, even one that is refused */
    w->no_claim = true;
    const struct xlx_usb_place nowhere = { 7, ANY };
    struct xlx_usb_place got;
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &nowhere, 0, LONG_MS, &got),
        -ENODEV);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_node(w, "/libxl-ext", NULL);
}

static void ignore_report(void *user, const struct xlx_usb_report *report)
{
    (void)user;
    (void)report;
}

static void what_a_dead_guest_left_is_put_right_too(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    usb_world_kill_backend(w);
    assert_driver(w, "1-2", 0, "");
    /* a guest that lives gets another backend */
    assert_int_equal(xlx_usb_reconcile(w->ctx, NULL, 0, ignore_report, NULL),
                     0);
    assert_driver(w, "1-2", 0, "usbfs");
    usb_world_kill_backend(w);
    xs_mem_put(w->xs, "/local/domain/5", NULL);
    xs_mem_put(w->xs, "/libxl/5", NULL);
    xs_mem_put(w->xs, BE, NULL);
    assert_int_equal(xlx_usb_reconcile(w->ctx, NULL, 0, ignore_report, NULL),
                     0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_node(w, "/libxl-ext", NULL);
}

static void each_change_is_on_record(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    assert_non_null(strstr(usb_world_syslog,
                           "usb 1-2: attach to domain 5, controller 0 port 1, "
                           "by uid "));
    assert_non_null(strstr(usb_world_syslog, ": done"));
    w->no_release = true;
    const struct xlx_usb_place place = { 0, 1 };
    assert_int_equal(
        xlx_usb_detach(w->ctx, WORLD_DOMID, &place, NULL, SHORT_MS, NULL),
        -ETIMEDOUT);
    assert_non_null(strstr(usb_world_syslog, "usb 1-2: detach from domain 5"));
    assert_non_null(strstr(usb_world_syslog, ": failed: usb 1-2: "));
}

static void many_devices_come_and_go(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create(w), 0);
    char *before = usb_world_dump(w);
    for (int i = 0; i < 200; i++)
        if (attach(w, "1-2") || detach(w, 0, 1))
            fail_msg("%d: %s", i, xlx_ctx_error(w->ctx));
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* --- after the backend was killed ----------------------------------------- */

static void a_controller_without_backend_gets_one_to_close(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-2"), 0);
    usb_world_kill_backend(w);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, LONG_MS), 0);
    assert_int_equal(w->starts, 2);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_node(w, "/libxl-ext", NULL);
    assert_false(w->running || w->xenbus_dead);
}

/* By its descriptors: a stick can, a webcam cannot. */
static void super_speed_is_carried_where_it_can_be(void **state)
{
    struct usb_world *w = *state;
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, "2-1");
    const struct usb_set *stick = usb_set("stick"), *webcam = usb_set("webcam");
    assert_int_equal(attach(w, "2-1"), -ENOTSUP);
    assert_says(w, "does not show its descriptors");
    dev->descriptors = webcam->d.bytes;
    dev->nr_descriptors = webcam->d.length;
    assert_int_equal(attach(w, "2-1"), -ENOTSUP);
    assert_says(w,
                "usb 2-1: cannot be given to domain 5: it runs at SuperSpeed "
                "and has isochronous endpoints");
    assert_node(w, BE, NULL);
    dev->descriptors = stick->d.bytes;
    dev->nr_descriptors = stick->d.length;
    assert_int_equal(attach(w, "2-1"), 0);
    assert_node(w, BE "/0/port/1", "2-1");
}

static void why_the_backend_does_not_take_it_is_said(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-3.1"), 0);
    char *before = usb_world_dump(w);
    w->no_claim = true;
    xs_mem_put(w->xs, "/libxl-ext/usb-backend/5/0/2",
               "1-2 failed: an interface is claimed by process usbmuxd (pid "
               "77)");
    assert_int_equal(attach(w, "1-2"), -EIO);
    assert_says(w, "usb 1-2: cannot be given to domain 5: an interface is "
                   "claimed by process usbmuxd");
    assert_unchanged(w, before);
    free(before);
}

/* --- refusals ------------------------------------------------------------- */

struct refusal {
    uint32_t domid;
    const char *busid;
    struct xlx_usb_place place;
    int rc;
    const char *text; /* a part of it */
};

static const struct refusal refusals[] = {
    { 9, "1-2", { ANY, ANY }, -ESRCH, "domain 9: no such domain" },
    { 0, "1-2", { ANY, ANY }, -EINVAL, "is this host" },
    { 5, "1-2x", { ANY, ANY }, -EINVAL, "names no device" },
    { 5, "", { ANY, ANY }, -EINVAL, "names no device" },
    { 5, "usb1", { ANY, ANY }, -ENOTSUP, "root hub" },
    { 5, "1-9", { ANY, ANY }, -ENODEV, "no such device" },
    { 5, "1-3", { ANY, ANY }, -ENOTSUP, "is a hub" },
    { 5, "2-1", { ANY, ANY }, -ENOTSUP, "SuperSpeed" },
    { 5, "1-4", { ANY, ANY }, -EBUSY, "program on this host" },
    { 5, "1-1", { ANY, ANY }, -EBUSY, "domain 5, controller 0 port 1" },
    { 5, "1-2", { 0, 1 }, -EBUSY, "port 1 is taken" },
    { 5, "1-2", { 0, 9 }, -EINVAL, "no port 9" },
    { 5, "1-2", { 7, ANY }, -ENODEV, "no USB controller 7" },
};

static void a_refusal_has_a_reason_and_no_effect(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach(w, "1-1"), 0);
    char *before = usb_world_dump(w);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *r = &refusals[i];
        struct xlx_usb_place got;
        assert_int_equal(xlx_usb_attach(w->ctx, r->domid, r->busid, &r->place,
                                        0, LONG_MS, &got),
                         r->rc);
        assert_non_null(strstr(xlx_ctx_error(w->ctx), r->text));
        char *after = usb_world_dump(w);
        assert_string_equal(after, before);
        free(after);
    }
    free(before);
}

static void write_file(struct usb_world *w, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_refused(struct usb_world *w, const char *device,
                           unsigned flags, int rc, const char *text)
{
    struct xlx_usb_place got;
    char *before = usb_world_dump(w);
    assert_int_equal(xlx_usb_attach(w->ctx, WORLD_DOMID, device, &anywhere,
                                    flags, LONG_MS, &got),
                     rc);
    if (!strstr(xlx_ctx_error(w->ctx), text))
        fail_msg("%s: says %s", device, xlx_ctx_error(w->ctx));
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void what_the_policy_forbids_is_refused(void **state)
{
    struct usb_world *w = *state;
    write_file(w, "usb-policy.conf", "DENY: class=08\nALLOW:\n");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EACCES,
                   "usb 1-2: forbidden by policy: ");
    assert_non_null(
        strstr(xlx_ctx_error(w->ctx), "usb-policy.conf:1: DENY: class=08"));
    assert_int_equal(attach(w, "1-1"), 0);
    sysfs_mem_find(w->sysfs, "1-3.1")->intf[0].name = NULL;
    assert_refused(w, "1-3.1", XLX_USB_FORCE, -EACCES,
                   "usb 1-3.1: forbidden by policy: not configured, it may be "
                   "anything: ");
    write_file(w, "usb-policy.conf", "DENY class\n");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBADMSG, "usb-policy.conf:1: ");
}

static void the_last_keyboard_can_be_forced(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_place got;
    sysfs_mem_put(w->sysfs, "class/input/input0/capabilities/key", "0");
    assert_refused(w, "1-1", 0, -EBUSY, "is the last keyboard of this host");
    assert_int_equal(xlx_usb_attach(w->ctx, WORLD_DOMID, "1-1", &anywhere,
                                    XLX_USB_FORCE, LONG_MS, &got),
                     0);
}

static void a_mounted_disk_cannot(void **state)
{
    struct usb_world *w = *state;
    char self[128];
    snprintf(self, sizeof(self), "%s/self", w->dir);
    assert_int_equal(mkdir(self, 0700), 0);
    xlx_ctx_set_path(w->ctx, XLX_PATH_PROC, w->dir);
    sysfs_mem_put_link(w->sysfs, "class/block/sdb",
                       "../../devices/pci0000:00/usb1/1-2/1-2:1.0/host0/"
                       "target0:0:0/0:0:0:0/block/sdb");
    sysfs_mem_put(w->sysfs, "class/block/sdb/dev", "8:16");
    write_file(w, "self/mountinfo",
               "1 0 8:16 / /mnt/\x1b[31m rw - ext4 /dev/sdb rw\n");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBUSY,
                   "is mounted: umount it first (sdb on /mnt/?[31m)");
    write_file(w, "self/mountinfo", "1 0 8:16 / / rw - ext4 /dev/sdb rw\n");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBUSY, "this host runs from it");
    write_file(w, "self/mountinfo", "");
    assert_int_equal(attach(w, "1-2"), 0);
}

static void nor_one_that_somebody_else_uses(void **state)
{
    struct usb_world *w = *state;
    char self[128];
    snprintf(self, sizeof(self), "%s/self", w->dir);
    assert_int_equal(mkdir(self, 0700), 0);
    xlx_ctx_set_path(w->ctx, XLX_PATH_PROC, w->dir);
    write_file(w, "self/mountinfo", "");
    sysfs_mem_put_link(w->sysfs, "class/block/sdb",
                       "../../devices/pci0000:00/usb1/1-2/1-2:1.0/host0/"
                       "target0:0:0/0:0:0:0/block/sdb");
    sysfs_mem_put(w->sysfs, "class/block/sdb/dev", "8:16");
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", true);
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBUSY,
                   "usb 1-2: in use: /dev/sdb is opened exclusively by this "
                   "host or another guest");
    assert_refused(w, "1-2", XLX_USB_DRY_RUN, -EBUSY, "opened exclusively");
    sysfs_mem_put_block(w->sysfs, "/dev/sdb", "8:16", false);
    xs_mem_put(w->xs, "/local/domain/0/backend/vbd/6/51712/physical-device",
               "8:10");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBUSY,
                   "is a disk of a guest (sdb on domain 6)");
    xs_mem_put(w->xs, "/local/domain/0/backend/vbd", NULL);
    sysfs_mem_put_link(w->sysfs, "bus/usb/devices/1-2/driver",
                       "../../../bus/usb/drivers/usbip-host");
    assert_refused(w, "1-2", XLX_USB_FORCE, -EBUSY, "is exported by usbip");
    sysfs_mem_put_link(w->sysfs, "bus/usb/devices/1-2/driver",
                       "../../../bus/usb/drivers/usb");
    assert_int_equal(attach(w, "1-2"), 0);
}

static void detach_and_destroy_refuse_too(void **state)
{
    struct usb_world *w = *state;
    struct xlx_usb_place place;
    assert_int_equal(attach(w, "1-1"), 0);
    xs_mem_put(w->xs, "/libxl/5/device/vusb/3/type", "qusb");
    xs_mem_put(w->xs, "/libxl/5/device/vusb/3/backend",
               "/local/domain/2/backend/qusb/5/3");
    xs_mem_put(w->xs, "/libxl/5/device/vusb/3/usb-ver", "2");
    xs_mem_put(w->xs, "/libxl/5/device/vusb/3/num-ports", "4");
    assert_int_equal(detach(w, 0, 2), -ENODEV);
    assert_int_equal(detach(w, 0, 9), -EINVAL);
    assert_int_equal(detach(w, 0, 0), -EINVAL);
    assert_int_equal(detach(w, 1, 1), -ENODEV);
    assert_int_equal(detach(w, 3, 1), -ENOTSUP);
    assert_int_equal(xlx_usb_find(w->ctx, 5, "1-2", &place, NULL), -ENODEV);
    assert_int_equal(xlx_usb_find(w->ctx, 5, "1-x", &place, NULL), -EINVAL);
    assert_int_equal(xlx_usb_find(w->ctx, 9, "1-1", &place, NULL), -ESRCH);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, 5, 1, LONG_MS), -ENODEV);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, 5, 3, LONG_MS), -ENOTSUP);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, 9, 0, LONG_MS), -ESRCH);
}

static void configs_are_checked(void **state)
{
    struct usb_world *w = *state;
    static const struct {
        struct xlx_usb_hc_config config;
        int rc;
    } configs[] = {
        { { XLX_USB_AUTO, 3, 0 }, -EINVAL },
        { { XLX_USB_AUTO, 0, 32 }, -EINVAL },
        { { XLX_USB_PV, 0, 0 }, -ENOTSUP },
        { { XLX_USB_DEVICEMODEL, 0, 0 }, -ENOTSUP },
        { { XLX_USB_QUSB, 2, 31 }, 0 },
    };
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        uint32_t devid;
        assert_int_equal(
            xlx_usb_hc_create(w->ctx, WORLD_DOMID, &configs[i].config,
                              sizeof(configs[i].config), LONG_MS, &devid),
            configs[i].rc);
    }
}

static void high_speed_does_not_fit_usb_1(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_hc_config slow = { XLX_USB_QUSB, 1, 2 };
    const struct xlx_usb_place there = { 0, ANY };
    struct xlx_usb_place got;
    uint32_t devid;
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &slow, sizeof(slow),
                                       LONG_MS, &devid),
                     0);
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &there, 0, LONG_MS, &got),
        -ENOTSUP);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "USB 1.1"));
    /* without a wish it gets one of its own */
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &anywhere, 0, LONG_MS, &got),
        0);
    assert_int_equal(got.hc, 1);
}

/* --- who does not answer -------------------------------------------------- */

static void attach_late(struct usb_world *w, const char *text)
{
    struct xlx_usb_place got;
    char *before = usb_world_dump(w);
    assert_int_equal(xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &anywhere, 0,
                                    SHORT_MS, &got),
                     -ETIMEDOUT);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), text));
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void a_guest_without_frontend_is_told(void **state)
{
    struct usb_world *w = *state;
    w->no_frontend = true;
    attach_late(w, "xen-hcd");
}

static void a_silent_backend_is_told(void **state)
{
    struct usb_world *w = *state;
    w->dead = true;
    attach_late(w, "handshake stopped");
}

static void write_log(struct usb_world *w, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/xl-ext-usb-%u.log", w->dir, WORLD_DOMID);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define BEGINS "domain 5: " XLX__USB_LOG_BEGIN "\n"

/* The log is continued: what an earlier backend said explains nothing. */
static void the_last_line_of_the_backend_is_told(void **state)
{
    struct usb_world *w = *state;
    w->dead = true;
    write_log(w, BEGINS "usb: old\n" BEGINS);
    attach_late(w, "frontend state 1)");
    assert_null(strstr(xlx_ctx_error(w->ctx), "old"));
    assert_null(strstr(xlx_ctx_error(w->ctx), "begins"));
    write_log(w, BEGINS "usb: old\n" BEGINS "usb: new\nof nothing else\n");
    attach_late(w, "frontend state 1): usb: new");
}

static void a_guest_that_does_not_use_the_device_is_told(void **state)
{
    struct usb_world *w = *state;
    w->not_configured = true;
    attach_late(w, "has not configured it");
}

static void a_backend_that_does_not_start_is_told(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    w->refusal = "no event channels: see the log";
    assert_int_equal(attach(w, "1-2"), -EIO);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), w->refusal));
    w->refusal = NULL;
    xlx_ctx_set_path(w->ctx, XLX_PATH_USB_BACKEND, "/nonexistent");
    assert_int_equal(attach(w, "1-2"), -ENOENT);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void what_is_not_let_go_stays_attached(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place place = { 0, 1 };
    assert_int_equal(attach(w, "1-2"), 0);
    char *before = usb_world_dump(w);
    w->no_release = true;
    assert_int_equal(
        xlx_usb_detach(w->ctx, WORLD_DOMID, &place, NULL, SHORT_MS, NULL),
        -ETIMEDOUT);
    assert_int_equal(xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, SHORT_MS),
                     -ETIMEDOUT);
    char *after = usb_world_dump(w);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* --- every call fails once ------------------------------------------------ */

struct operation {
    const char *name;
    void (*prepare)(struct usb_world *w);
    int (*run)(struct usb_world *w);
};

static void nothing(struct usb_world *w)
{
    (void)w;
}

static void two_attached(struct usb_world *w)
{
    assert_int_equal(attach(w, "1-3.1"), 0);
    assert_int_equal(attach(w, "1-2"), 0);
}

static void one_controller(struct usb_world *w)
{
    assert_int_equal(create(w), 0);
}

static int op_attach(struct usb_world *w)
{
    return attach(w, "1-2");
}

static int op_detach(struct usb_world *w)
{
    return detach(w, 0, 2);
}

static int op_destroy(struct usb_world *w)
{
    return xlx_usb_hc_destroy(w->ctx, WORLD_DOMID, 0, LONG_MS);
}

static const struct operation operations[] = {
    { "attach, all to be made", nothing, op_attach },
    { "attach to a controller", one_controller, op_attach },
    { "detach", two_attached, op_detach },
    { "hc-create", nothing, create },
    { "second hc-create", one_controller, create },
    { "hc-destroy", two_attached, op_destroy },
};

/* The world after the operation, nothing failing. */
static char *world_after(const struct operation *op)
{
    struct usb_world *w = usb_world_new();
    op->prepare(w);
    assert_int_equal(op->run(w), 0);
    char *done = usb_world_dump(w);
    usb_world_free(w);
    return done;
}

/* All errors that were logged, a line each. */
static void log_error(void *user, enum xlx_log_level level, const char *text)
{
    if (level == XLX_LOG_ERROR)
        fprintf(user, "%s\n", text);
}

/* Of a program that was built with an older header, and with a newer one. */
static void domains_are_listed_by_the_callers_size(void **state)
{
    static const size_t sizes[] = { sizeof(uint32_t), sizeof(struct xlx_domain),
                                    sizeof(struct xlx_domain) + 8 };
    struct usb_world *w = *state;
    struct xlx_domain *list, *all;
    int nr = xlx_domain_list(w->ctx, &all, sizeof(*all));
    assert_true(nr > 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t size = sizes[i];
        assert_int_equal(xlx_domain_list(w->ctx, &list, size), nr);
        for (int n = 0; n < nr; n++) {
            const char *at = (const char *)list + (size_t)n * size;
            size_t known = size < sizeof(*all) ? size : sizeof(*all);
            assert_memory_equal(at, &all[n], known);
            for (size_t k = known; k < size; k++)
                assert_int_equal(at[k], 0);
        }
        free(list);
    }
    free(all);
}

static void what_is_not_counted_is_not_logged(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place place = { 0, 1 };
    struct xlx_usb_stats stats;
    char *logged = NULL;
    size_t size;
    FILE *log = open_memstream(&logged, &size);
    assert_non_null(log);
    xlx_ctx_set_log(w->ctx, log_error, log, XLX_LOG_ERROR);
    assert_int_equal(
        xlx_usb_stats(w->ctx, WORLD_DOMID, &place, &stats, sizeof(stats)),
        -ENODATA);
    fclose(log);
    assert_string_equal(logged, "");
    assert_string_equal(xlx_ctx_error(w->ctx),
                        "domain 5: no backend counts its requests");
    free(logged);
}

/* True while there is an n-th call. */
static bool fail_nth(const struct operation *op, int n, const char *done)
{
    struct usb_world *w = usb_world_new();
    op->prepare(w);
    char *before = usb_world_dump(w), *logged = NULL;
    size_t size;
    FILE *log = open_memstream(&logged, &size);
    assert_non_null(log);
    xlx_ctx_set_log(w->ctx, log_error, log, XLX_LOG_ERROR);
    w->nth = (struct nth){ .fail_at = n };
    int rc = op->run(w);
    xlx_ctx_set_log(w->ctx, NULL, NULL, XLX_LOG_ERROR);
    fclose(log);
    if (rc && !strstr(logged, xlx_ctx_error(w->ctx)))
        fail_msg("%s: call %d failed (%s), logged:\n%s", op->name, n,
                 xlx_ctx_error(w->ctx), logged);
    free(logged);
    bool more = w->nth.calls >= n;
    /* hc-destroy only warns when the process that nobody needs any more stays;
     * the next attach uses it, the next hc-destroy ends it. */
    if (!rc)
        xlx__backend_stop_unused(w->ctx, WORLD_DOMID, xlx__now_ms() + LONG_MS);
    char *after = usb_world_dump(w);
    /* A call that can fail without harm is no failure: then all is done. */
    if (strcmp(after, rc ? before : done))
        fail_msg("%s: call %d failed (%d, %s), left behind:\n%s\nnot:\n%s",
                 op->name, n, rc, xlx_ctx_error(w->ctx), after,
                 rc ? before : done);
    if (rc && !*xlx_ctx_error(w->ctx))
        fail_msg("%s: failed at call %d without a word", op->name, n);
    if (rc)
        assert_int_equal(op->run(w), 0);
    free(before);
    free(after);
    usb_world_free(w);
    return more;
}

static void a_failure_anywhere_leaves_no_trace(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        char *done = world_after(&operations[i]);
        int n = 1;
        while (fail_nth(&operations[i], n, done))
            n++;
        assert_true(n > 20);
        free(done);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_controller_is_laid_out_as_libxl_does),
        TEST(a_devid_can_be_asked_for),
        TEST(devids_go_on_behind_the_last),
        TEST(a_device_goes_to_a_guest_and_comes_back),
        TEST(a_second_device_takes_the_next_port),
        TEST(a_qemu_of_the_guests_own_is_kept_out_of_it),
        TEST(what_a_killed_backend_announced_is_not_trusted),
        TEST(drivers_come_back_after_the_backend_was_killed),
        TEST(a_driver_nobody_wrote_down_is_probed_for),
        TEST(a_driver_that_refuses_is_only_warned_about),
        TEST(an_unplugged_device_frees_its_port),
        TEST(a_port_with_nonsense_can_be_emptied),
        TEST(a_port_that_changed_meanwhile_is_left_alone),
        TEST(the_list_has_what_the_device_says),
        TEST(a_backend_that_is_killed_meanwhile_is_told),
        TEST(a_device_moves_from_guest_to_guest),
        TEST(a_device_is_found_by_any_name),
        TEST(what_a_killed_command_left_is_put_right),
        TEST(what_a_dead_guest_left_is_put_right_too),
        TEST(each_change_is_on_record),
        TEST(the_guest_loses_a_controller_it_does_not_close),
        TEST(many_devices_come_and_go),
        TEST(a_controller_without_backend_gets_one_to_close),
        TEST(super_speed_is_carried_where_it_can_be),
        TEST(why_the_backend_does_not_take_it_is_said),
        TEST(a_refusal_has_a_reason_and_no_effect),
        TEST(what_the_policy_forbids_is_refused),
        TEST(the_last_keyboard_can_be_forced),
        TEST(a_mounted_disk_cannot),
        TEST(nor_one_that_somebody_else_uses),
        TEST(detach_and_destroy_refuse_too),
        TEST(configs_are_checked),
        TEST(high_speed_does_not_fit_usb_1),
        TEST(a_guest_without_frontend_is_told),
        TEST(a_silent_backend_is_told),
        TEST(the_last_line_of_the_backend_is_told),
        TEST(a_guest_that_does_not_use_the_device_is_told),
        TEST(a_backend_that_does_not_start_is_told),
        TEST(what_is_not_let_go_stays_attached),
        TEST(domains_are_listed_by_the_callers_size),
        TEST(what_is_not_counted_is_not_logged),
        cmocka_unit_test(a_failure_anywhere_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
