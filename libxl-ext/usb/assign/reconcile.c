/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/reconcile.h"
#include "core/array.h"
#include "usb/attach/attach.h"
#include "usb/attach/repair.h"
#include "usb/deadline.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/sized.h"
#include "host/lock.h"
#include "usb/assign/revive.h"
#include "usb/assign/world.h"
#include "usb/controller/hc.h"
#include "usb/controller/list.h"

#define KEY_MAX (XLX_UUID_MAX + XLX_USB_SERIAL_MAX + XLX_USB_BUSID_MAX + 64)
#define NR_PORTS 8u
/* A port that is emptied and filled at once looks unchanged to the backend. */
#define SETTLE_MS 300
#define SETTLE_LOOK_MS 50

static const char *const outcome_names[] = {
    [XLX_USB_IN_PLACE] = "in-place",   [XLX_USB_ATTACHED] = "attached",
    [XLX_USB_FREED] = "freed",         [XLX_USB_WAITS] = "waits",
    [XLX_USB_AMBIGUOUS] = "ambiguous", [XLX_USB_CHANGED] = "changed",
    [XLX_USB_TAKEN] = "taken",         [XLX_USB_FAILED] = "failed",
};

const char *xlx_usb_outcome_name(enum xlx_usb_outcome outcome)
{
    return (unsigned)outcome < XLX__NR(outcome_names) ? outcome_names[outcome]
                                                      : "unknown";
}

int xlx__reconciler_init(struct xlx__reconciler *r, xlx_ctx *ctx,
                         const struct xlx_usb_reconcile_config *config,
                         size_t size, xlx_usb_report_fn *report, void *user)
{
    struct xlx_usb_reconcile_config known = { 0 };
    *r = (struct xlx__reconciler){ .ctx = ctx, .report = report, .user = user };
    int rc =
        config ? xlx__take_config(ctx, &known, sizeof(known), config, size) : 0;
    r->timeout_ms = known.timeout_ms ? known.timeout_ms : XLX__ANSWER_MS;
    r->busy_ms = r->timeout_ms;
    if (!rc && known.guest && !(r->guest = strdup(known.guest)))
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", known.guest);
    return rc;
}

void xlx__reconciler_free(struct xlx__reconciler *r)
{
    free(r->guest);
    xlx__backoff_free(&r->backoff);
}

/* One pass. */
struct run {
    struct xlx__reconciler *r;
    struct xlx__view view;
    struct xlx__action *list;
    int nr;
    int64_t now, started; /* the caller's time, and the clock's */
    struct xlx__pass pass;
};

static int64_t now_of(const struct run *run)
{
    return run->now + xlx__now_ms() - run->started;
}

/* --- telling -------------------------------------------------------------- */

static const struct xlx__intent_wish *wish_of(const struct run *run,
                                              const struct xlx__action *a)
{
    return a->wish < 0 ? NULL
                       : &run->view.guests[a->guest].intent.wish[a->wish];
}

static struct xlx__trial *trial_of(struct run *run, const struct xlx__action *a)
{
    char key[KEY_MAX];
    const struct xlx__intent_wish *wish = wish_of(run, a);
    if (wish)
        snprintf(key, sizeof(key), "%s %04x:%04x@%s:%s",
                 run->view.guests[a->guest].intent.uuid, wish->identity.vendor,
                 wish->identity.product, wish->identity.busid,
                 wish->identity.serial);
    else
        snprintf(key, sizeof(key), "%u %u.%u %s", a->domid, a->place.hc,
                 a->place.port, a->busid);
    return xlx__backoff_get(&run->r->backoff, key, a->domid, a->busid);
}

