/* SPDX-License-Identifier: LGPL-2.1-only */
/* Event channels of both ABIs. */
#include "evtchn.h"

#define PAGES (MAX_PORTS / (PAGE / sizeof(event_word_t)))

bool is_fifo;
void (*upcall_event)(struct cpu *cpu, evtchn_port_t port);

static event_word_t words[MAX_PORTS] __attribute__((aligned(PAGE)));
static struct {
    evtchn_fifo_control_block_t block;
} __attribute__((aligned(PAGE))) control[MAX_VCPUS];
static unsigned int pages;

static bool test_bit(void *map, unsigned int bit)
{
    return *((volatile uint32_t *)map + bit / 32) >> bit % 32 & 1;
}

static bool test_and_set(void *map, unsigned int bit)
{
    uint32_t old = __atomic_fetch_or((uint32_t *)map + bit / 32, 1u << bit % 32,
                                     __ATOMIC_SEQ_CST);

    return old >> bit % 32 & 1;
}

static bool test_and_clear(void *map, unsigned int bit)
{
    uint32_t old = __atomic_fetch_and((uint32_t *)map + bit / 32,
                                      ~(1u << bit % 32), __ATOMIC_SEQ_CST);

    return old >> bit % 32 & 1;
}

bool is_pending(evtchn_port_t port)
{
    return is_fifo ? test_bit(&words[port], EVTCHN_FIFO_PENDING)
                   : test_bit(shared_info.evtchn_pending, port);
}

bool test_and_clear_pending(evtchn_port_t port)
{
    return is_fifo ? test_and_clear(&words[port], EVTCHN_FIFO_PENDING)
                   : test_and_clear(shared_info.evtchn_pending, port);
}

bool is_masked(evtchn_port_t port)
{
    return is_fifo ? test_bit(&words[port], EVTCHN_FIFO_MASKED)
                   : test_bit(shared_info.evtchn_mask, port);
}

void mask(evtchn_port_t port)
{
    if (is_fifo)
        test_and_set(&words[port], EVTCHN_FIFO_MASKED);
    else
        test_and_set(shared_info.evtchn_mask, port);
}

void unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = { .port = port };

    if (evtchn_op(EVTCHNOP_unmask, &op))
        die("port %u cannot be unmasked", port);
}

static void upcall_2l(struct cpu *cpu, vcpu_info_t *info)
{
    uint64_t selected, ready;
    unsigned int word;

    selected =
        __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    for (; selected; selected &= selected - 1) {
        word = __builtin_ctzll(selected);
        ready = *(volatile uint64_t *)&shared_info.evtchn_pending[word] &
                ~*(volatile uint64_t *)&shared_info.evtchn_mask[word];
        for (; ready; ready &= ready - 1)
            upcall_event(cpu, word * 64 + __builtin_ctzll(ready));
    }
}

/* Takes a port off its queue; returns the next one. */
static uint32_t unlink_port(event_word_t *word)
{
    event_word_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    event_word_t new;

    do
        new = old & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
    while (!__atomic_compare_exchange_n(word, &old, new, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & EVTCHN_FIFO_LINK_MASK;
}

static uint32_t take_fifo(struct cpu *cpu, evtchn_fifo_control_block_t *block,
                          unsigned int queue, uint32_t ready)
{
    uint32_t head = cpu->fifo_head[queue];

    if (!head)
        head = __atomic_load_n(&block->head[queue], __ATOMIC_SEQ_CST);
    cpu->fifo_head[queue] = unlink_port(&words[head]);
    if (!cpu->fifo_head[queue])
        ready &= ~(1u << queue);
    if (is_pending(head) && !is_masked(head))
        upcall_event(cpu, head);
    return ready;
}

static void upcall_fifo(struct cpu *cpu)
{
    evtchn_fifo_control_block_t *block = &control[cpu->id].block;
    uint32_t ready = __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);

    while (ready) {
        ready = take_fifo(cpu, block, __builtin_ctz(ready), ready);
        ready |= __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);
    }
}

void handle_upcall(struct cpu *cpu)
{
    vcpu_info_t *info = &shared_info.vcpu_info[cpu->id];

    cpu->upcalls++;
    while (__atomic_exchange_n(&info->evtchn_upcall_pending, 0,
                               __ATOMIC_SEQ_CST)) {
        if (is_fifo)
            upcall_fifo(cpu);
        else
            upcall_2l(cpu, info);
    }
}

