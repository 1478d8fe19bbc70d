/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Each rule of docs/evtchn.md on a quiet guest, one after the other, and what
 * a hostile guest may try. rules_domctl.c has the toolstack's side.
 */
#include "rules.h"

volatile unsigned int arrived[MAX_VCPUS][256];
volatile unsigned int upcall_arrived[MAX_PORTS];

static void rules_event(struct cpu *cpu, evtchn_port_t port)
{
    (void)cpu;
    if (test_and_clear_pending(port))
        upcall_arrived[port]++;
}

static void rules_interrupt(struct cpu *cpu, unsigned int vector)
{
    if (vector == VECTOR_UPCALL)
        handle_upcall(cpu);
    else
        arrived[cpu->id][vector]++;
}

void settle_down(void)
{
    unsigned int i;

    for (i = 0; i < 50; i++)
        yield();
}

void check(bool right, const char *what)
{
    if (!right)
        die("rule broken: %s", what);
}

void forget(void)
{
    unsigned int i;

    settle_down();
    for (i = 0; i < MAX_VCPUS * 256; i++)
        arrived[i / 256][i % 256] = 0;
    for (i = 0; i < MAX_PORTS; i++)
        upcall_arrived[i] = 0;
}

/* Sends, and expects the vector and nothing else. */
static void check_vector(evtchn_port_t port, unsigned int vcpu,
                         unsigned int vector)
{
    forget();
    check(!evtchn_send(port), "a bound port can be sent to");
    await(arrived[vcpu][vector] == 1, "one event, one interrupt");
    check(!upcall_arrived[port], "no upcall for a bound port");
    check(test_and_clear_pending(port), "it is pending");
}

static void check_upcall(evtchn_port_t port)
{
    forget();
    evtchn_send(port);
    await(upcall_arrived[port] == 1, "an unbound port goes to the upcall");
}

static void rule_delivery(void)
{
    evtchn_port_t port = new_ipi(0);

    unmask(port);
    check_upcall(port);
    check(!bind_vector(port, 0, 0x50), "bind");
    check_vector(port, 0, 0x50);
    evtchn_send(port);
    evtchn_send(port);
    await(arrived[0][0x50] == 2, "what is pending interrupts once");
    test_and_clear_pending(port);
    check(!bind_vector(port, 0, 0x51), "bind again");
    check_vector(port, 0, 0x51);
    check(!bind_vector(port, 0, 0xff), "the highest vector");
    check_vector(port, 0, 0xff);
    check(!bind_vector(port, 0, 0), "unbind");
    check_upcall(port);
    evtchn_close(port);
}

static void rule_mask(void)
{
    evtchn_port_t port = new_ipi(0);

    check(!bind_vector(port, 0, 0x52), "a masked port can be bound");
    forget();
    evtchn_send(port);
    settle_down();
    check(!arrived[0][0x52], "masked, no interrupt");
    unmask(port);
    await(arrived[0][0x52] == 1, "unmasked, one interrupt");
    test_and_clear_pending(port);
    evtchn_close(port);
}

static void rule_bind_pending(void)
{
    evtchn_port_t port = new_ipi(0);

    evtchn_send(port);
    forget();
    bind_vector(port, 0, 0x53);
    settle_down();
    check(!arrived[0][0x53], "bound while masked and pending, no interrupt");
    unmask(port);
    await(arrived[0][0x53] == 1, "then unmasked, one interrupt");
    bind_vector(port, 0, 0x54);
    await(arrived[0][0x54] == 1, "bound while pending, one interrupt");
    bind_vector(port, 0, 0);
    await(upcall_arrived[port] == 1, "unbound while pending, an upcall");
    evtchn_close(port);
}

static void rule_lapic_off(void)
{
    evtchn_port_t port = new_ipi(0);

    unmask(port);
    bind_vector(port, 0, 0x55);
    forget();
    lapic_off();
    evtchn_send(port);
    settle_down();
    check(!arrived[0][0x55], "no interrupt while the APIC is off");
    lapic_on();
    await(arrived[0][0x55] == 1, "one when it is switched on");
    evtchn_close(port);
}

static void rule_close(void)
{
    evtchn_port_t port = new_ipi(0), again;

    unmask(port);
    bind_vector(port, 0, 0x56);
    evtchn_close(port);
    check(bind_vector(port, 0, 0x56) == -XEN_EINVAL, "a closed port");
    again = new_ipi(0);
    check(again == port, "the port is used again");
    unmask(again);
    check_upcall(again);
    forget();
    lapic_off();
    lapic_on();
    settle_down();
    check(!arrived[0][0x56], "the vector of a closed port is not raised");
    evtchn_close(again);
}

static void rule_bind_vcpu(void)
{
    evtchn_port_t port = new_unbound(), other = connect_to(port);

    unmask(port);
    bind_vector(port, nr_cpus - 1, 0x57);
    check_vector(other, nr_cpus - 1, 0x57);
    test_and_clear_pending(port);
    check(!bind_vcpu(port, 0), "bind_vcpu of a bound port");
    forget();
    evtchn_send(other);
    await(upcall_arrived[port] == 1, "bind_vcpu unbinds");
    evtchn_close(other);
    bind_vector(port, 0, 0x58);
    other = connect_to(port);
    forget();
    evtchn_send(other);
    await(arrived[0][0x58] == 1, "a binding survives the other side's close");
    evtchn_close(other);
    evtchn_close(port);
}

