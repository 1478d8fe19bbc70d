/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Another device is plugged in between two reads, at every read: what is judged
 * is what is given away.
 */
#include "test.h"

#include "fakes/passes.h"
#include "usb/attach/attach.h"
#include "usb/device/device.h"

#define LONG_MS 60000 /* never reached */

#define KEYBOARD_ADDRESS 44

/* Forbidden, and with its own address. */
static const struct sysfs_dev keyboard = {
    .busid = "1-2",
    .class = "00",
    .vendor = "1050",
    .product_id = "0407",
    .speed = "12",
    .serial = "K1",
    .address = "44",
    .intf = { { "1-2:1.0", "usbhid", "usbhid", "030101" } },
};

static void swap(void *user)
{
    struct usb_world *w = user;
    sysfs_mem_unplug(w->sysfs, "1-2");
    sysfs_mem_plug(w->sysfs, &keyboard);
}

static void swap_at(struct usb_world *w, int n)
{
    w->nth = (struct nth){ .act_at = n, .act = swap, .user = w };
}

/* --- reading -------------------------------------------------------------- */

static bool read_at(int n)
{
    struct usb_world *w = usb_world_new();
    struct xlx__usbdev dev;
    swap_at(w, n);
    assert_int_equal(xlx__usbdev_read(w->ctx, "1-2", &dev), 0);
    bool more = w->nth.calls >= n,
         is_keyboard = dev.address == KEYBOARD_ADDRESS;
    assert_int_equal(dev.vendor, is_keyboard ? 0x1050 : 0x46f4);
    assert_int_equal(dev.product, is_keyboard ? 0x0407 : 1);
    assert_int_equal(dev.mbits, is_keyboard ? 12 : 480);
    assert_string_equal(dev.serial, is_keyboard ? "K1" : "S1");
    assert_int_equal(dev.nr_intfs, is_keyboard ? 1 : 2);
    assert_int_equal(dev.intf[0].class, is_keyboard ? 3 : 8);
    usb_world_free(w);
    return more;
}

static void a_device_is_read_whole(void **state)
{
    (void)state;
    int n = 1;
    while (read_at(n))
        n++;
    assert_true(n > 15);
}

/* Each time another one: nobody could say what is there. */
static void restless(void *user)
{
    static const char *const addresses[] = { "50", "51", "52", "53",
                                             "54", "55", "56", "57" };
    struct usb_world *w = user;
    struct sysfs_dev *dev = sysfs_mem_find(w->sysfs, "1-2");
    dev->address = addresses[w->nth.calls / 10 % 8];
    w->nth.act_at += 10;
}

static void one_that_does_not_come_to_rest_is_not_there(void **state)
{
    (void)state;
    struct usb_world *w = usb_world_new();
    struct xlx__usbdev dev;
    w->nth = (struct nth){ .act_at = 10, .act = restless, .user = w };
    assert_int_equal(xlx__usbdev_read(w->ctx, "1-2", &dev), -ENODEV);
    usb_world_free(w);
}

static const struct xlx__sysfs_ops *real;

static int goes(struct xlx__sysfs *fs, const char *path, char *buf, size_t size)
{
    return strstr(path, "/idVendor") ? -ENODEV
                                     : real->read(fs, path, buf, size);
}

/* What the kernel answers whoever has the attribute open then. */
static void one_that_goes_while_it_is_read_is_no_failure(void **state)
{
    (void)state;
    struct usb_world *w = usb_world_new();
    struct xlx__sysfs_ops ops = *w->ctx->sysfs->ops;
    struct xlx__usbdev dev;
    real = w->ctx->sysfs->ops;
    ops.read = goes;
    w->ctx->sysfs->ops = &ops;
    assert_int_equal(xlx__usbdev_read(w->ctx, "1-2", &dev), -ENODEV);
    assert_string_equal(xlx_ctx_error(w->ctx), "");
    w->ctx->sysfs->ops = real;
    usb_world_free(w);
}

static int nr_gone;

