/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/urb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define PAGE 4096u

/* The bytes that the segments have together, -EINVAL for one that does not lie
 * within its page. */
static ssize_t sum_segments(const struct xlx__segment *seg, uint32_t nr)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < nr; i++) {
        if (!seg[i].length || seg[i].offset + (uint32_t)seg[i].length > PAGE)
            return -EINVAL;
        sum += seg[i].length;
    }
    return (ssize_t)sum;
}

/* buffer_length has 16 bits: of all sixteen pages it says 0. */
int xlx__urb_measure(struct xlx__usbd_urb *urb)
{
    const struct xlx__front_request *req = &urb->req;
    ssize_t sum = sum_segments(req->seg, req->nr_segs);
    if (sum < 0)
        return (int)sum;
    urb->length = req->length;
    if (!req->length && sum == UINT16_MAX + 1)
        urb->length = (size_t)sum;
    return urb->length <= (size_t)sum ? 0 : -EINVAL;
}

int xlx__urb_make_room(struct xlx__usbd_urb *urb, size_t size,
                       uint32_t nr_packets)
{
    if (urb->capacity < size) {
        free(urb->buffer);
        urb->buffer = malloc(size);
        urb->capacity = urb->buffer ? size : 0;
    }
    if (!urb->kernel || urb->max_packets < nr_packets) {
        free(urb->kernel);
        urb->kernel =
            malloc(sizeof(*urb->kernel) +
                   nr_packets * sizeof(struct usbdevfs_iso_packet_desc));
        urb->max_packets = nr_packets;
    }
    return (size && !urb->buffer) || !urb->kernel ? -ENOMEM : 0;
}

int xlx__urb_fetch(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                   uint8_t *to)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    if (urb->req.in || !urb->length)
        return 0;
    return g->ops->copy_in(g, urb->req.seg, urb->req.nr_segs, to, urb->length);
}

int xlx__urb_deliver(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                     const uint8_t *from, size_t length)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    if (!urb->req.in || !length)
        return 0;
    return g->ops->copy_out(g, urb->req.seg, urb->req.nr_segs, from, length);
}

/* --- isochronous ---------------------------------------------------------- */

static size_t frames_size(const struct xlx__usbd_urb *urb)
{
    return urb->req.nr_packets * sizeof(*urb->frames);
}

static int fetch_frames(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
{
    const struct xlx__front_request *req = &urb->req;
    const struct xlx__segment *seg = req->seg + req->nr_segs;
    struct xlx__usb_guest *g = hc->usbd->guest;
    ssize_t sum = sum_segments(seg, req->nr_frame_segs);
    if (!req->nr_packets || req->nr_packets > XLX__USBD_ISO_PACKETS_MAX ||
        sum < (ssize_t)frames_size(urb))
        return -EINVAL;
    if (!urb->frames)
        urb->frames = malloc(XLX__USBD_ISO_PACKETS_MAX * sizeof(*urb->frames));
    if (!urb->frames)
        return -ENOMEM;
    int rc = g->ops->copy_in(g, seg, req->nr_frame_segs, urb->frames,
                             frames_size(urb));
    return rc ? rc
              : xlx__usbd_iso_check(urb->frames, req->nr_packets, urb->length,
                                    0);
}

/* usbfs's packets, one behind the other, come first in the buffer, then the
 * guest's data as it lies there. */
static uint8_t *as_laid_out(struct xlx__usbd_urb *urb)
{
    return urb->buffer + urb->length;
}

int xlx__urb_prepare_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                         size_t *packed_r)
{
    struct usbdevfs_urb *kernel;
    int rc = fetch_frames(hc, urb);
    if (!rc)
        rc = xlx__urb_make_room(urb, 2 * urb->length, urb->req.nr_packets);
    if (!rc)
        rc = xlx__urb_fetch(hc, urb, as_laid_out(urb));
    if (rc)
        return rc;
    kernel = urb->kernel;
    memset(kernel, 0, sizeof(*kernel));
    kernel->flags = USBDEVFS_URB_ISO_ASAP;
    kernel->number_of_packets = urb->req.nr_packets;
    for (uint32_t i = 0; i < urb->req.nr_packets; i++)
        kernel->iso_frame_desc[i] = (struct usbdevfs_iso_packet_desc){
            .length = urb->frames[i].length,
        };
    *packed_r = xlx__usbd_iso_pack(urb->frames, urb->req.nr_packets,
                                   as_laid_out(urb), urb->buffer);
    return 0;
}

int xlx__urb_deliver_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
{
    const struct xlx__front_request *req = &urb->req;
    struct xlx__usb_guest *g = hc->usbd->guest;
    for (uint32_t i = 0; i < req->nr_packets; i++) {
        const struct usbdevfs_iso_packet_desc *d =
            &urb->kernel->iso_frame_desc[i];
        struct xlx__usbd_frame *frame = &urb->frames[i];
        frame->status = (int32_t)d->status;
        frame->actual_length =
            d->actual_length < frame->length ? d->actual_length : frame->length;
        urb->port->state->stats.lost_packets += frame->status != 0;
    }
    if (req->in) {
        memset(as_laid_out(urb), 0, urb->length);
        xlx__usbd_iso_unpack(urb->frames, req->nr_packets, urb->buffer,
                             as_laid_out(urb));
    }
    int rc = xlx__urb_deliver(hc, urb, as_laid_out(urb), urb->length);
    return rc ? rc
              : g->ops->copy_out(g, req->seg + req->nr_segs, req->nr_frame_segs,
                                 urb->frames, frames_size(urb));
}
