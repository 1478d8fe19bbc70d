/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usbfs, linux/usbdevice_fs.h. What its documentation does not say, and decides
 * the order of the calls here (Linux 6.1, drivers/usb/core/devio.c and hub.c):
 *
 *   - with dropped privileges a file can claim only the interfaces in the mask,
 *     and detaches and attaches no driver: hence a second file to give back;
 *   - USBDEVFS_RESET takes a claimed interface from usbfs, as from any driver
 *     that has no handling of resets, and the kernel then looks for a driver
 *     for it: so a reset comes before the claims;
 *   - USBDEVFS_SETCONFIGURATION fails while a driver has an interface, and ends
 *     with the kernel's drivers on the new ones;
 *   - releasing an interface, or closing the file, calls no driver back.
 */
#include "usbd/device.h"

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clean.h"
#include "core/io.h"
#include "usbd/descriptors.h"

/* Another process's interfaces stay so: it would be torn from them. */
#define USBFS_DRIVER "usbfs"

struct host {
    struct xlx__usbd_devices base;
    xlx_ctx *ctx;
};

struct intfs {
    uint8_t nr[XLX__USBD_INTFS_MAX];
    int count;
};

static int call(int fd, unsigned long request, void *arg)
{
    return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static void tell_errno(char *why, const char *what, int rc)
{
    snprintf(why, XLX__USBD_WHY_MAX, "%s: %s", what, strerror(-rc));
}

static int open_file(uint32_t bus, uint32_t address)
{
    char path[48];
    snprintf(path, sizeof(path), "/dev/bus/usb/%03u/%03u", bus, address);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    return errno == ENOENT ? -ENODEV : -errno;
}

/* --- is it the one? ------------------------------------------------------- */

#ifdef USBDEVFS_CONNINFO_EX
static bool is_busid(const struct usbdevfs_conninfo_ex *info, const char *busid)
{
    char text[XLX_USB_BUSID_MAX];
    size_t n = (size_t)snprintf(text, sizeof(text), "%u", info->busnum);
    if (!info->num_ports || info->num_ports > sizeof(info->ports))
        return false;
    for (unsigned i = 0; i < info->num_ports && n < sizeof(text); i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%c%u", i ? '.' : '-',
                              info->ports[i]);
    return !strcmp(text, busid);
}
#endif

/* Between what sysfs said and the open, another device may have got the
 * number. */
static int verify(int fd, const struct xlx__usbd_wish *wish)
{
#ifdef USBDEVFS_CONNINFO_EX
    struct usbdevfs_conninfo_ex ex = { 0 };
    int got = ioctl(fd, USBDEVFS_CONNINFO_EX(sizeof(ex)), &ex);
    if (got >= 0)
        return ex.busnum == wish->bus && ex.devnum == wish->address &&
                       is_busid(&ex, wish->busid)
                   ? 0
                   : -ENODEV;
    if (errno != ENOTTY && errno != EINVAL)
        return -errno;
#endif
    struct usbdevfs_connectinfo info = { 0 };
    int rc = call(fd, USBDEVFS_CONNECTINFO, &info);
    return rc || info.devnum == wish->address ? rc : -ENODEV;
}

/* --- interfaces ----------------------------------------------------------- */

/* Where a device sent less than it said, usbfs leaves the bytes as they are:
 * the descriptors' readers know a gap by its zeros. */
static int read_descriptors(int fd, struct xlx__usbd_descriptors *d,
                            uint8_t **bytes_r)
{
    uint8_t *bytes = calloc(1, XLX__USBD_DESCRIPTORS_MAX);
    if (!bytes)
        return -ENOMEM;
    *bytes_r = bytes;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    long n = xlx__read_upto(fd, bytes, XLX__USBD_DESCRIPTORS_MAX);
    if (n < 0)
        return (int)n;
    *d = (struct xlx__usbd_descriptors){ bytes, (size_t)n };
    return 0;
}

static int list_interfaces(const struct xlx__usbd_descriptors *d,
                           uint8_t config, struct intfs *intfs_r)
{
    *intfs_r = (struct intfs){ 0 };
    if (!config)
        return 0;
    int nr = xlx__usbd_interfaces(d, config, intfs_r->nr);
    if (nr < 0)
        return nr;
    for (int i = 0; i < nr; i++)
        if (intfs_r->nr[i] >= XLX__USBD_INTFS_MAX)
            return -EINVAL;
    intfs_r->count = nr;
    return 0;
}

/* USBDEVFS_DISCONNECT or USBDEVFS_CONNECT of one interface. */
static int call_driver(int fd, unsigned intf, int what)
{
    struct usbdevfs_ioctl command = { .ifno = (int)intf, .ioctl_code = what };
    return call(fd, USBDEVFS_IOCTL, &command);
}

/* One that has a driver already, or finds none, is as it should be. */
static void call_drivers_back(int fd, const struct intfs *intfs)
{
    for (int i = 0; i < intfs->count; i++)
        call_driver(fd, intfs->nr[i], USBDEVFS_CONNECT);
}

static void release(int fd, const struct intfs *intfs)
{
    for (int i = 0; i < intfs->count; i++) {
        unsigned nr = intfs->nr[i];
        call(fd, USBDEVFS_RELEASEINTERFACE, &nr);
    }
}

static int claim_interface(int fd, unsigned intf)
{
    struct usbdevfs_disconnect_claim dc = {
        .interface = intf,
        .flags = USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER,
        .driver = USBFS_DRIVER,
    };
    return call(fd, USBDEVFS_DISCONNECT_CLAIM, &dc);
}

static int claim_all(int fd, const struct intfs *intfs)
{
    int rc = 0;
    for (int i = 0; !rc && i < intfs->count; i++)
        rc = claim_interface(fd, intfs->nr[i]);
    return rc;
}

static int drop_privileges(int fd, const struct intfs *intfs)
{
    uint32_t mask = 0;
    for (int i = 0; i < intfs->count; i++)
        mask |= 1u << intfs->nr[i];
    return call(fd, USBDEVFS_DROP_PRIVILEGES, &mask);
}

/* --- claiming ------------------------------------------------------------- */

static void tell_busy(struct host *h, const struct xlx__usbd_wish *wish,
                      char *why)
{
    char who[XLX__USBD_WHY_MAX];
    xlx__usbd_who_has(xlx_ctx_path(h->ctx, XLX_PATH_PROC), wish->bus,
                      wish->address, who);
    if (*who)
        snprintf(why, XLX__USBD_WHY_MAX, "claimed%.*s", XLX__USBD_WHY_MAX - 8,
                 who);
    else
        snprintf(why, XLX__USBD_WHY_MAX,
                 "an interface is claimed by another process");
}

static int set_config(int fd, const struct xlx__usbd_descriptors *d,
                      const struct xlx__usbd_wish *wish)
{
    struct intfs old;
    unsigned value = (unsigned)wish->new_config;
    int rc = list_interfaces(d, wish->config, &old);
    if (rc)
        return rc;
    for (int i = 0; i < old.count; i++) {
        struct usbdevfs_getdriver driver = { .interface = old.nr[i] };
        if (!call(fd, USBDEVFS_GETDRIVER, &driver) &&
            strcmp(driver.driver, USBFS_DRIVER))
            call_driver(fd, old.nr[i], USBDEVFS_DISCONNECT);
    }
    rc = call(fd, USBDEVFS_SETCONFIGURATION, &value);
    if (rc)
        call_drivers_back(fd, &old);
    return rc;
}

/* The claims of a device whose descriptors were read and found fit. */
static int take_interfaces(struct host *h, int fd,
                           const struct xlx__usbd_descriptors *d,
                           const struct xlx__usbd_wish *wish, char *why)
{
    struct intfs intfs;
    bool other = wish->new_config != XLX__USBD_NO_CONFIG;
    int rc = other ? set_config(fd, d, wish) : 0;
    tell_errno(why, "its configuration cannot be set", rc);
    if (rc == -EBUSY)
        tell_busy(h, wish, why);
    if (rc)
        return rc;
    rc = list_interfaces(d, other ? (uint8_t)wish->new_config : wish->config,
                         &intfs);
    tell_errno(why, "its descriptors are malformed", rc);
    if (rc)
        return rc;
    rc = claim_all(fd, &intfs);
    tell_errno(why, "an interface cannot be claimed", rc);
    if (rc == -EBUSY)
        tell_busy(h, wish, why);
    if (!rc) {
        rc = drop_privileges(fd, &intfs);
        tell_errno(why, "privileges on it cannot be dropped", rc);
    }
    if (rc) {
        release(fd, &intfs);
        call_drivers_back(fd, &intfs);
    }
    return rc;
}

static int check_fit(int fd, const struct xlx__usbd_wish *wish,
                     struct xlx__usbd_descriptors *d, uint8_t **bytes_r,
                     char *why)
{
    int rc = read_descriptors(fd, d, bytes_r);
    tell_errno(why, "its descriptors cannot be read", rc);
    if (rc)
        return rc;
    const char *unfit = xlx__usbd_unfit(d, wish->mbits);
    if (unfit)
        snprintf(why, XLX__USBD_WHY_MAX, "%s", unfit);
    return unfit ? -ENOTSUP : 0;
}

static int take_opened(struct host *h, int fd,
                       const struct xlx__usbd_wish *wish, char *why)
{
    struct xlx__usbd_descriptors d;
    XLX__AUTO_FREE uint8_t *bytes = NULL;
    int rc = verify(fd, wish);
    tell_errno(why, "another device has taken its place", rc);
    if (!rc)
        rc = check_fit(fd, wish, &d, &bytes, why);
    if (!rc && wish->reset) {
        rc = call(fd, USBDEVFS_RESET, NULL);
        tell_errno(why, "it cannot be reset", rc);
    }
    return rc ? rc : take_interfaces(h, fd, &d, wish, why);
}

static int host_claim(struct xlx__usbd_devices *base,
                      const struct xlx__usbd_wish *wish,
                      struct xlx__usbd_claim *claim_r, char *why_r)
{
    struct host *h = (struct host *)base;
    XLX__AUTO_CLOSE int fd = open_file(wish->bus, wish->address);
    int rc = fd < 0 ? fd : take_opened(h, fd, wish, why_r);
    if (rc == -ENODEV)
        snprintf(why_r, XLX__USBD_WHY_MAX, "no such device on this host");
    else if (fd < 0)
        tell_errno(why_r, "cannot open it", rc);
    if (rc)
        return rc;
    *claim_r = (struct xlx__usbd_claim){ xlx__steal_fd(&fd), wish->bus,
                                         wish->address };
    return 0;
}

/* --- giving back ---------------------------------------------------------- */

static void host_drop(struct xlx__usbd_devices *base,
                      struct xlx__usbd_claim *claim)
{
    (void)base;
    if (claim->fd >= 0)
        close(claim->fd);
    claim->fd = -1;
}

/* Which interfaces there are now is of no interest: the kernel knows the
 * numbers that are none. */
static void call_all_back(int fd)
{
    for (unsigned i = 0; i < XLX__USBD_INTFS_MAX; i++)
        call_driver(fd, i, USBDEVFS_CONNECT);
}

/*
 * The reset goes through the file that has the claims, so that nobody else gets
 * the device before. It costs the file its claims and may already bind the
 * drivers again.
 */
static int host_give_back(struct xlx__usbd_devices *base,
                          struct xlx__usbd_claim *claim, bool reset)
{
    XLX__AUTO_CLOSE int fd = open_file(claim->bus, claim->address);
    int rc = 0;
    if (reset && (claim->fd >= 0 || fd >= 0))
        rc = call(claim->fd >= 0 ? claim->fd : fd, USBDEVFS_RESET, NULL);
    host_drop(base, claim);
    if (fd < 0)
        return fd;
    call_all_back(fd);
    return rc;
}

static void host_close(struct xlx__seam *seam)
{
    free(seam);
}

static const struct xlx__usbd_devices_ops host_ops = {
    .claim = host_claim,
    .drop = host_drop,
    .give_back = host_give_back,
};

int xlx__usbd_devices_host(xlx_ctx *ctx, struct xlx__usbd_devices **d_r)
{
    struct host *h = calloc(1, sizeof(*h));
    if (!h)
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    h->base.seam.close = host_close;
    h->base.ops = &host_ops;
    h->ctx = ctx;
    *d_r = &h->base;
    return 0;
}