static int goes_once(struct xlx__sysfs *fs, const char *path, char *buf,
                     size_t size)
{
    bool goes = strstr(path, ":1.1/bInterfaceClass") && !nr_gone++;
    return goes ? -ENODEV : real->read(fs, path, buf, size);
}

/* The guest chooses a configuration: the old interfaces go, the device stays.
 */
static void one_that_is_configured_meanwhile_is_there(void **state)
{
    (void)state;
    struct usb_world *w = usb_world_new();
    struct xlx__sysfs_ops ops = *w->ctx->sysfs->ops;
    struct xlx__usbdev dev;
    real = w->ctx->sysfs->ops;
    ops.read = goes_once;
    w->ctx->sysfs->ops = &ops;
    nr_gone = 0;
    assert_int_equal(xlx__usbdev_read(w->ctx, "1-2", &dev), 0);
    assert_int_equal(nr_gone, 2);
    assert_int_equal(dev.nr_intfs, 2);
    w->ctx->sysfs->ops = real;
    usb_world_free(w);
}

/* --- giving away ---------------------------------------------------------- */

static void forbid_keyboards(struct usb_world *w)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/usb-policy.conf", w->dir);
    FILE *file = fopen(path, "w");
    fputs("DENY: class=03\nALLOW:\n", file);
    fclose(file);
}

/* After 127 others it has the address that the first one had. */
static void swap_like_twin(void *user)
{
    struct usb_world *w = user;
    struct sysfs_dev twin = *sysfs_mem_find(w->sysfs, "1-2");
    twin.serial = "S2";
    twin.intf[0].driver = "usb-storage";
    sysfs_mem_unplug(w->sysfs, "1-2");
    sysfs_mem_plug(w->sysfs, &twin);
}

static bool is_given(struct usb_world *w)
{
    const char *driver = sysfs_mem_find(w->sysfs, "1-2")->intf[0].driver;
    return driver && (!strcmp(driver, "usbfs") || !strcmp(driver, "usbback"));
}

static bool was_swapped(struct usb_world *w)
{
    return strcmp(sysfs_mem_find(w->sysfs, "1-2")->serial, "S1") != 0;
}

/* What was put there in its place is this host's, and nothing speaks of it. */
static void assert_nobodys(struct usb_world *w, int n)
{
    char *dump = usb_world_dump(w);
    if (is_given(w))
        fail_msg("call %d: the guest has another device: %s", n,
                 xlx_ctx_error(w->ctx));
    if (strstr(dump, "= 1-2 ") || strstr(dump, "/libxl-ext/usb/"))
        fail_msg("call %d: %s: something is left:\n%s", n,
                 xlx_ctx_error(w->ctx), dump);
    free(dump);
}

/* How a device is given away: to whom, and by whom. */
struct way {
    uint32_t domid;
    bool usbback; /* the kernel's */
};

static const struct way ways[] = {
    { WORLD_DOMID, false },
    { WORLD_DOMID, true },
    { WORLD_HVM, false }, /* its device model */
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct swapping {
    void (*act)(void *user);
    struct way way;
    int refused, given;
};

/* True while there is an n-th call. */
static bool attach_at(struct swapping *s, int n)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct usb_world *w = usb_world_new();
    struct xlx_usb_place got;
    if (s->way.usbback)
        usb_world_load_usbback(w);
    forbid_keyboards(w);
    w->nth = (struct nth){ .act_at = n, .act = s->act, .user = w };
    int rc = xlx_usb_attach(w->ctx, s->way.domid, "46f4:0001:S1", &any, 0,
                            LONG_MS, &got);
    bool more = w->nth.calls >= n;
    w->nth = (struct nth){ 0 };
    usb_world_rest(w);
    /* One that is swapped behind the last look was pulled out of the guest. */
    if (was_swapped(w) && rc)
        assert_nobodys(w, n);
    else if (was_swapped(w))
        assert_false(is_given(w));
    else if (rc || !is_given(w))
        fail_msg("call %d: %s", n, xlx_ctx_error(w->ctx));
    /* Libxl is told an address, and not a place. */
    if (s->way.domid == WORLD_HVM)
        assert_int_equal(w->addresses & UINT64_C(1) << KEYBOARD_ADDRESS, 0);
    s->refused += rc != 0;
    s->given += !rc;
    usb_world_free(w);
    return more;
}

