/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Guests that put their channels on vCPUs themselves, as they are asked: the
 * vector is theirs, and Xen tells whether they have done it.
 * docs/evtchn-toolstack.md has the protocol.
 */
#ifndef XLX_EVTCHN_PLACES_H
#define XLX_EVTCHN_PLACES_H

#include "evtchn/job.h"

/* Which vCPUs the guest names, in its area of xenstore; and where it is asked,
 * one node a port, which it can only read. Both below /local/domain/N. */
#define XLX__PLACES_NODE "data/evtchn-places"
#define XLX__PLACES_ASKED "libxl-ext/places"
#define XLX__PLACES_TEXT_MAX 512u

/* "0 1 3": all vectors of these vCPUs, as offers. Returns how many; -EINVAL, or
 * -ENOMEM. An empty text is none. Pure. */
int xlx__places_parse(const char *text, uint32_t vcpus,
                      struct xlx_evtchn_offer **list_r);

/*
 * As xlx__places_parse(), of what the guest says. 0: it does not speak the
 * protocol. -EBADMSG, reported. *list_r is to be freed.
 */
int xlx__places_read(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                     struct xlx_evtchn_offer **list_r);

/* Whether the guest can be asked for this channel: one of its devices'. */
bool xlx__places_has(const struct xlx_evtchn_port *port);

/*
 * Makes the list what a plan needs: a channel that the guest can be asked for
 * can be moved, whoever bound it, and no other can.
 */
void xlx__places_prepare(struct xlx_evtchn_port *ports, uint32_t nr);

/*
 * Asks for the changes, and waits until Xen tells that the guest has made them;
 * to_vector is what it chose then. A channel that was closed meanwhile is left
 * out, with a warning. Returns how many were made, at the front of `list`. When
 * they are not made at `until` (xlx__now_ms()), the guest is asked for what it
 * was asked before: -ETIMEDOUT, reported. Any other -errno likewise.
 */
int xlx__places_apply(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                      struct xlx_evtchn_change *list, int nr, int64_t until);

/* An idle guest does it in a twentieth of a second. */
#define XLX__PLACES_WAIT_MS 10000

/* Takes back all that the guest was asked: it puts its channels where it wants
 * again. Within a transaction; -errno, reported. */
int xlx__places_forget(xlx_ctx *ctx, uint32_t t, uint32_t domid);

#endif
