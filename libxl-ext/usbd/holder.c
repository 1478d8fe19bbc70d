/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which process has a USB device open: usbfs itself does not say.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/clean.h"
#include "core/io.h"
#include "core/parse.h"
#include "core/printable.h"
#include "usbd/device.h"

/* What the kernel shows of a program's name has 15 characters at most. */
static const char *const backends[] = { "xl-ext-usb-back", "qemu-" };

/* Whether one of the descriptors in /proc/PID/fd is the file. */
static bool has_open(int proc, const char *pid, const char *file)
{
    char path[48], target[64];
    snprintf(path, sizeof(path), "%.16s/fd", pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    XLX__AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    if (!dir && fd >= 0)
        close(fd);
    while (dir && (e = readdir(dir))) {
        ssize_t n = readlinkat(fd, e->d_name, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        if (!strcmp(target, file))
            return true;
    }
    return false;
}

static enum xlx__usbd_holder describe(int proc, const char *pid, char *who_r)
{
    char path[48], name[32] = "";
    snprintf(path, sizeof(path), "%.16s/comm", pid);
    XLX__AUTO_CLOSE int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -1 : xlx__read_upto(fd, name, sizeof(name) - 1);
    name[n < 0 ? 0 : n] = '\0';
    name[strcspn(name, "\n")] = '\0';
    xlx__printable(name, sizeof(name), name);
    snprintf(who_r, XLX__USBD_WHY_MAX, " by process %s%s(pid %.16s)", name,
             *name ? " " : "", pid);
    for (size_t i = 0; i < XLX__NR(backends); i++)
        if (!strncmp(name, backends[i], strlen(backends[i])))
            return XLX__USBD_A_BACKEND;
    return XLX__USBD_ANOTHER;
}

enum xlx__usbd_holder xlx__usbd_who_has(const char *proc, uint32_t bus,
                                        uint32_t address, char *who_r)
{
    enum xlx__usbd_holder holder = XLX__USBD_NOBODY;
    char file[48];
    uint32_t pid;
    snprintf(file, sizeof(file), "/dev/bus/usb/%03u/%03u", bus, address);
    *who_r = '\0';
    XLX__AUTO_CLOSEDIR DIR *dir = opendir(proc);
    const struct dirent *e;
    while (dir && holder != XLX__USBD_A_BACKEND && (e = readdir(dir)))
        if (!xlx__parse_u32(e->d_name, 1, INT32_MAX, &pid) &&
            pid != (uint32_t)getpid() && has_open(dirfd(dir), e->d_name, file))
            holder = describe(dirfd(dir), e->d_name, who_r);
    return holder;
}
