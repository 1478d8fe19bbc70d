/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A controller's life, after the states of its two ends (docs/usb.md). What an
 * earlier broker was in the midst of is found by the same look at them.
 */
#include <string.h>

#include "usbd/broker_impl.h"

static bool is_connected(uint32_t fe)
{
    return fe == XLX__STATE_INITIALISED || fe == XLX__STATE_CONNECTED;
}

/* Another one was faster: its change is news, and looked at. */
static int set_state(struct xlx__usbd_broker *b, const struct hc *hc,
                     uint32_t from, uint32_t to)
{
    int rc = xlx__usbd_bus_set_state(&b->bus, hc->devid, from, to);
    b->again = true;
    return rc == -EAGAIN ? 0 : rc;
}

/* By way of Closing, where it is not closed: the guest's end follows that. */
static int close_end(struct xlx__usbd_broker *b, const struct hc *hc,
                     uint32_t be)
{
    int rc = 0;
    if (be == XLX__STATE_CLOSED)
        return 0;
    if (be != XLX__STATE_CLOSING)
        rc = set_state(b, hc, be, XLX__STATE_CLOSING);
    return rc ? rc : set_state(b, hc, XLX__STATE_CLOSING, XLX__STATE_CLOSED);
}

static int send_open(struct xlx__usbd_broker *b, struct hc *hc,
                     const struct xlx__usbd_ends *ends)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_OPEN, .devid = hc->devid };
    const char *node;
    if (!xlx__broker_can_send(b))
        return 0;
    int rc = xlx__usbd_bus_rings(&b->bus, hc->devid, &m, &node);
    if (rc == -EINVAL) {
        xlx__broker_say(b, hc, 0, "%s in xenstore is missing or malformed",
                        node);
        return close_end(b, hc, ends->be);
    }
    if (rc)
        return rc;
    hc->nr_ports = m.hc.nr_ports;
    hc->state = HC_OPENING;
    return xlx__broker_send(b, &m, -1);
}

static int send_close(struct xlx__usbd_broker *b, struct hc *hc)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_CLOSE,
                                   .devid = hc->devid };
    if (!xlx__broker_can_send(b))
        return 0;
    hc->state = HC_CLOSING;
    return xlx__broker_send(b, &m, -1);
}

/* --- not open ------------------------------------------------------------- */

/*
 * A controller that the toolstack is closing, with a guest that has not
 * followed yet, is opened too: the guest cancels what is in flight before it
 * closes, and needs the answers.
 */
static int look_idle(struct xlx__usbd_broker *b, struct hc *hc,
                     const struct xlx__usbd_ends *e)
{
    switch (e->be) {
    case XLX__STATE_INITIALISING:
        return set_state(b, hc, e->be, XLX__STATE_INIT_WAIT);
    case XLX__STATE_INIT_WAIT:
    case XLX__STATE_INITIALISED:
        if (is_connected(e->fe))
            return send_open(b, hc, e);
        return e->fe == XLX__STATE_CLOSING || e->fe == XLX__STATE_CLOSED
                   ? set_state(b, hc, e->be, e->fe)
                   : 0;
    case XLX__STATE_CONNECTED:
        if (is_connected(e->fe))
            return send_open(b, hc, e);
        return set_state(b, hc, e->be,
                         e->fe == XLX__STATE_CLOSING ? XLX__STATE_CLOSING
                                                     : XLX__STATE_CLOSED);
    case XLX__STATE_CLOSING:
        if (is_connected(e->fe))
            return send_open(b, hc, e);
        return e->fe == XLX__STATE_CLOSING
                   ? 0
                   : set_state(b, hc, e->be, XLX__STATE_CLOSED);
    case XLX__STATE_CLOSED:
        return e->fe == XLX__STATE_INITIALISING && e->online
                   ? set_state(b, hc, e->be, XLX__STATE_INIT_WAIT)
                   : 0;
    default:
        return 0;
    }
}

/* At an end: what is open for the guest and not for the worker. */
static int end_idle(struct xlx__usbd_broker *b, struct hc *hc,
                    const struct xlx__usbd_ends *e)
{
    bool ours = e->be == XLX__STATE_CONNECTED || e->be == XLX__STATE_CLOSING;
    return ours && !b->guest_gone ? close_end(b, hc, e->be) : 0;
}

/* --- open ----------------------------------------------------------------- */

