/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a device is known by when it comes back: pure.
 */
#ifndef XLX_USB_DEVICE_IDENTITY_H
#define XLX_USB_DEVICE_IDENTITY_H

#include "libxl_ext_usb.h"
#include "usb/device/device.h"

enum xlx__match {
    XLX__MATCH_ONE,
    XLX__MATCH_NONE,      /* not plugged in */
    XLX__MATCH_AMBIGUOUS, /* several it could be, none at its place */
    XLX__MATCH_CHANGED,   /* its serial, or its numbers at its place, with
                             other interfaces */
    XLX__MATCH_TAKEN,     /* it is somebody else's */
};

void xlx__identity_of(const struct xlx__usbdev *dev,
                      struct xlx_usb_identity *id_r);

/* Whether two speak of one place: the same port of the same controller, or of
 * the bus of that number where a controller is not known. */
bool xlx__identity_same_place(const struct xlx_usb_identity *a,
                              const struct xlx_usb_identity *b);

/* Changes the busid to what its place is called with these buses; where its
 * controller is not known, or not there, it stays. */
void xlx__identity_renumber(struct xlx_usb_identity *id,
                            const struct xlx__usbbus *bus, int nr);

/* Whether one of `nr` devices is where it says, which none is that is behind a
 * hub. Where a controller is not known,
 * and one like it is in the same port of another bus, neither is. */
bool xlx__identity_at_place(const struct xlx_usb_identity *id,
                            const struct xlx__usbdev *dev, int nr, int which);

/* Whether the device is plugged in behind the hub that is meant by `id`. */
bool xlx__identity_behind(const struct xlx_usb_identity *id,
                          const struct xlx__usbdev *dev);

/* Whether two identities speak of one device: with a serial wherever it was,
 * without one at the same place. */
bool xlx__identity_same(const struct xlx_usb_identity *a,
                        const struct xlx_usb_identity *b);

/* It is known by what it was before, too: the newest are kept. */
void xlx__identity_add_faces(struct xlx_usb_identity *id,
                             const struct xlx_usb_identity *old);

/* Same vendor, product and serial: what a device can be told by that runs in
 * another configuration than when it was assigned. */
bool xlx__identity_numbers(const struct xlx_usb_identity *id,
                           const struct xlx__usbdev *dev);

/*
 * Which of the devices it is: numbers and interfaces are the same, and it is at
 * its place, or is the only one that is not `taken`. *which_r is set but for
 * XLX__MATCH_NONE and _AMBIGUOUS. A device without interfaces is not there yet.
 */
enum xlx__match xlx__identity_match(const struct xlx_usb_identity *id,
                                    const struct xlx__usbdev *dev, int nr,
                                    const bool *taken, int *which_r);

#endif
