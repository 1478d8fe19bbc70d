/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/iso.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool overlaps(const struct xlx__usbd_frame *a,
                     const struct xlx__usbd_frame *b)
{
    return a->length && b->length &&
           a->offset < (uint64_t)b->offset + b->length &&
           b->offset < (uint64_t)a->offset + a->length;
}

/* Drivers have their frames in order, then one look each is enough. In any
 * other order it is at most 128 * 127 / 2 of them. */
static bool overlaps_one_before(const struct xlx__usbd_frame *frames,
                                uint32_t i, uint64_t end)
{
    if (frames[i].offset >= end)
        return false;
    for (uint32_t k = 0; k < i; k++)
        if (overlaps(&frames[k], &frames[i]))
            return true;
    return false;
}

int xlx__usbd_iso_check(const struct xlx__usbd_frame *frames, uint32_t nr,
                        size_t size, uint32_t packet_max)
{
    uint64_t end = 0; /* of all frames so far */
    if (!nr || nr > XLX__USBD_ISO_PACKETS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < nr; i++) {
        const struct xlx__usbd_frame *f = &frames[i];
        if (f->offset > size || f->length > size - f->offset)
            return -EINVAL;
        if (packet_max && f->length > packet_max)
            return -EINVAL;
        if (overlaps_one_before(frames, i, end))
            return -EINVAL;
        if (end < (uint64_t)f->offset + f->length)
            end = (uint64_t)f->offset + f->length;
    }
    return 0;
}

/* A guest may have frames of nothing in no buffer, which is NULL then. */
static void copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at,
                 size_t length)
{
    if (length)
        memcpy(to + to_at, from + from_at, length);
}

size_t xlx__usbd_iso_pack(const struct xlx__usbd_frame *frames, uint32_t nr,
                          const uint8_t *buffer, uint8_t *packed)
{
    size_t at = 0;
    for (uint32_t i = 0; i < nr; i++) {
        copy(packed, at, buffer, frames[i].offset, frames[i].length);
        at += frames[i].length;
    }
    return at;
}

void xlx__usbd_iso_unpack(const struct xlx__usbd_frame *frames, uint32_t nr,
                          const uint8_t *packed, uint8_t *buffer)
{
    size_t at = 0;
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t actual = frames[i].actual_length;
        if (actual > frames[i].length)
            actual = frames[i].length;
        copy(buffer, frames[i].offset, packed, at, actual);
        at += frames[i].length;
    }
}
