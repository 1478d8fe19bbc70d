/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A guest's controllers as the backend sees them in xenstore: the states
 * of their two ends, the rings, the ports (docs/usb.md has the layout). What
 * stands on the backend's side is the toolstack's and no guest can write it;
 * what stands on the guest's is hostile.
 *
 * A failure of xenstore itself is reported and returned.
 */
#ifndef XLX_USBD_BUS_H
#define XLX_USBD_BUS_H

#include "core/ctx.h"
#include "libxl_ext_usb.h"
#include "usb/controller/hc.h"
#include "usbd/message.h"

/* All calls are about one guest's controllers. */
struct xlx__usbd_bus {
    xlx_ctx *ctx;
    uint32_t domid;
    char backend[48]; /* the folder that theirs are in */
};

/*
 * In libxl's layout of type qusb; in that of type pv where a QEMU of the
 * guest's own looks after the former (docs/usb.md). The guest keeps the one it
 * was started with.
 */
int xlx__usbd_bus_open(xlx_ctx *ctx, uint32_t domid,
                       struct xlx__usbd_bus *bus_r);

/* From now on xenstore's wait() tells of changes of the domain's controllers,
 * and of domains that end. */
int xlx__usbd_bus_watch(const struct xlx__usbd_bus *bus);

/* Says, where QEMU does, that somebody serves qusb for the domain; and not.
 * Where a QEMU does, it is left to that. */
int xlx__usbd_bus_announce(const struct xlx__usbd_bus *bus);
int xlx__usbd_bus_unannounce(const struct xlx__usbd_bus *bus);

/* The devids of its controllers; returns how many. *more_r: there are more than
 * `devid_r` has room for. */
int xlx__usbd_bus_list(const struct xlx__usbd_bus *bus,
                       uint32_t devid_r[XLX__USBD_HC_MAX], bool *more_r);

/* Both ends of a controller, XLX__STATE_NONE for what is not there or is no
 * state. */
struct xlx__usbd_ends {
    uint32_t be, fe;
    bool online;
};
int xlx__usbd_bus_ends(const struct xlx__usbd_bus *bus, uint32_t devid,
                       struct xlx__usbd_ends *ends_r);

/* What an OPEN needs, into m_r->hc, which is all 0 before. -EINVAL, without a
 * report: one of the nodes is missing or is no number in its range; *node_r is
 * its name. */
int xlx__usbd_bus_rings(const struct xlx__usbd_bus *bus, uint32_t devid,
                        struct xlx__usbd_message *m_r, const char **node_r);

/* Changes the backend's state. -EAGAIN, without a report: it is not `from` any
 * more, nothing was written; nodes that were removed stay so. */
int xlx__usbd_bus_set_state(const struct xlx__usbd_bus *bus, uint32_t devid,
                            uint32_t from, uint32_t to);

/* The busid on a port: "" for none, "?" for what is too long to be one. */
int xlx__usbd_bus_port(const struct xlx__usbd_bus *bus, uint32_t devid,
                       uint32_t port, char busid_r[XLX_USB_BUSID_MAX]);

/* Empties a port if it still holds `busid`; 1 when it did, else 0. */
int xlx__usbd_bus_empty_port(const struct xlx__usbd_bus *bus, uint32_t devid,
                             uint32_t port, const char *busid);

/* Removes the backend's nodes of all controllers of a domain that is gone. */
int xlx__usbd_bus_remove(const struct xlx__usbd_bus *bus);

#endif
