/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <string.h>

#include "usbd/control.h"
#include "usbd/descriptors.h"
#include "usbd/serve.h"
#include "usbd/urb.h"

static struct xlx__usbd_urb *urb_in(struct xlx__usbd_hc *hc, uint32_t slot)
{
    return &hc->urb[slot];
}

/* --- to the device -------------------------------------------------------- */

static uint8_t endpoint_of(const struct xlx__front_request *req)
{
    return (uint8_t)(req->endpoint | (req->in ? 0x80 : 0));
}

static void refuse_request(struct xlx__usbd_port *port, uint32_t slot)
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
    int rc = xlx__urb_make_room(urb, urb->length, 0);
    if (!rc) {
        memset(urb->kernel, 0, sizeof(*urb->kernel));
        rc = xlx__urb_fetch(port->hc, urb, urb->buffer);
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
    int rc = xlx__urb_make_room(
        urb, size > SETUP + urb->length ? size : SETUP + urb->length, 0);
    if (!rc) {
        memset(urb->kernel, 0, sizeof(*urb->kernel));
        memcpy(urb->buffer, urb->req.setup, SETUP);
        rc = xlx__urb_fetch(port->hc, urb, urb->buffer + SETUP);
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
    int n = xlx__urb_make_room(urb, size, 0);
    if (!n)
        n = xlx__usbd_descriptor_at_high(&d, setup->value, urb->buffer, size);
    if (n == -ENOENT) {
        pass_control(port, slot, setup);
        return;
    }
    struct xlx__front_answer answer = { .status = xlx__usbd_status(-n) };
    if (n >= 0) {
        int rc = xlx__urb_deliver(port->hc, urb, urb->buffer, (size_t)n);
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
        refuse_request(port, slot);
        break;
    }
}

/* --- isochronous ---------------------------------------------------------- */

static void start_iso(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    size_t packed = 0;
    int rc = xlx__urb_prepare_iso(port->hc, urb, &packed);
    if (rc == -EINVAL)
        refuse_request(port, slot);
    else if (rc)
        xlx__usbd_answer_status(port->hc, slot, XLX__FRONT_IOERROR);
    else
        submit(port, slot, USBDEVFS_URB_TYPE_ISO, packed);
}

void xlx__usbd_urb_start(struct xlx__usbd_port *port, uint32_t slot)
{
    struct xlx__usbd_urb *urb = urb_in(port->hc, slot);
    bool control = urb->req.type == XLX__FRONT_CONTROL;
    if (xlx__urb_measure(urb) || (urb->req.endpoint == 0) != control)
        refuse_request(port, slot);
    else if (control)
        start_control(port, slot);
    else if (urb->req.type == XLX__FRONT_ISO)
        start_iso(port, slot);
    else
        start_plain(port, slot);
}

/* --- their end ------------------------------------------------------------ */

void xlx__usbd_urb_unlink(struct xlx__usbd_hc *hc, uint32_t slot)
{
    uint16_t id = urb_in(hc, slot)->req.unlink_id;
    for (uint32_t i = 0; i < xlx__front_size(); i++) {
        struct xlx__usbd_urb *urb = urb_in(hc, i);
        if (!urb->port || urb->req.id != id ||
            urb->unlink_slot != XLX__USBD_NO_SLOT)
            continue;
        urb->unlink_slot = slot;
        xlx__urb_discard(urb);
        /* What was ended is there to be taken. */
        xlx__usbd_port_reap(urb->port);
        return;
    }
    xlx__usbd_port_unlink_config(hc, id);
    xlx__usbd_answer_status(hc, slot, XLX__FRONT_OK);
}
