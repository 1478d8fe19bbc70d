/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usbd/usbfs.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int call(int dev, unsigned long request, void *arg)
{
    return ioctl(dev, request, arg) < 0 ? -errno : 0;
}

static int submit(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb *urb)
{
    (void)fs;
    return call(dev, USBDEVFS_SUBMITURB, urb);
}

static int reap(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb **urb_r)
{
    (void)fs;
    int rc = call(dev, USBDEVFS_REAPURBNDELAY, urb_r);
    if (!rc)
        return 1;
    return rc == -EAGAIN || rc == -EINTR ? 0 : rc;
}

static int discard(struct xlx__usbfs *fs, int dev, struct usbdevfs_urb *urb)
{
    (void)fs;
    return call(dev, USBDEVFS_DISCARDURB, urb);
}

static int set_interface(struct xlx__usbfs *fs, int dev, uint32_t intf,
                         uint32_t alt)
{
    (void)fs;
    struct usbdevfs_setinterface set = { .interface = intf, .altsetting = alt };
    return call(dev, USBDEVFS_SETINTERFACE, &set);
}

static int clear_halt(struct xlx__usbfs *fs, int dev, uint32_t endpoint)
{
    (void)fs;
    return call(dev, USBDEVFS_CLEAR_HALT, &endpoint);
}

static int for_each(int dev, uint32_t intfs, unsigned long request)
{
    int rc = 0;
    for (unsigned intf = 0; intf < 32; intf++)
        if (intfs & UINT32_C(1) << intf) {
            int one = call(dev, request, &intf);
            rc = rc ? rc : one;
        }
    return rc;
}

/* A reset takes an interface from usbfs and offers it to the kernel's drivers,
 * unless it was let go of before. */
static int reset(struct xlx__usbfs *fs, int dev, uint32_t intfs)
{
    (void)fs;
    for_each(dev, intfs, USBDEVFS_RELEASEINTERFACE);
    int rc = call(dev, USBDEVFS_RESET, NULL);
    int claimed = for_each(dev, intfs, USBDEVFS_CLAIMINTERFACE);
    return rc ? rc : claimed;
}

static int descriptors(struct xlx__usbfs *fs, int dev, uint8_t *buf,
                       size_t size)
{
    (void)fs;
    ssize_t n = pread(dev, buf, size, 0);
    return n < 0 ? -errno : (int)n;
}

static void close_device(struct xlx__usbfs *fs, int dev)
{
    (void)fs;
    close(dev);
}

static const struct xlx__usbfs_ops ops = {
    .submit = submit,
    .reap = reap,
    .discard = discard,
    .set_interface = set_interface,
    .clear_halt = clear_halt,
    .reset = reset,
    .descriptors = descriptors,
    .close = close_device,
};

struct xlx__usbfs *xlx__usbfs_host(void)
{
    static const struct xlx__usbfs host = { &ops };
    return (struct xlx__usbfs *)&host;
}
