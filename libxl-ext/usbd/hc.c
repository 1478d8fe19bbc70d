/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "usbd/serve.h"

/* --- requests ------------------------------------------------------------- */

/* After one that was killed, until each device that the guest knows is there
 * again, or is known to be gone. */
static bool is_coming_back(const struct xlx__usbd_hc *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (hc->port[i].awaited)
            return true;
    return false;
}

static void start_request(struct xlx__usbd_hc *hc, uint32_t slot)
{
    const struct xlx__front_request *req = &hc->urb[slot].req;
    if (req->unlink) {
        xlx__usbd_urb_unlink(hc, slot);
        return;
    }
    if (req->port < 1 || req->port > hc->nr_ports) {
        xlx__usbd_answer_status(hc, slot, XLX__FRONT_NODEV);
        return;
    }
    struct xlx__usbd_port *port = &hc->port[req->port - 1];
    int32_t status = xlx__usbd_port_address(port, req->address);
    if (status)
        xlx__usbd_answer_status(hc, slot, status);
    else
        xlx__usbd_urb_start(port, slot);
}

void xlx__usbd_hc_serve(struct xlx__usbd_hc *hc)
{
    unsigned slot;
    struct xlx__front_request req;
    /* Its requests wait, rather than fail. */
    int rc = !is_coming_back(hc);
    hc->more = false;
    /* A guest that always has one more does not keep others waiting. */
    for (uint32_t i = 0; rc == 1 && i < xlx__front_size() && !hc->broken; i++) {
        rc = xlx__front_next(hc->urb_page, &hc->state->ring, &req, &slot);
        if (rc < 0)
            xlx__usbd_hc_break_off(hc);
        if (rc == 1) {
            hc->urb[slot].req = req;
            start_request(hc, slot);
        }
    }
    hc->more = rc == 1 && !hc->broken;
    xlx__usbd_hc_tell(hc);
}

void xlx__usbd_hc_reap(struct xlx__usbd_hc *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (hc->port[i].fresh) {
            hc->port[i].fresh = false;
            xlx__usbd_port_reap(&hc->port[i]);
        }
    xlx__usbd_hc_tell(hc);
}

void xlx__usbd_hc_settle(struct xlx__usbd_hc *hc)
{
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        if (hc->port[i].awaited)
            xlx__usbd_port_unplug(&hc->port[i]);
    xlx__usbd_hc_serve(hc);
}

/* --- open and close ------------------------------------------------------- */

static bool is_same(const struct xlx__usbd_hc_state *state,
                    const struct xlx__usbd_message *m)
{
    return state->urb_ref == m->hc.urb_ref &&
           state->conn_ref == m->hc.conn_ref && state->evtchn == m->hc.evtchn;
}

static bool is_open(const struct xlx__usbd *d,
                    const struct xlx__usbd_hc_state *state)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        if (d->hc[i] && d->hc[i]->state == state)
            return true;
    return false;
}

/* What a guest left that had this domid before is room, too. */
static struct xlx__usbd_hc_state *find_room(struct xlx__usbd *d,
                                            const struct xlx__usbd_message *m)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++) {
        struct xlx__usbd_hc_state *state = &d->state->hc[i];
        if (!is_open(d, state) && !xlx__usbd_state_is_of(state, m->hc.guest))
            return state;
    }
    return NULL;
}

/* The controller's state, as it was when the rings are the same, or a new one.
 */
static struct xlx__usbd_hc_state *take_state(struct xlx__usbd *d,
                                             const struct xlx__usbd_message *m)
{
    struct xlx__usbd_hc_state *state =
        xlx__usbd_state_find(d->state, m->hc.guest, m->devid);
    if (state && is_same(state, m))
        return state;
    if (!state)
        state = find_room(d, m);
    if (!state)
        return NULL;
    memset(state, 0, sizeof(*state));
    memcpy(state->guest, m->hc.guest, sizeof(state->guest));
    state->devid = m->devid;
    state->urb_ref = m->hc.urb_ref;
    state->conn_ref = m->hc.conn_ref;
    state->evtchn = m->hc.evtchn;
    state->used = 1;
    return state;
}

/* What an earlier worker had begun fails, and not with SHUTDOWN: after that a
 * driver may not try again. */
static void fail_former(struct xlx__usbd_hc *hc)
{
    for (uint32_t i = 0; i < xlx__front_size(); i++)
        if (hc->state->ring.slot[i].taken)
            xlx__usbd_answer_status(hc, i, XLX__FRONT_IOERROR);
}

static int map_rings(struct xlx__usbd_hc *hc, const struct xlx__usbd_message *m)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    int rc = g->ops->map(g, m->hc.urb_ref, &hc->urb_page);
    if (!rc)
        rc = g->ops->map(g, m->hc.conn_ref, &hc->conn_page);
    if (!rc)
        rc = xlx__front_resume(hc->urb_page, &hc->state->ring);
    if (!rc)
        rc = g->ops->bind(g, m->hc.evtchn, &hc->evtchn);
    return rc;
}

static void unmap_rings(struct xlx__usbd_hc *hc)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    if (hc->evtchn)
        g->ops->unbind(g, hc->evtchn);
    if (hc->conn_page)
        g->ops->unmap(g, hc->conn_page);
    if (hc->urb_page)
        g->ops->unmap(g, hc->urb_page);
}

static void init(struct xlx__usbd_hc *hc, const struct xlx__usbd_message *m)
{
    hc->devid = m->devid;
    hc->nr_ports = m->hc.nr_ports;
    for (uint32_t i = 0; i < XLX__USBD_PORTS_MAX; i++)
        xlx__usbd_port_init(&hc->port[i], hc, i + 1);
    for (uint32_t i = 0; i < XLX__FRONT_SLOTS; i++)
        hc->urb[i].unlink_slot = XLX__USBD_NO_SLOT;
}

int xlx__usbd_hc_open(struct xlx__usbd *d, const struct xlx__usbd_message *m,
                      struct xlx__usbd_hc **hc_r)
{
    if (m->hc.nr_ports < 1 || m->hc.nr_ports > XLX__USBD_PORTS_MAX)
        return -EINVAL;
    struct xlx__usbd_hc *hc = calloc(1, sizeof(*hc));
    if (!hc)
        return -ENOMEM;
    hc->usbd = d;
    hc->state = take_state(d, m);
    int rc = hc->state ? map_rings(hc, m) : -ENOSPC;
    if (rc) {
        unmap_rings(hc);
        if (hc->state)
            hc->state->used = 0;
        free(hc);
        return rc;
    }
    init(hc, m);
    fail_former(hc);
    *hc_r = hc;
    return 0;
}

void xlx__usbd_hc_close(struct xlx__usbd_hc *hc)
{
    if (!hc)
        return;
    /* The guest may have taken its rings back. */
    hc->broken = true;
    for (uint32_t i = 0; i < hc->nr_ports; i++)
        xlx__usbd_port_unplug(&hc->port[i]);
    for (uint32_t i = 0; i < XLX__FRONT_SLOTS; i++)
        xlx__usbd_urb_free(&hc->urb[i]);
    unmap_rings(hc);
    hc->state->used = 0;
    free(hc);
}
