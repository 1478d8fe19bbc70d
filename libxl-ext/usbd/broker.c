/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/broker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/clock.h"
#include "core/names.h"
#include "usb/deadline.h"
#include "usb/device/device.h"
#include "usbd/broker_impl.h"
#include "xen/domain.h"
#include "xen/xenstore.h"

/* A guest that is asked lets go of its controllers; the worker then answers. */
#define ASK_MS 5000
#define CLOSE_MS 3000

/* A guest can make us look as often as it writes a node of its own: it may cost
 * this host so much of its time and no more. */
#define LOOKS_MAX 100
#define LOOKS_MS 1000
#define PACE_MS 20

/* Lines about one controller. */
#define LINES_MAX 20
#define LINES_MS 60000

/* --- the socket ----------------------------------------------------------- */

static int take_port_message(struct xlx__usbd_broker *b, struct hc *hc,
                             const struct xlx__usbd_message *m)
{
    if (!m->port || m->port > XLX__USBD_PORTS_MAX) {
        xlx__broker_say(b, hc, 0, "the worker names port %u", m->port);
        return 0;
    }
    switch (m->kind) {
    case XLX__USBD_UNPLUGGED:
        return xlx__broker_unplugged(b, hc, m->port);
    case XLX__USBD_GONE:
        return xlx__broker_gone(b, hc, m->port);
    case XLX__USBD_CONFIGURE:
        return xlx__broker_configure(b, hc, m->port, m->value);
    case XLX__USBD_CONFIGURED:
        return xlx__broker_configured(b, hc, m->port);
    }
    xlx__broker_say(b, hc, 0, "the worker sends a message of kind %u", m->kind);
    return 0;
}

static int take_message(struct xlx__usbd_broker *b,
                        const struct xlx__usbd_message *m)
{
    struct hc *hc = xlx__broker_find_hc(b, m->devid);
    /* One that is not ours has no line of its own, lest it has many. */
    if (!hc)
        return 0;
    if (m->kind == XLX__USBD_OPENED)
        return xlx__broker_opened(b, hc, m->error);
    if (m->kind == XLX__USBD_CLOSED)
        return xlx__broker_closed(b, hc);
    return take_port_message(b, hc, m);
}

static int take_messages(struct xlx__usbd_broker *b)
{
    struct xlx__usbd_message m;
    int rc, fd;
    while ((rc = xlx__usbd_receive(b->sock, &m, &fd)) > 0) {
        if (fd >= 0) /* it has none to give */
            close(fd);
        b->again = true;
        rc = take_message(b, &m);
        if (rc)
            return rc;
    }
    return rc && rc != -EPIPE ? xlx__fail_errno(b->ctx, -rc,
                                                "domain %u: USB backend: its "
                                                "worker",
                                                b->domid)
                              : rc;
}

/* --- controllers ---------------------------------------------------------- */

struct hc *xlx__broker_find_hc(struct xlx__usbd_broker *b, uint32_t devid)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        if (b->hc[i].used && b->hc[i].devid == devid)
            return &b->hc[i];
    return NULL;
}

struct hc *xlx__broker_make_hc(struct xlx__usbd_broker *b, uint32_t devid)
{
    struct hc *hc = xlx__broker_find_hc(b, devid);
    for (unsigned i = 0; !hc && i < XLX__USBD_HC_MAX; i++)
        if (!b->hc[i].used) {
            hc = &b->hc[i];
            *hc = (struct hc){ .used = true,
                               .devid = devid,
                               .lines = { .max = LINES_MAX, .ms = LINES_MS } };
            for (unsigned p = 0; p < XLX__USBD_PORTS_MAX; p++)
                hc->port[p].claim.fd = -1;
        }
    return hc;
}

/* Those beyond are left as they were made, so that the toolstack's wait ends in
 * its own way. */
static void say_too_many(struct xlx__usbd_broker *b)
{
    if (!b->said_too_many)
        xlx__warn(b->ctx,
                  "domain %u: more than %u controllers: the others are "
                  "not served",
                  b->domid, XLX__USBD_HC_MAX);
    b->said_too_many = true;
}

static int list_hcs(struct xlx__usbd_broker *b)
{
    uint32_t devids[XLX__USBD_HC_MAX];
    bool more;
    int nr = xlx__usbd_bus_list(&b->bus, devids, &more);
    if (nr < 0)
        return nr;
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        b->hc[i].there = false;
    for (int i = 0; i < nr; i++) {
        struct hc *hc = xlx__broker_make_hc(b, devids[i]);
        if (hc)
            hc->there = true;
        more |= !hc;
    }
    if (more)
        say_too_many(b);
    return 0;
}