static void attach_gives_what_was_judged(void **state)
{
    struct swapping twins = { .act = swap_like_twin, .way = ways[0] };
    int n;
    (void)state;
    for (size_t i = 0; i < NR(ways); i++) {
        struct swapping keyboards = { .act = swap, .way = ways[i] };
        for (n = 1; attach_at(&keyboards, n); n++)
            ;
        assert_true(keyboards.refused > 100);
    }
    for (n = 1; attach_at(&twins, n); n++)
        ;
    assert_true(twins.refused > 100);
}

/* --- moving --------------------------------------------------------------- */

/* The guest's port may be left as it is: its device was pulled out of it. */
static void empty_port(struct usb_world *w, uint32_t domid)
{
    struct xlx_usb_place place;
    if (!xlx_usb_find(w->ctx, domid, "1-2", &place, NULL))
        assert_int_equal(
            xlx_usb_detach(w->ctx, domid, &place, "1-2", LONG_MS, NULL), 0);
}

static bool move_at(struct swapping *s, int n, uint32_t from, uint32_t to)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct usb_world *w = usb_world_new();
    struct xlx_usb_place place, got;
    forbid_keyboards(w);
    assert_int_equal(
        xlx_usb_attach(w->ctx, from, "1-2", &any, 0, LONG_MS, &place), 0);
    w->nth = (struct nth){ .act_at = n, .act = s->act, .user = w };
    int rc =
        xlx_usb_move(w->ctx, from, &place, "1-2", to, &any, 0, LONG_MS, &got);
    bool more = w->nth.calls >= n;
    w->nth = (struct nth){ 0 };
    usb_world_rest(w);
    if (was_swapped(w) && is_given(w))
        fail_msg("call %d: a guest has another device: %s", n,
                 xlx_ctx_error(w->ctx));
    else if (!was_swapped(w) && (rc || !is_given(w)))
        fail_msg("call %d: %s", n, xlx_ctx_error(w->ctx));
    if (rc && !xlx_usb_find(w->ctx, to, "1-2", &got, NULL))
        fail_msg("call %d: the other guest's port has it", n);
    empty_port(w, from);
    empty_port(w, to);
    if (was_swapped(w))
        assert_nobodys(w, n);
    s->refused += rc != 0;
    usb_world_free(w);
    return more;
}

static void move_gives_what_the_guest_had(void **state)
{
    static const uint32_t rows[][2] = { { WORLD_DOMID, WORLD_HVM },
                                        { WORLD_HVM, WORLD_DOMID } };
    (void)state;
    for (size_t i = 0; i < NR(rows); i++) {
        struct swapping s = { .act = swap };
        int n = 1;
        while (move_at(&s, n, rows[i][0], rows[i][1]))
            n++;
        assert_true(s.refused > 100);
    }
}

/* --- pulled out ----------------------------------------------------------- */

struct pull {
    struct usb_world *w;
    bool was_taken;
    int errors;
};

static void pull_out(void *user)
{
    struct pull *p = user;
    for (int i = 0; i < WORLD_TAKEN; i++)
        p->was_taken |= p->w->taken[i].busid != NULL;
    sysfs_mem_unplug(p->w->sysfs, "1-2");
}

static void count_error(void *user, enum xlx_log_level level, const char *text)
{
    (void)level;
    (void)text;
    ((struct pull *)user)->errors++;
}

