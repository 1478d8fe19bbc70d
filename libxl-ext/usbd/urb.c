/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "usbd/control.h"
#include "usbd/descriptors.h"
#include "usbd/serve.h"

#define PAGE 4096u
#define SETUP 8u /* bytes of a setup packet, first in usbfs's buffer */

static struct xlx__usbd_urb *urb_in(struct xlx__usbd_hc *hc, uint32_t slot)
{
    return &hc->urb[slot];
}

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

/* --- the guest's part of a request ---------------------------------------- */

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
static int measure(struct xlx__usbd_urb *urb)
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

static int make_room(struct xlx__usbd_urb *urb, size_t size,
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

static int fetch(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                 uint8_t *to)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    if (urb->req.in || !urb->length)
        return 0;
    return g->ops->copy_in(g, urb->req.seg, urb->req.nr_segs, to, urb->length);
}

static int deliver(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                   const uint8_t *from, size_t length)
{
    struct xlx__usb_guest *g = hc->usbd->guest;
    if (!urb->req.in || !length)
        return 0;
    return g->ops->copy_out(g, urb->req.seg, urb->req.nr_segs, from, length);
}

/* --- to the device -------------------------------------------------------- */

static uint8_t endpoint_of(const struct xlx__front_request *req)
{
    return (uint8_t)(req->endpoint | (req->in ? 0x80 : 0));
}

static void refuse(struct xlx__usbd_port *port, uint32_t slot)
{
    port->state->stats.refused++;
    xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_INVAL);
}

/* The others wait for their time, or for the device to have something. */
static bool may_be_done_at_once(uint8_t type)
{
    return type == USBDEVFS_URB_TYPE_BULK || type == USBDEVFS_URB_TYPE_CONTROL;
}

static void submit(struct xlx__usbd_port *port, uint32_t slot, uint8_t type,
                   size_t length)
{
    struct xlx__usbd_hc *hc = port->hc;
    struct xlx__usbfs *fs = hc->usbd->fs;
    struct xlx__usbd_urb *urb = urb_in(hc, slot);
    struct usbdevfs_urb *kernel = urb->kernel;
    kernel->type = type;
    kernel->endpoint = endpoint_of(&urb->req);
    kernel->buffer = urb->buffer;
    kernel->buffer_length = (int)length;
    kernel->usercontext = urb;
    urb->port = port;
    urb->unlink_slot = XLX__USBD_NO_SLOT;
    urb->started = port->state->stats.requests++ % XLX__USBD_TIMED_EVERY
                       ? 0
                       : xlx__usbd_now_us();
    port->in_flight++;
    int rc = fs->ops->submit(fs, port->dev, kernel);
    if (!rc) {
        port->fresh |= may_be_done_at_once(type);
        return;
    }
    port->in_flight--;
    urb->port = NULL;
    port->state->stats.errors++;
    /* usbfs: no such endpoint in the setting that is active. */
    xlx__usbd_answer_status(
        hc, slot, rc == -ENOENT ? XLX__FRONT_INVAL : xlx__usbd_status(-rc));
    if (rc == -ENODEV)
        xlx__usbd_port_gone(port);
}

/* Bulk and interrupt. SHORT_NOT_OK stays here: what usbfs would answer, usbif
 * has no status for; less than was asked for is success, as in QEMU. */
static void start_plain(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    bool bulk = urb->req.type == XLX__FRONT_BULK;
    int rc = make_room(urb, urb->length, 0);
    if (!rc) {
        memset(urb->kernel, 0, sizeof(*urb->kernel));
        rc = fetch(port->hc, urb, urb->buffer);
    }
    if (rc)
        xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_IOERROR);
    else
        submit(port, slot,
               bulk ? USBDEVFS_URB_TYPE_BULK : USBDEVFS_URB_TYPE_INTERRUPT,
               urb->length);
}

/* --- control -------------------------------------------------------------- */

static void pass_control(struct xlx__usbd_port *port, uint32_t slot,
                         const struct xlx__usbd_setup *setup)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    size_t size = SETUP + setup->length;
    int rc = make_room(
        urb, size > SETUP + urb->length ? size : SETUP + urb->length, 0);
    if (!rc) {
        memset(urb->kernel, 0, sizeof(*urb->kernel));
        memcpy(urb->buffer, urb->req.setup, SETUP);
        rc = fetch(port->hc, urb, urb->buffer + SETUP);
    }
    if (rc)
        xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_IOERROR);
    else
        submit(port, slot, USBDEVFS_URB_TYPE_CONTROL, size);
}

