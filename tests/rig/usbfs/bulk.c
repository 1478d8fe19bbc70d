/* SPDX-License-Identifier: LGPL-2.1-only */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "usbfs.h"

enum { MAX_URBS = 1000 };

/* --- unlink */

/* The place of each request that was answered. */
static int count_answers(struct usbdevfs_urb **urbs, unsigned int n,
                         const struct usbdevfs_urb *answer,
                         unsigned int *answers)
{
    for (unsigned int i = 0; i < n; i++)
        if (urbs[i] == answer)
            return ++answers[i] > 1;
    fail("unlink: an answer to no request");
}

/* Discards them one after the other; the longest time one took, in µs. */
static uint64_t discard_all(int fd, struct usbdevfs_urb **urbs, unsigned int n)
{
    uint64_t most = 0, start, took;

    for (unsigned int i = 0; i < n; i++) {
        start = clock_us();
        if (ioctl(fd, USBDEVFS_DISCARDURB, urbs[i]))
            fail("discard %u: %s", i, strerror(errno));
        took = clock_us() - start;
        most = took > most ? took : most;
    }
    return most;
}

/*
 * Every request is discarded, and then answered once: more are waited for as
 * long as they may still come.
 */
int unlink_all(int argc, char **argv)
{
    struct usbdevfs_urb *urbs[MAX_URBS], *urb;
    unsigned int answers[MAX_URBS] = { 0 }, endpoint, n, done = 0;
    unsigned int twice = 0, unlinked = 0;
    uint64_t most;
    int fd;

    if (argc != 4 || number(argv[2], 10) > MAX_URBS)
        return 2;
    fd = device_open(argv[0]);
    endpoint = number(argv[1], 16);
    n = number(argv[2], 10);
    device_claim(fd, endpoint);
    for (unsigned int i = 0; i < n; i++) {
        urbs[i] =
            urb_new(USBDEVFS_URB_TYPE_BULK, endpoint, number(argv[3], 10), 0);
        urb_submit(fd, urbs[i]);
    }
    usleep(500000);
    most = discard_all(fd, urbs, n);
    while ((urb = urb_reap(fd, done < n ? PATIENCE_MS : 1000))) {
        twice += count_answers(urbs, n, urb, answers);
        unlinked += urb->status == -ENOENT || urb->status == -ECONNRESET;
        done++;
    }
    printf("requests=%u answers=%u unlinked=%u twice=%u most_us=%llu\n", n,
           done, unlinked, twice, (unsigned long long)most);
    return done == n && unlinked == n && !twice ? 0 : 1;
}

/* --- streams */

struct stream {
    int fd;
    unsigned int endpoint;
    uint64_t total, submitted, done, wrong;
    uint64_t base; /* the device's place in its stream at our beginning */
    size_t length;
};

/* usercontext tells where in the stream a request is. */
static void send_next(struct stream *s, struct usbdevfs_urb *urb)
{
    urb->usercontext = (void *)(uintptr_t)s->submitted;
    if (!(s->endpoint & 0x80))
        pattern_fill(urb->buffer, s->length, s->submitted);
    s->submitted += s->length;
    urb_submit(s->fd, urb);
}

static void look_at(struct stream *s, const struct usbdevfs_urb *urb)
{
    uint64_t place = (uintptr_t)urb->usercontext;
    uint32_t first;

    if (urb->status)
        fail("bulk: at %llu: %s", (unsigned long long)s->done,
             strerror(-urb->status));
    memcpy(&first, urb->buffer, sizeof(first));
    if (!s->done)
        s->base = le32toh(first) * 4ull;
    if ((size_t)urb->actual_length != s->length ||
        !pattern_is(urb->buffer, s->length, s->base + place))
        s->wrong++;
    s->done += urb->actual_length;
}

int bulk(int argc, char **argv)
{
    struct stream s = { 0 };
    uint64_t start;
    unsigned int depth;

    if (argc != 5)
        return 2;
    s.fd = device_open(argv[0]);
    s.endpoint = number(argv[1], 16);
    s.total = number(argv[2], 10);
    s.length = number(argv[3], 10);
    device_claim(s.fd, s.endpoint);
    start = clock_us();
    for (depth = number(argv[4], 10); depth; depth--)
        send_next(&s, urb_new(USBDEVFS_URB_TYPE_BULK, s.endpoint, s.length, 0));
    while (s.done < s.submitted) {
        struct usbdevfs_urb *urb = urb_reap(s.fd, PATIENCE_MS);

        if (!urb)
            fail("bulk: no answer after %llu bytes",
                 (unsigned long long)s.done);
        look_at(&s, urb);
        if (s.wrong)
            break;
        if (s.submitted < s.total)
            send_next(&s, urb);
    }
    printf("bytes=%llu wrong=%llu us=%llu\n", (unsigned long long)s.done,
           (unsigned long long)s.wrong,
           (unsigned long long)(clock_us() - start));
    return s.wrong ? 1 : 0;
}

