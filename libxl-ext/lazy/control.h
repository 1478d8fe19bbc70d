/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The control socket of a pager, RUN/lazy/DOMID.sock: root only, a thread of
 * its own, nothing a client does holds anybody up. The protocol:
 * lazy/message.h.
 */
#ifndef XLX_LAZY_CONTROL_H
#define XLX_LAZY_CONTROL_H

#include "core/ctx.h"
#include "libxl_ext_lazy.h"

/* Clients at a time; one that sends nothing is closed after client_ms. */
#define XLX__CLIENTS_MAX 16
#define XLX__CLIENT_MS 5000
#define XLX__CONTROL_TICK_MS 200

struct xlx__control;

/* Called from the control thread. */
struct xlx__control_user {
    void (*change)(void *user, const struct xlx_lazy_change *change);
    char *(*status)(void *user); /* JSON, to be freed; NULL without memory */
    void (*tick)(void *user);    /* about every XLX__CONTROL_TICK_MS */
    void *user;
    int client_ms; /* XLX__CLIENT_MS but in tests */
};

/* Starts it; a socket that a dead pager left is replaced. */
int xlx__control_start(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx__control_user *user,
                       struct xlx__control **control_r);

/* Ends the thread, closes and removes the socket. NULL is allowed. */
void xlx__control_stop(struct xlx__control *control);

/* How many pagers of this host listen; 0 where that cannot be found out. */
uint32_t xlx__control_count(const xlx_ctx *ctx);

/* The address of a domain's socket. 0 or -ENAMETOOLONG. */
struct sockaddr_un;
int xlx__control_address(xlx_ctx *ctx, uint32_t domid,
                         struct sockaddr_un *addr_r);

#endif