void evtchn_expand(evtchn_port_t port)
{
    struct evtchn_expand_array op;
    unsigned int i;

    if (port >= MAX_PORTS)
        die("port %u is more than this guest can take", port);
    for (; is_fifo && pages <= port / (PAGE / sizeof(*words)); pages++) {
        op.array_gfn = (uintptr_t)words / PAGE + pages;
        for (i = 0; i < PAGE / sizeof(*words); i++)
            words[pages * (PAGE / sizeof(*words)) + i] = 1u
                                                         << EVTCHN_FIFO_MASKED;
        if (evtchn_op(EVTCHNOP_expand_array, &op))
            die("the event array cannot grow");
    }
}

static void init_fifo(void)
{
    struct evtchn_init_control op;
    unsigned int i;

    is_fifo = true;
    pages = 0;
    for (i = 0; i < nr_cpus; i++) {
        control[i].block = (evtchn_fifo_control_block_t){ 0 };
        for (op.offset = 0; op.offset < EVTCHN_FIFO_MAX_QUEUES; op.offset++)
            cpus[i].fifo_head[op.offset] = 0;
        op = (struct evtchn_init_control){ .control_gfn =
                                               (uintptr_t)&control[i] / PAGE,
                                           .vcpu = i };
        if (evtchn_op(EVTCHNOP_init_control, &op))
            die("no FIFO channels on vcpu %u", i);
    }
    evtchn_expand(1);
}

static void map_shared_info(void)
{
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = (uintptr_t)&shared_info / PAGE,
    };

    if (hypercall3(__HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                   (uintptr_t)&op, 0))
        die("shared_info cannot be mapped");
}

void evtchn_init(void)
{
    unsigned int i;

    map_shared_info();
    for (i = 0; i < 64; i++)
        shared_info.evtchn_mask[i] = ~0ul;
    if (option_is("abi", "fifo"))
        init_fifo();
}

void evtchn_close_all(void)
{
    struct evtchn_reset op = { .dom = DOMID_SELF };

    if (evtchn_op(EVTCHNOP_reset, &op))
        die("no reset");
    is_fifo = false;
    evtchn_init();
}

long evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = { .port = port };

    return evtchn_op(EVTCHNOP_send, &op);
}

long evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = { .port = port };

    return evtchn_op(EVTCHNOP_close, &op);
}

long bind_vcpu(evtchn_port_t port, unsigned int vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };

    return evtchn_op(EVTCHNOP_bind_vcpu, &op);
}

long bind_vector(evtchn_port_t port, unsigned int vcpu, unsigned int vector)
{
    struct evtchn_bind_vector op = { .port = port,
                                     .vcpu = vcpu,
                                     .vector = vector };

    return evtchn_op(EVTCHNOP_bind_vector, &op);
}

long set_priority(evtchn_port_t port, unsigned int priority)
{
    struct evtchn_set_priority op = { .port = port, .priority = priority };

    return evtchn_op(EVTCHNOP_set_priority, &op);
}

static evtchn_port_t opened(const char *what, long error, evtchn_port_t port)
{
    if (error)
        die("no new %s port: %ld", what, error);
    evtchn_expand(port);
    mask(port);
    return port;
}

evtchn_port_t new_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    long error = evtchn_op(EVTCHNOP_bind_ipi, &op);

    return opened("IPI", error, op.port);
}

evtchn_port_t new_unbound(void)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF,
                                       .remote_dom = DOMID_SELF };
    long error = evtchn_op(EVTCHNOP_alloc_unbound, &op);

    return opened("unbound", error, op.port);
}

evtchn_port_t connect_to(evtchn_port_t remote)
{
    struct evtchn_bind_interdomain op = { .remote_dom = DOMID_SELF,
                                          .remote_port = remote };
    long error = evtchn_op(EVTCHNOP_bind_interdomain, &op);

    return opened("interdomain", error, op.local_port);
}

evtchn_port_t new_virq(unsigned int virq, unsigned int vcpu)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    long error = evtchn_op(EVTCHNOP_bind_virq, &op);

    return opened("VIRQ", error, op.port);
}
