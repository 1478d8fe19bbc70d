/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the calls that change something have in common: the checks that need no
 * lock, the locks, and moving one device to or from a port.
 */
#ifndef XLX_USB_JOB_H
#define XLX_USB_JOB_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/deadline.h"
#include "usb/hc.h"

/* The domain is there and is not this host. */
int xlx__job_check_domain(xlx_ctx *ctx, uint32_t domid);

/* Returns the descriptor of the lock. Order: the domain's, then a device's. */
int xlx__job_lock_domain(xlx_ctx *ctx, uint32_t domid, int64_t until);
int xlx__job_lock_domain_quietly(xlx_ctx *ctx, uint32_t domid, int64_t until);
int xlx__job_lock_device(xlx_ctx *ctx, const char *busid, int64_t until);

/*
 * Ends what a killed command left behind for the device, whose lock the caller
 * holds: one that was written down for a guest and is on no port gets its
 * drivers back and is forgotten. 1 when there was such a thing, 0 or -errno.
 */
int xlx__job_repair(xlx_ctx *ctx, const char *busid);

/* The same for all that was written down for a domain, whose lock the caller
 * holds. 0 or -errno. */
int xlx__job_repair_domain(xlx_ctx *ctx, uint32_t domid, int64_t until);

/* The same for all devices; one that is in another command's hands is left to
 * that. Returns how many. */
int xlx__job_repair_all(xlx_ctx *ctx);

/* The controller is one whose ports this library writes. */
int xlx__job_check_hc(xlx_ctx *ctx, const struct xlx__hc *hc);

/*
 * Writes the device's drivers down and the device into an empty port of a
 * connected controller, and waits until backend and guest have it. Whole or
 * undone.
 */
int xlx__job_plug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                  const char *busid, int64_t until);

/*
 * Empties the port and waits until the device has its drivers again. Whole or
 * undone.
 */
int xlx__job_unplug(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                    const char *busid, int64_t until);

#endif
