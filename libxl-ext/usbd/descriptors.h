/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A device's descriptors as usbfs and sysfs ("descriptors") have them: the
 * device descriptor, then each configuration with all that belongs to it, in
 * the bus's byte order. They are the device's words: nothing in them is to be
 * believed. Pure.
 *
 * Linux takes from a device what it sent, and of each configuration what comes
 * before the first descriptor of an impossible bLength; some devices send a few
 * bytes too many. So a configuration is read here until its wTotalLength, the
 * next configuration, such a descriptor or the end of the bytes, whichever
 * comes first. Where a device claims more than it sent, usbfs leaves a gap and
 * sysfs does not; both are understood, if the buffer for usbfs was zero before.
 */
#ifndef XLX_USBD_DESCRIPTORS_H
#define XLX_USBD_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One configuration of the largest size; sysfs has no more of any device. */
#define XLX__USBD_DESCRIPTORS_MAX (18u + 65535u)
#define XLX__USBD_INTFS_MAX 32u /* usbfs's mask of interfaces */

struct xlx__usbd_descriptors {
    const uint8_t *bytes;
    size_t length;
};

/* The interface numbers of a configuration, each once, in their order; -EINVAL
 * when there is no device descriptor or an interface has a number that usbfs's
 * mask has not, -ENOENT for no such configuration. Returns how many. */
int xlx__usbd_interfaces(const struct xlx__usbd_descriptors *d, uint8_t config,
                         uint8_t intf_r[XLX__USBD_INTFS_MAX]);

/*
 * What an isochronous packet may have so that xen-hcd can carry a request of 32
 * packets, which is what uvcvideo takes for pictures that need as many;
 * snd-usb-audio's requests are far smaller. A request has 16 segments of at
 * most a page. One is the array of 32 frame descriptors of 16 bytes, which lies
 * in struct urb: together below 1 KiB, from kmalloc(), where no object of such
 * a size crosses a page. 15 are left for data that begins with a page, as what
 * uvcvideo allocates does.
 */
#define XLX__USBD_ISO_PACKET_FITS ((16u - 1u) * 4096u / 32u)

/* What the device needs, in any configuration and setting. */
struct xlx__usbd_needs {
    bool isochronous;
    bool streams;   /* some interface begins with UAS: at SuperSpeed it cannot
                       be used without bulk streams */
    bool malformed; /* something could not be read, and is left out here */
    /* The most bytes that one isochronous packet of an endpoint can have: its
     * size times its packets in a microframe. Not for SuperSpeed, where it
     * depends on more. */
    uint32_t iso_packet_max;
    /* Of each interface the smallest setting that has isochronous endpoints
     * counts; this is the largest packet of those. With fewer bytes there is an
     * interface that cannot be used in any setting. */
    uint32_t iso_packet_least;
};
void xlx__usbd_needs(const struct xlx__usbd_descriptors *d,
                     struct xlx__usbd_needs *needs_r);

/*
 * Why PVUSB cannot carry the device, or NULL: a text for the end of a sentence
 * ("it runs ..."). `mbits` is its speed, 5000 and more is SuperSpeed. Hubs are
 * refused before (usb/admission/refuse.h).
 *
 * A device at SuperSpeed is refused when it has isochronous endpoints, which
 * the guest's driver would program for other packets than the real ones; and
 * when it cannot be used without bulk streams, which xen-hcd has not. UAS is
 * such a protocol: devices use streams or not by the speed that they run at,
 * the guest's driver by the speed that it was told, and the two would wait for
 * each other. A device whose setting 0 is the older protocol, as nearly all
 * have it, is carried without UAS.
 *
 * At the other speeds it is refused when xlx__usbd_needs.iso_packet_least is
 * more than XLX__USBD_ISO_PACKET_FITS. Nearly every webcam has some setting
 * with larger packets, up to 3072 bytes, beside those which fit: that is no
 * reason.
 */
const char *xlx__usbd_unfit(const struct xlx__usbd_descriptors *d,
                            uint32_t mbits);

/* What will not work in a guest of a device that is not unfit, or NULL:
 * settings with too large packets. The guest's driver gets an error when it
 * starts a stream in one of them. A text as above, for a warning. */
const char *xlx__usbd_restriction(const struct xlx__usbd_descriptors *d);

/*
 * The answer to GET_DESCRIPTOR for a device that runs at SuperSpeed and is
 * announced at high speed: `value` as in the setup packet (type, index).
 * Returns how many bytes of it are in buf, at most `size`; -EPIPE (STALL) for
 * what it does not have: no such configuration, or what a high-speed device of
 * that kind has not (BOS, SuperSpeed companions, a device qualifier); -ENOENT
 * when the device itself is to be asked (strings, class descriptors).
 *
 * Device: bcdUSB 2.00 (at 2.01 a host would ask for the BOS),
 * bMaxPacketSize0 64. Configurations: companions left out, also UAS in other
 * settings than 0 (see above), wTotalLength to match, bMaxPower
 * in 2 mA units from 8 and at most 500 mA (else the guest finds no
 * configuration that its port can feed), bulk endpoints' wMaxPacketSize 512,
 * interrupt endpoints' at most 1024 and the high-bandwidth bits of their
 * companion's bMaxBurst, intervals (2^(n-1) x 125 us) as they are. What could
 * not be read is left out.
 */
int xlx__usbd_descriptor_at_high(const struct xlx__usbd_descriptors *d,
                                 uint16_t value, uint8_t *buf, size_t size);

#endif
