/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/descriptors.h"

#include <errno.h>
#include <string.h>

/* USB 2.0, 9.4 and 9.6; USB 3.2, 9.4. The least that a descriptor of a type
 * has. */
#define DEVICE_SIZE 18u
#define CONFIG_SIZE 9u
#define INTERFACE_SIZE 9u
#define ENDPOINT_SIZE 7u
#define COMPANION_SIZE 6u

enum {
    DEVICE = 0x01,
    CONFIG = 0x02,
    INTERFACE = 0x04,
    ENDPOINT = 0x05,
    DEVICE_QUALIFIER = 0x06,
    OTHER_SPEED_CONFIG = 0x07,
    ASSOCIATION = 0x0b,
    BOS = 0x0f,
    CAPABILITY = 0x10,
    COMPANION = 0x30,
    ISO_COMPANION = 0x31, /* of SuperSpeedPlus */
};

/* bmAttributes of an endpoint */
enum { CONTROL = 0, ISOCHRONOUS = 1, BULK = 2, INTERRUPT = 3 };

#define SUPER_SPEED 5000u

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static void put_le16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- configurations ------------------------------------------------------ */

/* One configuration, as far as its descriptors follow each other. */
struct config {
    const uint8_t *bytes;
    size_t length;
    bool malformed; /* that is not as far as wTotalLength */
    size_t next;    /* where the next one begins, in all the bytes */
    unsigned nr;    /* how many there are until this one */
};

#define BEFORE_THE_FIRST ((struct config){ .next = DEVICE_SIZE })

/* Linux has as many bytes of it, whatever its bLength is. */
static bool has_device(const struct xlx__usbd_descriptors *d)
{
    return d->length >= DEVICE_SIZE && d->bytes[1] == DEVICE;
}

/* How far descriptors follow each other, until `limit` or the next config. */
static size_t chain_length(const uint8_t *p, size_t limit)
{
    size_t n = p[0];
    while (limit - n >= 2 && p[n] >= 2 && p[n] <= limit - n &&
           p[n + 1] != CONFIG)
        n += p[n];
    return n;
}

static bool begins_config(const struct xlx__usbd_descriptors *d, size_t at)
{
    if (at > d->length || d->length - at < CONFIG_SIZE)
        return false;
    const uint8_t *p = d->bytes + at;
    return p[1] == CONFIG && p[0] >= CONFIG_SIZE && p[0] <= d->length - at;
}

/* False when there is none any more that can be read. */
static bool next_config(const struct xlx__usbd_descriptors *d, struct config *c)
{
    size_t at = c->next;
    if (c->nr == d->bytes[17] || !begins_config(d, at))
        return false;
    const uint8_t *p = d->bytes + at;
    size_t total = le16(p + 2), left = d->length - at;
    if (total < p[0])
        total = p[0];
    size_t n = chain_length(p, total < left ? total : left);
    bool at_next = begins_config(d, at + n) && n < total;
    *c = (struct config){
        .bytes = p,
        .length = n,
        .malformed = n != le16(p + 2),
        .next = at + (at_next ? n : total),
        .nr = c->nr + 1,
    };
    return true;
}

/* The descriptor after `p`, or NULL. */
static const uint8_t *after(const struct config *c, const uint8_t *p)
{
    p += p[0];
    return p < c->bytes + c->length ? p : NULL;
}

static bool is_interface(const uint8_t *p)
{
    return p[1] == INTERFACE && p[0] >= INTERFACE_SIZE;
}

static bool is_endpoint(const uint8_t *p)
{
    return p[1] == ENDPOINT && p[0] >= ENDPOINT_SIZE;
}

/* SCSI of the mass storage class, by UAS. */
static bool is_uas(const uint8_t *intf)
{
    return intf[5] == 0x08 && intf[6] == 0x06 && intf[7] == 0x62;
}

static int list_interfaces(const struct config *c, uint8_t *intf_r)
{
    uint32_t seen = 0;
    int nr = 0;
    for (const uint8_t *p = c->bytes; p; p = after(c, p)) {
        if (!is_interface(p))
            continue;
        if (p[2] >= XLX__USBD_INTFS_MAX)
            return -EINVAL;
        if (!(seen & 1u << p[2]))
            intf_r[nr++] = p[2];
        seen |= 1u << p[2];
    }
    return nr;
}

int xlx__usbd_interfaces(const struct xlx__usbd_descriptors *d, uint8_t config,
                         uint8_t intf_r[XLX__USBD_INTFS_MAX])
{
    struct config c = BEFORE_THE_FIRST;
    if (!has_device(d))
        return -EINVAL;
    while (next_config(d, &c))
        if (c.bytes[5] == config)
            return list_interfaces(&c, intf_r);
    return -ENOENT;
}

