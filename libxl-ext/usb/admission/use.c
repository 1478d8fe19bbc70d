/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/admission/use.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/array.h"
#include "host/sysfs.h"

/*
 * How the device above a virtual root hub begins, in its path and in the root
 * hub's serial, which usbcore makes of it: platform devices "vhci_hcd.0" and
 * "dummy_hcd.0", the xenbus device "vusb-0" of xen-hcd.
 */
static const char *const virtual[] = { "vhci_hcd", "dummy_hcd", "vusb-" };

static bool is_virtual(const char *name, size_t len)
{
    for (size_t i = 0; i < XLX__NR(virtual); i++)
        if (len >= strlen(virtual[i]) &&
            !memcmp(name, virtual[i], strlen(virtual[i])))
            return true;
    return false;
}

/* Whether one of the path's components is a virtual controller. */
static void look_at_path(const char *path, struct xlx__usb_use_found *found)
{
    size_t len;
    while (path && !found->use) {
        const char *name = xlx__usb_use_part(&path, &len);
        if (!is_virtual(name, len))
            continue;
        found->use = XLX__USE_VIRTUAL;
        snprintf(found->what, sizeof(found->what), "%.*s", (int)len, name);
    }
}

static int look_at_controller(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                              struct xlx__usb_use_found *found)
{
    char path[PATH_MAX], node[64];
    snprintf(node, sizeof(node), "bus/usb/devices/%s", dev->busid);
    int rc = xlx__sysfs_target_any(ctx, node, path, sizeof(path));
    if (rc)
        return rc;
    look_at_path(path, found);
    snprintf(node, sizeof(node), "bus/usb/devices/usb%u/serial", dev->bus);
    if (!found->use)
        rc = xlx__sysfs_read_any(ctx, node, path, sizeof(path));
    if (!rc)
        look_at_path(path, found);
    return rc;
}

int xlx__usb_use(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                 struct xlx__usb_use_found *found_r)
{
    struct xlx__usb_use_found found = { XLX__USE_NONE, "" };
    int rc = xlx__sysfs_open(ctx);
    if (!rc)
        rc = xlx__usb_use_disk(ctx, dev, &found);
    if (!rc && !found.use)
        rc = xlx__usb_use_network(ctx, dev, &found);
    if (!rc && !found.use)
        rc = xlx__usb_use_keyboard(ctx, dev, &found);
    if (!rc && !found.use)
        rc = look_at_controller(ctx, dev, &found);
    if (!rc)
        *found_r = found;
    return rc;
}