/* What a device at SuperSpeed says of itself, as one at high speed would. */
static void answer_descriptor(struct xlx__usbd_port *port, uint32_t slot,
                              const struct xlx__usbd_setup *setup)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    const struct xlx__usbd_descriptors d = { port->descriptors,
                                             port->nr_descriptors };
    size_t size = setup->length < urb->length ? setup->length : urb->length;
    int n = make_room(urb, size, 0);
    if (!n)
        n = xlx__usbd_descriptor_at_high(&d, setup->value, urb->buffer, size);
    if (n == -ENOENT) {
        pass_control(port, slot, setup);
        return;
    }
    struct xlx__front_answer answer = { .status = xlx__usbd_status(-n) };
    if (n >= 0) {
        int rc = deliver(port->hc, urb, urb->buffer, (size_t)n);
        answer.status = xlx__usbd_status(-rc);
        answer.actual_length = rc ? 0 : (uint32_t)n;
    }
    port->state->stats.requests++;
    xlx__usbd_answer(port->hc, slot, &answer);
}

static void set_address(struct xlx__usbd_port *port, uint32_t slot,
                        uint32_t address)
{
    port->state->address = (uint8_t)address;
    xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_OK);
}

static void start_control(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    struct xlx__usbd_setup setup;
    xlx__usbd_setup_read(urb->req.setup, &setup);
    switch (xlx__usbd_control_judge(&setup, urb->req.in, urb->length)) {
    case XLX__USBD_PASS:
        pass_control(port, slot, &setup);
        break;
    case XLX__USBD_GET_DESCRIPTOR:
        if (port->super_speed)
            answer_descriptor(port, slot, &setup);
        else
            pass_control(port, slot, &setup);
        break;
    case XLX__USBD_SET_ADDRESS:
        set_address(port, slot, setup.value);
        break;
    case XLX__USBD_SET_CONFIG:
        xlx__usbd_port_set_config(port, slot, setup.value);
        break;
    case XLX__USBD_SET_INTERFACE:
        xlx__usbd_port_set_interface(port, slot, setup.index, setup.value);
        break;
    case XLX__USBD_CLEAR_HALT:
        xlx__usbd_port_clear_halt(port, slot, setup.index);
        break;
    case XLX__USBD_REFUSE:
        refuse(port, slot);
        break;
    }
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

static int prepare_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                       size_t *packed_r)
{
    struct usbdevfs_urb *kernel;
    int rc = fetch_frames(hc, urb);
    if (!rc)
        rc = make_room(urb, 2 * urb->length, urb->req.nr_packets);
    if (!rc)
        rc = fetch(hc, urb, as_laid_out(urb));
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

static void start_iso(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    size_t packed = 0;
    int rc = prepare_iso(port->hc, urb, &packed);
    if (rc == -EINVAL)
        refuse(port, slot);
    else if (rc)
        xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_IOERROR);
    else
        submit(port, slot, USBDEVFS_URB_TYPE_ISO, packed);
}

static int deliver_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
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
    int rc = deliver(hc, urb, as_laid_out(urb), urb->length);
    return rc ? rc
              : g->ops->copy_out(g, req->seg + req->nr_segs, req->nr_frame_segs,
                                 urb->frames, frames_size(urb));
}

void xlx__usbd_urb_start(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    bool control = urb->req.type == XLX__FRONT_CONTROL;
    if (measure(urb) || (urb->req.endpoint == 0) != control)
        refuse(port, slot);
    else if (control)
        start_control(port, slot);
    else if (urb->req.type == XLX__FRONT_ISO)
        start_iso(port, slot);
    else
        start_plain(port, slot);
}

/* --- and back ------------------------------------------------------------- */

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
        return deliver_iso(hc, urb);
    }
    if (urb->req.type == XLX__FRONT_CONTROL)
        from += SETUP;
    if (n > urb->length)
        n = urb->length;
    answer->actual_length = (uint32_t)n;
    return deliver(hc, urb, from, n);
}

static void finish(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb)
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
    finish(hc, kernel->usercontext);
}

/* --- their end ------------------------------------------------------------ */

/* A discard that finds it done is no failure: it is to be reaped in any case.
 */
static void discard(struct xlx__usbd_urb *urb)
{
    struct xlx__usbfs *fs = urb->port->hc->usbd->fs;
    fs->ops->discard(fs, urb->port->dev, urb->kernel);
}

void xlx__usbd_urb_unlink(struct xlx__usbd_hc *hc, uint32_t slot)
{
    uint16_t id = urb_in(hc, slot)->req.unlink_id;
    for (uint32_t i = 0; i < xlx__front_size(); i++) {
        struct xlx__usbd_urb *urb = urb_in(hc, i);
        if (!urb->port || urb->req.id != id ||
            urb->unlink_slot != XLX__USBD_NO_SLOT)
            continue;
        urb->unlink_slot = slot;
        discard(urb);
        /* What was ended is there to be taken. */
        xlx__usbd_port_reap(urb->port);
        return;
    }
    xlx__usbd_port_unlink_config(hc, id);
    xlx__usbd_answer_status(hc, slot, XLX__FRONT_OK);
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
    finish(hc, urb);
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
            discard(&hc->urb[i]);
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
