/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Vectors that a guest offers in its own area of xenstore, for drivers that
 * do not make the hypercall. docs/evtchn-toolstack.md has the protocol. All of
 * it is the guest's word: whatever it holds, it is understood as a whole or
 * refused as a whole.
 */
#ifndef XLX_EVTCHN_OFFERS_H
#define XLX_EVTCHN_OFFERS_H

#include "core/ctx.h"
#include "libxl_ext_evtchn.h"

#define XLX__OFFERS_VERSION 1u
#define XLX__OFFERS_TEXT_MAX 512u /* longest value, without its NUL */
#define XLX__OFFERS_WISHES_MAX 1024u

/* Where a guest writes, below /local/domain/N; and the note, out of its reach,
 * that what Xen has of it came from there. */
#define XLX__OFFERS_NODE "data/evtchn-vectors"
#define XLX__OFFERS_NOTE "evtchn-vectors"

/* A channel that is to have that vector, by the guest's wish. */
struct xlx__wish {
    uint32_t port, vcpu;
    uint8_t vector;
};

struct xlx__offers {
    bool there;      /* the guest speaks the protocol */
    uint32_t serial; /* of what it says now; 0: it does not count */
    struct xlx_evtchn_offer *offer; /* one of each vCPU that offers some */
    int nr;
    struct xlx__wish *wish; /* each within `offer` */
    int nr_wishes;
};

/* "0x41-0x48 0x51": 0, or -EINVAL. An empty text is no vector. Pure. */
int xlx__offers_parse(const char *text, uint64_t vectors_r[4]);

/* "1 0x41": a vCPU and a vector. 0, or -EINVAL. Pure. */
int xlx__wish_parse(const char *text, uint32_t *vcpu_r, uint8_t *vector_r);

/*
 * Reads what a guest with that many vCPUs offers, as it was at one moment.
 * -EBADMSG, reported with the node and what is wrong with it.
 * xlx__offers_free() in any case.
 */
int xlx__offers_read(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                     struct xlx__offers *offers);

void xlx__offers_free(struct xlx__offers *offers);

/*
 * Makes what Xen has the same as what the guest says, where it says something,
 * and tells the guest so. Where it said something before and does no more, Xen
 * has nothing of it afterwards. -errno, reported.
 */
int xlx__offers_relay(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                      const struct xlx__offers *offers);

/* Tells the guest that what it said last was refused; no failure. */
void xlx__offers_refused(xlx_ctx *ctx, uint32_t domid);

#endif
