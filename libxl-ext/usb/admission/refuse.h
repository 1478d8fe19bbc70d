/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whether a device of this host may be given to a guest at all, and why not:
 * what does not depend on the guest.
 */
#ifndef XLX_USB_ADMISSION_REFUSE_H
#define XLX_USB_ADMISSION_REFUSE_H

#include "usb/device/device.h"
#include "usb/controller/list.h"
#include "usb/admission/policy.h"

/* What is read once for many devices. */
struct xlx__refuse {
    struct xlx__owned *owned;
    int nr_owned;
    struct xlx__policy *policy;
};

struct xlx__refusal {
    int err;        /* a positive errno, or 0: may be given away */
    bool forceable; /* XLX_USB_FORCE overrides it */
    const struct xlx__owned *owner; /* who has it, or NULL */
    char text[256];                 /* printable, without the device's name */
};

int xlx__refuse_open(xlx_ctx *ctx, struct xlx__refuse *r);
void xlx__refuse_close(struct xlx__refuse *r);

/*
 * The first reason, in the order of docs/usb.md. With `force` those that can
 * be overridden are passed over. -errno, reported, when it cannot be told.
 */
int xlx__refuse(xlx_ctx *ctx, const struct xlx__refuse *r,
                const struct xlx__usbdev *dev, bool force,
                struct xlx__refusal *refusal_r);

/* What the policy says, which is part of the above, alone. */
void xlx__refuse_policy(const struct xlx__refuse *r,
                        const struct xlx__usbdev *dev,
                        struct xlx__refusal *refusal_r);

/* What is looked at last, right before the device is taken: whether somebody
 * has one of its disks open exclusively. */
int xlx__refuse_last(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                     struct xlx__refusal *refusal_r);

/* All of it for one device: 0 if nothing on this host prevents giving it away;
 * -errno, reported, if something does or it cannot be found out. */
int xlx__refuse_device(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force);

/* The same for one that a guest has and gives to another: that is no reason,
 * nor that its backend has it open. */
int xlx__refuse_given(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force);

#endif
