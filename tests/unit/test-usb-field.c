/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Situations that users have reported in public, with other software: which
 * device is meant, and in which state it is.
 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fakes/passes.h"
#include "fakes/usb_sets.h"
#include "usb/device/device.h"
#include "usbd/device.h"

/* A serial converter whose maker gives all of them one number. */
static const struct sysfs_dev converter = {
    .class = "00",
    .vendor = "10c4",
    .product_id = "ea60",
    .speed = "12",
    .serial = "0001",
    .intf = { { "", "cp210x", "cp210x", "ff0000" } },
};

static int nr_wishes(struct passes *f, const char *guest)
{
    struct xlx__intent *list = NULL;
    int nr = xlx__intent_list(f->w->ctx, guest, &list);
    int wishes = nr > 0 ? (int)list->nr_wishes : nr;
    free(list);
    return wishes;
}

static const struct passes_line *line_of(const struct passes *f,
                                         const char *guest)
{
    for (int i = 0; i < f->nr; i++)
        if (!strcmp(f->line[i].guest, guest) && f->line[i].wish)
            return &f->line[i];
    fail_msg("nothing is told about %s", guest);
    return NULL;
}

static void assert_told(const struct passes *f, const char *guest,
                        enum xlx_usb_outcome outcome, const char *busid)
{
    const struct passes_line *l = line_of(f, guest);
    if (l->outcome != outcome || strcmp(l->busid, busid))
        fail_msg("%s: %s %s (%s)", guest, xlx_usb_outcome_name(l->outcome),
                 l->busid, l->reason);
}

/* --- which device --------------------------------------------------------- */

/* KiwiHC16/Abeille#1102 */
static void two_with_one_serial_number(void **state)
{
    struct passes *f = *state;
    passes_plug(f, &converter, "1-5", "20");
    passes_plug(f, &converter, "1-6", "21");
    passes_assign(f, "guest", "1-5");
    passes_assign(f, "guest", "1-6");
    passes_assign(f, "guest", "1-6");
    assert_int_equal(nr_wishes(f, "guest"), 2);
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-5");
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-6");
    passes_unplug(f, "1-6");
    assert_int_equal(passes_later(f), 2);
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-6");
    passes_assert_line(f, 1, XLX_USB_FREED, "1-6");
}

static void one_that_was_moved_is_still_one(void **state)
{
    struct passes *f = *state;
    passes_plug(f, &converter, "1-5", "20");
    passes_assign(f, "guest", "1-5");
    passes_unplug(f, "1-5");
    passes_plug(f, &converter, "1-6", "21");
    passes_assign(f, "guest", "1-6");
    assert_int_equal(nr_wishes(f, "guest"), 1);
}

static void what_was_to_be_once_takes_no_twin_along(void **state)
{
    struct passes *f = *state;
    passes_plug(f, &converter, "1-5", "20");
    passes_plug(f, &converter, "1-6", "21");
    for (int i = 0; i < 2; i++)
        assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", i ? "1-6" : "1-5",
                                        XLX_USB_ONCE, NULL),
                         0);
    passes_unplug(f, "1-6");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "1-6");
    assert_int_equal(nr_wishes(f, "guest"), 1);
}

/* vadimgrn/usbip-win2#178: "guest" is the first by name. */
static void one_serial_number_in_two_guests(void **state)
{
    struct passes *f = *state;
    passes_plug(f, &converter, "1-5", "20");
    passes_plug(f, &converter, "1-6", "21");
    passes_assign(f, "guest", "1-6");
    passes_assign(f, "other", "1-5");
    passes_unplug(f, "1-6");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_TAKEN, "1-5");
    assert_told(f, "other", XLX_USB_ATTACHED, "1-5");
    assert_int_equal(line_of(f, "other")->domid, 6);
}

static void whose_it_is_cannot_be_told(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev nameless = converter;
    for (int i = 0; i < 2; i++) {
        passes_plug(f, i ? &nameless : &converter, "1-5", "20");
        passes_plug(f, i ? &nameless : &converter, "1-6", "21");
        passes_assign(f, "guest", "1-6");
        passes_assign(f, "other", "1-5");
        passes_unplug(f, "1-5");
        passes_unplug(f, "1-6");
        passes_plug(f, i ? &nameless : &converter, "1-7", "22");
        passes_later(f);
        const struct passes_line *l = line_of(f, "guest");
        assert_int_equal(l->outcome, XLX_USB_AMBIGUOUS);
        assert_non_null(strstr(l->reason, "1-7 could be this one or that of "
                                          "guest other"));
        assert_int_equal(line_of(f, "other")->outcome, XLX_USB_AMBIGUOUS);
        passes_assert_has(f, "1-7", false);
        assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 1);
        assert_int_equal(xlx_usb_unassign(f->w->ctx, "other", NULL), 1);
        passes_unplug(f, "1-7");
        nameless.serial = NULL;
    }
}

/* --- buses ---------------------------------------------------------------- */

static void put_on(struct passes *f, const char *busid, const char *controller)
{
    char path[64], target[128];
    snprintf(path, sizeof(path), "bus/usb/devices/%s", busid);
    snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s/usb%c/%s",
             controller, busid[0], busid);
    sysfs_mem_put_link(f->w->sysfs, path, target);
}

/* Twins without a serial number; bus 2's has its own number in sysfs. */
static void plug_twins(struct passes *f, const char *first, const char *second)
{
    struct sysfs_dev dev = passes_mouse;
    passes_plug(f, &dev, "1-5", "20");
    dev.bus = "2";
    passes_plug(f, &dev, "2-5", "20");
    if (!first)
        return;
    put_on(f, "1-5", first);
    put_on(f, "2-5", second);
}

static void boot(struct passes *f)
{
    passes_unplug(f, "1-5");
    passes_unplug(f, "2-5");
}