static uint32_t hash_of(const struct xlx_usb_report *report)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    const char *texts[] = { report->busid, report->reason };
    for (int i = 0; i < 2; i++)
        for (const char *p = texts[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619u;
    return hash;
}

/* True when the same was told before; what we attached is in place, and that
 * is no news. */
static bool is_known(struct xlx__trial *t, const struct xlx_usb_report *report)
{
    uint32_t hash = hash_of(report);
    int outcome = (int)report->outcome;
    bool known = t->told == outcome && t->told_hash == hash &&
                 outcome != XLX_USB_ATTACHED && outcome != XLX_USB_FREED;
    known |= outcome == XLX_USB_IN_PLACE && t->told == XLX_USB_ATTACHED;
    t->told = outcome;
    t->told_hash = hash;
    return known;
}

/* What was to be once is, and is not asked for any more. */
static void fulfil(struct run *run, const struct xlx__action *a)
{
    const struct xlx__intent_wish *wish = wish_of(run, a);
    if (!wish || !wish->once)
        return;
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(run->r->ctx);
    if (lock < 0 ||
        xlx__intent_fulfil(run->r->ctx, run->view.guests[a->guest].intent.uuid,
                           &wish->identity))
        xlx__warn(run->r->ctx, "usb %s: stays assigned: %s", a->busid,
                  xlx_ctx_error(run->r->ctx));
}

static void report_action(struct run *run, const struct xlx__action *a,
                          enum xlx_usb_outcome outcome, const char *reason)
{
    const struct xlx__intent_wish *wish = wish_of(run, a);
    const struct xlx__intent *intent =
        a->guest < 0 ? NULL : &run->view.guests[a->guest].intent;
    struct xlx_usb_assignment assignment;
    if (wish)
        assignment = xlx__assignment_of(intent, wish);
    const struct xlx_usb_report report = {
        .outcome = outcome,
        .guest = intent ? intent->name : "",
        .domid = a->domid,
        .assignment = wish ? &assignment : NULL,
        .busid = a->busid,
        .place = a->place,
        .reason = reason,
    };
    struct xlx__trial *t = trial_of(run, a);
    if (outcome == XLX_USB_ATTACHED || outcome == XLX_USB_IN_PLACE)
        fulfil(run, a);
    if (outcome == XLX_USB_FAILED ||
        (wish && wish->required && outcome != XLX_USB_IN_PLACE &&
         outcome != XLX_USB_ATTACHED))
        run->pass.bad++;
    if (t && is_known(t, &report) && run->r->only_changes)
        return;
    run->r->report(run->r->user, &report);
}

static void tell_bad_file(void *user, const char *uuid)
{
    struct run *run = user;
    struct xlx__trial *t = xlx__backoff_get(&run->r->backoff, uuid, 0, "");
    struct xlx_usb_report report = { .outcome = XLX_USB_FAILED,
                                     .guest = uuid,
                                     .busid = "",
                                     .place = { XLX_USB_ANY, XLX_USB_ANY },
                                     .reason = xlx_ctx_error(run->r->ctx) };
    run->pass.bad++;
    if (!t || !is_known(t, &report) || !run->r->only_changes)
        run->r->report(run->r->user, &report);
}

/* --- doing ---------------------------------------------------------------- */

/* The backend's process may have been faster. */
static int do_free(struct run *run, struct xlx__action *a)
{
    int rc = xlx__usb_detach_given(run->r->ctx, a->domid, &a->place, a->busid,
                                   a->address, run->r->timeout_ms);
    return rc == -ENODEV ? 0 : rc;
}

/* A guest that was started again has lost its controllers. */
static int make_controller(struct run *run, const struct xlx__action *a)
{
    xlx_ctx *ctx = run->r->ctx;
    struct xlx__hc hc;
    uint32_t devid, port = a->place.port;
    const struct xlx_usb_hc_config config = {
        .ports = port != XLX_USB_ANY && port > NR_PORTS ? port : 0
    };
    if (a->place.hc == XLX_USB_ANY ||
        xlx__hc_read(ctx, a->domid, a->place.hc, &hc) != -ENODEV)
        return 0;
    return xlx_usb_hc_create_as(ctx, a->domid, a->place.hc, &config,
                                sizeof(config), run->r->timeout_ms, &devid);
}

/* Another command was faster. */
static bool has_it(xlx_ctx *ctx, const struct xlx__action *a,
                   struct xlx_usb_place *got_r)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int nr = xlx__usb_owned(ctx, &owned);
    const struct xlx__owned *o =
        nr < 0 ? NULL : xlx__usb_owner(owned, nr, a->busid);
    if (!o || o->domid != a->domid)
        return false;
    *got_r = o->place;
    return true;
}

static int do_attach(struct run *run, struct xlx__action *a)
{
    xlx_ctx *ctx = run->r->ctx;
    struct xlx_usb_place got;
    unsigned flags = wish_of(run, a)->force ? XLX_USB_FORCE : 0;
    int rc = make_controller(run, a);
    if (!rc)
        rc = xlx__usb_attach_dev(ctx, a->domid, a->dev, &a->place, flags,
                                 run->r->timeout_ms, &got);
    if (rc == -EBUSY && has_it(ctx, a, &got))
        rc = 0;
    if (!rc)
        a->place = got;
    return rc;
}

