/* SPDX-License-Identifier: MIT */
/*
 * Interrupt vectors of single event channels: what a guest's driver calls. It
 * needs nothing else of this project, and no other header: who includes it has
 * uint8_t, uint32_t and uint64_t. docs/evtchn-drivers.md says how to use it,
 * docs/evtchn.md has all rules and errors.
 */
#ifndef EVTCHN_VECTOR_H
#define EVTCHN_VECTOR_H

/* This bit of EAX in Xen's CPUID leaf 4 (base + 4): the operations exist, and
 * the toolstack allows them to this domain now. */
#define XEN_HVM_CPUID_EVTCHN_VECTOR (1u << 31)

/* HYPERVISOR_event_channel_op() */
#define EVTCHNOP_bind_vector 64
#define EVTCHNOP_offer_vectors 65

/* Vectors that can be bound or offered. */
#define EVTCHN_VECTOR_MIN 0x20u
#define EVTCHN_VECTOR_MAX 0xffu

/* EVTCHNOP_bind_vector: all fields are given. */
struct evtchn_bind_vector {
	uint32_t port;	/* one of the guest's, open */
	uint32_t vcpu;	/* Xen's number of the vCPU that it interrupts now */
	uint8_t vector; /* 0: none, back to the upcall of that vCPU */
	uint8_t pad[3]; /* 0 */
};

/* EVTCHNOP_offer_vectors: replaces what this vCPU has offered before. */
struct evtchn_offer_vectors {
	uint32_t vcpu;
	uint32_t pad;	     /* 0 */
	uint64_t vectors[4]; /* bit v % 64 of vectors[v / 64] is vector v */
};

#endif