/* QubesOS/qubes-issues#5736, #9909 */
static void buses_that_changed_their_numbers(void **state)
{
    struct passes *f = *state;
    plug_twins(f, "0000:00:14.0", "0000:05:00.0");
    passes_assign(f, "guest", "1-5");
    passes_assign(f, "other", "2-5");
    boot(f);
    plug_twins(f, "0000:05:00.0", "0000:00:14.0");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "2-5");
    assert_told(f, "other", XLX_USB_ATTACHED, "1-5");
}

static void put_hub(struct passes *f, const char *hub, const char *controller)
{
    char path[64], target[128];
    snprintf(path, sizeof(path), "bus/usb/devices/%s", hub);
    snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s/%s",
             controller, hub);
    sysfs_mem_put_link(f->w->sysfs, path, target);
}

/* usb-assign --list, usb-unassign: what is called 2-5 today is what is meant.
 */
static void places_are_called_as_today(void **state)
{
    struct passes *f = *state;
    struct xlx__intent *list;
    passes_unplug(f, "1-3.1"); /* like them */
    plug_twins(f, "0000:00:14.0", "0000:05:00.0");
    passes_assign(f, "guest", "1-5");
    passes_assign(f, "guest", "2-5");
    boot(f);
    put_hub(f, "usb2", "0000:00:14.0");
    put_hub(f, "usb3", "0000:05:00.0");
    assert_int_equal(xlx__intent_list(f->w->ctx, "guest", &list), 1);
    assert_string_equal(list->wish[0].identity.busid, "2-5");
    assert_string_equal(list->wish[1].identity.busid, "3-5");
    free(list);
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "2-5");
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "2-5"), 1);
    assert_int_equal(xlx__intent_list(f->w->ctx, "guest", &list), 1);
    assert_int_equal(list->nr_wishes, 1);
    assert_string_equal(list->wish[0].identity.busid, "3-5");
    free(list);
    /* as it was called when it was written down */
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "2-5"), 1);
}

/* Written down before controllers were, or where sysfs does not tell. */
static void buses_without_a_controller(void **state)
{
    struct passes *f = *state;
    plug_twins(f, NULL, NULL);
    passes_assign(f, "guest", "1-5");
    boot(f);
    plug_twins(f, "0000:05:00.0", "0000:00:14.0");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_AMBIGUOUS, "1-5");
    passes_assert_has(f, "1-5", false);
    passes_unplug(f, "2-5");
    passes_later(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
}

/* One controller has two buses, and each of them a fifth port. */
static void two_buses_of_one_controller(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev fast = passes_mouse;
    passes_plug(f, &passes_mouse, "1-5", "20");
    fast.bus = "2";
    fast.speed = "5000";
    passes_plug(f, &fast, "2-5", "20");
    put_on(f, "1-5", "0000:00:14.0");
    put_on(f, "2-5", "0000:00:14.0");
    passes_assign(f, "guest", "1-5");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
    passes_unplug(f, "1-5");
    passes_later(f);
    assert_int_equal(nr_wishes(f, "guest"), 1);
    passes_assign(f, "guest", "2-5");
    assert_int_equal(nr_wishes(f, "guest"), 2);
}

/* --- serial numbers ------------------------------------------------------- */

/* USB has 126 characters for one, Linux three bytes for each. */
static void serial_numbers_of_any_length(void **state)
{
    static char a[382], b[382];
    struct passes *f = *state;
    struct sysfs_dev one = passes_stick, two = passes_stick;
    memset(a, 'x', sizeof(a) - 1);
    memset(b, 'x', sizeof(b) - 2);
    b[380] = 'y'; /* the last of 381 */
    one.serial = a;
    two.serial = b;
    passes_plug(f, &one, "1-5", "20");
    passes_assign(f, "guest", "1-5");
    passes_unplug(f, "1-5");
    passes_plug(f, &two, "1-5", "21");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "1-5");
    passes_plug(f, &one, "1-6", "22");
    passes_later(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-6");
}

/* --- what it is ----------------------------------------------------------- */

#define DEVICE 18, 1, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define CONFIG(value) 9, 2, 0, 0, 1, value, 0, 0x80, 50
#define INTF(number, setting, class, subclass, protocol) \
    9, 4, number, setting, 2, class, subclass, protocol, 0

static void describe(struct sysfs_dev *dev, const unsigned char *bytes,
                     size_t nr)
{
    dev->descriptors = bytes;
    dev->nr_descriptors = nr;
}

/* The host drives it by uas or usb-storage, the guest as it likes. */
static void a_disk_with_two_settings(void **state)
{
    static const unsigned char bytes[] = { DEVICE, CONFIG(1),
                                           INTF(0, 0, 8, 6, 0x50),
                                           INTF(0, 1, 8, 6, 0x62) };
    struct passes *f = *state;
    struct sysfs_dev disk = passes_stick;
    describe(&disk, bytes, sizeof(bytes));
    disk.intf[0].class = "080662";
    passes_plug(f, &disk, "1-5", "20");
    passes_assign(f, "guest", "1-5");
    passes_unplug(f, "1-5");
    disk.intf[0].class = "080650";
    passes_plug(f, &disk, "1-5", "21");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
}

static void a_keyboard_in_another_configuration(void **state)
{
    static const unsigned char bytes[] = { DEVICE, CONFIG(1),
                                           INTF(0, 0, 8, 6, 0x50), CONFIG(2),
                                           INTF(0, 0, 3, 1, 1) };
    struct passes *f = *state;
    struct sysfs_dev disk = passes_stick;
    disk.intf[1].name = NULL;
    for (int i = 0; i < 2; i++) {
        describe(&disk, bytes, i ? sizeof(bytes) : 18 + 9 + 9);
        passes_plug(f, &disk, "1-5", i ? "21" : "20");
        if (!i)
            passes_assign(f, "guest", "1-5");
        if (!i)
            passes_unplug(f, "1-5");
    }
    passes_now(f);
    assert_told(f, "guest", XLX_USB_CHANGED, "1-5");
    passes_assert_has(f, "1-5", false);
}

