/* SPDX-License-Identifier: LGPL-2.1-only */
/* What is done to ports in the storm, and what their events do. */
#include "storm.h"

struct slot slots[SLOTS];
uint8_t slot_of[MAX_PORTS];
struct storm_cpu my[MAX_VCPUS];
volatile bool upcalls_only;

/* Interrupts that may come although no port is bound (any more). */
static int stale[MAX_VCPUS][256];

static bool lock_slot(struct slot *slot)
{
    return !__atomic_exchange_n(&slot->busy, true, __ATOMIC_ACQUIRE);
}

static void unlock_slot(struct slot *slot)
{
    __atomic_store_n(&slot->busy, false, __ATOMIC_RELEASE);
}

/* --- handling ------------------------------------------------------------- */

static void note(struct slot *slot)
{
    uint64_t sent = __atomic_load_n(&slot->sent, __ATOMIC_SEQ_CST);
    uint64_t seen = __atomic_load_n(&slot->seen, __ATOMIC_SEQ_CST);

    while (seen < sent &&
           !__atomic_compare_exchange_n(&slot->seen, &seen, sent, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static void handle(struct slot *slot)
{
    evtchn_port_t port = slot->rx;

    if (is_pending(port) && !is_masked(port) && test_and_clear_pending(port))
        note(slot);
}

void storm_event(struct cpu *cpu, evtchn_port_t port)
{
    uint8_t n = slot_of[port];

    (void)cpu;
    if (n == NO_SLOT)
        test_and_clear_pending(port);
    else if (!(slots[n].target & 0xff))
        handle(&slots[n]);
}

static void handle_vector(struct cpu *cpu, unsigned int vector)
{
    uint32_t target = cpu->id << 8 | vector;
    bool bound = false;
    unsigned int i;

    my[cpu->id].vectors++;
    for (i = 0; i < SLOTS; i++)
        if (slots[i].target == target) {
            bound = true;
            handle(&slots[i]);
        }
    if (upcalls_only)
        die("vector %u on vcpu %u after all were unbound", vector, cpu->id);
    if (!bound &&
        __atomic_sub_fetch(&stale[cpu->id][vector], 1, __ATOMIC_SEQ_CST) < 0)
        die("vector %u on vcpu %u, where nothing is bound to it", vector,
            cpu->id);
}

void storm_interrupt(struct cpu *cpu, unsigned int vector)
{
    if (vector == VECTOR_UPCALL)
        handle_upcall(cpu);
    else
        handle_vector(cpu, vector);
}

/* --- what is done at random ----------------------------------------------- */

/*
 * An interrupt on its way may still come when its port goes elsewhere: what is
 * in the APIC, and one of each vCPU that is just sending.
 */
void excuse(uint32_t target)
{
    if (target & 0xff)
        __atomic_store_n(&stale[target >> 8][target & 0xff], nr_cpus + 1,
                         __ATOMIC_SEQ_CST);
}

void send_slot(struct cpu *cpu, struct slot *slot)
{
    long error = 0;

    __atomic_add_fetch(&slot->users, 1, __ATOMIC_SEQ_CST);
    if (!slot->closing) {
        __atomic_add_fetch(&slot->sent, 1, __ATOMIC_SEQ_CST);
        error = evtchn_send(slot->tx);
        my[cpu->id].sends++;
    }
    __atomic_sub_fetch(&slot->users, 1, __ATOMIC_SEQ_CST);
    if (error)
        die("port %u: cannot send: %ld", slot->tx, error);
}

/* A timer that is due at once: the event comes from an interrupt of Xen's. */
void fire_timer(struct cpu *cpu)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = 1 };
    struct slot *slot = &slots[SLOTS - 1 - cpu->id];

    __atomic_add_fetch(&slot->sent, 1, __ATOMIC_SEQ_CST);
    if (hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, cpu->id,
                   (uintptr_t)&timer))
        die("no timer on vcpu %u", cpu->id);
    my[cpu->id].sends++;
}

void send_some(struct cpu *cpu, unsigned int number)
{
    struct slot *slot;

    while (number--) {
        slot = &slots[random_u32(cpu) % SLOTS];
        if (slot->kind == TIMER)
            fire_timer(cpu);
        else
            send_slot(cpu, slot);
    }
}

