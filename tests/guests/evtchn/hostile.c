/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A hostile guest: all vCPUs at once open, close, bind, offer, send to, unmask
 * and reset the same few ports, with arguments good and bad, and write into
 * what they share with the hypervisor. It may get errors, and only those that
 * are documented; the hypervisor must stay whole, and work as before
 * afterwards.
 */
#include "domctl.h"
#include "scenarios.h"

#define PORTS 24

static uint64_t operations;
static volatile bool calm;
static volatile unsigned int upcalls;

static void hostile_interrupt(struct cpu *cpu, unsigned int vector)
{
    if (vector == VECTOR_UPCALL && calm)
        handle_upcall(cpu);
    else
        shared_info.vcpu_info[cpu->id].evtchn_upcall_pending = 0;
}

static void hostile_event(struct cpu *cpu, evtchn_port_t port)
{
    (void)cpu;
    if (test_and_clear_pending(port))
        upcalls++;
}

/* Mostly good, seldom out of range, and sometimes far out. */
static uint32_t some(struct cpu *cpu, uint32_t limit)
{
    uint32_t random = random_u32(cpu);

    if (random % 16 == 0)
        return random_u32(cpu);
    if (random % 16 == 1)
        return limit + random_u32(cpu) % 4;
    return random_u32(cpu) % limit;
}

static long bind_some(struct cpu *cpu)
{
    struct evtchn_bind_vector op = {
        .port = some(cpu, PORTS),
        .vcpu = some(cpu, nr_cpus),
        .vector = some(cpu, 256),
        .pad = { random_u32(cpu) % 16 == 0 },
    };

    return evtchn_op(EVTCHNOP_bind_vector, &op);
}

static long offer_some(struct cpu *cpu)
{
    struct evtchn_offer_vectors op = {
        .vcpu = some(cpu, nr_cpus),
        .pad = random_u32(cpu) % 16 == 0,
        .vectors = { (uint64_t)some(cpu, 16) << 32, random_u32(cpu),
                     random_u32(cpu), random_u32(cpu) },
    };

    return evtchn_op(EVTCHNOP_offer_vectors, &op);
}

static long toolstack_some(struct cpu *cpu)
{
    static struct xlx__xen_evtchn_entry entries[MAX_VCPUS][64];
    struct xlx__xen_evtchn_vector_op op = {
        .op = some(cpu, 8),
        .vector = some(cpu, 256),
        .flags = some(cpu, 2),
        .port = some(cpu, PORTS),
        .vcpu = some(cpu, nr_cpus),
        .nr = some(cpu, 64),
        .vectors = { 0, random_u32(cpu), random_u32(cpu), random_u32(cpu) },
        .entries = (uintptr_t)entries[cpu->id],
    };

    if (op.nr > 64)
        op.nr = 0;
    return domctl(&op);
}

static long open_some(struct cpu *cpu)
{
    struct evtchn_bind_ipi ipi = { .vcpu = some(cpu, nr_cpus) };
    struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF,
                                            .remote_dom = DOMID_SELF };
    struct evtchn_bind_interdomain connect = { .remote_dom = DOMID_SELF };

    connect.remote_port = some(cpu, PORTS);
    switch (random_u32(cpu) % 3) {
    case 0:
        return evtchn_op(EVTCHNOP_bind_ipi, &ipi);
    case 1:
        return evtchn_op(EVTCHNOP_alloc_unbound, &unbound);
    default:
        return evtchn_op(EVTCHNOP_bind_interdomain, &connect);
    }
}

static long unmask_some(struct cpu *cpu)
{
    struct evtchn_unmask op = { .port = some(cpu, PORTS) };

    return evtchn_op(EVTCHNOP_unmask, &op);
}

static long reset_all(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };

    return evtchn_op(EVTCHNOP_reset, &op);
}

/* The lowest ports' bits, by both ABIs. */
static void scribble(struct cpu *cpu)
{
    shared_info.evtchn_pending[0] ^= 1ul << random_u32(cpu) % PORTS;
    shared_info.evtchn_mask[0] ^= 1ul << random_u32(cpu) % PORTS;
    shared_info.vcpu_info[cpu->id].evtchn_pending_sel ^= 1;
    lapic_off();
    lapic_on();
}

static long operate(struct cpu *cpu)
{
    switch (random_u32(cpu) % 64) {
    case 0 ... 15:
        return bind_some(cpu);
    case 16 ... 25:
        return open_some(cpu);
    case 26 ... 35:
        return evtchn_close(some(cpu, PORTS));
    case 36 ... 49:
        return evtchn_send(some(cpu, PORTS));
    case 50 ... 52:
        return bind_vcpu(some(cpu, PORTS), some(cpu, nr_cpus));
    case 53 ... 55:
        return offer_some(cpu);
    case 56 ... 59:
        return toolstack_some(cpu);
    case 60:
        return unmask_some(cpu);
    case 61:
        return set_priority(some(cpu, PORTS), some(cpu, 16));
    case 62:
        scribble(cpu);
        return 0;
    default:
        return cpu->id ? 0 : reset_all();
    }
}

static bool is_documented(long error)
{
    switch (-error) {
    case 0:
    case XEN_EINVAL:
    case XEN_ENOENT:
    case XEN_EPERM:
    case XEN_EBUSY:
    case XEN_ENOSPC:
    case XEN_EACCES: /* set_priority, of a port that is closed */
    case XEN_EAGAIN: /* reset, as others open ports */
    case XEN_ENOSYS: /* set_priority, without FIFO */
        return true;
    }
    return false;
}

static void operate_long(struct cpu *cpu)
{
    uint64_t left = operations / nr_cpus + 1;
    long error;

    while (left--) {
        error = operate(cpu);
        if (!is_documented(error))
            die("an error that is not documented: %ld", error);
    }
}

static void check_sound(void)
{
    evtchn_port_t port;
    unsigned int left = 10000;

    evtchn_close_all();
    shared_info.vcpu_info[0].evtchn_pending_sel = 0;
    shared_info.vcpu_info[0].evtchn_upcall_pending = 0;
    calm = true;
    port = new_ipi(0);
    unmask(port);
    upcalls = 0;
    evtchn_send(port);
    while (!upcalls && --left)
        yield();
    if (!left)
        die("no upcall after the storm");
}

void run_hostile(void)
{
    uint64_t seed = option("seed", rdtsc());
    unsigned int i;

    print("hostile: seed %lu\n", seed);
    for (i = 0; i < nr_cpus; i++)
        cpus[i].random = (seed + i + 1) * 0x9e3779b97f4a7c15ull | 1;
    operations = option("operations", 20000);
    interrupt_handler = hostile_interrupt;
    upcall_event = hostile_event;
    on_all_cpus(operate_long);
    check_sound();
    print("hostile: %lu operations\n", operations);
}
