/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Controllers of type pv and devicemodel, and what `auto` chooses, on a host in
 * memory. The last test fails every call of every operation once.
 */
#include "test.h"

#include "fakes/usb_world.h"
#include "libxl_ext_usb.h"
#include "usb/controller/type.h"
#include "xen/libxl_usb.h"

#define ANY XLX_USB_ANY
#define LONG_MS 60000 /* never reached */
#define SHORT_MS 150  /* reached on purpose */
#define PV "/local/domain/0/backend/vusb/5"
#define DM "/libxl/6/device/vusb"
#define HVM_QUSB "/local/domain/0/device-model/6/backends/qusb"

static const struct xlx_usb_place anywhere = { ANY, ANY };

static int setup(void **state)
{
    *state = usb_world_new();
    return 0;
}

static int setup_pv(void **state)
{
    *state = usb_world_new();
    usb_world_load_usbback(*state);
    return 0;
}

/* usbback never had a port taken from under its feet. */
static int teardown(void **state)
{
    struct usb_world *w = *state;
    bool fatal = w->fatal;
    usb_world_free(w);
    return fatal;
}

static int attach_to(struct usb_world *w, uint32_t domid, const char *busid)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(w->ctx, domid, busid, &anywhere, 0, LONG_MS, &got);
}

static int attach_late(struct usb_world *w, uint32_t domid, const char *busid)
{
    struct xlx_usb_place got;
    return xlx_usb_attach(w->ctx, domid, busid, &anywhere, 0, SHORT_MS, &got);
}

static int detach_from(struct usb_world *w, uint32_t domid, uint32_t port)
{
    const struct xlx_usb_place place = { 0, port };
    return xlx_usb_detach(w->ctx, domid, &place, NULL, LONG_MS, NULL);
}

static int create_as(struct usb_world *w, uint32_t domid,
                     enum xlx_usb_type type, uint32_t version, uint32_t ports)
{
    const struct xlx_usb_hc_config config = { type, version, ports };
    uint32_t devid;
    return xlx_usb_hc_create(w->ctx, domid, &config, sizeof(config), LONG_MS,
                             &devid);
}

static int destroy(struct usb_world *w, uint32_t domid)
{
    return xlx_usb_hc_destroy(w->ctx, domid, 0, LONG_MS);
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

/* The type of the domain's only controller. */
static enum xlx_usb_type only_type(struct usb_world *w, uint32_t domid)
{
    struct xlx_usb_hc *list;
    assert_int_equal(xlx_usb_list(w->ctx, domid, &list, sizeof(*list)), 1);
    enum xlx_usb_type type = list->type;
    free(list);
    return type;
}

/* --- auto ----------------------------------------------------------------- */

struct choice {
    uint32_t domid;
    bool usbback, announced;
    const char *busid; /* NULL: usb-hc-create, else an attach */
    enum xlx_usb_type type;
};

static const struct choice choices[] = {
    { 5, false, false, NULL, XLX_USB_QUSB },
    { 5, true, false, NULL, XLX_USB_PV },
    { 5, false, false, "1-2", XLX_USB_QUSB },
    { 5, true, false, "1-2", XLX_USB_PV },
    { 6, false, false, NULL, XLX_USB_DEVICEMODEL },
    { 6, true, false, NULL, XLX_USB_DEVICEMODEL },
    { 6, true, true, NULL, XLX_USB_DEVICEMODEL },
    { 6, false, false, "1-2", XLX_USB_DEVICEMODEL },
    { 6, false, true, "1-2", XLX_USB_DEVICEMODEL },
    { 6, false, true, "2-1", XLX_USB_DEVICEMODEL }, /* SuperSpeed */
};

static void auto_is_what_fits_the_guest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const struct choice *c = &choices[i];
        struct usb_world *w = usb_world_new();
        if (c->usbback)
            usb_world_load_usbback(w);
        if (c->announced)
            xs_mem_put(w->xs, HVM_QUSB, "");
        assert_int_equal(c->busid ? attach_to(w, c->domid, c->busid)
                                  : create_as(w, c->domid, XLX_USB_AUTO, 0, 0),
                         0);
        assert_int_equal(only_type(w, c->domid), c->type);
        usb_world_free(w);
    }
}

/* --- limits --------------------------------------------------------------- */

