/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The state of the device in a controller's port: the backend writes it to a
 * node that no guest can read, for the commands that wait for it and for
 * the backend that comes after it.
 *
 *   /libxl-ext/usb-backend/DOMID/DEVID/PORT          "BUSID opened",
 *                                                    "BUSID configured" or
 *                                                    "BUSID failed: REASON"
 *   /libxl-ext/usb-backend/DOMID/DEVID/PORT/address  the device's
 *
 * The node is there as long as the backend has anything of the device: when it
 * is gone, the device is this host's again.
 */
#ifndef XLX_USBD_PORT_STATUS_H
#define XLX_USBD_PORT_STATUS_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usbd/message.h"

/* To be watched. */
#define XLX__USBD_STATUS "/libxl-ext/usb-backend/%u/%u/%u"
#define XLX__USBD_WHY_MAX 160

enum xlx__usbd_what {
    XLX__USBD_OPENED_PORT,     /* ours; the guest is told of it */
    XLX__USBD_CONFIGURED_PORT, /* the guest's driver can use it */
    XLX__USBD_FAILED_PORT,     /* not ours; `why` */
};

struct xlx__usbd_status {
    enum xlx__usbd_what what;
    char busid[XLX_USB_BUSID_MAX];
    uint32_t address;            /* 0: not known */
    char why[XLX__USBD_WHY_MAX]; /* the end of a sentence */
};

/* 1; 0: there is none, or none that makes sense; or -errno. */
int xlx__usbd_status_read(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                          uint32_t port, struct xlx__usbd_status *s_r);

int xlx__usbd_status_write(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                           uint32_t port, const struct xlx__usbd_status *s);

/* Nothing there is a success. */
int xlx__usbd_status_remove(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                            uint32_t port);

/* Calls `each` for every port of the domain that has a node, until it returns
 * other than 0, which is returned. */
int xlx__usbd_status_each(xlx_ctx *ctx, uint32_t domid,
                          int (*each)(void *arg, uint32_t devid, uint32_t port,
                                      const struct xlx__usbd_status *s),
                          void *arg);

#endif
