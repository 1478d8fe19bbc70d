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

/* A QEMU says which one it is: libxl's 10 s for a command of QMP
 * (LIBXL_QMP_CMD_TIMEOUT). It may be busy with libxl. */
#define XLX__ASK_MS 10000

/* A guest that has the driver connects a controller that is ready, before that is
 * taken from it. One without the driver says nothing, so this is waited for in
 * full: no longer than a guest on a busy machine may take to look. */
#define XLX__OFFER_MS 5000

/* A guest looks, and finds that a controller is gone. It gives no sign of it. */
#define XLX__NOTICE_MS 2000

/* A backend follows the guest that has closed: one that lives does so at once,
 * one that was killed never does. */
#define XLX__FOLLOW_MS 2000

/* A QEMU that was asked to end does, and gives the drivers back, before it is
 * killed: libxl's 10 s for what is destroyed (LIBXL_DESTROY_TIMEOUT). */
#define XLX__END_MS 10000

/* A guest lets go of a controller whose backend has died. It may wait for its
 * own timeouts before it takes a request back: 10 s for a control request; 30 s
 * for each of a disk's commands, of which more than one may be on its way. */
#define XLX__ORPHAN_MS 150000

/* What restarts a backend waits so long for the command that is at work for the
 * guest: it may start a backend, do its work, and take that back. */
#define XLX__COMMAND_MS (XLX__START_MS + XLX__ANSWER_MS + XLX__UNDO_MS)

#endif
