/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The half of a guest's USB backend that has privileges: it follows the guest's
 * controllers in xenstore, takes devices from this host and hands them to the
 * worker, which it believes nothing that it does not know itself.
 *
 * What it has done is in xenstore (usbd/port_status.h), so one that was killed
 * is followed by one that knows. After any failure it ends, and the next one
 * looks at the world afresh; only a device that cannot be had, or a guest with
 * malformed nodes, is no failure but a line in the log.
 */
#ifndef XLX_USBD_BROKER_H
#define XLX_USBD_BROKER_H

#include "core/ctx.h"
#include "usbd/device.h"

struct xlx__usbd_broker;

/* What it ends with. */
#define XLX__USBD_ASKED 1      /* devices given back, nodes unannounced */
#define XLX__USBD_GUEST_GONE 2 /* the same, and the backend's nodes removed */

/*
 * For a domain, with a socket to its worker. `devices` is taken over, also on
 * failure. *b_r is freed by xlx__usbd_broker_free().
 */
int xlx__usbd_broker_new(xlx_ctx *ctx, uint32_t domid, int sock,
                         struct xlx__usbd_devices *devices,
                         struct xlx__usbd_broker **b_r);

/* Learns what an earlier one left, and announces itself. */
int xlx__usbd_broker_start(struct xlx__usbd_broker *b);

/*
 * Does all that is to be done now, without waiting. 0: call it again when there
 * is news; XLX__USBD_ASKED or XLX__USBD_GUEST_GONE: it has ended; -EPIPE: the
 * worker has; any other -errno: it cannot continue.
 */
int xlx__usbd_broker_step(struct xlx__usbd_broker *b);

/* From now on it ends everything in order. */
void xlx__usbd_broker_ask(struct xlx__usbd_broker *b);

/* Steps until one of them returns other than 0, which is returned. `signals` is
 * a signalfd of those that ask it to end. */
int xlx__usbd_broker_run(struct xlx__usbd_broker *b, int signals);

/* Closes what is claimed, without giving it back: the next one continues with
 * it. NULL is allowed. */
void xlx__usbd_broker_free(struct xlx__usbd_broker *b);

/*
 * Where no worker can be kept alive: closes the controllers, gives the devices
 * back, empties their ports, and takes the announcement away. Continues after a
 * failure, and returns the first one. `devices` is taken over.
 */
int xlx__usbd_broker_give_up(xlx_ctx *ctx, uint32_t domid,
                             struct xlx__usbd_devices *devices);

#endif
