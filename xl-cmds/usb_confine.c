/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the watcher of the USB devices keeps of root's rights. It starts the
 * guests' backends, which inherit what is left: so this is what all of them
 * need together.
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_usb.h"
#include "confine/confine.h"

#define WHO "usb-reconcile --watch"
#define CAP(name) CONFINE_CAP(CAP_##name)

static const uint64_t keep =
    /* systemd starts a scope only for one who has it. */
    CAP(SYS_ADMIN) |
    /* Which process has a device open. */
    CAP(SYS_PTRACE) | CAP(DAC_READ_SEARCH) |
    /* Files of other users, as a log's that logrotate made. */
    CAP(DAC_OVERRIDE) |
    /* Room for all messages of the kernel about a hub that is unplugged. */
    CAP(NET_ADMIN) |
    /* A backend confines its worker, and ends it. */
    CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(SYS_CHROOT) | CAP(KILL);

int usb_watch_confine(void)
{
    const char *choice = getenv("XL_EXT_USB_CONFINE");
    if (choice && !strcmp(choice, "off"))
        return 0;
    int rc = confine_bounding_set(WHO, keep);
    if (!rc)
        rc = confine_capabilities(WHO, keep);
    return rc ? rc : confine_privileges(WHO);
}
