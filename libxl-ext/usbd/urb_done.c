/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/urb.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t slot_of(const struct xlx__usbd_hc *hc,
                        const struct xlx__usbd_urb *urb)
{
    return (uint32_t)(urb - hc->urb);
}

int32_t xlx__usbd_status(int error)
{
    switch (error) {
    case 0:
        return XLX__FRONT_OK;
    case EPIPE:
        return XLX__FRONT_STALL;
    case EOVERFLOW:
        return XLX__FRONT_BABBLE;
    case ENODEV:
        return XLX__FRONT_NODEV;
    case EINVAL:
        return XLX__FRONT_INVAL;
    case ENOENT: /* ended, by whom it may be */
    case ECONNRESET:
    case ESHUTDOWN:
        return XLX__FRONT_SHUTDOWN;
    default:
        return XLX__FRONT_IOERROR;
    }
}

static void count_time(const struct xlx__usbd_urb *urb)
{
    int64_t us = xlx__usbd_now_us() - urb->started;
    unsigned i = 0;
    while (i + 1 < XLX__USBD_LATENCIES && us >= (int64_t)16 << i)
        i++;
    urb->port->state->stats.latency[i]++;
}

static void count(struct xlx__usbd_urb *urb, const struct xlx__front_answer *a)
{
    struct xlx__usbd_stats *stats = &urb->port->state->stats;
    if (urb->started)
        count_time(urb);
    stats->errors += a->status != XLX__FRONT_OK;
    if (urb->req.in)
        stats->bytes_in += a->actual_length;
    else
        stats->bytes_out += a->actual_length;
}

static int deliver_done(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                        struct xlx__front_answer *answer)
{
    const struct usbdevfs_urb *kernel = urb->kernel;
    size_t n = kernel->actual_length > 0 ? (size_t)kernel->actual_length : 0;
    const uint8_t *from = urb->buffer;
    if (urb->req.type == XLX__FRONT_ISO) {
        answer->start_frame = (uint16_t)kernel->start_frame;
        answer->error_count = (uint32_t)kernel->error_count;
        answer->actual_length = (uint32_t)n;
        return xlx__urb_deliver_iso(hc, urb);
    }
    if (urb->req.type == XLX__FRONT_CONTROL)
        from += SETUP;
    if (n > urb->length)
        n = urb->length;
    answer->actual_length = (uint32_t)n;
    return xlx__urb_deliver(hc, urb, from, n);
}

static void finish_request(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
{
    struct xlx__front_answer answer = {
        .status = xlx__usbd_status(-urb->kernel->status),
    };
    uint32_t waiting = urb->unlink_slot;
    if (deliver_done(hc, urb, &answer))
        answer = (struct xlx__front_answer){ .status = XLX__FRONT_IOERROR };
    count(urb, &answer);
    urb->port->in_flight--;
    urb->port = NULL;
    urb->unlink_slot = XLX__USBD_NO_SLOT;
    xlx__usbd_answer(hc, slot_of(hc, urb), &answer);
    if (waiting != XLX__USBD_NO_SLOT)
        xlx__usbd_answer_status(hc, waiting, XLX__FRONT_OK);
}

void xlx__usbd_urb_done(struct xlx__usbd_hc *hc, struct usbdevfs_urb *kernel)
{
    finish_request(hc, kernel->usercontext);
}

/* --- their end ------------------------------------------------------------ */

/* A discard that finds it done is no failure: it is to be reaped in any case.
 */
void xlx__urb_discard(struct xlx__usbd_urb *urb)
{
    struct xlx__usbfs *fs = urb->port->hc->usbd->fs;
    fs->ops->discard(fs, urb->port->dev, urb->kernel);
}

static void abandon(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
{
    urb->kernel->status = -ESHUTDOWN;
    urb->kernel->actual_length = 0;
    for (uint32_t i = 0;
         i < urb->req.nr_packets && urb->req.type == XLX__FRONT_ISO; i++) {
        urb->kernel->iso_frame_desc[i].actual_length = 0;
        urb->kernel->iso_frame_desc[i].status = (unsigned)-ESHUTDOWN;
    }
    finish_request(hc, urb);
}

/* A discard returns when the transfer has ended, so each is there to be reaped;
 * what is not then, the device went with. */
void xlx__usbd_urb_end_all(struct xlx__usbd_port *port)
{
    struct xlx__usbd_hc *hc = port->hc;
    struct xlx__usbfs *fs = hc->usbd->fs;
    struct usbdevfs_urb *kernel;
    for (uint32_t i = 0; i < xlx__front_size(); i++)
        if (hc->urb[i].port == port)
            xlx__urb_discard(&hc->urb[i]);
    while (fs->ops->reap(fs, port->dev, &kernel) == 1)
        xlx__usbd_urb_done(hc, kernel);
    for (uint32_t i = 0; i < xlx__front_size(); i++)
        if (hc->urb[i].port == port)
            abandon(hc, &hc->urb[i]);
}

void xlx__usbd_urb_free(struct xlx__usbd_urb *urb)
{
    free(urb->buffer);
    free(urb->frames);
    free(urb->kernel);
}
