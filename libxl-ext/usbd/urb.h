/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the files of a request share: urb.c (to the device), urb_done.c (and
 * back), urb_data.c (the guest's bytes, and usbfs's).
 */
#ifndef XLX_USBD_URB_H
#define XLX_USBD_URB_H

#include "usbd/serve.h"

/* Bytes of a setup packet, which is first in usbfs's buffer. */
#define SETUP 8u

/* Sets how many bytes the request has. 0, or -EINVAL: its segments do not have
 * so many, or one does not lie within its page. */
int xlx__urb_measure(struct xlx__usbd_urb *urb);

/* Room for `size` bytes and so many isochronous packets. 0 or -ENOMEM. */
int xlx__urb_make_room(struct xlx__usbd_urb *urb, size_t size,
                       uint32_t nr_packets);

/* Copies the data of a request to the device from the guest; 0 or -errno. */
int xlx__urb_fetch(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                   uint8_t *to);

/* Copies the data of a request from the device to the guest; 0 or -errno. */
int xlx__urb_deliver(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                     const uint8_t *from, size_t length);

/* An isochronous request, ready for usbfs, and how many bytes that has.
 * -EINVAL: its packets are malformed; -ENOMEM; -errno of the copy. */
int xlx__urb_prepare_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb,
                         size_t *packed_r);

/* What became of its packets, and their data, to the guest. 0 or -errno. */
int xlx__urb_deliver_iso(struct xlx__usbd_hc *hc, struct xlx__usbd_urb *urb);

/* Ends a request that the device has; it is still to be reaped. */
void xlx__urb_discard(struct xlx__usbd_urb *urb);

#endif
