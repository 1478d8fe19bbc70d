/* SPDX-License-Identifier: LGPL-2.1-only */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "usbfs.h"

enum { PAGE = 4096, KERNEL = 1 };

struct counts {
    volatile uint64_t added, removed;
};

/* Its page stays where it is, and dom0 can look at it: tools/guest-counts. */
static struct counts *shared_counts(void)
{
    struct counts *counts = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry;

    if (counts == MAP_FAILED || fd < 0 || mlock(counts, PAGE))
        fail("gone: no page that stays");
    counts->added = counts->removed = 0;
    if (pread(fd, &entry, 8, (uintptr_t)counts / PAGE * 8) != 8)
        fail("gone: no gfn");
    printf("gfn %#lx\n", (unsigned long)(entry & ((1ull << 55) - 1)));
    close(fd);
    return counts;
}

static int uevents(void)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK,
                                   .nl_groups = KERNEL };
    int room = 1 << 20, fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
                                    NETLINK_KOBJECT_UEVENT);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
        fail("gone: no uevents");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    return fd;
}

static bool has(const char *event, size_t length, const char *line)
{
    for (size_t at = 0; at < length; at += strlen(event + at) + 1)
        if (!strcmp(event + at, line))
            return true;
    return false;
}

/* Prints "added" or "removed", the microsecond since 1970, and the device. */
int gone(int argc, char **argv)
{
    struct counts *counts = shared_counts();
    int fd = uevents();
    char event[8192];
    ssize_t n;

    if (argc)
        return 2;
    (void)argv;
    puts("ready");
    fflush(stdout);
    while ((n = recv(fd, event, sizeof(event) - 1, 0)) != 0) {
        struct timespec ts;
        bool removed;

        if (n < 0)
            fail("gone: uevents were lost");
        event[n] = '\0';
        removed = !strncmp(event, "remove@", 7);
        if ((!removed && strncmp(event, "add@", 4)) ||
            !has(event, (size_t)n, "DEVTYPE=usb_device"))
            continue;
        clock_gettime(CLOCK_REALTIME, &ts);
        if (removed)
            counts->removed++;
        else
            counts->added++;
        printf("%s %llu %s\n", removed ? "removed" : "added",
               ts.tv_sec * 1000000ull + ts.tv_nsec / 1000,
               strrchr(event, '/') + 1);
        fflush(stdout);
    }
    return 0;
}
