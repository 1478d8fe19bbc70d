/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Any bytes as a guest's setup packet, as its isochronous frames, and as a
 * device's descriptors: what comes of them is within what there can be.
 * libFuzzer's entry; tests/unit/test-usbd-descriptors.c runs it without
 * libFuzzer. Buffers are as long as is said and come from malloc, so that ASan
 * sees a byte more.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usbd/control.h"
#include "usbd/descriptors.h"
#include "usbd/iso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static void *take(size_t size)
{
    void *p = malloc(size ? size : 1);
    MUST(p);
    return p;
}

/* --- control ------------------------------------------------------------- */

/* Ten bytes: a setup packet, and how much room the guest has. */
static void try_control(const uint8_t *data)
{
    struct xlx__usbd_setup s;
    size_t room = (size_t)(data[8] | (data[9] & 0x7f) << 8);
    bool in = data[9] & 0x80, standard = !(data[0] & 0x60);
    xlx__usbd_setup_read(data, &s);
    enum xlx__usbd_control verdict = xlx__usbd_control_judge(&s, in, room);
    if (verdict != XLX__USBD_REFUSE && s.length) {
        MUST(in == !!(s.request_type & 0x80));
        MUST(in || s.length <= room);
    }
    MUST(standard || verdict == XLX__USBD_PASS || verdict == XLX__USBD_REFUSE);
    switch (verdict) {
    case XLX__USBD_SET_ADDRESS:
        MUST(s.request == 5 && s.value >= 1 && s.value <= 127);
        break;
    case XLX__USBD_SET_CONFIG:
        MUST(s.request == 9 && s.value <= 255 && !s.length);
        break;
    case XLX__USBD_SET_INTERFACE:
        MUST(s.request == 11 && s.value <= 255 && s.index <= 255 && !s.length);
        break;
    case XLX__USBD_CLEAR_HALT:
        MUST(s.request == 1 && s.index & 15 && !(s.index & ~0x8f));
        break;
    case XLX__USBD_GET_DESCRIPTOR:
        MUST(s.request == 6 && s.request_type == 0x80);
        break;
    case XLX__USBD_PASS: /* of the bus's own requests none */
        MUST(!standard ||
             (s.request != 5 && s.request != 9 && s.request != 11));
        MUST(!standard || s.request != 3 || s.value < 2);
        break;
    case XLX__USBD_REFUSE:
        break;
    }
}

/* --- isochronous --------------------------------------------------------- */

#define ROOM_MAX 0x1fffu

/* Small numbers mostly, as the others are refused at once. */
static uint32_t number(const uint8_t *p)
{
    uint32_t n = (uint32_t)(p[0] | p[1] << 8);
    return n < 0xff00 ? n % (ROOM_MAX + 2) : 0xffffff00 | n;
}

/* In both directions every byte of a frame comes from where it belongs, and
 * none beside the frames is written. */
static void move_frames(const struct xlx__usbd_frame *frames, uint32_t nr,
                        size_t size)
{
    uint8_t *guest = take(size), *packed = take(size), *back = take(size);
    for (size_t i = 0; i < size; i++)
        guest[i] = (uint8_t)(i * 7 + (i >> 8));
    memset(back, 0xee, size);
    size_t length = xlx__usbd_iso_pack(frames, nr, guest, packed);
    MUST(length <= size);
    xlx__usbd_iso_unpack(frames, nr, packed, back);
    for (uint32_t i = 0; i < nr; i++) {
        const struct xlx__usbd_frame *f = &frames[i];
        size_t n = f->actual_length < f->length ? f->actual_length : f->length;
        MUST(!memcmp(back + f->offset, guest + f->offset, n));
        memset(back + f->offset, 0xee, n);
    }
    for (size_t i = 0; i < size; i++)
        MUST(back[i] == 0xee);
    free(guest);
    free(packed);
    free(back);
}

/* How many, room, packet_max; then six bytes a frame. */
static void try_iso(const uint8_t *data, size_t size)
{
    struct xlx__usbd_frame frames[XLX__USBD_ISO_PACKETS_MAX + 1] = { 0 };
    size_t room = (size_t)(data[1] | data[2] << 8) % (ROOM_MAX + 1);
    uint32_t packet_max = data[3], nr = 0;
    for (size_t at = 4; at + 6 <= size && nr < data[0] % 131u; at += 6, nr++) {
        if (nr > XLX__USBD_ISO_PACKETS_MAX)
            break;
        frames[nr] = (struct xlx__usbd_frame){
            .offset = number(data + at),
            .length = number(data + at + 2) >> (data[3] & 7),
            .actual_length = number(data + at + 4),
        };
    }
    if (xlx__usbd_iso_check(frames, nr, room, packet_max))
        return;
    MUST(nr >= 1 && nr <= XLX__USBD_ISO_PACKETS_MAX);
    for (uint32_t i = 0; packet_max && i < nr; i++)
        MUST(frames[i].length <= packet_max);
    move_frames(frames, nr, room);
}

/* --- descriptors --------------------------------------------------------- */

static void check_text(const char *text)
{
    MUST(!text || (strlen(text) > 20 && strlen(text) < 220));
    MUST(!text || !strchr(text, '\n'));
}

