/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/usb_sets.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */

#define LE16(n) (n) & 0xff, (n) >> 8
#define DEVICE(bcd_usb, class, sub, protocol, ep0, vendor, product, configs)  \
    18, 1, LE16(bcd_usb), class, sub, protocol, ep0, LE16(vendor),            \
    LE16(product), LE16(0x0100), 1, 2, 3, configs
#define CONFIG(total, intfs, value, attributes, power)                        \
    9, 2, LE16(total), intfs, value, 0, attributes, power
#define ASSOCIATION(first, intfs, class, sub, protocol)                       \
    8, 11, first, intfs, class, sub, protocol, 0
#define INTF(nr, setting, endpoints, class, sub, protocol)                    \
    9, 4, nr, setting, endpoints, class, sub, protocol, 0
#define EP(address, attributes, size, interval)                               \
    7, 5, address, attributes, LE16(size), interval
#define EP_AUDIO(address, attributes, size, interval)                         \
    9, 5, address, attributes, LE16(size), interval, 0, 0
#define SS(burst, attributes, bytes)                                          \
    6, 0x30, burst, attributes, LE16(bytes)
#define PIPE(id) 4, 0x24, id, 0
#define HID(report) 9, 0x21, LE16(0x0110), 0, 1, 0x22, LE16(report)

/* a SuperSpeed stick; 896 mA */
static const uint8_t stick[] = {
    DEVICE(0x0320, 0, 0, 0, 9, 0x0781, 0x5581, 1),
    CONFIG(44, 1, 1, 0x80, 112),
    INTF(0, 0, 2, 0x08, 0x06, 0x50),
    EP(0x81, 2, 1024, 0), SS(3, 0, 0),
    EP(0x02, 2, 1024, 0), SS(15, 0, 0),
};

/* a SuperSpeed disk: bulk-only, or UAS with streams */
static const uint8_t uas[] = {
    DEVICE(0x0320, 0, 0, 0, 9, 0x0634, 0x5603, 1),
    CONFIG(121, 1, 1, 0x80, 112),
    INTF(0, 0, 2, 0x08, 0x06, 0x50),
    EP(0x81, 2, 1024, 0), SS(15, 0, 0),
    EP(0x02, 2, 1024, 0), SS(15, 0, 0),
    INTF(0, 1, 4, 0x08, 0x06, 0x62),
    EP(0x81, 2, 1024, 0), SS(15, 5, 0), PIPE(3),
    EP(0x02, 2, 1024, 0), SS(15, 5, 0), PIPE(4),
    EP(0x83, 2, 1024, 0), SS(15, 5, 0), PIPE(2),
    EP(0x04, 2, 1024, 0), SS(0, 0, 0), PIPE(1),
};

/* the same without bulk-only, as some docks for disks are */
static const uint8_t uas_only[] = {
    DEVICE(0x0310, 0, 0, 0, 9, 0x152d, 0x0583, 1),
    CONFIG(86, 1, 1, 0xc0, 0),
    INTF(0, 0, 4, 0x08, 0x06, 0x62),
    EP(0x81, 2, 1024, 0), SS(15, 5, 0), PIPE(3),
    EP(0x02, 2, 1024, 0), SS(15, 5, 0), PIPE(4),
    EP(0x83, 2, 1024, 0), SS(15, 5, 0), PIPE(2),
    EP(0x04, 2, 1024, 0), SS(0, 0, 0), PIPE(1),
};

/* a SuperSpeed network adapter of two configurations: the maker's own, CDC */
static const uint8_t net[] = {
    DEVICE(0x0300, 0, 0, 0, 9, 0x0bda, 0x8153, 2),
    CONFIG(57, 1, 1, 0xa0, 36),
    INTF(0, 0, 3, 0xff, 0xff, 0),
    EP(0x81, 2, 1024, 0), SS(3, 0, 0),
    EP(0x02, 2, 1024, 0), SS(3, 0, 0),
    EP(0x83, 3, 2, 8), SS(0, 0, 2),
    CONFIG(98, 2, 2, 0xa0, 36),
    INTF(0, 0, 1, 0x02, 0x06, 0),
    5, 0x24, 0, LE16(0x0110),
    5, 0x24, 6, 0, 1,
    13, 0x24, 15, 3, 0, 0, 0, 0, LE16(1514), 0, 0, 0,
    EP(0x83, 3, 16, 8), SS(0, 0, 8),
    INTF(1, 0, 0, 0x0a, 0, 0),
    INTF(1, 1, 2, 0x0a, 0, 0),
    EP(0x81, 2, 1024, 0), SS(3, 0, 0),
    EP(0x02, 2, 1024, 0), SS(3, 0, 0),
};

