/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Controllers in xenstore, in libxl's layout (docs/usb.md).
 */
#ifndef XLX_USB_CONTROLLER_HC_H
#define XLX_USB_CONTROLLER_HC_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "xen/xenstore.h"

/* Xen's enum xenbus_state, public/io/xenbus.h. */
enum {
    XLX__STATE_NONE = 0,
    XLX__STATE_INITIALISING = 1,
    XLX__STATE_INIT_WAIT = 2,
    XLX__STATE_INITIALISED = 3,
    XLX__STATE_CONNECTED = 4,
    XLX__STATE_CLOSING = 5,
    XLX__STATE_CLOSED = 6,
};

/* What libxl's own part of xenstore says, which no guest can write. */
struct xlx__hc {
    uint32_t domid;
    uint32_t devid;
    enum xlx_usb_type type;
    uint32_t version;
    uint32_t nr_ports;
    uint32_t backend_domid;
    bool by_kernel; /* type pv: the kernel's usbback serves it, not ours */
    char be[XLX__XS_PATH_MAX]; /* where the ports are */
};

/* Whether there are nodes of such a controller: 1, 0 or -errno. */
int xlx__hc_exists(xlx_ctx *ctx, uint32_t domid, uint32_t devid);

/* -ENODEV, reported, when there is no such controller. */
int xlx__hc_read(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                 struct xlx__hc *hc_r);

/* All of a domain, sorted by devid; *list_r for free(). Returns how many. One
 * whose nodes are malformed is left out with a warning. */
int xlx__hc_list(xlx_ctx *ctx, uint32_t domid, struct xlx__hc **list_r);

/* As xlx__hc_read(), but 0 for none without a report; 1 when there is one. */
int xlx__hc_find(xlx_ctx *ctx, uint32_t domid, uint32_t devid,
                 struct xlx__hc *hc_r);

/* The backend's and the frontend's state, XLX__STATE_NONE for no number. */
int xlx__hc_state(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t *be_r,
                  uint32_t *fe_r);

/* The busid on a port, "" for none or for something too long to be one. */
int xlx__hc_port(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                 uint32_t port, char busid_r[XLX_USB_BUSID_MAX]);

/* As xlx__hc_port(), -EBUSY and reported when it is not `busid`. */
int xlx__hc_check_port(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                       uint32_t port, const char *busid);

/*
 * Changes a port from `from` to `to` in a transaction; either may be "".
 * -EBUSY, reported, when it is not `from` any more.
 */
int xlx__hc_set_port(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t port,
                     const char *from, const char *to);

/*
 * Writes the nodes of a qusb or pv controller with backend domain 0, both ends
 * Initialising, in one transaction. `hc` comes with domid, type, version and
 * nr_ports; devid may be XLX_USB_ANY and is then the next one. The rest is
 * filled in.
 */
int xlx__hc_make(xlx_ctx *ctx, struct xlx__hc *hc);

/*
 * Lets no later controller of the domain have this one's devid: to a guest that
 * has not noticed its removal, the next one of that name would be the old one,
 * which it never opens again.
 */
int xlx__hc_avoid(xlx_ctx *ctx, const struct xlx__hc *hc);

/* Waits until both ends are Connected. -ETIMEDOUT or -ECONNABORTED, reported
 * with who did not answer. */
int xlx__hc_connect(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until);

/* Whether the backend is Connected: 1, 0 or -errno. */
int xlx__hc_connected(xlx_ctx *ctx, const struct xlx__hc *hc);

/* Asks both ends to close and waits. 0 also when they do not answer. A guest
 * that has not connected does so first: it would not survive the removal. */
int xlx__hc_close(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until);

/* Removes all nodes of the controller and the folders left empty. */
int xlx__hc_remove(xlx_ctx *ctx, const struct xlx__hc *hc);

int xlx__hc_close_and_remove(xlx_ctx *ctx, const struct xlx__hc *hc,
                             int64_t until);

#endif