/* Broken ones are read as far as they go. */
static void descriptors_that_lie(void **state)
{
    static const unsigned char bytes[] = {
        DEVICE, CONFIG(1), INTF(0, 0, 8, 6, 0x50), INTF(0, 1, 8, 6, 0x62), 0, 4,
        9,      4
    };
    struct passes *f = *state;
    struct xlx__usbdev dev;
    struct sysfs_dev disk = passes_stick;
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        describe(&disk, bytes, n);
        passes_plug(f, &disk, "1-5", "20");
        assert_int_equal(xlx__usbdev_read(f->w->ctx, "1-5", &dev), 0);
        assert_int_equal(dev.nr_kinds, n < 36 ? 0 : n < 45 ? 1 : 2);
        passes_unplug(f, "1-5");
    }
}

/* Each interface counts, and each configuration has its own; what a second
 * setting of an interface repeats does not. */
static void what_it_can_be_is_counted(void **state)
{
#define STORAGE(number, setting) INTF(number, setting, 8, 6, 0x50)
    static const unsigned char settings[] = { DEVICE, CONFIG(1), STORAGE(0, 0),
                                              STORAGE(0, 1) };
    static const unsigned char numbers[] = { DEVICE, CONFIG(1), STORAGE(0, 0),
                                             STORAGE(1, 0) };
    static const unsigned char configs[] = { DEVICE, CONFIG(1), STORAGE(0, 0),
                                             CONFIG(2), STORAGE(0, 0) };
    static const unsigned char both[] = { DEVICE,        CONFIG(1),
                                          STORAGE(0, 0), STORAGE(1, 0),
                                          CONFIG(2),     STORAGE(1, 0),
                                          STORAGE(1, 1), STORAGE(0, 0) };
    /* behind one that is shorter than its own head nothing is known */
    static const unsigned char lost[] = {
        DEVICE, CONFIG(1), STORAGE(0, 0), 1, STORAGE(1, 0), STORAGE(2, 0)
    };
    static const struct {
        const unsigned char *bytes;
        size_t nr;
        unsigned kinds;
    } rows[] = { { settings, sizeof(settings), 1 },
                 { numbers, sizeof(numbers), 2 },
                 { configs, sizeof(configs), 2 },
                 { both, sizeof(both), 4 },
                 { lost, sizeof(lost), 1 } };
    struct passes *f = *state;
    struct xlx__usbdev dev;
    struct sysfs_dev disk = passes_stick;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        describe(&disk, rows[i].bytes, rows[i].nr);
        passes_plug(f, &disk, "1-5", "20");
        assert_int_equal(xlx__usbdev_read(f->w->ctx, "1-5", &dev), 0);
        if (dev.nr_kinds != rows[i].kinds)
            fail_msg("row %zu: %u", i, dev.nr_kinds);
        passes_unplug(f, "1-5");
    }
}

/* A network adapter is the maker's in one configuration and CDC in another:
 * udev's rules choose. One that lost the second one is another device. */
static void a_configuration_that_is_gone(void **state)
{
    static const unsigned char bytes[] = { DEVICE, CONFIG(1), STORAGE(0, 0),
                                           CONFIG(2), STORAGE(0, 0) };
    struct passes *f = *state;
    struct sysfs_dev disk = passes_stick;
    describe(&disk, bytes, sizeof(bytes));
    passes_plug(f, &disk, "1-5", "20");
    passes_assign(f, "guest", "1-5");
    passes_unplug(f, "1-5");
    describe(&disk, bytes, 18 + 9 + 9);
    passes_plug(f, &disk, "1-5", "21");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_CHANGED, "1-5");
}

/* QubesOS/qubes-issues#6330, Genymobile/scrcpy#1914 */
static void a_telephone_that_is_one_thing_or_another(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev phone = passes_stick;
    phone.vendor = "04e8";
    phone.product_id = "6860";
    phone.intf[0].class = "060101";
    phone.intf[1].class = "ff4201";
    for (int i = 0; i < 4; i++) {
        struct sysfs_dev now = phone;
        if (i % 2 == 0)
            now.intf[1].name = NULL;
        passes_plug(f, &now, "1-5", i % 2 ? "21" : "20");
        if (i < 2)
            passes_assign(f, "guest", "1-5");
        f->now += 60000; /* however often it was tried */
        passes_later(f);
        assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
        passes_unplug(f, "1-5");
        passes_later(f);
    }
    assert_int_equal(nr_wishes(f, "guest"), 1);
    phone.intf[1].class = "030101";
    passes_plug(f, &phone, "1-5", "22");
    passes_later(f);
    assert_told(f, "guest", XLX_USB_CHANGED, "1-5");
}

/* --- a place -------------------------------------------------------------- */

static void assign_place(struct passes *f, const char *guest, const char *busid)
{
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, guest, busid, XLX_USB_BY_PLACE, NULL), 0);
}

/* google-coral/edgetpu#536, cezanne/usbip-win#167 */
static void one_that_becomes_another(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev dev = converter;
    assign_place(f, "guest", "1-5");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "1-5");
    dev.serial = NULL;
    dev.vendor = "1a6e";
    dev.product_id = "089a";
    passes_plug(f, &dev, "1-5", "20");
    passes_later(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
    dev.vendor = "18d1";
    dev.product_id = "9302";
    passes_unplug(f, "1-5");
    passes_plug(f, &dev, "1-5", "21");
    f->now += 60000;
    passes_later(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
    passes_assert_has(f, "1-5", true);
    assert_int_equal(passes_later(f), 0);
}

/* What is forbidden is so there too, and a hub is nothing to give. */
static void a_place_is_no_way_past_the_policy(void **state)
{
    struct passes *f = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/usb-policy.conf", f->w->dir);
    FILE *file = fopen(path, "w");
    fputs("DENY: class=ff\nALLOW:\n", file);
    fclose(file);
    passes_plug(f, &converter, "1-5", "20");
    assign_place(f, "guest", "1-5");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_FAILED, "1-5");
    assert_non_null(strstr(line_of(f, "guest")->reason, "policy"));
    assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", "1-5"), 1);
    assign_place(f, "guest", "1-3");
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "1-3");
}