/* --- what it needs ------------------------------------------------------- */

/* Of each interface the largest isochronous packet of the setting in which that
 * is smallest, 0 without one. Endpoints that have no bytes are how a setting
 * keeps quiet. */
struct packets {
    uint32_t of[256];
};

static uint32_t iso_packet(const uint8_t *endpoint)
{
    uint32_t size = le16(endpoint + 4);
    return (size & 0x7ff) * (1 + (size >> 11 & 3));
}

static void end_setting(struct packets *packets, const uint8_t *intf,
                        uint32_t packet)
{
    uint32_t *smallest = intf ? &packets->of[intf[2]] : NULL;
    if (packet && (!*smallest || packet < *smallest))
        *smallest = packet;
}

/* Of the endpoint of a setting: its largest packet with this one. */
static uint32_t add_endpoint(const uint8_t *endpoint, uint32_t packet,
                             struct xlx__usbd_needs *needs)
{
    if ((endpoint[3] & 3) != ISOCHRONOUS)
        return packet;
    uint32_t own = iso_packet(endpoint);
    needs->isochronous = true;
    if (own > needs->iso_packet_max)
        needs->iso_packet_max = own;
    return own > packet ? own : packet;
}

static void read_settings(const struct config *c, struct packets *packets,
                          struct xlx__usbd_needs *needs)
{
    const uint8_t *intf = NULL;
    uint32_t packet = 0;
    for (const uint8_t *p = c->bytes; p; p = after(c, p)) {
        if (is_interface(p)) {
            end_setting(packets, intf, packet);
            packet = 0;
            intf = p;
            needs->streams |= is_uas(p) && !p[3];
        } else if (is_endpoint(p) && intf) {
            packet = add_endpoint(p, packet, needs);
        } else if (p[1] == INTERFACE || p[1] == ENDPOINT) {
            needs->malformed = true; /* too short, or of no interface */
        }
    }
    end_setting(packets, intf, packet);
}

static void add_config(const struct config *c, struct xlx__usbd_needs *needs)
{
    struct packets packets = { 0 };
    needs->malformed |= c->malformed;
    read_settings(c, &packets, needs);
    for (size_t i = 0; i < 256; i++)
        if (packets.of[i] > needs->iso_packet_least)
            needs->iso_packet_least = packets.of[i];
}

void xlx__usbd_needs(const struct xlx__usbd_descriptors *d,
                     struct xlx__usbd_needs *needs_r)
{
    struct config c = BEFORE_THE_FIRST;
    *needs_r = (struct xlx__usbd_needs){ .malformed = !has_device(d) };
    if (needs_r->malformed)
        return;
    while (next_config(d, &c))
        add_config(&c, needs_r);
    needs_r->malformed |= c.nr != d->bytes[17];
}

/* --- what PVUSB can do --------------------------------------------------- */

/* The texts have it. */
_Static_assert(XLX__USBD_ISO_PACKET_FITS == 1920, "bytes a packet");

static bool has_config(const struct xlx__usbd_descriptors *d)
{
    struct config c = BEFORE_THE_FIRST;
    return has_device(d) && next_config(d, &c);
}

static bool interfaces_fit(const struct xlx__usbd_descriptors *d)
{
    struct config c = BEFORE_THE_FIRST;
    uint8_t intf[XLX__USBD_INTFS_MAX];
    while (next_config(d, &c))
        if (list_interfaces(&c, intf) < 0)
            return false;
    return true;
}

const char *xlx__usbd_unfit(const struct xlx__usbd_descriptors *d,
                            uint32_t mbits)
{
    struct xlx__usbd_needs needs;
    xlx__usbd_needs(d, &needs);
    if (!has_config(d))
        return "its descriptors have no configuration that can be read";
    if (!interfaces_fit(d))
        return "it has an interface with a number above 31, which Linux "
               "cannot pass on";
    if (mbits >= SUPER_SPEED && needs.isochronous)
        return "it runs at SuperSpeed and has isochronous endpoints, which a "
               "Xen guest's USB driver can carry up to high speed only: try a "
               "USB 2 port or cable";
    if (mbits >= SUPER_SPEED && needs.streams)
        return "it runs at SuperSpeed and has no storage protocol but UAS, "
               "which needs bulk streams there, and a Xen guest's USB driver "
               "has none: try a USB 2 port or cable";
    if (needs.iso_packet_least > XLX__USBD_ISO_PACKET_FITS)
        return "its isochronous endpoints have packets of more than 1920 bytes "
               "in every setting, and a Xen guest's USB driver can carry at "
               "most 1920: a controller of type=devicemodel of an HVM guest "
               "carries it";
    return NULL;
}

