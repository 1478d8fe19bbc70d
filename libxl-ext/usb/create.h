/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Making a controller, as steps that a plan can take back: for usb-hc-create,
 * and for an attach that finds none.
 */
#ifndef XLX_USB_CREATE_H
#define XLX_USB_CREATE_H

#include "usb/hc.h"

struct xlx__create {
    struct xlx__hc hc; /* complete after xlx__create_hc() */
    int64_t until;
    bool started; /* the backend process, by us */
    bool made;    /* the nodes */
};

/* `config` NULL: what suits most. Its values are checked by the caller. */
void xlx__create_init(struct xlx__create *c, uint32_t domid,
                      const struct xlx_usb_hc_config *config, int64_t until);

int xlx__create_backend(xlx_ctx *ctx, struct xlx__create *c);
void xlx__uncreate_backend(xlx_ctx *ctx, struct xlx__create *c);

/* The nodes only; xlx__hc_connect() comes next. */
int xlx__create_hc(xlx_ctx *ctx, struct xlx__create *c);
void xlx__uncreate_hc(xlx_ctx *ctx, struct xlx__create *c);

#endif