/* a SuperSpeed webcam */
static const uint8_t webcam_super[] = {
    DEVICE(0x0310, 0xef, 2, 1, 9, 0x046d, 0x085e, 1),
    CONFIG(146, 2, 1, 0x80, 100),
    ASSOCIATION(0, 2, 0x0e, 3, 0),
    INTF(0, 0, 1, 0x0e, 1, 0),
    13, 0x24, 1, LE16(0x0110), LE16(13), 0x00, 0x6c, 0xdc, 0x02, 1, 1,
    EP(0x85, 3, 64, 8), SS(0, 0, 64),
    5, 0x25, 3, LE16(64),
    INTF(1, 0, 0, 0x0e, 2, 0),
    14, 0x24, 1, 1, LE16(14), 0x81, 0, 2, 0, 0, 0, 1, 0,
    INTF(1, 1, 1, 0x0e, 2, 0),
    EP(0x81, 5, 1024, 1), SS(0, 0, 1024),
    INTF(1, 2, 1, 0x0e, 2, 0),
    EP(0x81, 5, 1024, 1), SS(7, 0, 8192),
    INTF(1, 3, 1, 0x0e, 2, 0),
    EP(0x81, 5, 1024, 1), SS(15, 2, 49152),
};

#define CAMERA_SETTING(nr, size)                                              \
    INTF(1, nr, 1, 0x0e, 2, 0), EP(0x81, 5, size, 1)

/* a high-speed webcam with a microphone: as most are, with settings up to 3
 * packets of 1024 bytes a microframe */
static const uint8_t webcam[] = {
    DEVICE(0x0200, 0xef, 2, 1, 64, 0x046d, 0x0825, 1),
    CONFIG(333, 4, 1, 0x80, 250),
    ASSOCIATION(0, 2, 0x0e, 3, 0),
    INTF(0, 0, 1, 0x0e, 1, 0),
    13, 0x24, 1, LE16(0x0100), LE16(13), 0x80, 0x8d, 0x5b, 0x00, 1, 1,
    EP(0x83, 3, 16, 6),
    5, 0x25, 3, LE16(16),
    INTF(1, 0, 0, 0x0e, 2, 0),
    14, 0x24, 1, 1, LE16(14), 0x81, 0, 2, 0, 0, 0, 1, 0,
    CAMERA_SETTING(1, 128),
    CAMERA_SETTING(2, 256),
    CAMERA_SETTING(3, 512),
    CAMERA_SETTING(4, 944),
    CAMERA_SETTING(5, 0x0a80), /* 2 x 640 */
    CAMERA_SETTING(6, 0x0b20), /* 2 x 800 */
    CAMERA_SETTING(7, 0x0be0), /* 2 x 992 */
    CAMERA_SETTING(8, 0x1380), /* 3 x 896 */
    CAMERA_SETTING(9, 0x13fc), /* 3 x 1020 */
    CAMERA_SETTING(10, 0x1400), /* 3 x 1024 */
    ASSOCIATION(2, 2, 1, 2, 0),
    INTF(2, 0, 0, 1, 1, 0),
    9, 0x24, 1, LE16(0x0100), LE16(30), 1, 3,
    12, 0x24, 2, 1, LE16(0x0201), 0, 1, 0, 0, 0, 0,
    9, 0x24, 3, 3, LE16(0x0101), 1, 1, 0,
    INTF(3, 0, 0, 1, 2, 0),
    INTF(3, 1, 1, 1, 2, 0),
    7, 0x24, 1, 3, 1, LE16(1),
    11, 0x24, 2, 1, 1, 2, 16, 1, 0x80, 0xbb, 0x00,
    EP_AUDIO(0x84, 5, 100, 4),
    7, 0x25, 1, 1, 0, LE16(0),
};

/* one that has no other setting, as cameras of machine vision are */
static const uint8_t webcam_high_bandwidth[] = {
    DEVICE(0x0200, 0xef, 2, 1, 64, 0x199e, 0x8406, 1),
    CONFIG(82, 2, 1, 0x80, 250),
    ASSOCIATION(0, 2, 0x0e, 3, 0),
    INTF(0, 0, 1, 0x0e, 1, 0),
    13, 0x24, 1, LE16(0x0100), LE16(13), 0x80, 0x8d, 0x5b, 0x00, 1, 1,
    EP(0x83, 3, 16, 6),
    INTF(1, 0, 0, 0x0e, 2, 0),
    11, 0x24, 1, 0, LE16(11), 0x81, 0, 2, 0, 0,
    CAMERA_SETTING(1, 0x1400),
};

