/* SPDX-License-Identifier: LGPL-2.1-only */
/* Event channels of both ABIs, as a test needs them: by hand, bit by bit. */
#ifndef EVTCHN_H
#define EVTCHN_H

#include "guest.h"
#include "evtchn_vector.h"

_Static_assert(sizeof(struct evtchn_bind_vector) == 12, "Xen's");
_Static_assert(sizeof(struct evtchn_offer_vectors) == 40, "Xen's");

#define MAX_PORTS 8192

extern bool is_fifo;

/* Called for a port that is pending and not masked, in the upcall. */
extern void (*upcall_event)(struct cpu *cpu, evtchn_port_t port);

/* Every port masked, the ABI of the command line. */
void evtchn_init(void);
/* FIFO: room for ports up to this one. */
void evtchn_expand(evtchn_port_t port);
/* Every port closed, and the ABI as at the start. */
void evtchn_close_all(void);

bool is_pending(evtchn_port_t port);
bool test_and_clear_pending(evtchn_port_t port);
bool is_masked(evtchn_port_t port);
void mask(evtchn_port_t port);
void unmask(evtchn_port_t port);

/* Walks what is pending on this vCPU. */
void handle_upcall(struct cpu *cpu);

/* The operations; each returns what the hypervisor does. */
long evtchn_send(evtchn_port_t port);
long evtchn_close(evtchn_port_t port);
long bind_vcpu(evtchn_port_t port, unsigned int vcpu);
long bind_vector(evtchn_port_t port, unsigned int vcpu, unsigned int vector);
long set_priority(evtchn_port_t port, unsigned int priority);

/* New ports, masked; they end the run when there is none. */
evtchn_port_t new_ipi(unsigned int vcpu);
evtchn_port_t new_unbound(void);
evtchn_port_t connect_to(evtchn_port_t remote);
evtchn_port_t new_virq(unsigned int virq, unsigned int vcpu);

#endif