/* A guest takes its time to configure it. */
static bool pulled_at(int n)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct pull p = { .w = usb_world_new() };
    struct xlx_usb_place got;
    p.w->notices = p.w->not_configured = true;
    xlx_ctx_set_log(p.w->ctx, count_error, &p, XLX_LOG_ERROR);
    p.w->nth = (struct nth){ .act_at = n, .act = pull_out, .user = &p };
    int rc =
        xlx_usb_attach(p.w->ctx, WORLD_DOMID, "1-2", &any, 0, LONG_MS, &got);
    /* -EIO: the backend was to take it, and says that it is not there. */
    if ((rc != -ENODEV && (p.was_taken || rc != -EIO)) || p.errors != 1)
        fail_msg("call %d: %d, %d errors: %s", n, rc, p.errors,
                 xlx_ctx_error(p.w->ctx));
    usb_world_rest(p.w);
    char *dump = usb_world_dump(p.w);
    if (p.was_taken &&
        (strstr(dump, "= 1-2 ") || strstr(dump, "/libxl-ext/usb/")))
        fail_msg("call %d: something is left:\n%s", n, dump);
    free(dump);
    usb_world_free(p.w);
    return p.was_taken;
}

/* Nobody waits for what is not there, and one line says so. */
static void one_that_is_pulled_out_is_not_waited_for(void **state)
{
    int n = 1;
    (void)state;
    while (!pulled_at(n))
        n++;
    for (int i = 0; i < 20; i++)
        assert_true(pulled_at(n + i));
}

static bool reconcile_at(struct swapping *s, int n)
{
    struct passes *f;
    passes_setup((void **)&f);
    forbid_keyboards(f->w);
    passes_assign(f, "guest", "1-2");
    f->w->nth = (struct nth){ .act_at = n, .act = s->act, .user = f->w };
    int nr = passes_now(f);
    bool more = f->w->nth.calls >= n;
    f->w->nth = (struct nth){ 0 };
    usb_world_rest(f->w);
    bool given = nr == 1 && f->line[0].outcome == XLX_USB_ATTACHED;
    if (was_swapped(f->w) && !given)
        assert_nobodys(f->w, n);
    else if (was_swapped(f->w))
        assert_false(is_given(f->w));
    else
        assert_true(given && is_given(f->w));
    s->refused += !given;
    passes_teardown((void **)&f);
    return more;
}

/* By reconcile it stayed with a guest that it was never assigned to. */
static void reconcile_gives_what_is_assigned(void **state)
{
    struct swapping keyboards = { .act = swap },
                    twins = { .act = swap_like_twin };
    int n = 1;
    (void)state;
    while (reconcile_at(&keyboards, n))
        n++;
    assert_true(keyboards.refused > 100);
    for (n = 1; reconcile_at(&twins, n); n++)
        ;
    assert_true(twins.refused > 100);
}

/* A pass saw the device that was there before; somebody was faster, and has
 * attached the one that is there now. */
static void a_port_is_freed_only_as_it_was_seen(void **state)
{
    const struct xlx_usb_hc_config usual = { 0 };
    const struct xlx_usb_place place = { 0, 1 };
    struct usb_world *w = usb_world_new();
    struct xlx_usb_place got;
    (void)state;
    assert_int_equal(xlx_usb_hc_create(w->ctx, WORLD_DOMID, &usual,
                                       sizeof(usual), LONG_MS, &got.hc),
                     0);
    assert_int_equal(
        xlx_usb_attach(w->ctx, WORLD_DOMID, "1-2", &place, 0, LONG_MS, &got),
        0);
    assert_int_equal(
        xlx__usb_detach_given(w->ctx, WORLD_DOMID, &place, "1-2", 2, LONG_MS),
        -EBUSY);
    assert_non_null(strstr(xlx_ctx_error(w->ctx), "been given it again"));
    assert_true(is_given(w));
    assert_int_equal(
        xlx__usb_detach_given(w->ctx, WORLD_DOMID, &place, "1-2", 3, LONG_MS),
        0);
    assert_false(is_given(w));
    usb_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_read_whole),
        cmocka_unit_test(one_that_does_not_come_to_rest_is_not_there),
        cmocka_unit_test(one_that_goes_while_it_is_read_is_no_failure),
        cmocka_unit_test(one_that_is_configured_meanwhile_is_there),
        cmocka_unit_test(attach_gives_what_was_judged),
        cmocka_unit_test(move_gives_what_the_guest_had),
        cmocka_unit_test(one_that_is_pulled_out_is_not_waited_for),
        cmocka_unit_test(reconcile_gives_what_is_assigned),
        cmocka_unit_test(a_port_is_freed_only_as_it_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