struct limit {
    uint32_t domid;
    enum xlx_usb_type type;
    uint32_t version, ports;
    int rc;
    uint32_t got_version, got_ports; /* or a part of the text: */
    const char *text;
};

static const struct limit limits[] = {
    { 5, XLX_USB_PV, 0, 0, 0, 2, 8, NULL },
    { 5, XLX_USB_PV, 1, 31, 0, 1, 31, NULL },
    { 5, XLX_USB_PV, 2, 1, 0, 2, 1, NULL },
    { 5, XLX_USB_PV, 3, 0, -EINVAL, 0, 0, "version 3" },
    { 5, XLX_USB_PV, 0, 32, -EINVAL, 0, 0, "32 ports" },
    { 5, XLX_USB_QUSB, 3, 0, -EINVAL, 0, 0, "version 3" },
    { 6, XLX_USB_DEVICEMODEL, 0, 0, 0, 3, 8, NULL },
    { 6, XLX_USB_DEVICEMODEL, 1, 0, 0, 1, 2, NULL },
    { 6, XLX_USB_DEVICEMODEL, 1, 2, 0, 1, 2, NULL },
    { 6, XLX_USB_DEVICEMODEL, 1, 1, -EINVAL, 0, 0, "version 1 has 2" },
    { 6, XLX_USB_DEVICEMODEL, 1, 3, -EINVAL, 0, 0, "version 1 has 2" },
    { 6, XLX_USB_DEVICEMODEL, 2, 0, 0, 2, 6, NULL },
    { 6, XLX_USB_DEVICEMODEL, 2, 5, -EINVAL, 0, 0, "version 2 has 6" },
    { 6, XLX_USB_DEVICEMODEL, 2, 7, -EINVAL, 0, 0, "version 2 has 6" },
    { 6, XLX_USB_DEVICEMODEL, 3, 1, 0, 3, 1, NULL },
    { 6, XLX_USB_DEVICEMODEL, 3, 15, 0, 3, 15, NULL },
    { 6, XLX_USB_DEVICEMODEL, 3, 16, -EINVAL, 0, 0, "16 ports" },
    { 6, XLX_USB_DEVICEMODEL, 4, 0, -EINVAL, 0, 0, "version 4" },
    /* not for this guest */
    { 5, XLX_USB_DEVICEMODEL, 0, 0, -ENOTSUP, 0, 0, "not an HVM guest" },
    { 6, XLX_USB_QUSB, 0, 0, -ENOTSUP, 0, 0, "use type=pv" },
};

static void limits_are_those_of_the_type(void **state)
{
    struct usb_world *w = *state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct limit *l = &limits[i];
        struct xlx_usb_hc *list;
        char *before = usb_world_dump(w);
        assert_int_equal(create_as(w, l->domid, l->type, l->version, l->ports),
                         l->rc);
        if (!l->rc) {
            assert_int_equal(
                xlx_usb_list(w->ctx, l->domid, &list, sizeof(*list)), 1);
            assert_int_equal(list->type, l->type);
            assert_int_equal(list->version, l->got_version);
            assert_int_equal(list->nr_ports, l->got_ports);
            free(list);
            assert_int_equal(destroy(w, l->domid), 0);
        } else
            assert_says(w, l->text);
        assert_unchanged(w, before);
        free(before);
    }
}

static void without_usbback_there_is_no_pv(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    assert_int_equal(create_as(w, 5, XLX_USB_PV, 0, 0), -ENOTSUP);
    assert_says(w, "no driver usbback");
    assert_unchanged(w, before);
    free(before);
}