static int look_open(struct xlx__usbd_broker *b, struct hc *hc,
                     const struct xlx__usbd_ends *e)
{
    bool serving = e->be >= XLX__STATE_INIT_WAIT && e->be <= XLX__STATE_CLOSING;
    if (!serving || !is_connected(e->fe) || b->ending == CLOSING)
        return send_close(b, hc);
    if (e->be == XLX__STATE_CLOSING)
        return 0;
    if (b->ending == ASKED)
        return set_state(b, hc, e->be, XLX__STATE_CLOSING);
    return e->be == XLX__STATE_CONNECTED
               ? 0
               : set_state(b, hc, e->be, XLX__STATE_CONNECTED);
}

/* What an earlier worker had is there again, or does not come. */
static int settle(struct xlx__usbd_broker *b, struct hc *hc)
{
    struct xlx__usbd_message m = { .kind = XLX__USBD_SETTLED,
                                   .devid = hc->devid };
    if (hc->settled || b->blocked || !xlx__broker_can_send(b))
        return 0;
    hc->settled = true;
    return xlx__broker_send(b, &m, -1);
}

static int look_ports(struct xlx__usbd_broker *b, struct hc *hc, uint32_t be)
{
    bool plug = hc->state == HC_OPEN && be == XLX__STATE_CONNECTED &&
                b->ending == GOING_ON;
    int rc = 0;
    for (uint32_t nr = 1; !rc && nr <= XLX__USBD_PORTS_MAX; nr++)
        rc = xlx__broker_look_port(b, hc, nr, plug);
    return !rc && hc->state == HC_OPEN ? settle(b, hc) : rc;
}

static bool has_anything(const struct hc *hc)
{
    for (uint32_t i = 0; i < XLX__USBD_PORTS_MAX; i++)
        if (hc->port[i].state != PORT_EMPTY)
            return true;
    return hc->state != HC_IDLE;
}

int xlx__broker_look_hc(struct xlx__usbd_broker *b, struct hc *hc)
{
    struct xlx__usbd_ends ends = { 0 };
    int rc = hc->there ? xlx__usbd_bus_ends(&b->bus, hc->devid, &ends) : 0;
    if (!rc && hc->state == HC_OPEN)
        rc = look_open(b, hc, &ends);
    else if (!rc && hc->state == HC_IDLE)
        rc = b->ending == GOING_ON ? look_idle(b, hc, &ends)
                                   : end_idle(b, hc, &ends);
    if (!rc)
        rc = look_ports(b, hc, ends.be);
    if (!rc && !hc->there && !has_anything(hc))
        hc->used = false;
    return rc;
}

/* --- the worker's answers ------------------------------------------------- */

static int refuse_controller(struct xlx__usbd_broker *b, struct hc *hc,
                             int error)
{
    struct xlx__usbd_ends ends;
    hc->state = HC_IDLE;
    xlx__broker_say(b, hc, 0, "cannot be served: %s", strerror(-error));
    int rc = xlx__usbd_bus_ends(&b->bus, hc->devid, &ends);
    return rc ? rc : close_end(b, hc, ends.be);
}

static int try_failed_ports_again(struct xlx__usbd_broker *b, struct hc *hc)
{
    int rc = 0;
    for (uint32_t nr = 1; !rc && nr <= XLX__USBD_PORTS_MAX; nr++)
        if (hc->port[nr - 1].state == PORT_FAILED)
            rc = xlx__broker_release_port(b, hc, nr);
    return rc;
}

int xlx__broker_opened(struct xlx__usbd_broker *b, struct hc *hc, int error)
{
    if (hc->state != HC_OPENING || error > 0) {
        xlx__broker_say(b, hc, 0,
                        "the worker opened the controller without "
                        "being told to");
        return 0;
    }
    if (error)
        return refuse_controller(b, hc, error);
    hc->state = HC_OPEN;
    hc->settled = false;
    return try_failed_ports_again(b, hc);
}

int xlx__broker_closed(struct xlx__usbd_broker *b, struct hc *hc)
{
    int rc = 0;
    if (hc->state != HC_CLOSING) {
        xlx__broker_say(b, hc, 0,
                        "the worker closed the controller without "
                        "being told to");
        return 0;
    }
    hc->state = HC_IDLE;
    for (uint32_t nr = 1; !rc && nr <= XLX__USBD_PORTS_MAX; nr++)
        rc = xlx__broker_port_closed(b, hc, nr);
    return rc;
}
