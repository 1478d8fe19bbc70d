/* SPDX-License-Identifier: LGPL-2.1-only */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "usbfs.h"

static int open_raw(const char *path)
{
    struct termios settings;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || tcgetattr(fd, &settings))
        fail("%s: %s", path, strerror(errno));
    cfmakeraw(&settings);
    cfsetspeed(&settings, B115200);
    settings.c_cflag |= CLOCAL;
    if (tcsetattr(fd, TCSANOW, &settings))
        fail("%s: %s", path, strerror(errno));
    return fd;
}

static void read_all(int fd, uint8_t *to, size_t length)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    ssize_t got;

    for (; length; length -= (size_t)got, to += got) {
        if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
            fail("line: %zu bytes do not come back", length);
        got = read(fd, to, length);
        if (got <= 0)
            fail("line: %s", strerror(errno));
    }
}

/*
 * Never more than LENGTH bytes on their way: the outer machine writes what the
 * line has sent in one go, and until it can, nothing else in it moves.
 */
int line(int argc, char **argv)
{
    uint8_t there[4096], back[4096];
    uint64_t total, done, wrong = 0;
    size_t length;
    int fd;

    if (argc != 3 || number(argv[2], 10) > sizeof(there))
        return 2;
    fd = open_raw(argv[0]);
    total = number(argv[1], 10);
    length = number(argv[2], 10);
    for (done = 0; done < total; done += length) {
        pattern_fill(there, length, done);
        if (write(fd, there, length) != (ssize_t)length)
            fail("line: %s", strerror(errno));
        read_all(fd, back, length);
        wrong += memcmp(there, back, length) != 0;
    }
    printf("bytes=%llu wrong=%llu\n", (unsigned long long)done,
           (unsigned long long)wrong);
    return wrong ? 1 : 0;
}
