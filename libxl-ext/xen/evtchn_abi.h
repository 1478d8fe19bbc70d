/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The domctl that hypervisor/ adds to Xen for interrupts of single event
 * channels. The guest's operations are in guest/linux/evtchn_vector.h, and
 * docs/evtchn.md has meaning and errors of both.
 */
#ifndef XLX_XEN_EVTCHN_ABI_H
#define XLX_XEN_EVTCHN_ABI_H

#include <stddef.h>
#include <stdint.h>

/* The domctl's command, far from upstream's. Its interface version is Xen's. */
#define XLX__XEN_DOMCTL_EVTCHN_VECTOR 2000

#define XLX__EVTCHN_FEATURES 0 /* out: nr, flags */
#define XLX__EVTCHN_LIST 1     /* port, nr, entries; out: port, nr */
#define XLX__EVTCHN_SET 2      /* port, vcpu, vector */
#define XLX__EVTCHN_CLEAR 3    /* port */
#define XLX__EVTCHN_ALLOW 4    /* flags */
#define XLX__EVTCHN_OFFER 5    /* vcpu, vectors */
#define XLX__EVTCHN_OFFERS 6   /* vcpu; out: vectors */
#define XLX__EVTCHN_COUNT 7    /* flags */

/* FEATURES, nr. */
#define XLX__EVTCHN_VERSION 1u

/* FEATURES, flags; ALLOW and COUNT take bit 0 alone, for on or off. */
#define XLX__EVTCHN_ON (1u << 0)
#define XLX__EVTCHN_ALLOWED (1u << 0)
#define XLX__EVTCHN_COUNTING (1u << 1)
/* The domain is HVM or PVH: its channels can have vectors. */
#define XLX__EVTCHN_CAPABLE (1u << 2)

/*
 * LIST takes room for this many entries at most. It leaves out free ports, and
 * may stop early, even with no entry: continue from port until that is END.
 */
#define XLX__EVTCHN_LIST_MAX 1024u
#define XLX__EVTCHN_LIST_END 0xffffffffu

struct xlx__xen_evtchn_vector_op {
    uint8_t op;
    uint8_t vector;
    uint16_t flags;
    uint32_t port;
    uint32_t vcpu;
    uint32_t nr;
    uint64_t vectors[4];
    uint64_t entries; /* of struct xlx__xen_evtchn_entry */
};

#define XLX__EVTCHN_ENTRY_PENDING (1u << 0)
#define XLX__EVTCHN_ENTRY_MASKED (1u << 1)
#define XLX__EVTCHN_ENTRY_TOOLSTACK (1u << 2) /* who bound the vector */
#define XLX__EVTCHN_ENTRY_XEN (1u << 3)       /* Xen itself receives here */

struct xlx__xen_evtchn_entry {
    uint32_t port;
    uint32_t remote_port;  /* interdomain; the VIRQ's or PIRQ's number */
    uint64_t count;        /* events while counting was on */
    uint16_t remote_domid; /* interdomain, unbound; else DOMID_INVALID */
    uint16_t vcpu;         /* where it interrupts now */
    uint8_t state;         /* EVTCHNSTAT_* of Xen's event_channel.h */
    uint8_t vector;        /* 0: the upcall */
    uint8_t flags;
    uint8_t priority; /* FIFO: 0 is the most urgent */
};

_Static_assert(sizeof(struct xlx__xen_evtchn_vector_op) == 56, "Xen's");
_Static_assert(offsetof(struct xlx__xen_evtchn_vector_op, vectors) == 16,
               "its vectors");
_Static_assert(offsetof(struct xlx__xen_evtchn_vector_op, entries) == 48,
               "its handle");
_Static_assert(sizeof(struct xlx__xen_evtchn_entry) == 24, "Xen's entry");
_Static_assert(offsetof(struct xlx__xen_evtchn_entry, state) == 20,
               "its state");

#endif