/* a headset: full speed, 48 kHz out, 16 kHz in, buttons */
static const uint8_t headset[] = {
    DEVICE(0x0110, 0, 0, 0, 64, 0x0d8c, 0x0014, 1),
    CONFIG(218, 4, 1, 0x80, 50),
    INTF(0, 0, 0, 1, 1, 0),
    10, 0x24, 1, LE16(0x0100), LE16(71), 2, 1, 2,
    12, 0x24, 2, 1, LE16(0x0101), 0, 2, LE16(3), 0, 0,
    10, 0x24, 6, 2, 1, 1, 1, 2, 2, 0,
    9, 0x24, 3, 3, LE16(0x0402), 0, 2, 0,
    12, 0x24, 2, 4, LE16(0x0402), 0, 1, 0, 0, 0, 0,
    9, 0x24, 6, 5, 4, 1, 3, 0, 0,
    9, 0x24, 3, 6, LE16(0x0101), 0, 5, 0,
    INTF(1, 0, 0, 1, 2, 0),
    INTF(1, 1, 1, 1, 2, 0),
    7, 0x24, 1, 1, 1, LE16(1),
    11, 0x24, 2, 1, 2, 2, 16, 1, 0x80, 0xbb, 0x00,
    EP_AUDIO(0x01, 9, 192, 1),
    7, 0x25, 1, 1, 1, LE16(1),
    INTF(2, 0, 0, 1, 2, 0),
    INTF(2, 1, 1, 1, 2, 0),
    7, 0x24, 1, 6, 1, LE16(1),
    11, 0x24, 2, 1, 1, 2, 16, 1, 0x80, 0x3e, 0x00,
    EP_AUDIO(0x82, 5, 34, 1),
    7, 0x25, 1, 1, 0, LE16(0),
    INTF(3, 0, 1, 3, 0, 0),
    HID(60),
    EP(0x87, 3, 4, 2),
};

/* a Bluetooth adapter: its setting without sound has isochronous endpoints of
 * no bytes */
static const uint8_t bluetooth[] = {
    DEVICE(0x0110, 0xe0, 1, 1, 64, 0x0a12, 0x0001, 1),
    CONFIG(108, 2, 1, 0xe0, 0),
    INTF(0, 0, 3, 0xe0, 1, 1),
    EP(0x81, 3, 16, 1), EP(0x02, 2, 64, 1), EP(0x82, 2, 64, 1),
    INTF(1, 0, 2, 0xe0, 1, 1),
    EP(0x03, 1, 0, 1), EP(0x83, 1, 0, 1),
    INTF(1, 1, 2, 0xe0, 1, 1),
    EP(0x03, 1, 9, 1), EP(0x83, 1, 9, 1),
    INTF(1, 2, 2, 0xe0, 1, 1),
    EP(0x03, 1, 49, 1), EP(0x83, 1, 49, 1),
};

/* a keyboard: low speed, with keys for the sound */
static const uint8_t keyboard[] = {
    DEVICE(0x0110, 0, 0, 0, 8, 0x046d, 0xc31c, 1),
    CONFIG(59, 2, 1, 0xa0, 45),
    INTF(0, 0, 1, 3, 1, 1),
    HID(65),
    EP(0x81, 3, 8, 10),
    INTF(1, 0, 1, 3, 0, 0),
    HID(159),
    EP(0x82, 3, 4, 255),
};

/* a hub: high speed, with one translator or one a port */
static const uint8_t hub[] = {
    DEVICE(0x0200, 9, 0, 2, 64, 0x05e3, 0x0608, 1),
    CONFIG(41, 1, 1, 0xe0, 50),
    INTF(0, 0, 1, 9, 0, 1),
    EP(0x81, 3, 1, 12),
    INTF(0, 1, 1, 9, 0, 2),
    EP(0x81, 3, 1, 12),
};

/* clang-format on */

#define SET(name, mbits, bytes)  \
    {                            \
        name, mbits,             \
        {                        \
            bytes, sizeof(bytes) \
        }                        \
    }

const struct usb_set usb_sets[] = {
    SET("stick", 5000, stick),
    SET("uas", 10000, uas),
    SET("uas-only", 10000, uas_only),
    SET("net", 5000, net),
    SET("webcam-super", 5000, webcam_super),
    SET("webcam", 480, webcam),
    SET("webcam-high-bandwidth", 480, webcam_high_bandwidth),
    SET("headset", 12, headset),
    SET("bluetooth", 12, bluetooth),
    SET("keyboard", 1, keyboard),
    SET("hub", 480, hub),
    { 0 },
};

const struct usb_set *usb_set(const char *name)
{
    for (const struct usb_set *s = usb_sets; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    abort();
}