static int look_once(struct xlx__usbd_broker *b)
{
    b->again = b->blocked = false;
    int rc = list_hcs(b);
    for (unsigned i = 0; !rc && i < XLX__USBD_HC_MAX; i++)
        if (b->hc[i].used)
            rc = xlx__broker_look_hc(b, &b->hc[i]);
    return rc;
}

/* --- its end -------------------------------------------------------------- */

static bool is_idle(const struct xlx__usbd_broker *b)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        if (b->hc[i].used && b->hc[i].state != HC_IDLE)
            return false;
    return true;
}

/* Each once, whatever fails before it. */
static int release_all(struct xlx__usbd_broker *b)
{
    int failed = 0;
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        for (uint32_t nr = 1; nr <= XLX__USBD_PORTS_MAX; nr++) {
            int rc =
                b->hc[i].used ? xlx__broker_release_port(b, &b->hc[i], nr) : 0;
            failed = failed ? failed : rc;
        }
    return failed;
}

/* What the library wrote down for a guest that is no more, also of devices that
 * never came to us. */
static int restore_all(struct xlx__usbd_broker *b)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int failed = xlx__usbdev_remembered(b->ctx, b->domid, &busids);
    for (size_t i = 0; i < busids.nr; i++) {
        int rc = xlx__usbdev_restore(b->ctx, busids.v[i],
                                     xlx__now_ms() + XLX__END_MS);
        if (!rc)
            rc = xlx__usbdev_forget(b->ctx, busids.v[i]);
        failed = failed ? failed : rc;
    }
    return failed;
}

static int finish_broker(struct xlx__usbd_broker *b)
{
    int failed = release_all(b), rc = 0;
    if (b->guest_gone) {
        rc = restore_all(b);
        failed = failed ? failed : rc;
        rc = xlx__usbd_bus_remove(&b->bus);
        failed = failed ? failed : rc;
    }
    rc = xlx__usbd_bus_unannounce(&b->bus);
    failed = failed ? failed : rc;
    if (failed)
        return failed;
    return b->guest_gone ? XLX__USBD_GUEST_GONE : XLX__USBD_ASKED;
}

void xlx__usbd_broker_ask(struct xlx__usbd_broker *b)
{
    if (b->ending != GOING_ON)
        return;
    b->ending = ASKED;
    b->until = xlx__now_ms() + ASK_MS;
    b->again = true;
}

static void close_all(struct xlx__usbd_broker *b)
{
    b->ending = CLOSING;
    b->until = xlx__now_ms() + CLOSE_MS;
    b->again = true;
}

/* 0: it continues. */
static int end_if_due(struct xlx__usbd_broker *b)
{
    if (b->ending == GOING_ON || (is_idle(b) && !b->again))
        return b->ending == GOING_ON ? 0 : finish_broker(b);
    if (xlx__now_ms() < b->until)
        return 0;
    if (b->ending == CLOSING) {
        xlx__warn(b->ctx,
                  "domain %u: USB backend: its worker does not close "
                  "its controllers",
                  b->domid);
        return finish_broker(b);
    }
    close_all(b);
    return 0;
}

static int look_alive(struct xlx__usbd_broker *b)
{
    int rc = xlx__dom_alive(b->ctx, b->domid);
    if (rc || b->guest_gone)
        return rc < 0 ? rc : 0;
    b->guest_gone = true;
    close_all(b);
    return 0;
}

/* --- the loop ------------------------------------------------------------- */

static bool may_look(struct xlx__usbd_broker *b)
{
    unsigned missed;
    return b->ending != GOING_ON ||
           xlx__usbd_rate_take(&b->looks, xlx__now_ms(), &missed);
}

static int look_at_world(struct xlx__usbd_broker *b)
{
    int rc = look_alive(b);
    return rc ? rc : look_once(b);
}

int xlx__usbd_broker_step(struct xlx__usbd_broker *b)
{
    struct xlx__xs *xs = b->ctx->xs;
    for (;;) {
        int rc = take_messages(b), news = rc ? 0 : xs->ops->wait(xs, 0);
        if (news < 0)
            rc = xlx__fail_errno(b->ctx, -news,
                                 "xenstore: cannot wait for "
                                 "changes");
        if (rc)
            return rc;
        b->again |= news > 0;
        if (!b->again && !b->blocked)
            return end_if_due(b);
        if (!may_look(b))
            return 0;
        rc = look_at_world(b);
        if (!rc && !b->again)
            rc = end_if_due(b);
        if (rc || (!b->again && b->blocked))
            return rc;
    }
}

static int wait_ms(const struct xlx__usbd_broker *b)
{
    if (b->again)
        return PACE_MS;
    return b->ending == GOING_ON ? -1 : xlx__ms_left(b->until, CLOSE_MS);
}

