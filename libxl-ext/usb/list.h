/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What xenstore says about the controllers of a domain, and of all domains.
 */
#ifndef XLX_USB_LIST_H
#define XLX_USB_LIST_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"

/* As xlx_usb_list(), without looking at the devices: ports have number and
 * busid only. */
int xlx__usb_snapshot(xlx_ctx *ctx, uint32_t domid, struct xlx_usb_hc **list_r);

/* Looks through all domains for a port that has the device. 1: found,
 * *domid_r and *place_r set; 0: not attached anywhere. */
int xlx__usb_owner(xlx_ctx *ctx, const char *busid, uint32_t *domid_r,
                   struct xlx_usb_place *place_r);

/* Finds the device in one domain: 1, 0 or -errno. */
int xlx__usb_find_in(xlx_ctx *ctx, uint32_t domid, const char *busid,
                     struct xlx_usb_place *place_r);

#endif
