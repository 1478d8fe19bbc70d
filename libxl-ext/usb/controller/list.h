/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What xenstore says about the controllers of a domain, and of all domains.
 */
#ifndef XLX_USB_CONTROLLER_LIST_H
#define XLX_USB_CONTROLLER_LIST_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"

/* One port; a port without a device has an empty busid. */
struct xlx__snapshot_port {
    uint32_t number; /* from 1 */
    char busid[XLX_USB_BUSID_MAX];
};

/* A controller, as struct xlx_usb_hc has it. */
struct xlx__snapshot {
    uint32_t devid;
    enum xlx_usb_type type;
    uint32_t backend_domid;
    uint32_t state, version;
    uint32_t nr_ports;
    struct xlx__snapshot_port port[XLX_USB_PORTS_MAX];
};

/* As xlx_usb_list(), without looking at the devices. */
int xlx__usb_snapshot(xlx_ctx *ctx, uint32_t domid,
                      struct xlx__snapshot **list_r);

/* A device on a port of a guest. */
struct xlx__owned {
    char busid[XLX_USB_BUSID_MAX];
    uint32_t domid;
    struct xlx_usb_place place;
};

/* All of them, of all domains; none where no Xen runs. *list_r for free().
 * Returns how many. */
int xlx__usb_owned(xlx_ctx *ctx, struct xlx__owned **list_r);

/* The entry for a device, or NULL. */
const struct xlx__owned *xlx__usb_owner(const struct xlx__owned *list, int nr,
                                        const char *busid);

#endif