/* Whoever is to have that device has it wherever it is. */
static void another_ones_device_in_a_place(void **state)
{
    struct passes *f = *state;
    passes_plug(f, &passes_stick, "1-6", "20");
    sysfs_mem_unplug(f->w->sysfs, "1-2"); /* the only one with that number */
    passes_assign(f, "other", "1-6");
    passes_unplug(f, "1-6");
    assign_place(f, "guest", "1-5");
    passes_plug(f, &passes_stick, "1-5", "21");
    passes_now(f);
    assert_told(f, "other", XLX_USB_ATTACHED, "1-5");
    assert_told(f, "guest", XLX_USB_TAKEN, "1-5");
}

static void a_place_is_written_down(void **state)
{
    struct passes *f = *state;
    struct xlx__intent *list;
    sysfs_mem_put(f->w->sysfs, "bus/usb/devices/usb2/speed", "5000");
    sysfs_mem_put_link(f->w->sysfs, "bus/usb/devices/usb2",
                       "../../../devices/pci0000:00/0000:00:14.0/usb2");
    assign_place(f, "guest", "2-5");
    assign_place(f, "guest", "2-5");
    assert_int_equal(xlx__intent_list(f->w->ctx, "guest", &list), 1);
    assert_int_equal(list->nr_wishes, 1);
    assert_true(list->wish[0].identity.by_place);
    assert_string_equal(list->wish[0].identity.busid, "2-5");
    assert_string_equal(list->wish[0].identity.controller,
                        "pci0000:00/0000:00:14.0/usb3");
    free(list);
    assert_int_equal(
        xlx_usb_assign(f->w->ctx, "guest", "46f4:0001", XLX_USB_BY_PLACE, NULL),
        -EINVAL);
}

/* --- its state ------------------------------------------------------------ */

/* USBGuard/usbguard#635, QubesOS/qubes-issues#6331 */
static void one_that_is_not_authorized(void **state)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct passes *f = *state;
    struct xlx_usb_device *list;
    struct xlx_usb_place got;
    struct sysfs_dev dev = converter;
    passes_plug(f, &dev, "1-5", "20");
    passes_assign(f, "guest", "1-5");
    passes_unplug(f, "1-5");
    dev.intf[0].name = NULL;
    passes_plug(f, &dev, "1-5", "21");
    sysfs_mem_put(f->w->sysfs, "bus/usb/devices/1-5/authorized", "0");
    int nr = xlx_usb_devices(f->w->ctx, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        if (!strcmp(list[i].busid, "1-5")) {
            assert_false(list[i].assignable);
            assert_non_null(strstr(list[i].reason, "not authorized"));
        }
    free(list);
    char *before = usb_world_dump(f->w);
    assert_int_equal(xlx_usb_attach(f->w->ctx, 5, "1-5", &any, XLX_USB_FORCE,
                                    PASSES_LONG_MS, &got),
                     -EBUSY);
    assert_non_null(strstr(xlx_ctx_error(f->w->ctx), "not authorized"));
    char *after = usb_world_dump(f->w);
    assert_string_equal(after, before);
    free(before);
    free(after);
    passes_now(f);
    assert_told(f, "guest", XLX_USB_WAITS, "1-5");
    assert_string_equal(line_of(f, "guest")->reason,
                        "not authorized by this host");
    passes_plug(f, &passes_stick, "1-6", "30");
    sysfs_mem_put(f->w->sysfs, "bus/usb/devices/1-6/authorized", "1");
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 5, "1-6", &any, 0, PASSES_LONG_MS, &got), 0);
}

/* foxlet/macOS-Simple-KVM#221, libimobiledevice/usbmuxd#110: it is plugged in
 * again, and a daemon of this host is faster. */
static void put_process(struct passes *f, const char *pid, const char *name,
                        const char *file)
{
    char path[128];
    xlx_ctx_set_path(f->w->ctx, XLX_PATH_PROC, f->w->dir);
    snprintf(path, sizeof(path), "%s/%s", f->w->dir, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/fd", f->w->dir, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/fd/7", f->w->dir, pid);
    assert_int_equal(symlink(file, path), 0);
    snprintf(path, sizeof(path), "%s/%s/comm", f->w->dir, pid);
    FILE *out = fopen(path, "w");
    fprintf(out, "%s\n", name);
    fclose(out);
}

static void who_holds_it_is_told(void **state)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct passes *f = *state;
    struct xlx_usb_place got;
    struct sysfs_dev phone = passes_stick;
    phone.intf[0].driver = "usbfs";
    passes_plug(f, &phone, "1-5", "77");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            xlx_usb_attach(f->w->ctx, 5, "1-5", &any, 0, PASSES_LONG_MS, &got),
            -EBUSY);
        if (!strstr(xlx_ctx_error(f->w->ctx),
                    i ? "in use by process usbmuxd (pid 4711) on this host"
                      : "in use by a program on this host"))
            fail_msg("%s", xlx_ctx_error(f->w->ctx));
        if (!i)
            put_process(f, "4711", "usbmuxd", "/dev/bus/usb/001/077");
    }
}