static void rule_shared(void)
{
    evtchn_port_t a = new_ipi(0), b = new_ipi(0);

    unmask(a);
    unmask(b);
    bind_vector(a, 0, 0x59);
    bind_vector(b, 0, 0x59);
    forget();
    irq_off();
    evtchn_send(a);
    evtchn_send(b);
    irq_on();
    await(arrived[0][0x59] == 1, "two ports, one edge");
    check(test_and_clear_pending(a) && test_and_clear_pending(b),
          "both are pending");
    evtchn_close(a);
    forget();
    evtchn_send(b);
    await(arrived[0][0x59] == 1, "the other one keeps the vector");
    evtchn_close(b);
}

/* Every vector of a vCPU in use, and then more ports than vectors. */
static void rule_exhausted(void)
{
    evtchn_port_t ports[240];
    unsigned int i, vector;

    for (i = 0; i < 240; i++) {
        ports[i] = new_ipi(0);
        unmask(ports[i]);
        vector = VECTOR_FIRST + i % (VECTOR_LAST - VECTOR_FIRST + 1);
        check(!bind_vector(ports[i], 0, vector), "vectors can be shared");
    }
    forget();
    for (i = 0; i < 240; i++)
        evtchn_send(ports[i]);
    settle_down();
    for (vector = VECTOR_FIRST; vector <= VECTOR_LAST; vector++)
        check(arrived[0][vector] >= 1, "each vector arrives");
    for (i = 0; i < 240; i++) {
        check(test_and_clear_pending(ports[i]), "each port is pending");
        evtchn_close(ports[i]);
    }
}

static void rule_halt(void)
{
    evtchn_port_t port = new_virq(VIRQ_TIMER, 0);
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = 1 };

    unmask(port);
    bind_vector(port, 0, 0x5a);
    forget();
    hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0,
               (uintptr_t)&timer);
    irq_off();
    while (!arrived[0][0x5a])
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    irq_on();
    check(test_and_clear_pending(port), "a VIRQ wakes by its vector");
    evtchn_close(port);
}

static void rule_arguments(void)
{
    evtchn_port_t ipi = new_ipi(0), unbound = new_unbound(), virq;
    struct evtchn_bind_vector padded = { .port = unbound, .pad = { 0, 1 } };
    struct evtchn_offer_vectors offer = { .vcpu = 0, .pad = 1 };
    unsigned int vector;

    for (vector = 1; vector < 0x20; vector++)
        check(bind_vector(unbound, 0, vector) == -XEN_EINVAL, "vector < 0x20");
    check(!bind_vector(unbound, 0, 0x20) && !bind_vector(unbound, 0, 0xff),
          "the lowest and the highest vector");
    check(bind_vector(unbound, nr_cpus + 60, 0x60) == -XEN_ENOENT, "no vCPU");
    check(bind_vector(unbound, ~0u, 0x60) == -XEN_ENOENT, "no such vCPU");
    check(bind_vector(0, 0, 0x60) == -XEN_EINVAL, "port 0");
    check(bind_vector(4095, 0, 0x60) == -XEN_EINVAL, "a free port");
    check(bind_vector(~0u, 0, 0x60) == -XEN_EINVAL, "no such port");
    check(evtchn_op(EVTCHNOP_bind_vector, &padded) == -XEN_EINVAL, "pad");
    check(evtchn_op(EVTCHNOP_bind_vector, (void *)-8l) == -XEN_EFAULT,
          "an address that is none");
    if (nr_cpus > 1) {
        virq = new_virq(VIRQ_TIMER, 1);
        check(bind_vector(ipi, 1, 0x60) == -XEN_EINVAL, "an IPI elsewhere");
        check(bind_vector(virq, 0, 0x60) == -XEN_EINVAL, "a VIRQ elsewhere");
        check(!bind_vector(virq, 1, 0x60), "a VIRQ on its own vCPU");
        evtchn_close(virq);
    }
    check(evtchn_op(EVTCHNOP_offer_vectors, &offer) == -XEN_EINVAL, "pad");
    offer = (struct evtchn_offer_vectors){ .vectors = { 1u << 31 } };
    check(evtchn_op(EVTCHNOP_offer_vectors, &offer) == -XEN_EINVAL,
          "an offer below 0x20");
    offer = (struct evtchn_offer_vectors){ .vcpu = 99 };
    check(evtchn_op(EVTCHNOP_offer_vectors, &offer) == -XEN_ENOENT,
          "an offer for no vCPU");
    evtchn_close(ipi);
    evtchn_close(unbound);
}

static void rule_reset(void)
{
    evtchn_port_t port = new_ipi(0);

    unmask(port);
    bind_vector(port, 0, 0x61);
    evtchn_close_all();
    port = new_ipi(0);
    unmask(port);
    check_upcall(port);
    forget();
    lapic_off();
    lapic_on();
    settle_down();
    check(!arrived[0][0x61], "a reset unbinds");
    evtchn_close(port);
}

void run_rules(void)
{
    interrupt_handler = rules_interrupt;
    upcall_event = rules_event;
    check(has_vectors(), "CPUID leaf 4, EAX bit 31");
    rule_delivery();
    rule_mask();
    rule_bind_pending();
    rule_lapic_off();
    rule_close();
    rule_bind_vcpu();
    rule_shared();
    rule_exhausted();
    rule_halt();
    rule_arguments();
    rules_of_domctl();
    rule_reset();
}