/* Its device model leaves that layout alone. */
static void but_for_an_hvm_guest_it_is_ours(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    assert_int_equal(create_as(w, 6, XLX_USB_PV, 0, 0), 0);
    assert_int_equal(w->starts, 1);
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    assert_int_equal(only_type(w, 6), XLX_USB_PV);
    assert_driver(w, "1-2", 0, "usbfs");
    assert_int_equal(destroy(w, 6), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_unchanged(w, before);
    free(before);
}

/* --- pv ------------------------------------------------------------------- */

static void usbback_gets_the_interfaces_and_gives_them_back(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    assert_int_equal(attach_to(w, 5, "1-2"), 0);
    assert_int_equal(w->starts, 0);
    assert_node(w, PV "/0/type", "pv");
    assert_node(w, PV "/0/state", "4");
    assert_node(w, PV "/0/port/1", "1-2");
    assert_node(w, "/local/domain/5/device/vusb/0/backend", PV "/0");
    assert_node(w, "/libxl/5/device/vusb/0/type", "pv");
    assert_driver(w, "1-2", 0, "usbback");
    assert_driver(w, "1-2", 1, "usbback"); /* had no driver */
    /* where libxl looks when it takes the device away */
    assert_node(w, "/libxl/usbback/1-2/1-2@1_0/driver_path",
                "/sys/bus/usb/drivers/usb-storage");
    assert_node(w, "/libxl/usbback/1-2/1-2@1_1", NULL);

    assert_int_equal(detach_from(w, 5, 1), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_driver(w, "1-2", 1, "");
    assert_node(w, PV "/0/port/1", "");
    assert_node(w, "/libxl/usbback", NULL);
    assert_int_equal(attach_to(w, 5, "1-2"), 0);
    assert_int_equal(destroy(w, 5), 0);
    assert_unchanged(w, before);
    free(before);
}

static void what_usbback_has_for_others_is_refused(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create_as(w, 5, XLX_USB_PV, 0, 0), 0);
    char *before = usb_world_dump(w);
    static const char *const ids[] = { "1-2:7:0:3\n",
                                       "nonsense\n1-22:1:1:1\n1-2:5:0:2\n",
                                       "1-9:5:0:1\n" };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        sysfs_mem_put(w->sysfs, "bus/usb/drivers/usbback/port_ids", ids[i]);
        w->usbback = false; /* says no more than that */
        assert_int_equal(attach_late(w, 5, "1-2"), -EBUSY);
        assert_says(w, "usbback has 1-");
        assert_unchanged(w, before);
        w->usbback = true;
    }
    free(before);
}

static void a_port_usbback_does_not_see_is_emptied(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create_as(w, 5, XLX_USB_PV, 0, 0), 0);
    char *before = usb_world_dump(w);
    w->no_claim = true;
    assert_int_equal(attach_late(w, 5, "1-2"), -ETIMEDOUT);
    assert_says(w, "usbback ignores port");
    assert_unchanged(w, before);
    free(before);
}

static void an_interface_usbback_refuses_undoes_the_others(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create_as(w, 5, XLX_USB_PV, 0, 0), 0);
    char *before = usb_world_dump(w);
    sysfs_mem_refuse(w->sysfs, "usbback");
    assert_int_equal(attach_to(w, 5, "1-2"), -EIO);
    assert_says(w, "driver usbback");
    assert_unchanged(w, before);
    free(before);
}

static void one_interface_is_not_the_device(void **state)
{
    struct usb_world *w = *state;
    const struct xlx__move m = { .busid = "1-2" };
    assert_int_equal(attach_to(w, 5, "1-2"), 0);
    sysfs_mem_find(w->sysfs, "1-2")->intf[1].driver = "usb-storage";
    assert_int_equal(xlx__type_pv.claimed(w->ctx, &m), 0);
    sysfs_mem_find(w->sysfs, "1-2")->intf[1].driver = "usbback";
    assert_int_equal(xlx__type_pv.claimed(w->ctx, &m), 1);
    /* nobody else gets it */
    assert_int_equal(attach_to(w, 6, "1-2"), -EBUSY);
}

/* usbback learns of an emptied port later; a detach waits for that. */
static void a_device_can_go_to_another_port_at_once(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place second = { 0, 2 };
    struct xlx_usb_place got;
    assert_int_equal(attach_to(w, 5, "1-2"), 0);
    assert_int_equal(detach_from(w, 5, 1), 0);
    assert_int_equal(
        xlx_usb_attach(w->ctx, 5, "1-2", &second, 0, LONG_MS, &got), 0);
    assert_driver(w, "1-2", 0, "usbback");
}

static void what_usbback_has_is_in_use(void **state)
{
    struct usb_world *w = *state;
    sysfs_mem_find(w->sysfs, "1-2")->intf[1].driver = "usbback";
    assert_int_equal(attach_to(w, 6, "1-2"), -EBUSY);
    assert_says(w,
                "in use by a program on this host (driver usbfs or usbback)");
}