static void one_that_a_daemon_holds(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev phone = passes_stick;
    passes_start_with_two(f);
    passes_unplug(f, "1-2");
    phone.intf[0].driver = "usbfs";
    phone.intf[1].driver = "cdc_mux"; /* by which it is known to be untouched */
    passes_plug(f, &phone, "1-2", "77");
    f->w->daemon = true;
    assert_int_equal(passes_later(f), 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-2");
    passes_assert_line(f, 1, XLX_USB_FAILED, "1-2");
    assert_non_null(strstr(f->line[1].reason, "in use by a program"));
    passes_assert_port(f, 1, "");
    struct sysfs_dev *now = sysfs_mem_find(f->w->sysfs, "1-2");
    assert_string_equal(now->intf[0].driver, "usbfs");
    assert_string_equal(now->intf[1].driver, "cdc_mux");
    assert_int_equal(now->resets, 0);
    assert_null(xs_mem_get(f->w->xs, "/libxl-ext/usb/1-2"));
    assert_true(f->pass.next > f->now); /* not at once again */
}

/* --- who has it ----------------------------------------------------------- */

/* What the backend was killed with is claimed by a daemon before it is given
 * back: OpenSC/OpenSC#1987. */
static void a_daemon_that_comes_after_the_backend(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    usb_world_kill_backend(f->w);
    f->w->daemon = true;
    struct sysfs_dev *now = sysfs_mem_find(f->w->sysfs, "1-2");
    now->intf[0].driver = "usbfs";
    put_process(f, "4712", "pcscd", "/dev/bus/usb/001/003");
    passes_later(f);
    const struct passes_line *freed = NULL;
    for (int i = 0; i < f->nr; i++)
        if (f->line[i].outcome == XLX_USB_FREED &&
            !strcmp(f->line[i].busid, "1-2"))
            freed = &f->line[i];
    assert_non_null(freed);
    assert_non_null(strstr(freed->reason, "process pcscd (pid 4712)"));
    assert_told(f, "guest", XLX_USB_FAILED, "1-2");
    assert_non_null(strstr(line_of(f, "guest")->reason, "pcscd (pid 4712)"));
    assert_string_equal(now->intf[0].driver, "usbfs");
    assert_null(now->intf[1].driver);
    assert_int_equal(now->resets, 0);
    assert_true(f->pass.next > f->now);
    passes_assert_has(f, "1-3.1", true);
}

/* A backend that has the device, besides others, is waited for. */
static void who_is_a_backend(void **state)
{
    static const char *const names[] = { "xl-ext-usb-back", "qemu-system-x86" };
    struct passes *f = *state;
    char who[XLX__USBD_WHY_MAX];
    for (int i = 0; i < 2; i++) {
        put_process(f, i ? "4713" : "4712", names[i], "/dev/bus/usb/001/003");
        assert_int_equal(xlx__usbd_who_has(f->w->dir, 1, 3, who),
                         XLX__USBD_A_BACKEND);
    }
    put_process(f, "4714", "lsusb", "/dev/bus/usb/001/003");
    assert_int_equal(xlx__usbd_who_has(f->w->dir, 1, 3, who),
                     XLX__USBD_A_BACKEND);
    assert_int_equal(xlx__usbd_who_has(f->w->dir, 1, 4, who), XLX__USBD_NOBODY);
    assert_string_equal(who, "");
}

static void an_interface_is_not_the_whole_device(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver = "usb-storage";
    assert_int_equal(passes_later(f), 2);
    passes_assert_line(f, 0, XLX_USB_FREED, "1-2");
    assert_non_null(strstr(f->line[0].reason, "lost"));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-2");
}

/* The guest sets a configuration: for 30 calls nobody has the interfaces. */
static void let_go_and_take(void *user)
{
    struct passes *f = user;
    struct sysfs_dev *dev = sysfs_mem_find(f->w->sysfs, "1-2");
    bool had = dev->intf[0].driver;
    for (int i = 0; i < 2; i++)
        dev->intf[i].driver = had ? NULL : "usbfs";
    if (had)
        f->w->nth.act_at = f->w->nth.calls + 30;
}

static void one_glance_detaches_nothing(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    int n = 1, seen = 1;
    for (bool more = true; more; n += 3) {
        f->w->nth =
            (struct nth){ .act_at = n, .act = let_go_and_take, .user = f };
        assert_int_equal(passes_later(f), 0);
        more = f->w->nth.calls >= n;
        f->w->nth = (struct nth){ 0 };
        if (!sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver)
            seen++;
        for (int i = 0; i < 2; i++)
            sysfs_mem_find(f->w->sysfs, "1-2")->intf[i].driver = "usbfs";
    }
    assert_true(n > 60 && seen > 1);
    passes_assert_port(f, 1, "1-2");
}

/* --- one device does not spoil the others --------------------------------- */

/* A command was killed long ago, and a program has the device by now. */
static void a_note_that_nobody_can_end(void **state)
{
    struct passes *f = *state;
    xs_mem_put(f->w->xs, "/libxl-ext/usb/1-4/domid", "5");
    xs_mem_put(f->w->xs, "/libxl-ext/usb/1-4/address", "6");
    passes_assign(f, "guest", "1-2");
    assert_int_equal(passes_now(f), 1);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    assert_int_equal(f->pass.bad, 0);
    assert_true(f->pass.next > f->now && f->pass.next != INT64_MAX);
    assert_int_equal(xlx_usb_hc_destroy(f->w->ctx, 5, 0, PASSES_LONG_MS), 0);
    assert_int_equal(xlx_usb_repair(f->w->ctx), -ETIMEDOUT);
    put_process(f, "4712", "pcscd", "/dev/bus/usb/001/006");
    assert_int_equal(xlx_usb_repair(f->w->ctx), 1);
    assert_null(xs_mem_get(f->w->xs, "/libxl-ext/usb/1-4/domid"));
    assert_string_equal(sysfs_mem_find(f->w->sysfs, "1-4")->intf[0].driver,
                        "usbfs");
}

/* It could be read when the ports were looked at, and cannot any more: nothing
 * is known that would speak against the port. */
static void one_that_sysfs_stops_reading(void **state)
{
    static const struct xlx__guest guest = { .domid = 5 };
    struct xlx__usbdev dev = { .busid = "1-2", .address = 3 };
    const struct xlx__held held = {
        .domid = 5, .busid = "1-2", .address = 4, .connected = true
    };
    const struct xlx__view view = { .guests = &guest,
                                    .nr_guests = 1,
                                    .held = &held,
                                    .nr_held = 1,
                                    .devs = &dev,
                                    .nr_devs = 1 };
    struct xlx__action *list;
    (void)state;
    assert_int_equal(xlx__decide(&view, &list), 1);
    assert_int_equal(list[0].act, XLX__ACT_FREE);
    free(list);
    dev = (struct xlx__usbdev){ .busid = "1-2", .unread = EIO };
    assert_int_equal(xlx__decide(&view, &list), 0);
    free(list);
}

static void one_that_sysfs_cannot_read(void **state)
{
    struct passes *f = *state;
    struct xlx_usb_device *list;
    passes_start_with_two(f);
    sysfs_mem_find(f->w->sysfs, "1-2")->broken = true;
    passes_assign(f, "guest", "1-1");
    assert_int_equal(passes_later(f), 2);
    passes_assert_line(f, 0, XLX_USB_WAITS, "1-2");
    assert_non_null(strstr(f->line[0].reason, "cannot be read"));
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-1");
    passes_assert_port(f, 1, "1-2");
    assert_in_range(f->pass.next - f->now, 1, 1000);
    int nr = xlx_usb_devices(f->w->ctx, &list, sizeof(*list)), seen = 0;
    for (int i = 0; i < nr; i++)
        if (!strcmp(list[i].busid, "1-2"))
            seen +=
                !list[i].assignable && strstr(list[i].reason, "cannot be read");
    free(list);
    assert_int_equal(seen, 1);
    sysfs_mem_find(f->w->sysfs, "1-2")->broken = false;
    assert_int_equal(passes_later(f), 1);
    passes_assert_line(f, 0, XLX_USB_IN_PLACE, "1-2");
}

/* --- drivers -------------------------------------------------------------- */

static void keep_warnings(void *user, enum xlx_log_level level,
                          const char *text)
{
    if (level <= XLX_LOG_WARN)
        snprintf(user, 256, "%s", text);
}

static void detach_by_hand(struct passes *f, const char *busid)
{
    struct xlx_usb_place place;
    assert_int_equal(xlx_usb_find(f->w->ctx, 5, busid, &place, NULL), 0);
    assert_int_equal(
        xlx_usb_detach(f->w->ctx, 5, &place, busid, PASSES_LONG_MS, NULL), 0);
}

/* The guest chose another configuration, and then its backend was killed. */
static void other_interfaces_than_were_written_down(void **state)
{
    struct passes *f = *state;
    passes_start_with_two(f);
    usb_world_kill_backend(f->w);
    struct sysfs_dev *dev = sysfs_mem_find(f->w->sysfs, "1-2");
    dev->intf[0] =
        (struct sysfs_intf){ "1-2:2.0", NULL, "cdc_ether", "020600", 0 };
    dev->intf[1] = (struct sysfs_intf){ "1-2:2.1", NULL, NULL, "0a0000", 0 };
    detach_by_hand(f, "1-2");
    assert_non_null(dev->intf[0].driver);
    assert_string_equal(dev->intf[0].driver, "cdc_ether");
    assert_null(dev->intf[1].driver);
    assert_int_equal(dev->resets, 1);
}

static void what_had_no_driver_gets_none(void **state)
{
    struct passes *f = *state;
    sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver = NULL;
    passes_start_with_two(f);
    usb_world_kill_backend(f->w);
    detach_by_hand(f, "1-2");
    assert_null(sysfs_mem_find(f->w->sysfs, "1-2")->intf[0].driver);
    assert_int_equal(sysfs_mem_find(f->w->sysfs, "1-2")->resets, 0);
}

/* A modem, a sound card and a camera whose controlling interface is not the
 * first in the folder, nor by its number. */
static void the_controlling_interface_comes_back_first(void **state)
{
    static const char *const classes[][2] = { { "0a0000", "020201" },
                                              { "010200", "010100" },
                                              { "0e0200", "0e0100" } };
    struct passes *f = *state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        char warning[256] = "";
        struct sysfs_dev dev = converter;
        dev.intf[0] =
            (struct sysfs_intf){ "", "driver", "driver", classes[i][0], 2 };
        dev.intf[1] =
            (struct sysfs_intf){ "", "driver", "driver", classes[i][1], 0 };
        passes_plug(f, &dev, "1-5", "20");
        passes_assign(f, "guest", "1-5");
        passes_later(f);
        assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
        usb_world_kill_backend(f->w);
        xlx_ctx_set_log(f->w->ctx, keep_warnings, warning, XLX_LOG_WARN);
        detach_by_hand(f, "1-5");
        xlx_ctx_set_log(f->w->ctx, NULL, NULL, XLX_LOG_ERROR);
        assert_string_equal(warning, "");
        struct sysfs_dev *now = sysfs_mem_find(f->w->sysfs, "1-5");
        for (int n = 0; n < 2; n++)
            assert_string_equal(now->intf[n].driver, "driver");
        assert_int_equal(xlx_usb_unassign(f->w->ctx, "guest", NULL), 1);
        passes_unplug(f, "1-5");
        f->now += 60000;
    }
}

