/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usbd_hostile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/usbif.h>

#include "fakes/usbd_pair.h"

#define URBS __CONST_RING_SIZE(usbif_urb, 4096)
#define DATA 10u

struct run {
    struct usbd_pair *w;
    uint64_t random;
    struct usbd_hostile done;
};

/* xorshift64 */
static uint32_t any(struct run *r, uint32_t below)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (uint32_t)(r->random >> 16) % below;
}

static bool rarely(struct run *r, uint32_t of)
{
    return !any(r, of);
}

static void scribble(struct run *r, void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)any(r, 256);
}

/* --- the guest ------------------------------------------------------------ */

static struct usbif_urb_sring *ring(struct run *r)
{
    return (struct usbif_urb_sring *)r->w->page[WORLD_URB_REF];
}

static void make_segments(struct run *r, struct usbif_urb_request *req)
{
    req->nr_buffer_segs = (uint16_t)any(r, rarely(r, 50) ? 65536 : 17);
    for (unsigned i = 0; i < USBIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        uint32_t offset = any(r, 4096);
        req->seg[i] = (struct usbif_request_segment){
            .gref = rarely(r, 500) ? any(r, UINT32_MAX) : DATA + any(r, 20),
            .offset = (uint16_t)(rarely(r, 500) ? any(r, 65536) : offset),
            .length = (uint16_t)(rarely(r, 500) ? any(r, 65536)
                                                : 1 + any(r, 4096 - offset)),
        };
    }
    if (rarely(r, 10))
        return;
    uint32_t sum = 0;
    for (unsigned i = 0; i < req->nr_buffer_segs && i < 16; i++)
        sum += req->seg[i].length;
    req->buffer_length = (uint16_t)sum;
}

static void make_frames(struct run *r, struct usbif_urb_request *req)
{
    struct xlx__usbd_frame *frames = (void *)r->w->page[DATA + 30];
    uint32_t nr = 1 + any(r, 130), segs = req->nr_buffer_segs;
    req->u.isoc.number_of_packets = (uint16_t)nr;
    req->u.isoc.nr_frame_desc_segs = 1;
    for (uint32_t i = 0; i < nr; i++)
        frames[i] = (struct xlx__usbd_frame){
            i * 64 + (rarely(r, 500) ? any(r, UINT32_MAX) : 0),
            rarely(r, 500) ? any(r, UINT32_MAX) : 1 + any(r, 64),
            any(r, UINT32_MAX), 0
        };
    if (segs < USBIF_MAX_SEGMENTS_PER_REQUEST)
        req->seg[segs] = (struct usbif_request_segment){ DATA + 30, 0, 4096 };
}

/* Mostly one that might be right, so that it gets further than the first
 * check. */
static void make_request(struct run *r, struct usbif_urb_request *req)
{
    uint32_t type = any(r, 4);
    scribble(r, req, sizeof(*req));
    if (rarely(r, 10))
        return;
    req->id = (uint16_t)any(r, 20);
    req->pipe = (1 + any(r, WORLD_PORTS)) | any(r, 2) * USBIF_PIPE_DIR |
                (rarely(r, 8) ? any(r, 3) : 9) << USBIF_PIPE_DEV_SHIFT |
                (type == USBIF_PIPE_TYPE_CTRL ? 0 : 1 + any(r, 2))
                    << USBIF_PIPE_EP_SHIFT |
                type << USBIF_PIPE_TYPE_SHIFT |
                (rarely(r, 8) ? USBIF_PIPE_UNLINK : 0);
    make_segments(r, req);
    if (usbif_pipeunlink(req->pipe)) {
        req->u.unlink.unlink_id = (uint16_t)any(r, 20);
    } else if (type == USBIF_PIPE_TYPE_CTRL) {
        req->u.ctrl[0] &= rarely(r, 2) ? 0x83 : 0xff;
        req->u.ctrl[1] = (uint8_t)any(r, 14);
        req->u.ctrl[7] &= 1;
    } else if (type == USBIF_PIPE_TYPE_ISOC) {
        make_frames(r, req);
    }
}

static void send_requests(struct run *r)
{
    struct usbif_urb_sring *sring = ring(r);
    for (uint32_t nr = 1 + any(r, URBS); nr; nr--) {
        struct usbif_urb_request req;
        if (sring->req_prod - sring->rsp_prod >= URBS)
            break;
        make_request(r, &req);
        memcpy(&sring->ring[sring->req_prod % URBS].req, &req, sizeof(req));
        sring->req_prod++;
        r->done.requests++;
    }
}

/* A device with an address, which most of what is sent is for. */
static void give_address(struct run *r)
{
    for (unsigned i = 0; i < XLX__USBD_HC_MAX; i++)
        for (uint32_t p = 0; r->w->usbd.hc[i] && p < WORLD_PORTS; p++)
            if (r->w->usbd.hc[i]->port[p].dev >= 0)
                r->w->usbd.hc[i]->port[p].state->address = 9;
}

/* --- devices -------------------------------------------------------------- */

