/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The kernel driver usbback: it knows from xenstore which busid belongs to
 * which port, and takes the interfaces of such a device when they are bound to
 * it. No mainline kernel has it; SUSE's had.
 */
#ifndef XLX_USB_CONTROLLER_USBBACK_H
#define XLX_USB_CONTROLLER_USBBACK_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"

/* Whether the host has the driver: 1, 0 or -errno. */
int xlx__usbback_loaded(xlx_ctx *ctx);

/* Where usbback has a busid, or what it has at a place. */
struct xlx__usbback_id {
    char busid[XLX_USB_BUSID_MAX];
    uint32_t domid;
    struct xlx_usb_place place;
};

/*
 * Looks for an entry with the busid or with the place of `want`: 1, and it is
 * in *found_r; 0: there is none. -ENOENT, without a report, where the driver
 * does not say what it has.
 */
int xlx__usbback_find(xlx_ctx *ctx, const struct xlx__usbback_id *want,
                      struct xlx__usbback_id *found_r);

/* 1: usbback has all interfaces of the device; 0; or -ENODEV without a report,
 * when it is not plugged in. */
int xlx__usbback_claimed(xlx_ctx *ctx, const char *busid);

/*
 * Takes the interfaces from their drivers and binds them to usbback; writes
 * down for libxl which driver each had, so that xl usbdev-detach and the end of
 * the domain give them back too. May stop half-way.
 */
int xlx__usbback_bind(xlx_ctx *ctx, const char *busid);

/* Takes the interfaces from usbback, which leaves them without a driver. A
 * device that is not plugged in is a success, as is what is no busid. */
int xlx__usbback_unbind(xlx_ctx *ctx, const char *busid);

/* Removes what was written down for libxl. */
int xlx__usbback_forget(xlx_ctx *ctx, const char *busid);

#endif
