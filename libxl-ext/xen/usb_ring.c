/* SPDX-License-Identifier: LGPL-2.1-only */
#include "xen/usb_ring.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xen/io/usbif.h>

#include "xen/xenstore.h"

#define RING_PAGE 4096
#define RING_SIZE_HERE __CONST_RING_SIZE(usbif_urb, RING_PAGE)

_Static_assert(RING_SIZE_HERE <= XLX__RING_IDS, "ids fit");

uint32_t xlx__ring_told(const void *head)
{
    struct usbif_conn_sring sring;
    _Static_assert(offsetof(struct usbif_conn_sring, ring) <= XLX__RING_HEAD &&
                       sizeof(sring) <= RING_PAGE,
                   "the indices come first");
    memcpy(&sring, head, offsetof(struct usbif_conn_sring, ring));
    return sring.rsp_prod;
}

uint32_t xlx__ring_told_max(void)
{
    return __CONST_RING_SIZE(usbif_conn, RING_PAGE) / 2;
}

/* --- the protocol: pure --------------------------------------------------- */

int xlx__ring_start(const void *page, struct xlx__ring_pos *pos_r)
{
    const struct usbif_urb_sring *sring = page;
    struct xlx__ring_pos pos = {
        .req_cons = __atomic_load_n(&sring->req_prod, __ATOMIC_ACQUIRE),
        .rsp_prod = __atomic_load_n(&sring->rsp_prod, __ATOMIC_ACQUIRE),
    };
    if (pos.req_cons - pos.rsp_prod > RING_SIZE_HERE)
        return -EBADMSG;
    *pos_r = pos;
    return 0;
}

/* One answer to an id, unless that is known to have had its answer. A guest
 * that wants more answers than it has asked for is at fault. */
static int answer_id(struct usbif_urb_sring *sring, struct xlx__ring_pos *pos,
                     uint16_t id, int32_t status)
{
    if (id >= RING_SIZE_HERE)
        return -EBADMSG;
    if (pos->done[id])
        return 0;
    if (pos->rsp_prod == pos->req_cons)
        return -EBADMSG;
    const struct usbif_urb_response rsp = { .id = id, .status = status };
    memcpy(&sring->ring[pos->rsp_prod++ % RING_SIZE_HERE].rsp, &rsp,
           sizeof(rsp));
    pos->done[id] = true;
    return 1;
}

/* The request that came with an id is in flight, whatever was before. */
static int answer_request(struct usbif_urb_sring *sring,
                          struct xlx__ring_pos *pos)
{
    struct usbif_urb_request req;
    memcpy(&req, &sring->ring[pos->req_cons++ % RING_SIZE_HERE].req,
           sizeof(req));
    if (req.id >= RING_SIZE_HERE)
        return -EBADMSG;
    pos->done[req.id] = false;
    if (!usbif_pipeunlink(req.pipe))
        return answer_id(sring, pos, req.id, USBIF_STATUS_SHUTDOWN);
    /* The order a backend keeps: what was taken back, then the wish. */
    int rc = answer_id(sring, pos, req.u.unlink.unlink_id,
                       USBIF_STATUS_SHUTDOWN);
    return rc < 0 ? rc : answer_id(sring, pos, req.id, USBIF_STATUS_OK);
}

/*
 * Which requests the dead backend had taken, nobody knows: answers have
 * overwritten some. But with no more ids left than there are requests without
 * an answer, each of those ids is one: a full ring, which a guest cannot take
 * back anything from, for want of room.
 */
static bool knows_all(const struct usbif_urb_sring *sring,
                      const struct xlx__ring_pos *pos)
{
    uint32_t ids = 0, nr = pos->req_cons - pos->rsp_prod;
    for (uint32_t id = 0; id < RING_SIZE_HERE; id++)
        ids += !pos->done[id];
    /* A guest may number them otherwise. */
    for (uint32_t i = pos->rsp_prod; nr == ids && i != pos->req_cons; i++)
        if (sring->ring[i % RING_SIZE_HERE].req.id >= RING_SIZE_HERE)
            return false;
    return nr == ids;
}

static int answer_all(struct usbif_urb_sring *sring, struct xlx__ring_pos *pos)
{
    int rc = 0;
    for (uint16_t id = 0; rc >= 0 && id < RING_SIZE_HERE; id++)
        rc = answer_id(sring, pos, id, USBIF_STATUS_SHUTDOWN);
    return rc;
}

int xlx__ring_answer(void *page, struct xlx__ring_pos *pos)
{
    struct usbif_urb_sring *sring = page;
    uint32_t prod = __atomic_load_n(&sring->req_prod, __ATOMIC_ACQUIRE);
    uint32_t from = pos->rsp_prod;
    int rc = 0;
    if (prod - pos->req_cons > RING_SIZE_HERE)
        return -EBADMSG;
    while (rc >= 0 && pos->req_cons != prod)
        rc = answer_request(sring, pos);
    if (rc >= 0 && knows_all(sring, pos))
        rc = answer_all(sring, pos);
    sring->req_event = pos->req_cons + 1;
    __atomic_store_n(&sring->rsp_prod, pos->rsp_prod, __ATOMIC_RELEASE);
    return rc < 0 ? rc : (int)(pos->rsp_prod - from);
}

/* --- the real thing ------------------------------------------------------- */

struct xlx__ring {
    xengnttab_handle *gnttab;
    xenevtchn_handle *evtchn;
    xenevtchn_port_or_error_t port;
    void *page;
    struct xlx__ring_pos pos;
};

static int open_handles(struct xlx__ring *ring, uint32_t domid, uint32_t ref,
                        uint32_t port)
{
    ring->port = -1;
    ring->gnttab = xengnttab_open(NULL, 0);
    ring->evtchn = xenevtchn_open(NULL, 0);
    if (!ring->gnttab || !ring->evtchn)
        return -errno;
    ring->page = xengnttab_map_grant_ref(ring->gnttab, domid, ref,
                                         PROT_READ | PROT_WRITE);
    if (!ring->page)
        return -errno;
    ring->port = xenevtchn_bind_interdomain(ring->evtchn, domid, port);
    return ring->port < 0 ? -errno : xlx__ring_start(ring->page, &ring->pos);
}

int xlx__ring_open(uint32_t domid, uint32_t ref, uint32_t port,
                   struct xlx__ring **ring_r)
{
    struct xlx__ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    int rc = open_handles(ring, domid, ref, port);
    if (rc)
        xlx__ring_close(ring);
    else
        *ring_r = ring;
    return rc;
}

int xlx__ring_serve(struct xlx__ring *ring)
{
    int rc = xlx__ring_answer(ring->page, &ring->pos);
    if (rc > 0)
        xenevtchn_notify(ring->evtchn, (evtchn_port_t)ring->port);
    return rc;
}

void xlx__ring_close(struct xlx__ring *ring)
{
    if (!ring)
        return;
    if (ring->port >= 0)
        xenevtchn_unbind(ring->evtchn, (evtchn_port_t)ring->port);
    if (ring->page)
        xengnttab_unmap(ring->gnttab, ring->page, 1);
    if (ring->evtchn)
        xenevtchn_close(ring->evtchn);
    if (ring->gnttab)
        xengnttab_close(ring->gnttab);
    free(ring);
}