static void a_device_libxl_gave_to_usbback_comes_back(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(create_as(w, 5, XLX_USB_PV, 0, 0), 0);
    xs_mem_put(w->xs, PV "/0/port/2", "1-2");
    xs_mem_put(w->xs, "/libxl/usbback/1-2/1-2@1_0/driver_path",
               "/sys/bus/usb/drivers/usb-storage");
    sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver = "usbback";
    sysfs_mem_find(w->sysfs, "1-2")->intf[1].driver = "usbback";
    assert_int_equal(detach_from(w, 5, 2), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_node(w, "/libxl/usbback", NULL);
}

static void an_unplugged_device_frees_its_pv_port(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach_to(w, 5, "1-2"), 0);
    sysfs_mem_unplug(w->sysfs, "1-2");
    assert_int_equal(detach_from(w, 5, 1), 0);
    assert_node(w, PV "/0/port/1", "");
    assert_node(w, "/libxl-ext", NULL);
}

/* --- devicemodel ---------------------------------------------------------- */

static void the_device_model_takes_and_gives_back(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    assert_node(w, DM "/0/type", "devicemodel");
    assert_node(w, DM "/0/usb-ver", "3");
    assert_node(w, DM "/0/port/1", "1-2");
    assert_driver(w, "1-2", 0, "usbfs");
    assert_int_equal(attach_to(w, 6, "2-1"), 0); /* SuperSpeed */
    assert_node(w, DM "/0/port/2", "2-1");
    assert_int_equal(detach_from(w, 6, 1), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    assert_node(w, DM "/0/port/1", "");
    assert_int_equal(destroy(w, 6), 0);
    assert_driver(w, "2-1", 0, "usb-storage");
    assert_unchanged(w, before);
    free(before);
}

static void slower_devices_do_not_fit_an_ehci(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place first = { 0, ANY };
    struct xlx_usb_place got;
    assert_int_equal(create_as(w, 6, XLX_USB_DEVICEMODEL, 2, 0), 0);
    assert_int_equal(
        xlx_usb_attach(w->ctx, 6, "1-3.1", &first, 0, LONG_MS, &got), -ENOTSUP);
    assert_says(w, "EHCI");
    assert_int_equal(xlx_usb_attach(w->ctx, 6, "2-1", &first, 0, LONG_MS, &got),
                     -ENOTSUP);
    assert_says(w, "SuperSpeed");
    assert_int_equal(xlx_usb_attach(w->ctx, 6, "1-2", &first, 0, LONG_MS, &got),
                     0);
    /* without a wish it gets one that suits */
    assert_int_equal(attach_to(w, 6, "1-3.1"), 0);
    assert_node(w, DM "/1/usb-ver", "3");
    assert_node(w, DM "/1/port/1", "1-3.1");
}

static void libxls_own_words_are_quoted(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    w->qemu_dev[0] = (struct xlx__libxl_dev){ 0, 9, 1, 3 }; /* 1-2 */
    assert_int_equal(attach_to(w, 6, "1-2"), -EIO);
    assert_says(w, "usb 1-2: domain 6's device model: USB device is not "
                   "assignable.");
    w->qemu_dev[0].bus = 0;
    assert_unchanged(w, before);
    free(before);
}

static void what_the_device_model_does_not_take_is_taken_back(void **state)
{
    struct usb_world *w = *state;
    char *before = usb_world_dump(w);
    w->no_frontend = true;
    assert_int_equal(attach_late(w, 6, "1-2"), -ETIMEDOUT);
    assert_says(w, "domain 6 does not take it");
    assert_unchanged(w, before);
    free(before);
}

static void what_it_does_not_let_go_stays_attached(void **state)
{
    struct usb_world *w = *state;
    const struct xlx_usb_place place = { 0, 1 };
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    char *before = usb_world_dump(w);
    w->no_release = true;
    assert_int_equal(xlx_usb_detach(w->ctx, 6, &place, NULL, SHORT_MS, NULL),
                     -ETIMEDOUT);
    assert_unchanged(w, before);
    free(before);
}

static void a_controller_it_keeps_is_left_alone(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    char *before = usb_world_dump(w);
    w->qemu_keeps = true;
    assert_int_equal(destroy(w, 6), -EIO);
    assert_says(w, "cannot remove USB controller 0: Device");
    assert_unchanged(w, before);
    assert_int_equal(w->qemu_made, 1);
    free(before);
}

/* libxl asks the device model for the end of a controller and does not wait for
 * it. */
static void one_that_is_going_does_not_keep_others_away(void **state)
{
    struct usb_world *w = *state;
    w->qemu_lingers = 1000; /* its guest does not let go */
    assert_int_equal(create_as(w, 6, XLX_USB_DEVICEMODEL, 2, 0), 0);
    assert_int_equal(create_as(w, 6, XLX_USB_DEVICEMODEL, 2, 0), 0);
    assert_int_equal(destroy(w, 6), 0);
    assert_node(w, DM "/0/type", NULL);
    assert_int_equal(attach_to(w, 6, "2-1"), 0);
    assert_node(w, DM "/0/type", NULL);
    assert_node(w, DM "/1/usb-ver", "2");
    assert_node(w, DM "/2/usb-ver", "3");
    assert_node(w, DM "/2/port/1", "2-1");
}

static void one_of_the_same_number_waits_for_its_end(void **state)
{
    static const struct xlx_usb_hc_config config = { .type =
                                                         XLX_USB_DEVICEMODEL,
                                                     .version = 2 };
    struct usb_world *w = *state;
    uint32_t devid;
    w->qemu_lingers = 2;
    assert_int_equal(create_as(w, 6, XLX_USB_DEVICEMODEL, 2, 0), 0);
    assert_int_equal(destroy(w, 6), 0);
    assert_int_equal(xlx_usb_hc_create_as(w->ctx, 6, 0, &config, sizeof(config),
                                          LONG_MS, &devid),
                     0);
    assert_int_equal(w->qemu_going[0], 0);
    assert_node(w, DM "/0/usb-ver", "2");
}

static void what_qemu_calls_a_taken_number(void **state)
{
    (void)state;
    assert_true(xlx__libxl_says_taken("Duplicate device ID 'xenusb-0'"));
    assert_true(xlx__libxl_says_taken("Duplicate ID 'xenusb-12' for device"));
    assert_false(xlx__libxl_says_taken("Duplicate ID 'hda' for drive"));
    assert_false(xlx__libxl_says_taken("Device 'xenusb-0' not found"));
    assert_false(xlx__libxl_says_taken(""));
}

/* It has another number when it is plugged in again; the device model knows it
 * by the old one. */
static void a_replugged_device_is_removed_by_its_old_number(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    sysfs_mem_find(w->sysfs, "1-2")->address = "77";
    assert_int_equal(detach_from(w, 6, 1), 0);
    assert_int_equal(w->qemu_dev[0].bus, 0);
    assert_node(w, "/libxl-ext", NULL);
}

static void an_unplugged_device_frees_its_emulated_port(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    sysfs_mem_unplug(w->sysfs, "1-2");
    assert_int_equal(detach_from(w, 6, 1), 0);
    assert_node(w, DM "/0/port/1", "");
    assert_int_equal(w->qemu_dev[0].bus, 0);

    assert_int_equal(attach_to(w, 6, "1-1"), 0);
    sysfs_mem_unplug(w->sysfs, "1-1");
    w->qemu_dev[0].bus = 0; /* nor does the device model know it */
    assert_int_equal(detach_from(w, 6, 1), 0);
    assert_node(w, DM "/0/port/1", "");
}

static void what_another_tool_gave_is_taken_back(void **state)
{
    struct usb_world *w = *state;
    assert_int_equal(attach_to(w, 6, "1-2"), 0);
    xs_mem_put(w->xs, "/libxl-ext", NULL);
    assert_int_equal(detach_from(w, 6, 1), 0);
    assert_driver(w, "1-2", 0, "usb-storage");
    xs_mem_put(w->xs, DM "/0/port/3", "../../etc");
    assert_int_equal(detach_from(w, 6, 3), 0);
    assert_node(w, DM "/0/port/3", "");
}

/* --- every call fails once ------------------------------------------------ */

struct operation {
    const char *name;
    uint32_t domid;
    void (*prepare)(struct usb_world *w, uint32_t domid);
    int (*run)(struct usb_world *w, uint32_t domid);
};

static void nothing(struct usb_world *w, uint32_t domid)
{
    (void)w;
    (void)domid;
}

static void two_attached(struct usb_world *w, uint32_t domid)
{
    assert_int_equal(attach_to(w, domid, "1-3.1"), 0);
    assert_int_equal(attach_to(w, domid, "1-2"), 0);
}

static void one_controller(struct usb_world *w, uint32_t domid)
{
    assert_int_equal(create_as(w, domid, XLX_USB_AUTO, 0, 0), 0);
}

static int op_attach(struct usb_world *w, uint32_t domid)
{
    return attach_to(w, domid, "1-2");
}

static int op_detach(struct usb_world *w, uint32_t domid)
{
    return detach_from(w, domid, 2);
}

static int op_create(struct usb_world *w, uint32_t domid)
{
    return create_as(w, domid, XLX_USB_AUTO, 0, 0);
}

static const struct operation operations[] = {
    { "pv: attach, all to be made", 5, nothing, op_attach },
    { "pv: attach to a controller", 5, one_controller, op_attach },
    { "pv: detach", 5, two_attached, op_detach },
    { "pv: hc-create", 5, nothing, op_create },
    { "pv: hc-destroy", 5, two_attached, destroy },
    { "devicemodel: attach, all to be made", 6, nothing, op_attach },
    { "devicemodel: attach to a controller", 6, one_controller, op_attach },
    { "devicemodel: detach", 6, two_attached, op_detach },
    { "devicemodel: hc-create", 6, nothing, op_create },
    { "devicemodel: hc-destroy", 6, two_attached, destroy },
};

static struct usb_world *prepared(const struct operation *op)
{
    struct usb_world *w = usb_world_new();
    usb_world_load_usbback(w);
    op->prepare(w, op->domid);
    return w;
}

/* The world after the operation, nothing failing. */
static char *world_after(const struct operation *op)
{
    struct usb_world *w = prepared(op);
    assert_int_equal(op->run(w, op->domid), 0);
    char *done = usb_world_dump(w);
    usb_world_free(w);
    return done;
}

/* True while there is an n-th call. */
static bool fail_nth(const struct operation *op, int n, const char *done)
{
    struct usb_world *w = prepared(op);
    char *before = usb_world_dump(w);
    w->nth = (struct nth){ .fail_at = n };
    int rc = op->run(w, op->domid);
    bool more = w->nth.calls >= n;
    char *after = usb_world_dump(w);
    /* A call that can fail without harm is no failure: then all is done. */
    if (strcmp(after, rc ? before : done))
        fail_msg("%s: call %d failed (%d, %s), left behind:\n%s\nnot:\n%s",
                 op->name, n, rc, xlx_ctx_error(w->ctx), after,
                 rc ? before : done);
    if (rc && !*xlx_ctx_error(w->ctx))
        fail_msg("%s: failed at call %d without a word", op->name, n);
    if (w->fatal)
        fail_msg("%s: call %d: usbback lost a port in use", op->name, n);
    if (rc)
        assert_int_equal(op->run(w, op->domid), 0);
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
        assert_true(n > 5);
        free(done);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TEST_PV(fn) cmocka_unit_test_setup_teardown(fn, setup_pv, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_is_what_fits_the_guest),
        TEST_PV(limits_are_those_of_the_type),
        TEST(without_usbback_there_is_no_pv),
        TEST(but_for_an_hvm_guest_it_is_ours),
        TEST_PV(usbback_gets_the_interfaces_and_gives_them_back),
        TEST_PV(what_usbback_has_for_others_is_refused),
        TEST_PV(a_port_usbback_does_not_see_is_emptied),
        TEST_PV(an_interface_usbback_refuses_undoes_the_others),
        TEST_PV(one_interface_is_not_the_device),
        TEST_PV(a_device_can_go_to_another_port_at_once),
        TEST_PV(what_usbback_has_is_in_use),
        TEST_PV(a_device_libxl_gave_to_usbback_comes_back),
        TEST_PV(an_unplugged_device_frees_its_pv_port),
        TEST(the_device_model_takes_and_gives_back),
        TEST(slower_devices_do_not_fit_an_ehci),
        TEST(libxls_own_words_are_quoted),
        TEST(what_the_device_model_does_not_take_is_taken_back),
        TEST(what_it_does_not_let_go_stays_attached),
        TEST(a_controller_it_keeps_is_left_alone),
        TEST(one_that_is_going_does_not_keep_others_away),
        TEST(one_of_the_same_number_waits_for_its_end),
        TEST(what_qemu_calls_a_taken_number),
        TEST(a_replugged_device_is_removed_by_its_old_number),
        TEST(an_unplugged_device_frees_its_emulated_port),
        TEST(what_another_tool_gave_is_taken_back),
        cmocka_unit_test(a_failure_anywhere_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
