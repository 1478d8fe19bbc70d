/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a host controller does with a control request of its driver: pure. A
 * guest's driver sends what the standard has for the bus itself like any other
 * request; on the device's own bus only the host may do that.
 */
#ifndef XLX_USBD_CONTROL_H
#define XLX_USBD_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* USB 2.0, 9.3: the eight bytes of a setup packet, in host byte order. */
struct xlx__usbd_setup {
    uint8_t request_type, request;
    uint16_t value, index, length;
};

void xlx__usbd_setup_read(const uint8_t bytes[8], struct xlx__usbd_setup *s_r);

enum xlx__usbd_control {
    XLX__USBD_PASS,           /* on to the device as it is */
    XLX__USBD_REFUSE,         /* answered with an error, counted */
    XLX__USBD_SET_ADDRESS,    /* done here: value is the address, 1 to 127 */
    XLX__USBD_SET_CONFIG,     /* by usbfs: value, 0 to 255 */
    XLX__USBD_SET_INTERFACE,  /* by usbfs: index, value 0 to 255 each */
    XLX__USBD_CLEAR_HALT,     /* by usbfs: index is the endpoint's address, of
                                 number 1 to 15 */
    XLX__USBD_GET_DESCRIPTOR, /* of the device itself: passed, but for a device
                                 that runs at SuperSpeed answered here */
};

/*
 * `in` is the pipe's direction, `length` the sum of the guest's segments.
 *
 * Refused is a request whose data stage (length in the setup packet > 0) goes
 * the other way than the pipe, or would take more than the guest's segments
 * have; and of the standard requests each one that is not known to do nothing
 * but to the device (control.c lists them), or whose value, index or length is
 * none that the standard has for it. Class and vendor requests are the device's
 * own, whatever they do to it; usbfs checks that their interface is claimed.
 *
 * For IN the setup packet may ask for more than `length`: the caller gives the
 * guest at most `length` bytes. For OUT `length` may be more than the setup
 * packet has: the rest is not sent.
 */
enum xlx__usbd_control xlx__usbd_control_judge(const struct xlx__usbd_setup *s,
                                               bool in, size_t length);

#endif
