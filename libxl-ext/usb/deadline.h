/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Every deadline of PVUSB that somebody may sit and wait for, in one place.
 *
 * They are libxl's, so that a host on which xl's own commands come through is
 * quick enough for these too. Each only ends the wait for somebody who has
 * stopped: whoever answers ends it at once, so a long one costs nothing, and a
 * short one fails on a machine that is merely busy. How often a loop looks
 * meanwhile is no deadline, and stays with the loop.
 */
#ifndef XLX_USB_DEADLINE_H
#define XLX_USB_DEADLINE_H

#include "libxl_ext_usb.h"

/* A guest, its frontend, a backend or a driver answers: libxl's 40 s for a
 * device (LIBXL_HOTPLUG_TIMEOUT). Also what a caller without a wish gets. */
#define XLX__ANSWER_MS XLX_USB_TIMEOUT_MS

/* Putting things back, which no caller's deadline may cut short. The same ones
 * have to answer, on the same machine, as when things were done. */
#define XLX__UNDO_MS XLX_USB_TIMEOUT_MS

/* A backend process starts: libxl's 60 s for a device model
 * (LIBXL_DEVICE_MODEL_START_TIMEOUT). */
#define XLX__START_MS XLX_USB_START_MS

/* A guest that has the driver connects a controller that is ready, before that
 * is taken from it. One without the driver says nothing, so this is waited for
 * in full: no longer than a guest on a busy machine may take to look. */
#define XLX__OFFER_MS 5000

/* A device's drivers take it back after its guest has gone: libxl's 10 s for
 * what is destroyed (LIBXL_DESTROY_TIMEOUT). */
#define XLX__END_MS 10000

/* A backend follows the guest that has closed: one that lives does so at once,
 * one that was killed never does. */
#define XLX__FOLLOW_MS 2000

#endif