static void end_transfers(struct run *r)
{
    static const int errors[] = { 0,      0,       0,          0,
                                  -EPIPE, -EPROTO, -EOVERFLOW, -ENOENT };
    int n = (int)any(r, WORLD_DEVS);
    while (r->w->dev[n].nr_pending && !rarely(r, 4)) {
        struct usbdevfs_urb *urb = r->w->dev[n].pending[0];
        int length = urb->buffer_length;
        if (urb->type == USBDEVFS_URB_TYPE_CONTROL)
            length -= 8;
        for (int i = 0;
             urb->type == USBDEVFS_URB_TYPE_ISO && i < urb->number_of_packets;
             i++) {
            urb->iso_frame_desc[i].actual_length = any(r, 200);
            urb->iso_frame_desc[i].status = any(r, 2) ? 0 : (unsigned)-EXDEV;
        }
        usbd_dev_complete(r->w, n, errors[any(r, 8)],
                          length > 0 ? (int)any(r, (uint32_t)length + 1) : 0);
    }
}

static int free_device(struct run *r)
{
    for (int i = 0; i < WORLD_DEVS; i++)
        if (!r->w->dev[i].open)
            return i;
    return -1;
}

static void plug_or_pull(struct run *r)
{
    uint32_t port = 1 + any(r, WORLD_PORTS);
    int n = (int)any(r, WORLD_DEVS);
    if (rarely(r, 2) && r->w->dev[n].open)
        usbd_dev_pull(r->w, n);
    if (rarely(r, 2))
        usbd_pair_unplug(r->w, port);
    n = free_device(r);
    if (n < 0)
        return;
    r->w->dev[n].gone = false;
    usbd_pair_plug(r->w, port, n, 1 + any(r, 3), any(r, 2));
    r->done.plugs++;
}

/* --- all of it ------------------------------------------------------------ */

static void hear(struct run *r)
{
    while (usbd_pair_said(r->w, NULL))
        ;
}

static void open_anew(struct run *r)
{
    memset(r->w->page[WORLD_URB_REF], 0, 4096);
    memset(r->w->page[WORLD_CONN_REF], 0, 4096);
    usbd_guest_post_conn(r->w, 64);
    usbd_pair_open(r->w);
}

static void kill_worker(struct run *r)
{
    r->done.kills++;
    usbd_pair_kill(r->w);
    if (usbd_pair_open(r->w))
        open_anew(r);
    for (uint32_t port = 1; port <= WORLD_PORTS; port++)
        usbd_pair_unplug(r->w, port);
}

static struct xlx__usbd_hc *the_hc(struct run *r)
{
    return r->w->usbd.hc[0];
}

static void serve(struct run *r)
{
    struct xlx__usbd_hc *hc = the_hc(r);
    uint32_t before = ring(r)->rsp_prod;
    for (uint32_t p = 0; p < WORLD_PORTS; p++)
        if (hc->port[p].dev >= 0)
            xlx__usbd_port_reap(&hc->port[p]);
    xlx__usbd_hc_serve(hc);
    uint32_t given = ring(r)->rsp_prod - before;
    /* A guest may move that index, too. */
    r->done.answers += given <= 2 * URBS ? given : 0;
}

static void misbehave(struct run *r)
{
    if (rarely(r, 20))
        r->w->revoked[DATA + any(r, 20)] = rarely(r, 20);
    if (rarely(r, 100))
        usbd_guest_post_conn(r->w, any(r, 4));
    if (rarely(r, 4000))
        ring(r)->req_prod += any(r, UINT32_MAX);
    if (rarely(r, 4000))
        ring(r)->rsp_prod += any(r, 3);
    if (rarely(r, 4000))
        scribble(r, r->w->page[WORLD_CONN_REF], 64);
}

static void renew(struct run *r)
{
    if (!the_hc(r)->broken && !rarely(r, 5000))
        return;
    r->done.broken += the_hc(r)->broken;
    usbd_pair_close(r->w);
    hear(r);
    open_anew(r);
}

static void step(struct run *r)
{
    misbehave(r);
    if (!the_hc(r)->broken)
        send_requests(r);
    if (rarely(r, 50))
        plug_or_pull(r);
    if (rarely(r, 2))
        give_address(r);
    serve(r);
    end_transfers(r);
    hear(r);
    if (rarely(r, 2000))
        kill_worker(r);
    renew(r);
    /* It would not be written, and no test waits a minute. */
    r->w->usbd.log_lines = 1000;
    r->w->usbd.log_from = xlx__usbd_now_us();
}

void usbd_hostile_run(uint64_t seed, uint64_t requests,
                      struct usbd_hostile *done_r)
{
    struct run r = { .w = usbd_pair_new(), .random = seed | 1 };
    usbd_pair_open(r.w);
    while (r.done.requests < requests)
        step(&r);
    for (int i = 0; i < WORLD_DEVS; i++)
        r.done.submitted += r.w->dev[i].submits;
    usbd_pair_free(r.w);
    *done_r = r.done;
}
