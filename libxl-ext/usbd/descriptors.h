/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A device's descriptors as usbfs and sysfs ("descriptors") have them: the
 * device descriptor, then each configuration with all that belongs to it, in
 * the bus's byte order. They are the device's words: nothing in them is to be
 * believed. Pure.
 */
#ifndef XLX_USBD_DESCRIPTORS_H
#define XLX_USBD_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XLX__USBD_DESCRIPTORS_MAX 65536u /* more is cut by usbfs itself */
#define XLX__USBD_INTFS_MAX 32u          /* usbfs's mask of interfaces */

struct xlx__usbd_descriptors {
    const uint8_t *bytes;
    size_t length;
};

/* The interface numbers of a configuration, each once, in their order; -EINVAL
 * for descriptors that are malformed there, -ENOENT for no such configuration.
 * Returns how many. */
int xlx__usbd_interfaces(const struct xlx__usbd_descriptors *d, uint8_t config,
                         uint8_t intf_r[XLX__USBD_INTFS_MAX]);

/* What kinds of endpoints the device has, in any configuration and setting. */
struct xlx__usbd_needs {
    bool isochronous;
    bool malformed; /* then the rest is as far as it could be read */
    /* The most bytes that one isochronous packet of an endpoint can have: its
     * size times its packets in a microframe. */
    uint32_t iso_packet_max;
};
void xlx__usbd_needs(const struct xlx__usbd_descriptors *d,
                     struct xlx__usbd_needs *needs_r);

/*
 * Why PVUSB cannot carry the device, or NULL: a text for the end of a sentence
 * ("it has ..."). `mbits` is its speed. A device at SuperSpeed can be carried
 * when it has no isochronous endpoint and no stream is needed to use it; one
 * with isochronous endpoints when xen-hcd can: it has 16 segments a request for
 * data and frame descriptors, and a driver that takes the common 32 packets
 * must fit (facts: uvcvideo to 1920 bytes a packet).
 */
const char *xlx__usbd_unfit(const struct xlx__usbd_descriptors *d,
                            uint32_t mbits);

/*
 * The answer to GET_DESCRIPTOR for a device that runs at SuperSpeed and is
 * announced at high speed: `value` as in the setup packet (type, index).
 * Returns how many bytes of it are in buf, at most `size`; -EPIPE (STALL) for
 * what a high-speed device of that kind does not have (BOS, SuperSpeed
 * companions, a device qualifier); -ENOENT when the device itself is to be asked
 * (strings, class descriptors).
 *
 * Device: bcdUSB 2.00 (at 2.01 a host would ask for the BOS), bMaxPacketSize0 64.
 * Configurations: companions left out, wTotalLength to match, bMaxPower in 2 mA
 * units from 8, bulk endpoints' wMaxPacketSize 512, interrupt endpoints' at most
 * 1024 and the high-bandwidth bits of their companion's bMaxBurst, intervals
 * (2^(n-1) x 125 us) as they are.
 */
int xlx__usbd_descriptor_at_high(const struct xlx__usbd_descriptors *d,
                                 uint16_t value, uint8_t *buf, size_t size);

#endif
