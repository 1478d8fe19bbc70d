/* SPDX-License-Identifier: LGPL-2.1-only */
#include "test.h"

#include "core/clock.h"
#include "fakes/passes.h"

void passes_report(void *user, const struct xlx_usb_report *r)
{
    struct passes *f = user;
    assert_true(f->nr < PASSES_REPORTS);
    struct passes_line *l = &f->line[f->nr++];
    *l = (struct passes_line){ .outcome = r->outcome,
                               .domid = r->domid,
                               .place = r->place,
                               .wish = r->assignment };
    snprintf(l->guest, sizeof(l->guest), "%s", r->guest);
    snprintf(l->busid, sizeof(l->busid), "%s", r->busid);
    snprintf(l->reason, sizeof(l->reason), "%s", r->reason);
}

int passes_setup(void **state)
{
    static const struct xlx_usb_reconcile_config usual = { .timeout_ms =
                                                               PASSES_LONG_MS };
    struct passes *f = calloc(1, sizeof(*f));
    f->w = usb_world_new();
    f->now = 1000000;
    xlx__reconciler_init(&f->r, f->w->ctx, &usual, sizeof(usual), passes_report,
                         f);
    f->r.only_changes = true;
    f->r.busy_ms = 0;
    *state = f;
    return 0;
}

int passes_teardown(void **state)
{
    struct passes *f = *state;
    xlx__reconciler_free(&f->r);
    usb_world_free(f->w);
    free(f);
    return 0;
}

void passes_assign(struct passes *f, const char *guest, const char *busid)
{
    assert_int_equal(xlx_usb_assign(f->w->ctx, guest, busid, 0, NULL), 0);
}

int passes_now(struct passes *f)
{
    int64_t begun = xlx__now_ms();
    f->nr = 0;
    assert_int_equal(xlx__reconcile_pass(&f->r, f->now, &f->pass), 0);
    f->took = xlx__now_ms() - begun;
    return f->nr;
}

/* The next try counts from the end of the last one, however slow this machine
 * is today. */
int passes_later(struct passes *f)
{
    f->now += 1000 + 300 + f->took;
    return passes_now(f);
}

void passes_assert_line(const struct passes *f, int i,
                        enum xlx_usb_outcome outcome, const char *busid)
{
    assert_true(i < f->nr);
    if (f->line[i].outcome != outcome || strcmp(f->line[i].busid, busid))
        fail_msg("%s %s (%s), not %s %s",
                 xlx_usb_outcome_name(f->line[i].outcome), f->line[i].busid,
                 f->line[i].reason, xlx_usb_outcome_name(outcome), busid);
}

void passes_assert_port(const struct passes *f, int port, const char *busid)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/qusb/%u/0/port/%d",
             f->w->domid, port);
    const char *now = xs_mem_get(f->w->xs, path);
    assert_string_equal(now ? now : "-", busid);
}

void passes_assert_has(const struct passes *f, const char *busid, bool has)
{
    const char *driver = sysfs_mem_find(f->w->sysfs, busid)->intf[0].driver;
    assert_int_equal(driver && !strcmp(driver, "usbfs"), has);
}

/* --- plugging by hand ----------------------------------------------------- */

const struct sysfs_dev passes_stick = {
    .class = "00",
    .vendor = "46f4",
    .product_id = "0001",
    .speed = "480",
    .serial = "S1",
    .intf = { { "", "usb-storage", "usb-storage", "080650" },
              { "", NULL, NULL, "ff0000" } },
};

const struct sysfs_dev passes_mouse = {
    .class = "00",
    .vendor = "0627",
    .product_id = "0001",
    .speed = "12",
    .intf = { { "", "usbhid", "usbhid", "030102" } },
};

/* Strings of a device stay the caller's: kept for the test's life. */
void passes_plug(struct passes *f, const struct sysfs_dev *like,
                 const char *busid, const char *address)
{
    static const char *const names[][2] = {
        { "1-2:1.0", "1-2:1.1" }, { "1-5:1.0", "1-5:1.1" },
        { "1-6:1.0", "1-6:1.1" }, { "1-3.1:1.0", "1-3.1:1.1" },
        { "1-7:1.0", "1-7:1.1" }, { "2-5:1.0", "2-5:1.1" },
    };
    struct sysfs_dev dev = *like;
    dev.busid = busid;
    dev.address = address;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        for (int i = 0; i < 2 && !strncmp(names[n][0], busid, strlen(busid)) &&
                        dev.intf[i].name;
             i++)
            dev.intf[i].name = names[n][i];
    sysfs_mem_plug(f->w->sysfs, &dev);
}

void passes_unplug(struct passes *f, const char *busid)
{
    sysfs_mem_unplug(f->w->sysfs, busid);
}

/* The guest has the stick from 1-2 and the mouse from 1-3.1, by intent. */
void passes_start_with_two(struct passes *f)
{
    passes_assign(f, "guest", "1-2");
    passes_assign(f, "guest", "1-3.1");
    assert_int_equal(passes_now(f), 2);
    passes_assert_line(f, 0, XLX_USB_ATTACHED, "1-2");
    passes_assert_line(f, 1, XLX_USB_ATTACHED, "1-3.1");
    passes_assert_port(f, 1, "1-2");
    passes_assert_port(f, 2, "1-3.1");
    assert_true(f->pass.acted);
    assert_int_equal(passes_now(f), 0);
    assert_false(f->pass.acted);
    assert_true(f->pass.next == INT64_MAX);
}
