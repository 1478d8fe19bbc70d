/* SPDX-License-Identifier: LGPL-2.1-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "usbfs.h"

#define DEVICES "/sys/bus/usb/devices"

void fail(const char *format, ...)
{
    va_list args;

    fputs("usb-try: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\n", stderr);
    exit(1);
}

uint64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

unsigned long number(const char *text, int base)
{
    char *end;
    unsigned long value = strtoul(text, &end, base);

    if (!*text || *end)
        fail("'%s' is no number", text);
    return value;
}

static bool attribute(const char *busid, const char *name, char value[32])
{
    char path[400];
    FILE *file;
    bool read;

    snprintf(path, sizeof(path), DEVICES "/%s/%s", busid, name);
    file = fopen(path, "r");
    read = file && fscanf(file, "%31s", value) == 1;
    if (file)
        fclose(file);
    return read;
}

static bool is_meant(const char *busid, const char *which)
{
    char vendor[32], product[32], both[70];

    if (!strcmp(busid, which))
        return true;
    if (!attribute(busid, "idVendor", vendor) ||
        !attribute(busid, "idProduct", product))
        return false;
    snprintf(both, sizeof(both), "%s:%s", vendor, product);
    return !strcmp(both, which);
}

int device_open(const char *which)
{
    DIR *dir = opendir(DEVICES);
    struct dirent *entry;
    char bus[32], device[32], path[64];
    int fd;

    while (dir && (entry = readdir(dir)))
        if (is_meant(entry->d_name, which))
            break;
    if (!dir || !entry || !attribute(entry->d_name, "busnum", bus) ||
        !attribute(entry->d_name, "devnum", device))
        fail("no device %s", which);
    snprintf(path, sizeof(path), "/dev/bus/usb/%03lu/%03lu", number(bus, 10),
             number(device, 10));
    closedir(dir);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail("%s: %s", path, strerror(errno));
    return fd;
}

enum { INTERFACE = 4, ENDPOINT = 5 };

/* The interface, and its setting, that has the endpoint. */
static void find_setting(int fd, unsigned int endpoint,
                         struct usbdevfs_setinterface *found)
{
    uint8_t bytes[4096];
    ssize_t length = pread(fd, bytes, sizeof(bytes), 0);

    found->interface = 256;
    for (ssize_t at = 0; at + 4 <= length && bytes[at]; at += bytes[at]) {
        if (bytes[at + 1] == INTERFACE) {
            found->interface = bytes[at + 2];
            found->altsetting = bytes[at + 3];
        }
        if (bytes[at + 1] == ENDPOINT && bytes[at + 2] == endpoint &&
            found->interface < 256)
            return;
    }
    fail("no endpoint %02x", endpoint);
}

/* The interface may have been claimed for another endpoint already. */
void device_claim(int fd, unsigned int endpoint)
{
    struct usbdevfs_setinterface setting;
    struct usbdevfs_disconnect_claim claim = { 0 };

    find_setting(fd, endpoint, &setting);
    claim.interface = setting.interface;
    claim.flags = USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER;
    strcpy(claim.driver, "usbfs");
    if (ioctl(fd, USBDEVFS_DISCONNECT_CLAIM, &claim) && errno != EBUSY)
        fail("claim interface %u: %s", setting.interface, strerror(errno));
    if (setting.altsetting && ioctl(fd, USBDEVFS_SETINTERFACE, &setting))
        fail("setting %u: %s", setting.altsetting, strerror(errno));
}

struct usbdevfs_urb *urb_new(unsigned int type, unsigned int endpoint,
                             size_t length, int packets)
{
    struct usbdevfs_urb *urb =
        calloc(1, sizeof(*urb) + packets * sizeof(urb->iso_frame_desc[0]));

    if (!urb || !(urb->buffer = calloc(1, length + 1)))
        fail("no memory");
    urb->type = (unsigned char)type;
    urb->endpoint = (unsigned char)endpoint;
    urb->buffer_length = (int)length;
    urb->number_of_packets = packets;
    if (type == USBDEVFS_URB_TYPE_ISO)
        urb->flags = USBDEVFS_URB_ISO_ASAP;
    for (int i = 0; i < packets; i++)
        urb->iso_frame_desc[i].length = (unsigned int)length / packets;
    return urb;
}

void urb_submit(int fd, struct usbdevfs_urb *urb)
{
    if (ioctl(fd, USBDEVFS_SUBMITURB, urb))
        fail("submit: %s", strerror(errno));
}

struct usbdevfs_urb *urb_reap(int fd, int limit_ms)
{
    struct usbdevfs_urb *urb;
    struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

    for (;;) {
        if (!ioctl(fd, USBDEVFS_REAPURBNDELAY, &urb))
            return urb;
        if (errno != EAGAIN)
            fail("reap: %s", strerror(errno));
        if (poll(&poll_fd, 1, limit_ms) == 0)
            return NULL;
    }
}

int transfer(int fd, unsigned int endpoint, void *data, size_t length)
{
    struct usbdevfs_bulktransfer bulk = { .ep = endpoint,
                                          .len = (unsigned int)length,
                                          .timeout = PATIENCE_MS,
                                          .data = data };
    int done = ioctl(fd, USBDEVFS_BULK, &bulk);

    return done < 0 ? -errno : done;
}