/* --- there and back */

static size_t receive(int fd, unsigned int endpoint, uint8_t *to, size_t most)
{
    size_t got = 0;

    while (got < most) {
        int n = transfer(fd, endpoint, to + got, most - got);

        if (n < 0)
            fail("echo: %s after %zu bytes", strerror(-n), got);
        got += (size_t)n;
    }
    return got;
}

int echo(int argc, char **argv)
{
    unsigned int in, out;
    uint64_t total, done, wrong = 0;
    size_t length;
    uint8_t *there, *back;
    int fd;

    if (argc != 5)
        return 2;
    fd = device_open(argv[0]);
    in = number(argv[1], 16);
    out = number(argv[2], 16);
    total = number(argv[3], 10);
    length = number(argv[4], 10);
    there = malloc(length);
    back = malloc(length);
    if (!there || !back)
        fail("no memory");
    device_claim(fd, in);
    device_claim(fd, out);
    for (done = 0; done < total; done += length) {
        int n;

        pattern_fill(there, length, done);
        n = transfer(fd, out, there, length);
        if (n != (int)length)
            fail("echo: sent %d of %zu", n, length);
        receive(fd, in, back, length);
        wrong += memcmp(there, back, length) != 0;
    }
    printf("bytes=%llu wrong=%llu\n", (unsigned long long)done,
           (unsigned long long)wrong);
    return wrong ? 1 : 0;
}

/* --- one question */

static size_t unhex(const char *text, uint8_t *to, size_t size)
{
    size_t n = 0;
    unsigned int byte;

    for (; n < size && sscanf(text, "%2x", &byte) == 1; text += 2)
        to[n++] = (uint8_t)byte;
    if (*text)
        fail("'%s' is not in hexadecimal", text);
    return n;
}

static void print_hex(const uint8_t *bytes, int n)
{
    for (int i = 0; i < n; i++)
        printf("%02x", bytes[i]);
    puts("");
}

int ask(int argc, char **argv)
{
    uint8_t out[1024], in[1024];
    unsigned int in_endpoint, out_endpoint;
    size_t length;
    unsigned long answers = 1;
    int fd, n;

    if (argc != 4 && argc != 5)
        return 2;
    fd = device_open(argv[0]);
    if (argc == 5)
        answers = number(argv[4], 10);
    in_endpoint = number(argv[1], 16);
    out_endpoint = number(argv[2], 16);
    length = unhex(argv[3], out, sizeof(out));
    device_claim(fd, in_endpoint);
    device_claim(fd, out_endpoint);
    n = transfer(fd, out_endpoint, out, length);
    if (n != (int)length)
        fail("ask: sent %d of %zu", n, length);
    for (; answers; answers--) {
        n = transfer(fd, in_endpoint, in, sizeof(in));
        if (n < 0)
            fail("ask: %s", strerror(-n));
        print_hex(in, n);
    }
    return 0;
}

/* A request to endpoint 0: its eight bytes, and the data of one that has. */
int control(int argc, char **argv)
{
    uint8_t setup[8], data[4096] = { 0 };
    struct usbdevfs_ctrltransfer request = { .data = data,
                                             .timeout = PATIENCE_MS };
    size_t given = 0;
    int n;

    if (argc < 2 || unhex(argv[1], setup, 8) != 8)
        return 2;
    if (argc == 3)
        given = unhex(argv[2], data, sizeof(data));
    request.bRequestType = setup[0];
    request.bRequest = setup[1];
    request.wValue = (uint16_t)(setup[2] | setup[3] << 8);
    request.wIndex = (uint16_t)(setup[4] | setup[5] << 8);
    request.wLength = (uint16_t)(setup[6] | setup[7] << 8);
    if (request.wLength > sizeof(data) ||
        (!(setup[0] & 0x80) && given != request.wLength))
        return 2;
    n = ioctl(device_open(argv[0]), USBDEVFS_CONTROL, &request);
    if (n < 0)
        fail("control: %s", strerror(errno));
    print_hex(data, setup[0] & 0x80 ? n : 0);
    return 0;
}