/* --- force ---------------------------------------------------------------- */

/* systemd/systemd#41715, QubesOS/qubes-issues#6019: a token is a keyboard, and
 * this host has no other one. */
static void the_last_keyboard_was_forced(void **state)
{
    struct passes *f = *state;
    struct sysfs_dev token = passes_mouse;
    token.vendor = "1050";
    token.product_id = "0407";
    token.intf[0].class = "030101";
    sysfs_mem_put(f->w->sysfs, "class/input/input0/capabilities/key", "0");
    for (int i = 0; i < 2; i++) {
        passes_plug(f, &token, "1-5", i ? "21" : "20");
        assert_int_equal(xlx_usb_assign(f->w->ctx, "guest", "1-5",
                                        i ? XLX_USB_FORCE : 0, NULL),
                         0);
        f->now += 60000;
        passes_later(f);
        assert_told(f, "guest", i ? XLX_USB_ATTACHED : XLX_USB_FAILED, "1-5");
        passes_assert_has(f, "1-5", i);
        if (!i)
            assert_non_null(strstr(line_of(f, "guest")->reason, "keyboard"));
        passes_unplug(f, "1-5");
    }
    passes_later(f);
    passes_plug(f, &token, "1-5", "22"); /* each time */
    passes_later(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, "1-5");
}