/* A set of interface numbers, or -errno. */
static int64_t interfaces(const struct xlx__usbd_descriptors *d, uint8_t config)
{
    uint8_t *intf = take(XLX__USBD_INTFS_MAX);
    int nr = xlx__usbd_interfaces(d, config, intf);
    uint32_t set = 0;
    MUST(nr <= (int)XLX__USBD_INTFS_MAX);
    MUST(nr >= 0 || nr == -EINVAL || nr == -ENOENT);
    for (int i = 0; i < nr; i++) {
        MUST(intf[i] < XLX__USBD_INTFS_MAX && !(set & 1u << intf[i]));
        set |= 1u << intf[i];
    }
    free(intf);
    return nr < 0 ? nr : (int64_t)set;
}

/* A descriptor that was rewritten, at the end of `d`; false for none. */
static bool append(const struct xlx__usbd_descriptors *from, uint16_t value,
                   struct xlx__usbd_descriptors *d, size_t size)
{
    uint8_t *to = (uint8_t *)d->bytes + d->length;
    size_t room = size - d->length;
    int n = xlx__usbd_descriptor_at_high(from, value, to, room);
    MUST(n == -EPIPE || (n >= 9 && (size_t)n < room));
    for (size_t less = 0; n > 0 && less < 9; less++) {
        uint8_t *some = take(less); /* as a guest asks first */
        MUST(xlx__usbd_descriptor_at_high(from, value, some, less) ==
             (int)less);
        MUST(!memcmp(some, to, less));
        free(some);
    }
    if (n > 0)
        d->length += (size_t)n;
    return n > 0;
}

/* A configuration is as long as it claims, and holds nothing of SuperSpeed. */
static void check_config(const uint8_t *p, size_t length)
{
    size_t at = 0;
    MUST((size_t)(p[2] | p[3] << 8) == length && p[1] == 2 && p[8] <= 250);
    for (; at < length; at += p[at]) {
        MUST(length - at >= 2 && p[at] >= 2 && p[at] <= length - at);
        MUST(p[at + 1] != 0x30 && p[at + 1] != 0x31);
        if (p[at + 1] != 5 || p[at] < 7)
            continue;
        uint32_t packet = (uint32_t)(p[at + 4] | p[at + 5] << 8);
        MUST((packet & 0x7ff) <= 1024 && packet >> 11 <= 2);
        MUST((p[at + 3] & 3) != 2 || packet == 512);
    }
    MUST(at == length);
}

/* An interface may be gone that has UAS only, and the others' setting 0 not. */
static void check_interfaces(const struct xlx__usbd_descriptors *d,
                             const struct xlx__usbd_descriptors *high,
                             bool fits)
{
    const uint8_t *p = high->bytes + 18, *end = high->bytes + high->length;
    for (; p < end; p += p[2] | p[3] << 8) {
        int64_t all = interfaces(d, p[5]), some = interfaces(high, p[5]);
        MUST(all >= 0 || (all == -EINVAL && !fits));
        MUST(all < 0 || (some >= 0 && !(some & ~all)));
        all = interfaces(d, p[5] ^ 1);
        MUST((all == -ENOENT) == (interfaces(high, p[5] ^ 1) == -ENOENT));
    }
}

/* What a guest reads of a SuperSpeed device is sound. */
static void check_at_high(const struct xlx__usbd_descriptors *d, bool fits)
{
    size_t size = d->length + 10; /* it gets no longer */
    uint8_t *bytes = take(size);
    struct xlx__usbd_descriptors high = { bytes, 0 };
    struct xlx__usbd_needs before, after;
    unsigned configs = 0;
    if (append(d, 0x0100, &high, size)) {
        MUST(high.length == 18 && bytes[2] == 0 && bytes[3] == 2);
        MUST(bytes[7] == 64 && !memcmp(bytes + 8, d->bytes + 8, 10));
        size_t at = 18;
        for (uint16_t value = 0x200; append(d, value, &high, size); value++) {
            check_config(bytes + at, high.length - at);
            at = high.length;
            configs++;
        }
        MUST(configs <= bytes[17]);
        bytes[17] = (uint8_t)configs;
        check_interfaces(d, &high, fits);
        xlx__usbd_needs(d, &before);
        xlx__usbd_needs(&high, &after);
        MUST(before.malformed || !after.malformed);
        MUST(before.isochronous || !after.isochronous);
        MUST(before.streams == after.streams);
    }
    free(bytes);
}

static void try_descriptors(const uint8_t *data, size_t size)
{
    uint8_t *bytes = take(size);
    struct xlx__usbd_descriptors d = { bytes, size };
    struct xlx__usbd_needs needs;
    if (size)
        memcpy(bytes, data, size);
    xlx__usbd_needs(&d, &needs);
    MUST(needs.iso_packet_least <= needs.iso_packet_max);
    MUST(needs.isochronous || !needs.iso_packet_max);
    MUST(needs.iso_packet_max <= 4 * 2047);
    const char *high = xlx__usbd_unfit(&d, 480);
    const char *super = xlx__usbd_unfit(&d, 5000);
    check_text(high);
    check_text(super);
    check_text(xlx__usbd_restriction(&d));
    MUST(super || !needs.isochronous);
    MUST(high || needs.iso_packet_least <= XLX__USBD_ISO_PACKET_FITS);
    check_at_high(&d, !high);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 10)
        try_control(data);
    if (size >= 4)
        try_iso(data, size);
    if (size <= XLX__USBD_DESCRIPTORS_MAX)
        try_descriptors(data, size);
    return 0;
}
