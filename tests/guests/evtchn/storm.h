/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The storm: every vCPU sends and changes bindings at random, at once.
 *
 * Who sends counts it first; who handles an event clears PENDING and notes the
 * count it then sees. After each round, with everything unmasked and nothing
 * done to help, what was noted must reach what was sent.
 *
 * No interrupt makes up for another: a vector's handler looks only at what is
 * bound to it, and the upcall's only at what has no vector.
 */
#ifndef STORM_H
#define STORM_H

#include "scenarios.h"

#define SLOTS 48
#define NO_SLOT 0xff

enum kind { INTERDOMAIN, IPI, TIMER };

struct slot {
    enum kind kind;
    volatile evtchn_port_t rx, tx;
    volatile uint32_t target; /* vcpu << 8 | vector */
    uint64_t sent, seen;
    int users;
    volatile bool closing;
    bool busy;
};

/* What a vCPU asks vCPU 0 for. */
enum phase { RUNNING, DOWN, PARKED };

struct storm_cpu {
    volatile enum phase phase;
    unsigned int left; /* steps of this round */
    uint64_t sends, vectors, inits, downs;
};

extern struct slot slots[SLOTS];
extern uint8_t slot_of[MAX_PORTS];
extern struct storm_cpu my[MAX_VCPUS];
/* From now on no vector may come at all. */
extern volatile bool upcalls_only;

interrupt_fn storm_interrupt;
void storm_event(struct cpu *cpu, evtchn_port_t port);

/* Something at random, on this vCPU. */
void step(struct cpu *cpu);
void send_some(struct cpu *cpu, unsigned int number);
void send_slot(struct cpu *cpu, struct slot *slot);
void fire_timer(struct cpu *cpu);
void open_slot(struct slot *slot, unsigned int vcpu);
/* Before and after a port leaves its target: some interrupts may still come. */
void excuse(uint32_t target);

#endif
