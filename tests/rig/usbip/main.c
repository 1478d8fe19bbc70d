/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usbip-device DESCRIPTION [ENDPOINT=BEHAVIOUR[:N] | speed=SPEED]... : a USB
 * device behind dom0's vhci_hcd. What it is stands in a file (see model.c);
 * how its endpoints behave may be given here and changed later:
 *   ordinary   isochronous: each packet has the number of its time, `:N` bytes
 *              at most; bulk and interrupt IN: a stream of numbered words, OUT:
 *              the same stream is expected, what differs is counted as wrong
 *   number     isochronous OUT: each packet must have the next number
 *   echo       IN gives what OUT took (both must echo)
 *   short:N    IN, N bytes at most a request
 *   stall      always; halt: until CLEAR_HALT, then ordinary
 *   hang       no answer until the request is unlinked
 *   babble     IN: EOVERFLOW, as a host controller reports it
 * None claims to have sent more than was asked for: the vhci_hcd of Linux 6.1
 * believes it, and usbfs then reads beyond its buffer, a BUG in dom0's kernel.
 * Commands come by standard input, each answered by a line that begins with
 * "ok" or "error":
 *   plug             ok BUSID
 *   pull             at once; prints also "pulled MICROSECONDS-SINCE-1970"
 *   pull at N        in the middle of the N-th answer of an endpoint from now
 * on cycle N MS       N times: plugs, waits until it is configured, waits MS,
 *                    pulls, waits MS
 *   replace FILE     ok BUSID: pulls, and plugs in what FILE describes, in the
 *                    same port
 *   ENDPOINT=BEHAVIOUR, speed=SPEED
 *   stats            counts since it was plugged in
 *   quit
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usbip.h"

enum { CONFIGURED_MS = 10000 };

static struct model model;
static char place[32]; /* where it was plugged in last */

static bool set(const char *text)
{
    return !strncmp(text, "speed=", 6) ? model_speed(&model, text + 6)
                                       : model_behave(&model, text);
}

/* Waits for the host's requests, or commands; false at the end of these. */
static bool turn(struct device *device, bool commands, int limit_ms)
{
    struct pollfd fds[2] = { { .fd = device_fd(device), .events = POLLIN },
                             { .fd = commands ? STDIN_FILENO : -1,
                               .events = POLLIN } };
    long wait_us = device_serve(device);
    struct timespec wait = { wait_us / 1000000, wait_us % 1000000 * 1000 };
    struct timespec limit = { limit_ms / 1000, limit_ms % 1000 * 1000000l };

    fds[0].fd = device_fd(device);
    if (wait_us < 0 || (limit_ms >= 0 && wait_us > limit_ms * 1000l))
        wait = limit;
    if (ppoll(fds, 2, wait_us < 0 && limit_ms < 0 ? NULL : &wait, NULL) < 0)
        return errno == EINTR;
    if (fds[0].revents)
        device_receive(device);
    return fds[1].revents != 0;
}

static void serve_for(struct device *device, unsigned int ms)
{
    uint64_t until = now_us() + ms * 1000ull, now;

    while ((now = now_us()) < until)
        turn(device, false, (int)((until - now) / 1000 + 1));
}

static bool plug(struct device *device)
{
    if (device_plug(device, place, sizeof(place))) {
        printf("error plug: %s\n", strerror(errno));
        return false;
    }
    printf("ok %s\n", place);
    return true;
}

/* A port is not free at once when its device was pulled out, and the next one
 * would be taken. */
static void replace(struct device *device, const char *file)
{
    uint64_t until = now_us() + CONFIGURED_MS * 1000ull;
    char busid[32];

    device_pull(device);
    model_read(&model, file);
    while (now_us() < until && !device_plug(device, busid, sizeof(busid))) {
        if (!strcmp(busid, place)) {
            printf("ok %s\n", place);
            return;
        }
        device_pull(device);
        serve_for(device, 10);
    }
    printf("error replace: not in %s\n", place);
}

static bool serve_until_configured(struct device *device)
{
    uint64_t until = now_us() + CONFIGURED_MS * 1000ull;

    while (!device_configured(device) && now_us() < until)
        turn(device, false, 10);
    return device_configured(device);
}

static const char *one_cycle(struct device *device, unsigned int ms)
{
    char busid[32];

    if (device_plug(device, busid, sizeof(busid)))
        return strerror(errno);
    if (!serve_until_configured(device))
        return "the host does not configure it";
    serve_for(device, ms);
    device_pull(device);
    serve_for(device, ms);
    return NULL;
}

static void cycle(struct device *device, unsigned int n, unsigned int ms)
{
    const char *what;

    for (unsigned int i = 0; i < n; i++)
        if ((what = one_cycle(device, ms))) {
            printf("error cycle %u: %s\n", i, what);
            return;
        }
    printf("ok %u\n", n);
}

static bool command(struct device *device, const char *line)
{
    unsigned int n, ms;

    if (!strcmp(line, "quit"))
        return false;
    if (!strcmp(line, "plug"))
        plug(device);
    else if (!strcmp(line, "pull"))
        device_pull(device), puts("ok");
    else if (sscanf(line, "pull at %u", &n) == 1)
        device_pull_at(device, n), puts("ok");
    else if (sscanf(line, "cycle %u %u", &n, &ms) == 2)
        cycle(device, n, ms);
    else if (!strncmp(line, "replace ", 8))
        replace(device, line + 8);
    else if (!strcmp(line, "stats"))
        device_print(device);
    else if (set(line))
        puts("ok");
    else
        printf("error: %s\n", line);
    fflush(stdout);
    return true;
}

/* One line, byte by byte: what is behind it is left for poll to see. */
static bool read_line(char *line, size_t size)
{
    size_t used = 0;

    while (used + 1 < size && read(STDIN_FILENO, line + used, 1) == 1) {
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
        used++;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct device *device;
    char line[200];

    if (argc < 2) {
        fputs("usage: usbip-device DESCRIPTION [ENDPOINT=BEHAVIOUR[:N] | "
              "speed=SPEED]...\n",
              stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    model_read(&model, argv[1]);
    for (int i = 2; i < argc; i++)
        if (!set(argv[i])) {
            fprintf(stderr, "usbip-device: '%s' is not understood\n", argv[i]);
            return 2;
        }
    device = device_new(&model);
    if (!device)
        return perror("usbip-device"), 1;
    for (;;)
        if (turn(device, true, -1) &&
            (!read_line(line, sizeof(line)) || !command(device, line)))
            break;
    device_pull(device);
    return 0;
}