/* The port that still has the device could not be freed. */
static bool is_stuck(const struct run *run, const struct xlx__action *attach)
{
    for (int i = 0; i < run->nr; i++)
        if (run->list[i].act == XLX__ACT_FREE &&
            !strcmp(run->list[i].busid, attach->busid))
            return true;
    return false;
}

static void put_off(struct run *run, int64_t until)
{
    if (until < run->pass.next)
        run->pass.next = until;
}

static void do_one(struct run *run, struct xlx__action *a)
{
    struct xlx__trial *t = trial_of(run, a);
    if (!t || !xlx__backoff_due(t, now_of(run))) {
        put_off(run, t ? t->next : now_of(run) + XLX__BACKOFF_FIRST_MS);
        run->pass.bad += a->act == XLX__ACT_ATTACH;
        return;
    }
    if (a->act == XLX__ACT_ATTACH && is_stuck(run, a)) {
        report_action(run, a, XLX_USB_FAILED,
                      "the port it had is not free yet");
        return;
    }
    int rc = a->act == XLX__ACT_FREE ? do_free(run, a) : do_attach(run, a);
    /* A guest that went meanwhile needs nothing, and is no failure. */
    if (rc && !xlx__dom_alive(run->r->ctx, a->domid))
        return;
    t = trial_of(run, a);
    if (t)
        xlx__backoff_tried(t, now_of(run));
    run->pass.acted |= !rc;
    if (rc && t)
        put_off(run, t->next);
    report_action(run, a, rc ? XLX_USB_FAILED : a->outcome,
                  rc ? xlx_ctx_error(run->r->ctx) : a->reason);
    if (!rc && a->act == XLX__ACT_FREE)
        a->act = XLX__ACT_NOTHING;
}

static void do_placed(struct run *run, enum xlx__act act, bool placed,
                      unsigned tries_min, unsigned tries_max)
{
    for (int i = 0; i < run->nr; i++) {
        struct xlx__action *a = &run->list[i];
        struct xlx__trial *t = a->act == act ? trial_of(run, a) : NULL;
        if (t && t->tries >= tries_min && t->tries <= tries_max && !a->done &&
            (a->place.hc != XLX_USB_ANY) == placed) {
            a->done = true;
            do_one(run, a);
        }
    }
}

/* Who can go anywhere comes after those who cannot. */
static void do_act(struct run *run, enum xlx__act act, unsigned tries_min,
                   unsigned tries_max)
{
    do_placed(run, act, true, tries_min, tries_max);
    do_placed(run, act, false, tries_min, tries_max);
}

static bool is_asked_for(const struct run *run, const struct xlx__action *a)
{
    const char *want = run->r->guest;
    return !want || a->guest < 0 ||
           !xlx__guests_find(&run->view.guests[a->guest], 1, want);
}

static void tell_or_drop(struct run *run)
{
    for (int i = 0; i < run->nr; i++) {
        struct xlx__action *a = &run->list[i];
        a->done = !is_asked_for(run, a);
        if (a->done || a->act < XLX__ACT_NOTHING)
            continue;
        if (a->act == XLX__ACT_LATER)
            put_off(run, run->now + XLX__BACKOFF_FIRST_MS);
        if (a->act == XLX__ACT_LATER && run->r->only_changes)
            trial_of(run, a);
        else
            report_action(run, a, a->outcome, a->reason);
        a->done = true;
    }
}