/* --- isochronous ---------------------------------------------------------- */

static void keep_all(void *user, enum xlx_log_level level, const char *text)
{
    size_t n = strlen(user);
    if (level <= XLX_LOG_WARN)
        snprintf((char *)user + n, 1024 - n, "%s\n", text);
}

static void assert_warned(struct passes *f, char *warnings, const char *text)
{
    xlx_ctx_set_log(f->w->ctx, NULL, NULL, XLX_LOG_ERROR);
    if (text ? !strstr(warnings, text) : *warnings)
        fail_msg("%s", warnings);
    *warnings = '\0';
    xlx_ctx_set_log(f->w->ctx, keep_all, warnings, XLX_LOG_WARN);
}

/* QubesOS/qubes-issues#2594, #4035, #3628: attached, and nothing works */
static void a_camera(void **state)
{
    struct passes *f = *state;
    const struct usb_set *set = usb_set("webcam");
    struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY }, zero = { 0, 2 };
    struct xlx_usb_place got;
    char warnings[1024] = "";
    struct sysfs_dev camera = passes_stick;
    camera.intf[0].class = "0e0100";
    describe(&camera, set->d.bytes, set->d.length);
    passes_plug(f, &camera, "1-5", "20");
    passes_plug(f, &passes_stick, "1-6", "21");
    camera.speed = "5000";
    passes_plug(f, &camera, "1-7", "22");
    assert_warned(f, warnings, NULL);
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 5, "1-5", &any, 0, PASSES_LONG_MS, &got), 0);
    assert_warned(f, warnings, "1-5: a camera");
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 5, "1-6", &zero, 0, PASSES_LONG_MS, &got), 0);
    assert_warned(f, warnings, "without controller=");
    passes_assign(f, "guest", "1-7");
    assert_warned(f, warnings,
                  "cannot be attached to domain 5: it runs at "
                  "SuperSpeed and has isochronous endpoints");
    passes_assign(f, "other", "1-7"); /* its device model can */
    assert_warned(f, warnings, NULL);
    xlx_ctx_set_log(f->w->ctx, NULL, NULL, XLX_LOG_ERROR);
}

/* A controller has 16 requests, whatever its ports. */
static void a_camera_has_a_controller_of_its_own(void **state)
{
    struct passes *f = *state;
    const struct usb_set *set = usb_set("webcam");
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    static const char *const busids[] = { "1-5", "1-6", "1-2" };
    static const uint32_t hcs[] = { 0, 1, 2 };
    struct sysfs_dev camera = passes_stick;
    describe(&camera, set->d.bytes, set->d.length);
    passes_plug(f, &camera, "1-5", "20");
    passes_plug(f, &camera, "1-6", "21");
    for (int i = 0; i < 3; i++) {
        struct xlx_usb_place got;
        assert_int_equal(xlx_usb_attach(f->w->ctx, 5, busids[i], &any, 0,
                                        PASSES_LONG_MS, &got),
                         0);
        assert_int_equal(got.hc, hcs[i]);
    }
}

/* --- from guest to guest -------------------------------------------------- */

static int move_to(struct passes *f, uint32_t from, uint32_t to, int timeout_ms)
{
    const struct xlx_usb_place first = { 0, 1 },
                               any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    *usb_world_syslog = '\0';
    return xlx_usb_move(f->w->ctx, from, &first, NULL, to, &any, 0, timeout_ms,
                        &got);
}

static void assert_not_torn_out(struct passes *f, const char *before)
{
    char *after = usb_world_dump(f->w);
    assert_string_equal(after, before);
    free(after);
    if (strstr(usb_world_syslog, "etach") || strstr(usb_world_syslog, "attach"))
        fail_msg("%s", usb_world_syslog);
}

/* QubesOS/qubes-issues#8004 */
static void a_move_looks_at_the_other_guest_first(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    char path[128];
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 6, "2-1", &any, 0, PASSES_LONG_MS, &got), 0);
    char *before = usb_world_dump(f->w);
    assert_int_equal(move_to(f, 6, 5, PASSES_LONG_MS), -ENOTSUP);
    assert_non_null(strstr(xlx_ctx_error(f->w->ctx), "SuperSpeed"));
    assert_not_torn_out(f, before);
    free(before);
    assert_int_equal(
        xlx_usb_detach(f->w->ctx, 6, &got, NULL, PASSES_LONG_MS, NULL), 0);
    /* a guest without the driver */
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 6, "1-2", &any, 0, PASSES_LONG_MS, &got), 0);
    before = usb_world_dump(f->w);
    f->w->no_frontend = true;
    assert_int_equal(move_to(f, 6, 5, 100), -ETIMEDOUT);
    assert_null(strstr(usb_world_syslog, "tach")); /* what was done last */
    passes_assert_has(f, "1-2", true);
    f->w->no_frontend = false;
    free(before);
    before = usb_world_dump(f->w);
    /* what a new policy forbids stays where it is */
    snprintf(path, sizeof(path), "%s/usb-policy.conf", f->w->dir);
    FILE *file = fopen(path, "w");
    fputs("DENY: class=08\nALLOW:\n", file);
    fclose(file);
    assert_int_equal(move_to(f, 6, 5, PASSES_LONG_MS), -EACCES);
    assert_not_torn_out(f, before);
    free(before);
}

