/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Ports for a toolstack to look at and to bind, some of them busy, and a report
 * of what arrived where, once a second.
 */
#include "scenarios.h"

#define MAX_SERVED 512
#define TICK 10000000ul /* ns */
#define TICKS_A_REPORT 100
#define COLD 20 /* a port that is not hot sends every so many ticks */
#define FIRST_OFFER 0x40

static struct {
    evtchn_port_t rx, tx;                     /* tx 0: somebody else's */
    volatile uint32_t upcalls, vectors, last; /* last: vcpu << 8 | vector */
} served[MAX_SERVED];
static unsigned int nr_served;

static uint64_t now_ns(void)
{
    volatile struct vcpu_time_info *time = &shared_info.vcpu_info[0].time;
    uint64_t delta, ns;
    uint32_t version;

    do {
        version = time->version;
        __asm__ volatile("" ::: "memory");
        delta = rdtsc() - time->tsc_timestamp;
        delta = time->tsc_shift < 0 ? delta >> -time->tsc_shift
                                    : delta << time->tsc_shift;
        ns = time->system_time +
             (uint64_t)((__uint128_t)delta * time->tsc_to_system_mul >> 32);
        __asm__ volatile("" ::: "memory");
    } while (version & 1 || version != time->version);
    return ns;
}

static void sleep_until(uint64_t ns)
{
    struct sched_poll poll = { .timeout = ns };

    hypercall3(__HYPERVISOR_sched_op, SCHEDOP_poll, (uintptr_t)&poll, 0);
}

static void idle(struct cpu *cpu)
{
    (void)cpu;
    for (;;)
        __asm__ volatile("sti; hlt" ::: "memory");
}

static void serve_event(struct cpu *cpu, evtchn_port_t port)
{
    unsigned int i;

    (void)cpu;
    if (!test_and_clear_pending(port))
        return;
    for (i = 0; i < nr_served; i++)
        if (served[i].rx == port)
            served[i].upcalls++;
}

/* Whoever bound it, the port is one of those that are pending. */
static void serve_interrupt(struct cpu *cpu, unsigned int vector)
{
    unsigned int i;

    if (vector == VECTOR_UPCALL) {
        handle_upcall(cpu);
        return;
    }
    for (i = 0; i < nr_served; i++)
        if (is_pending(served[i].rx) && !is_masked(served[i].rx) &&
            test_and_clear_pending(served[i].rx)) {
            served[i].last = cpu->id << 8 | vector;
            served[i].vectors++;
        }
}

static evtchn_port_t new_for_domain_0(void)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = 0 };

    if (evtchn_op(EVTCHNOP_alloc_unbound, &op))
        die("no new port for domain 0");
    evtchn_expand(op.port);
    return op.port;
}

static void open_ports(unsigned int number, unsigned int remote)
{
    unsigned int i;

    if (number + remote > MAX_SERVED)
        die("at most %d ports", MAX_SERVED);
    for (i = 0; i < number; i++) {
        served[i].rx = new_unbound();
        served[i].tx = connect_to(served[i].rx);
    }
    for (; i < number + remote; i++) {
        served[i].rx = new_for_domain_0();
        print("port %u: for domain 0\n", served[i].rx);
    }
    nr_served = i;
    for (i = 0; i < nr_served; i++)
        unmask(served[i].rx);
}

static void bind_ports(unsigned int number)
{
    unsigned int i;
    long error;

    for (i = 0; i < number && i < nr_served; i++) {
        error = bind_vector(served[i].rx, i % nr_cpus,
                            VECTOR_LAST - i % (VECTOR_LAST - VECTOR_FIRST));
        if (error)
            die("port %u cannot be bound: %ld", served[i].rx, error);
    }
}

static void offer_vectors(unsigned int number)
{
    struct evtchn_offer_vectors offer = { 0 };
    unsigned int vector;
    long error;

    if (!number)
        return;
    for (vector = FIRST_OFFER; number && vector <= VECTOR_LAST; vector++) {
        offer.vectors[vector / 64] |= 1ul << vector % 64;
        number--;
    }
    for (; offer.vcpu < nr_cpus; offer.vcpu++) {
        error = evtchn_op(EVTCHNOP_offer_vectors, &offer);
        if (error)
            die("vectors cannot be offered: %ld", error);
    }
}

static void send_tick(unsigned int tick, unsigned int hot)
{
    unsigned int i;

    for (i = 0; i < nr_served; i++)
        if (served[i].tx && (i < hot || (tick + i) % COLD == 0))
            evtchn_send(served[i].tx);
}

static void report(void)
{
    unsigned int i, upcalls, vectors;

    for (i = 0; i < nr_served; i++) {
        upcalls = __atomic_exchange_n(&served[i].upcalls, 0, __ATOMIC_RELAXED);
        vectors = __atomic_exchange_n(&served[i].vectors, 0, __ATOMIC_RELAXED);
        if (vectors)
            print("port %u: %u by upcall, %u by vector %u on vcpu %u\n",
                  served[i].rx, upcalls, vectors, served[i].last & 0xff,
                  served[i].last >> 8);
        else if (upcalls)
            print("port %u: %u by upcall\n", served[i].rx, upcalls);
    }
}

void run_serve(void)
{
    unsigned int i, tick, hot = option("hot", 0);
    uint64_t next;

    upcall_event = serve_event;
    interrupt_handler = serve_interrupt;
    open_ports(option("ports", 8), option("remote", 0));
    bind_ports(option("bind", 0));
    offer_vectors(option("offer", 0));
    for (i = 1; i < nr_cpus; i++)
        give_job(&cpus[i], idle);
    print("serve: ready\n");
    next = now_ns();
    for (tick = 0;; tick++) {
        send_tick(tick, hot);
        next += TICK;
        sleep_until(next);
        if (tick % TICKS_A_REPORT == TICKS_A_REPORT - 1)
            report();
    }
}