static void wait_for_news(struct xlx__usbd_broker *b, int signals)
{
    struct xlx__xs *xs = b->ctx->xs;
    struct pollfd fds[] = {
        { .fd = b->again ? -1 : xs->ops->fd(xs), .events = POLLIN },
        { .fd = b->sock,
          .events = (short)(POLLIN | (b->blocked ? POLLOUT : 0)) },
        { .fd = signals, .events = POLLIN },
    };
    if (poll(fds, 3, wait_ms(b)) > 0 && fds[2].revents)
        xlx__usbd_broker_ask(b);
}

int xlx__usbd_broker_run(struct xlx__usbd_broker *b, int signals)
{
    int rc;
    while (!(rc = xlx__usbd_broker_step(b)))
        wait_for_news(b, b->ending == GOING_ON ? signals : -1);
    return rc;
}

/* --- its beginning -------------------------------------------------------- */

static int recall(void *arg, uint32_t devid, uint32_t port,
                  const struct xlx__usbd_status *s)
{
    struct hc *hc = xlx__broker_make_hc(arg, devid);
    if (hc)
        xlx__broker_recall_port(hc, port, s);
    return 0;
}

int xlx__usbd_broker_start(struct xlx__usbd_broker *b)
{
    int rc = xlx__usbd_bus_open(b->ctx, b->domid, &b->bus);
    if (!rc)
        rc = xlx__usbd_bus_watch(&b->bus);
    if (!rc)
        rc = xlx__usbd_status_each(b->ctx, b->domid, recall, b);
    if (!rc)
        rc = xlx__dom_alive(b->ctx, b->domid);
    if (rc > 0)
        rc = xlx__usbd_bus_announce(&b->bus);
    b->again = true;
    return rc;
}

int xlx__usbd_broker_new(xlx_ctx *ctx, uint32_t domid, int sock,
                         struct xlx__usbd_devices *devices,
                         struct xlx__usbd_broker **b_r)
{
    struct xlx__usbd_broker *b = calloc(1, sizeof(*b));
    if (!b) {
        devices->seam.close(&devices->seam);
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    }
    b->ctx = ctx;
    b->domid = domid;
    b->sock = sock;
    b->devices = devices;
    b->looks = (struct xlx__usbd_rate){ .max = LOOKS_MAX, .ms = LOOKS_MS };
    *b_r = b;
    return 0;
}

void xlx__usbd_broker_free(struct xlx__usbd_broker *b)
{
    if (!b)
        return;
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        for (uint32_t p = 0; b->hc[i].used && p < XLX__USBD_PORTS_MAX; p++)
            b->devices->ops->drop(b->devices, &b->hc[i].port[p].claim);
    b->devices->seam.close(&b->devices->seam);
    free(b);
}

/* --- without a worker ----------------------------------------------------- */

static int empty_ports(struct xlx__usbd_broker *b, struct hc *hc)
{
    char busid[XLX_USB_BUSID_MAX];
    int rc = 0;
    for (uint32_t nr = 1; rc >= 0 && nr <= XLX__USBD_PORTS_MAX; nr++) {
        if (hc->port[nr - 1].state != PORT_HELD)
            continue;
        memcpy(busid, hc->port[nr - 1].busid, sizeof(busid));
        rc = xlx__broker_release_port(b, hc, nr);
        if (!rc)
            rc = xlx__usbd_bus_empty_port(&b->bus, hc->devid, nr, busid);
        if (rc >= 0)
            rc = xlx__usbdev_forget(b->ctx, busid);
    }
    return rc < 0 ? rc : 0;
}

static int give_up(struct xlx__usbd_broker *b)
{
    int rc = xlx__usbd_bus_open(b->ctx, b->domid, &b->bus);
    if (!rc)
        rc = xlx__usbd_status_each(b->ctx, b->domid, recall, b);
    int failed = rc ? rc : list_hcs(b);
    b->ending = CLOSING;
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++) {
        struct hc *hc = &b->hc[i];
        rc = hc->used ? empty_ports(b, hc) : 0;
        failed = failed ? failed : rc;
        rc = hc->used ? xlx__broker_look_hc(b, hc) : 0;
        failed = failed ? failed : rc;
    }
    rc = xlx__usbd_bus_unannounce(&b->bus);
    return failed ? failed : rc;
}

int xlx__usbd_broker_give_up(xlx_ctx *ctx, uint32_t domid,
                             struct xlx__usbd_devices *devices)
{
    struct xlx__usbd_broker *b;
    int rc = xlx__usbd_broker_new(ctx, domid, -1, devices, &b);
    if (rc)
        return rc;
    rc = give_up(b);
    xlx__usbd_broker_free(b);
    return rc;
}