const char *xlx__usbd_restriction(const struct xlx__usbd_descriptors *d)
{
    struct xlx__usbd_needs needs;
    xlx__usbd_needs(d, &needs);
    if (needs.iso_packet_max > XLX__USBD_ISO_PACKET_FITS)
        return "some of its settings have isochronous packets of more than "
               "1920 bytes, which a Xen guest's USB driver cannot carry: a "
               "camera's larger pictures may fail in the guest";
    return NULL;
}

/* --- at high speed ------------------------------------------------------- */

/* Takes all, keeps what there is room for. */
struct out {
    uint8_t *buf;
    size_t size, length;
};

static void append_bytes(struct out *o, const uint8_t *bytes, size_t n)
{
    size_t room = o->length < o->size ? o->size - o->length : 0;
    if (room)
        memcpy(o->buf + o->length, bytes, n < room ? n : room);
    o->length += n;
}

static int written(const struct out *o)
{
    return (int)(o->length < o->size ? o->length : o->size);
}

static int put_device(const struct xlx__usbd_descriptors *d, struct out *o)
{
    uint8_t device[DEVICE_SIZE];
    memcpy(device, d->bytes, sizeof(device));
    put_le16(device + 2, 0x0200); /* bcdUSB */
    device[7] = 64;               /* bMaxPacketSize0, no longer its logarithm */
    append_bytes(o, device, sizeof(device));
    return written(o);
}

/* At SuperSpeed an endpoint of an interval has up to 3 packets of 1024 bytes in
 * it, or 48 if it is isochronous, at high speed 3. */
static uint32_t packet_size(const struct config *c, const uint8_t *endpoint)
{
    uint32_t size = least(le16(endpoint + 4) & 0x7ff, 1024);
    const uint8_t *next = after(c, endpoint);
    if ((endpoint[3] & 3) == BULK)
        return 512;
    if ((endpoint[3] & 3) == CONTROL)
        return 64;
    if (!next || next[1] != COMPANION || next[0] < COMPANION_SIZE)
        return size;
    return size | least(next[2], 2) << 11; /* bMaxBurst, from 0 */
}

static void put_descriptor(const struct config *c, const uint8_t *p,
                           struct out *o)
{
    uint8_t copy[255];
    memcpy(copy, p, p[0]);
    if (p == c->bytes)
        copy[8] = (uint8_t)least(p[8] * 4u, 250); /* bMaxPower */
    else if (is_endpoint(p))
        put_le16(copy + 4, packet_size(c, p));
    append_bytes(o, copy, p[0]);
}

static int put_config(const struct config *c, struct out *o)
{
    bool skip = false;
    for (const uint8_t *p = c->bytes; p; p = after(c, p)) {
        if (is_interface(p))
            skip = is_uas(p) && p[3];
        if (p[1] == ASSOCIATION)
            skip = false;
        if (!skip && p[1] != COMPANION && p[1] != ISO_COMPANION)
            put_descriptor(c, p, o);
    }
    if (o->size > 2)
        o->buf[2] = (uint8_t)o->length; /* wTotalLength */
    if (o->size > 3)
        o->buf[3] = (uint8_t)(o->length >> 8);
    return written(o);
}

static int put_config_nr(const struct xlx__usbd_descriptors *d, unsigned index,
                         struct out *o)
{
    struct config c = BEFORE_THE_FIRST;
    while (next_config(d, &c))
        if (c.nr == index + 1)
            return put_config(&c, o);
    return -EPIPE;
}

int xlx__usbd_descriptor_at_high(const struct xlx__usbd_descriptors *d,
                                 uint16_t value, uint8_t *buf, size_t size)
{
    struct out o = { .buf = buf, .size = size };
    unsigned index = value & 0xff;
    switch (value >> 8) {
    case DEVICE:
        return has_device(d) && !index ? put_device(d, &o) : -EPIPE;
    case CONFIG:
        return has_device(d) ? put_config_nr(d, index, &o) : -EPIPE;
    case DEVICE_QUALIFIER:
    case OTHER_SPEED_CONFIG:
    case BOS:
    case CAPABILITY:
    case COMPANION:
    case ISO_COMPANION:
        return -EPIPE;
    default:
        return -ENOENT;
    }
}
