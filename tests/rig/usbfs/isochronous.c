/* SPDX-License-Identifier: LGPL-2.1-only */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usbfs.h"

/* 48 kHz, 16 bits, stereo: a packet a millisecond, of 48 frames of 4 bytes. */
enum {
    FRAMES = 48,
    FRAME = 4,
    PACKET = FRAMES * FRAME,
    PACKETS = 8,
    DEPTH = 8,
    SILENCE = 24000 /* frames */
};

/* A frame, left and right sample, is its own number; none is silence. */
static void compose(uint8_t *to, uint32_t first, uint32_t frames)
{
    for (uint32_t i = 0; i < frames; i++) {
        uint32_t frame = htole32(first + i + 1);

        memcpy(to + i * FRAME, &frame, FRAME);
    }
}

/* Silence at the end: a card forgets what it has not played by then. */
static void prepare(struct usbdevfs_urb *urb, uint32_t *next, uint32_t frames)
{
    if (*next < frames)
        compose(urb->buffer, *next, PACKETS * FRAMES);
    else
        memset(urb->buffer, 0, PACKETS * PACKET);
    *next += PACKETS * FRAMES;
    for (int i = 0; i < PACKETS; i++)
        urb->iso_frame_desc[i].length = PACKET;
}

static unsigned int bad_packets(const struct usbdevfs_urb *urb)
{
    unsigned int bad = 0;

    for (int i = 0; i < urb->number_of_packets; i++)
        bad += urb->iso_frame_desc[i].status != 0;
    return bad;
}

int play(int argc, char **argv)
{
    uint32_t frames, next = 0, bad = 0, requests = 0;
    unsigned int endpoint;
    int fd, pending;

    if (argc != 3)
        return 2;
    fd = device_open(argv[0]);
    endpoint = number(argv[1], 16);
    frames = (uint32_t)number(argv[2], 10) * 1000 * FRAMES;
    device_claim(fd, endpoint);
    for (pending = 0; pending < DEPTH; pending++) {
        struct usbdevfs_urb *urb =
            urb_new(USBDEVFS_URB_TYPE_ISO, endpoint, PACKETS * PACKET, PACKETS);
        prepare(urb, &next, frames);
        urb_submit(fd, urb);
    }
    while (pending) {
        struct usbdevfs_urb *urb = urb_reap(fd, PATIENCE_MS);

        if (!urb)
            fail("play: no answer after %u requests", requests);
        if (urb->status)
            fail("play: request %u: %s", requests, strerror(-urb->status));
        requests++;
        bad += bad_packets(urb);
        if (next >= frames + SILENCE) {
            pending--;
            continue;
        }
        prepare(urb, &next, frames);
        urb_submit(fd, urb);
    }
    printf("frames=%u bad=%u\n", frames, bad);
    return bad ? 1 : 0;
}

/*
 * What was recorded: frames of silence are skipped, and all others must be
 * those that were played, one after the other, from the first to the last.
 */
int heard(int argc, char **argv)
{
    uint32_t frame, wanted = 1, gaps = 0, silent = 0, frames;
    FILE *file;

    if (argc != 2)
        return 2;
    file = fopen(argv[0], "rb");
    frames = (uint32_t)number(argv[1], 10) * 1000 * FRAMES;
    if (!file || fseek(file, 44, SEEK_SET))
        fail("%s: %s", argv[0], strerror(errno));
    while (fread(&frame, FRAME, 1, file) == 1) {
        frame = le32toh(frame);
        if (!frame) {
            silent++;
            continue;
        }
        gaps += frame != wanted;
        wanted = frame + 1;
    }
    printf("frames=%u of %u, gaps=%u silent=%u\n", wanted - 1, frames, gaps,
           silent);
    return wanted - 1 >= frames && !gaps ? 0 : 1;
}

/* --- IN */

struct listener {
    uint64_t packets, lost, bad, wrong, empty;
    uint32_t next;
    bool begun;
};

static void hear_packet(struct listener *l, const uint8_t *data, size_t length)
{
    uint8_t expected[4096];
    uint32_t head;

    if (length < 4 || length > sizeof(expected)) {
        l->empty++;
        return;
    }
    memcpy(&head, data, 4);
    head = le32toh(head);
    packet_fill(expected, length, head);
    l->wrong += memcmp(expected, data, length) != 0;
    if (l->begun)
        l->lost += head - l->next;
    l->begun = true;
    l->next = head + 1;
    l->packets++;
}

static void hear_request(struct listener *l, const struct usbdevfs_urb *urb)
{
    const uint8_t *data = urb->buffer;

    for (int i = 0; i < urb->number_of_packets; i++) {
        const struct usbdevfs_iso_packet_desc *packet = &urb->iso_frame_desc[i];

        if (packet->status)
            l->bad++;
        else
            hear_packet(l, data, packet->actual_length);
        data += packet->length;
    }
}

/*
 * The device's packets are numbered by their time: what was not asked for in
 * time is a hole in the numbers. The requests with which it begins go out one
 * after the other, and are not counted.
 */
int listen_to(int argc, char **argv)
{
    struct listener l = { 0 };
    unsigned int endpoint, depth, packets, first;
    uint64_t start, wanted;
    size_t length;
    int fd, pending = 0;

    if (argc != 6)
        return 2;
    fd = device_open(argv[0]);
    endpoint = number(argv[1], 16);
    wanted = number(argv[2], 10);
    length = number(argv[3], 10);
    packets = number(argv[4], 10);
    depth = first = number(argv[5], 10);
    device_claim(fd, endpoint);
    start = clock_us();
    for (; depth; depth--, pending++)
        urb_submit(fd, urb_new(USBDEVFS_URB_TYPE_ISO, endpoint,
                               length * packets, (int)packets));
    while (pending) {
        struct usbdevfs_urb *urb = urb_reap(fd, PATIENCE_MS);

        if (!urb)
            fail("listen: no answer after %llu packets",
                 (unsigned long long)l.packets);
        if (urb->status)
            fail("listen: %s", strerror(-urb->status));
        if (!first)
            hear_request(&l, urb);
        else if (!--first)
            start = clock_us();
        if (l.packets + l.lost + l.bad + l.empty >= wanted)
            pending--;
        else
            urb_submit(fd, urb);
    }
    printf("packets=%llu lost=%llu bad=%llu wrong=%llu empty=%llu us=%llu\n",
           (unsigned long long)l.packets, (unsigned long long)l.lost,
           (unsigned long long)l.bad, (unsigned long long)l.wrong,
           (unsigned long long)l.empty,
           (unsigned long long)(clock_us() - start));
    return 0;
}