static int look_at_nothing(xlx_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static void free_ports(struct run *run)
{
    do_act(run, XLX__ACT_FREE, 0, UINT_MAX);
    if (run->pass.acted)
        xlx__xs_wait_for(run->r->ctx, NULL, 0, SETTLE_LOOK_MS,
                         xlx__now_ms() + SETTLE_MS, look_at_nothing, NULL);
}

/* --- who serves the guests ------------------------------------------------ */

static void revive(struct run *run, const struct xlx__owned *port)
{
    xlx_ctx *ctx = run->r->ctx;
    char key[32];
    snprintf(key, sizeof(key), "backend %u", port->domid);
    struct xlx__trial *t =
        xlx__backoff_get(&run->r->backoff, key, port->domid, "");
    if (t && !xlx__backoff_due(t, now_of(run))) {
        put_off(run, t->next);
        return;
    }
    int rc = xlx__revive(ctx, port, xlx__now_ms() + run->r->busy_ms);
    run->pass.acted |= rc > 0;
    if (rc > 0)
        xlx__warn(ctx,
                  "domain %u: its USB backend was killed, and another one "
                  "runs now",
                  port->domid);
    else if (rc < 0 && rc != -EBUSY)
        xlx__warn(ctx, "domain %u: its USB backend was killed: %s", port->domid,
                  xlx_ctx_error(ctx));
    if (rc >= 0 || !t)
        return;
    xlx__backoff_tried(t, now_of(run));
    put_off(run, t->next);
}

/* Before anything is looked at: another one continues with the devices that
 * the guest has. */
static int revive_all(struct run *run)
{
    XLX__AUTO_FREE struct xlx__owned *list = NULL;
    int nr = xlx__deserted(run->r->ctx, &list);
    for (int i = 0; i < nr; i++)
        revive(run, &list[i]);
    return nr < 0 ? nr : 0;
}

/* --- what was left behind ------------------------------------------------- */

static void repair(struct run *run, const char *busid)
{
    char key[XLX_USB_BUSID_MAX + 8];
    snprintf(key, sizeof(key), "repair %s", busid);
    struct xlx__trial *t = xlx__backoff_get(&run->r->backoff, key, 0, busid);
    if (t && !xlx__backoff_due(t, now_of(run))) {
        put_off(run, t->next);
        return;
    }
    int rc = xlx__usb_repair_unowned(run->r->ctx, busid);
    run->pass.acted |= rc > 0;
    if (rc >= 0)
        return;
    xlx__warn(run->r->ctx,
              "usb %s: what a command left behind cannot be "
              "undone: %s",
              busid, xlx_ctx_error(run->r->ctx));
    if (!t)
        return;
    xlx__backoff_tried(t, now_of(run));
    put_off(run, t->next);
}

/* Last: it may take its time, and who attaches one repairs it before. */
static int repair_all(struct run *run)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int rc = xlx__usb_unowned(run->r->ctx, &busids);
    for (size_t i = 0; !rc && i < busids.nr; i++)
        repair(run, busids.v[i]);
    return rc;
}

static int look_and_act(struct run *run)
{
    int rc = revive_all(run);
    if (!rc)
        rc = xlx__view_look(run->r->ctx, run->r->busy_ms, &run->view,
                            tell_bad_file, run);
    if (!rc)
        run->nr = xlx__decide(&run->view, &run->list);
    if (rc || run->nr < 0)
        return rc ? rc : xlx__fail(run->r->ctx, ENOMEM, "usb: no memory");
    if (run->r->guest && !run->r->only_changes &&
        xlx__guests_find(run->view.guests, run->view.nr_guests, run->r->guest) <
            0)
        return xlx__fail(run->r->ctx, ENOENT,
                         "guest %s: nothing is assigned to it", run->r->guest);
    if (run->view.again)
        put_off(run, run->now + XLX__BACKOFF_FIRST_MS);
    tell_or_drop(run);
    free_ports(run);
    /* What has failed before may take its time again: it comes last. */
    do_act(run, XLX__ACT_ATTACH, 0, 0);
    do_act(run, XLX__ACT_ATTACH, 1, UINT_MAX);
    return repair_all(run);
}

int xlx__reconcile_pass(struct xlx__reconciler *r, int64_t now,
                        struct xlx__pass *pass_r)
{
    xlx_ctx *ctx = r->ctx;
    struct run run = {
        .r = r,
        .now = now,
        .started = xlx__now_ms(),
        .pass = { .next = INT64_MAX },
    };
    XLX__AUTO_CLOSE int lock =
        xlx__lock(ctx, "usb/lock/reconcile", run.started + r->timeout_ms);
    if (lock < 0)
        return lock;
    /* The failure of one device is reported, not logged too. */
    xlx__tolerate(ctx, 1);
    xlx__backoff_begin(&r->backoff);
    int rc = look_and_act(&run);
    if (!rc)
        xlx__backoff_end(&r->backoff);
    xlx__tolerate(ctx, -1);
    free(run.list);
    xlx__view_free(&run.view);
    if (rc)
        return xlx__fail_after_all(ctx, rc);
    *pass_r = run.pass;
    return 0;
}

int xlx_usb_reconcile(xlx_ctx *ctx,
                      const struct xlx_usb_reconcile_config *config,
                      size_t size, xlx_usb_report_fn *report, void *user)
{
    struct xlx__reconciler r;
    struct xlx__pass pass;
    int rc = xlx__reconciler_init(&r, ctx, config, size, report, user);
    if (!rc)
        rc = xlx__reconcile_pass(&r, xlx__now_ms(), &pass);
    xlx__reconciler_free(&r);
    return rc ? rc : pass.bad;
}