static void keep_errors(void *user, enum xlx_log_level level, const char *text)
{
    size_t n = strlen(user);
    if (level == XLX_LOG_ERROR)
        snprintf((char *)user + n, 1024 - n, "%s\n", text);
}

/* Another device of that guest cannot be read. */
static void a_move_that_succeeds_prints_no_error(void **state)
{
    struct passes *f = *state;
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    char errors[1024] = "";
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 6, "1-2", &any, 0, PASSES_LONG_MS, &got), 0);
    assert_int_equal(
        xlx_usb_attach(f->w->ctx, 5, "1-1", &any, 0, PASSES_LONG_MS, &got), 0);
    sysfs_mem_find(f->w->sysfs, "1-1")->broken = true;
    xlx_ctx_set_log(f->w->ctx, keep_errors, errors, XLX_LOG_ERROR);
    assert_int_equal(move_to(f, 6, 5, PASSES_LONG_MS), 0);
    xlx_ctx_set_log(f->w->ctx, NULL, NULL, XLX_LOG_ERROR);
    assert_string_equal(errors, "");
}

/* --- what is no owner ----------------------------------------------------- */

static void put_port(struct passes *f, const char *domid, const char *backend,
                     const char *busid)
{
    const char *nodes[][2] = { { "backend", backend },
                               { "type", "qusb" },
                               { "usb-ver", "2" },
                               { "num-ports", "1" } };
    char path[128];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "/libxl/%s/device/vusb/7/%s", domid,
                 nodes[i][0]);
        xs_mem_put(f->w->xs, path, nodes[i][1]);
    }
    snprintf(path, sizeof(path), "%s/port/1", backend);
    xs_mem_put(f->w->xs, path, busid);
    snprintf(path, sizeof(path), "%s/state", backend);
    xs_mem_put(f->w->xs, path, "4");
}

static void assert_free(struct passes *f, const char *busid)
{
    struct xlx_usb_device *list;
    int nr = xlx_usb_devices(f->w->ctx, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        if (!strcmp(list[i].busid, busid) && list[i].assigned)
            fail_msg("%s: domain %u has it", busid, list[i].domid);
    free(list);
    passes_assign(f, "guest", busid);
    passes_now(f);
    assert_told(f, "guest", XLX_USB_ATTACHED, busid);
}

/* A guest was killed, and its nodes stay. */
static void nodes_of_a_guest_that_has_gone(void **state)
{
    struct passes *f = *state;
    put_port(f, "9", "/local/domain/0/backend/qusb/9/7", "1-2");
    assert_free(f, "1-2");
}

/* A USB domain of its own has a 1-2, too. */
static void busids_of_a_driver_domain(void **state)
{
    struct passes *f = *state;
    struct xlx_usb_hc *list;
    struct xlx_usb_place place;
    put_port(f, "6", "/local/domain/3/backend/qusb/6/7", "1-2");
    assert_int_equal(xlx_usb_list(f->w->ctx, 6, &list, sizeof(*list)), 1);
    assert_int_equal(list->backend_domid, 3);
    assert_string_equal(list->port[0]->busid, "1-2");
    assert_false(list->port[0]->present);
    free(list);
    assert_int_equal(xlx_usb_find(f->w->ctx, 6, "46f4:0001", &place, NULL),
                     -ENODEV);
    assert_free(f, "1-2");
    passes_unplug(f, "1-2");
    passes_later(f);
    assert_int_equal(xlx_usb_list(f->w->ctx, 6, &list, sizeof(*list)), 1);
    assert_string_equal(list->port[0]->busid, "1-2");
    free(list);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, passes_setup, passes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_with_one_serial_number),
        TEST(one_that_was_moved_is_still_one),
        TEST(what_was_to_be_once_takes_no_twin_along),
        TEST(one_serial_number_in_two_guests),
        TEST(whose_it_is_cannot_be_told),
        TEST(buses_that_changed_their_numbers),
        TEST(places_are_called_as_today),
        TEST(buses_without_a_controller),
        TEST(two_buses_of_one_controller),
        TEST(serial_numbers_of_any_length),
        TEST(a_disk_with_two_settings),
        TEST(a_keyboard_in_another_configuration),
        TEST(descriptors_that_lie),
        TEST(what_it_can_be_is_counted),
        TEST(a_configuration_that_is_gone),
        TEST(a_telephone_that_is_one_thing_or_another),
        TEST(one_that_becomes_another),
        TEST(a_place_is_no_way_past_the_policy),
        TEST(another_ones_device_in_a_place),
        TEST(a_place_is_written_down),
        TEST(one_that_is_not_authorized),
        TEST(who_holds_it_is_told),
        TEST(one_that_a_daemon_holds),
        TEST(a_daemon_that_comes_after_the_backend),
        TEST(who_is_a_backend),
        TEST(an_interface_is_not_the_whole_device),
        TEST(one_glance_detaches_nothing),
        TEST(a_note_that_nobody_can_end),
        TEST(one_that_sysfs_cannot_read),
        TEST(one_that_sysfs_stops_reading),
        TEST(other_interfaces_than_were_written_down),
        TEST(what_had_no_driver_gets_none),
        TEST(the_controlling_interface_comes_back_first),
        TEST(the_last_keyboard_was_forced),
        TEST(a_camera),
        TEST(a_camera_has_a_controller_of_its_own),
        TEST(a_move_looks_at_the_other_guest_first),
        TEST(a_move_that_succeeds_prints_no_error),
        TEST(nodes_of_a_guest_that_has_gone),
        TEST(busids_of_a_driver_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
