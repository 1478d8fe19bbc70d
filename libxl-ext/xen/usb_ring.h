/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The request ring of a guest's USB controller whose backend has died. Before
 * the guest can close the controller it takes back each request that is still
 * in flight, and waits for the answer; nobody would give it. This does, until
 * the controller is closed: what is taken back is given back, and whatever else
 * comes fails. Of a ring that was full, all requests fail at once.
 */
#ifndef XLX_XEN_USB_RING_H
#define XLX_XEN_USB_RING_H

#include "core/ctx.h"

#define XLX__RING_IDS 64 /* at least as many as a ring of one page has */

/*
 * Of the other ring, through which a backend tells of devices that come and go:
 * how many times it has, and, in QEMU's backend, how many times it can: it adds
 * the two indices of the ring where it means to compare them
 * (usbback_hotplug_notify), and takes the ring for full when it has gone half
 * round, for good.
 */
#define XLX__RING_HEAD 64 /* bytes that the indices are in */
uint32_t xlx__ring_told(const void *head);
uint32_t xlx__ring_told_max(void);

/* Where an answering end is; the page itself is the guest's. */
struct xlx__ring_pos {
    uint32_t req_cons, rsp_prod;
    bool done[XLX__RING_IDS]; /* certainly not in flight any more */
};

/* Starts behind all requests that the dead backend may have taken. -EBADMSG
 * when the guest's indices make no sense. */
int xlx__ring_start(const void *page, struct xlx__ring_pos *pos_r);

/* Answers what has come since. Returns how much, or -EBADMSG when the guest
 * does not keep to the protocol. */
int xlx__ring_answer(void *page, struct xlx__ring_pos *pos);

/* The ring mapped, and its event channel. */
struct xlx__ring;

/* `ref` and `port` are what the guest wrote: its urb-ring-ref, event-channel.
 * -errno, without a report: it is only a help. */
int xlx__ring_open(uint32_t domid, uint32_t ref, uint32_t port,
                   struct xlx__ring **ring_r);

/* xlx__ring_answer(), and tells the guest. */
int xlx__ring_serve(struct xlx__ring *ring);

/* NULL is allowed. */
void xlx__ring_close(struct xlx__ring *ring);

#endif
