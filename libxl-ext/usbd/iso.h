/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Isochronous requests: the guest's frame descriptors against its buffer, and
 * between its layout and usbfs's. Pure.
 *
 * The guest's: an array of Linux's struct usb_iso_packet_descriptor, 16 bytes
 * (offset, length, actual_length, status; usbif.h does not describe it). Only
 * the last two fields are ever written back. The frames here are a copy that
 * the guest cannot change between check and use.
 */
#ifndef XLX_USBD_ISO_H
#define XLX_USBD_ISO_H

#include <stddef.h>
#include <stdint.h>

#define XLX__USBD_ISO_PACKETS_MAX 128u /* usbfs's */

struct xlx__usbd_frame {
    uint32_t offset, length, actual_length;
    int32_t status;
};

/*
 * Checks `nr` frames against a buffer of `size` bytes: each one inside it, none
 * longer than `packet_max` (0: not known), no two overlapping, 1 to
 * XLX__USBD_ISO_PACKETS_MAX of them. 0 or -EINVAL. A frame without length
 * overlaps none, and may lie at the buffer's end. What the guest has in
 * actual_length and status is not looked at.
 */
int xlx__usbd_iso_check(const struct xlx__usbd_frame *frames, uint32_t nr,
                        size_t size, uint32_t packet_max);

/* The guest's buffer to one in which packet follows packet, as usbfs has them;
 * returns its length. `packed` has as many bytes as the buffer that the frames
 * were checked against, which suffices. */
size_t xlx__usbd_iso_pack(const struct xlx__usbd_frame *frames, uint32_t nr,
                          const uint8_t *buffer, uint8_t *packed);

/* The other way, for IN: only each packet's actual_length bytes, which are at
 * most its length whatever the device's side says. actual_length is usbfs's by
 * now, and usbfs leaves each packet where it was submitted: behind the lengths,
 * not the actual lengths, of those before it. What lies beside the frames in
 * the guest's buffer is not touched. */
void xlx__usbd_iso_unpack(const struct xlx__usbd_frame *frames, uint32_t nr,
                          const uint8_t *packed, uint8_t *buffer);

#endif