/* Each vCPU has vectors that no other has, so one astray is seen. */
static unsigned int some_vector(struct cpu *cpu, unsigned int vcpu)
{
    unsigned int rows = (VECTOR_LAST - VECTOR_FIRST) / MAX_VCPUS;

    return VECTOR_FIRST + vcpu + random_u32(cpu) % rows % 6 * MAX_VCPUS;
}

static void move_slot(struct cpu *cpu, struct slot *slot, bool to_vector)
{
    uint32_t old = slot->target, vcpu = random_u32(cpu) % nr_cpus;
    uint32_t vector = 0;
    long error;

    if (slot->kind != INTERDOMAIN)
        vcpu = old >> 8;
    if (to_vector)
        vector = some_vector(cpu, vcpu);
    excuse(old);
    slot->target = vcpu << 8 | vector;
    if (to_vector || slot->kind != INTERDOMAIN || random_u32(cpu) % 2)
        error = bind_vector(slot->rx, vcpu, vector);
    else
        error = bind_vcpu(slot->rx, vcpu);
    excuse(old);
    if (error)
        die("port %u to vcpu %u, vector %u: %ld", slot->rx, vcpu, vector,
            error);
}

void open_slot(struct slot *slot, unsigned int vcpu)
{
    switch (slot->kind) {
    case INTERDOMAIN:
        slot->rx = new_unbound();
        slot->tx = connect_to(slot->rx);
        vcpu = 0;
        break;
    case IPI:
        slot->rx = slot->tx = new_ipi(vcpu);
        break;
    case TIMER:
        slot->rx = slot->tx = new_virq(VIRQ_TIMER, vcpu);
        break;
    }
    slot->target = vcpu << 8;
    slot_of[slot->rx] = slot - slots;
    unmask(slot->rx);
}

static void reopen_slot(struct slot *slot)
{
    uint32_t target = slot->target;

    slot->closing = true;
    while (__atomic_load_n(&slot->users, __ATOMIC_SEQ_CST))
        yield();
    mask(slot->rx);
    slot_of[slot->rx] = NO_SLOT;
    excuse(target);
    slot->target = target & ~0xffu;
    if (evtchn_close(slot->rx) ||
        (slot->tx != slot->rx && evtchn_close(slot->tx)))
        die("port %u cannot be closed", slot->rx);
    excuse(target);
    note(slot);
    open_slot(slot, target >> 8);
    __atomic_store_n(&slot->closing, false, __ATOMIC_SEQ_CST);
}

static void change_slot(struct cpu *cpu, struct slot *slot)
{
    unsigned int what = random_u32(cpu) % 32;

    if (what < 7)
        mask(slot->rx);
    else if (what < 15)
        unmask(slot->rx);
    else if (what < 23)
        move_slot(cpu, slot, true);
    else if (what < 27)
        move_slot(cpu, slot, false);
    else if (what < 29 && slot->kind == INTERDOMAIN)
        reopen_slot(slot);
    else if (is_fifo)
        set_priority(slot->rx, random_u32(cpu) % 16);
}

static void with_lapic_off(struct cpu *cpu)
{
    lapic_off();
    send_some(cpu, 4);
    lapic_on();
}

/* vCPU 0 brings this one back. */
static void leave(struct cpu *cpu)
{
    if (random_u32(cpu) % 2) {
        my[cpu->id].phase = DOWN;
        hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_down, cpu->id, 0);
        return;
    }
    irq_off();
    my[cpu->id].phase = PARKED;
    for (;;)
        relax();
}

void step(struct cpu *cpu)
{
    struct slot *slot = &slots[random_u32(cpu) % SLOTS];
    unsigned int what = random_u32(cpu) % 256;

    if (what < 170) {
        send_some(cpu, 1);
    } else if (what < 240) {
        if (lock_slot(slot)) {
            change_slot(cpu, slot);
            unlock_slot(slot);
        }
    } else if (what < 248) {
        irq_off();
        send_some(cpu, 6);
        irq_on();
    } else if (what < 255) {
        with_lapic_off(cpu);
    } else if (cpu->id) {
        leave(cpu);
    }
}
