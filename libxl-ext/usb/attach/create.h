/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Making a controller, as steps that a plan can undo: for usb-hc-create,
 * and for an attach that finds none.
 */
#ifndef XLX_USB_ATTACH_CREATE_H
#define XLX_USB_ATTACH_CREATE_H

#include "usb/device/device.h"
#include "usb/controller/hc.h"

struct xlx__create {
    struct xlx__hc hc; /* complete after xlx__create_hc() */
    int64_t until;
    bool started; /* the backend process, by us */
    bool made;    /* the controller */
};

void xlx__create_init(struct xlx__create *c, uint32_t domid, int64_t until);

/*
 * Decides on type, version and ports; changes nothing. `dev` is the device it
 * is for, or NULL. -EINVAL: no controller is like that; -ENOTSUP: none that
 * the guest can have suits the device.
 */
int xlx__create_config(xlx_ctx *ctx, struct xlx__create *c,
                       const struct xlx_usb_hc_config *config,
                       const struct xlx__usbdev *dev);

/* Whether there will be a backend process. Its undo is the last one, so that
 * the controller is closed while the process is there. */
int xlx__create_check(xlx_ctx *ctx, struct xlx__create *c);
void xlx__uncreate_backend(xlx_ctx *ctx, struct xlx__create *c);

/* The controller. */
int xlx__create_hc(xlx_ctx *ctx, struct xlx__create *c);
void xlx__uncreate_hc(xlx_ctx *ctx, struct xlx__create *c);

/* The backend process, which finds the controller. Its start has time of its
 * own: `until` moves by what it takes. The type's connect comes next. */
int xlx__create_start(xlx_ctx *ctx, struct xlx__create *c);

#endif
