/* SPDX-License-Identifier: LGPL-2.1-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "usbip.h"

#define VHCI "/sys/devices/platform/vhci_hcd.0"
enum { PORT_FREE = 4 };

/* The number of the bus that takes the speed, or -1. */
static int bus_of(enum speed speed)
{
    DIR *dir = opendir(VHCI);
    struct dirent *entry;
    int found = -1, bus, mbit;

    while (dir && found < 0 && (entry = readdir(dir))) {
        char path[sizeof(VHCI) + 300];
        FILE *file;

        if (sscanf(entry->d_name, "usb%d", &bus) != 1)
            continue;
        snprintf(path, sizeof(path), VHCI "/%s/speed", entry->d_name);
        file = fopen(path, "r");
        if (file && fscanf(file, "%d", &mbit) == 1 &&
            (mbit > 480) == (speed == SUPER))
            found = bus;
        if (file)
            fclose(file);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* A free port: its number for `attach`, and *on_hub, counted from 1. */
static int free_port(enum speed speed, unsigned int *on_hub)
{
    const char *kind = speed == SUPER ? "ss" : "hs";
    FILE *file = fopen(VHCI "/status", "r");
    int found = -1, port, state;
    char line[200], hub[3];

    *on_hub = 0;
    while (file && found < 0 && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%2s %d %d", hub, &port, &state) != 3 ||
            strcmp(hub, kind))
            continue;
        ++*on_hub;
        if (state == PORT_FREE)
            found = port;
    }
    if (file)
        fclose(file);
    return found;
}

static int attach(int port, int fd, enum speed speed)
{
    int attribute = open(VHCI "/attach", O_WRONLY), rc;
    char text[64];

    if (attribute < 0)
        return -1;
    snprintf(text, sizeof(text), "%d %d %d %d", port, fd, port + 1, speed);
    rc = write(attribute, text, strlen(text)) < 0 ? -errno : 0;
    close(attribute);
    errno = -rc;
    return rc ? -1 : 0;
}

/* Another process may take the same free port: then the next one is tried. */
int vhci_plug(enum speed speed, char *busid, size_t size)
{
    int bus = bus_of(speed), port, ends[2], rc;
    unsigned int on_hub;

    if (bus < 0) {
        errno = ENODEV;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return -1;
    do {
        port = free_port(speed, &on_hub);
        errno = EBUSY;
        rc = port < 0 ? -1 : attach(port, ends[1], speed);
    } while (rc && port >= 0 && errno == EBUSY);
    close(ends[1]);
    if (!rc) {
        snprintf(busid, size, "%d-%u", bus, on_hub);
        return ends[0];
    }
    rc = errno;
    close(ends[0]);
    errno = rc;
    return -1;
}
