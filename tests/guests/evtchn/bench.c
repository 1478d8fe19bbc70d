/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Instruction counts, under an emulator that makes the TSC count instructions.
 * Lines begin with "bench:" and go "what, mode, ports, number"; a latency is
 * less what reading the TSC costs, as that is emulated, too.
 *
 *   behind   k ports are pending, the target last; from interrupts on to the
 *            target's handler. The handlers of the others take WORK.
 *   during   the target is sent while the handler of the first of k runs
 *   all      k ports are pending; until all are handled, for each of them
 *   send     one send to a port that is not pending
 *   spread   Jain's index of the events that each vCPU handles
 */
#include "scenarios.h"

#define WORK 8000
#define VECTOR_TARGET 0xe0
#define MAX_K 4000
#define SPREAD_PORTS 64
#define SPREAD_EVENTS 20

static const unsigned int sizes[] = { 1, 8, 64, 1000, MAX_K };

static evtchn_port_t ports[MAX_K], target;
static struct {
    bool send_target, on_in_handlers, works;
    uint64_t from, to;
    volatile unsigned int handled;
} now;
static volatile unsigned int handled_on[MAX_VCPUS];

static void work(void)
{
    unsigned long turns = WORK / 2;

    __asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns));
}

static void handle_port(struct cpu *cpu, evtchn_port_t port)
{
    bool sends = now.send_target;

    if (!test_and_clear_pending(port))
        return;
    now.handled++;
    handled_on[cpu->id]++;
    if (port == target)
        now.to = rdtsc();
    else if (now.works) {
        now.send_target = false;
        if (now.on_in_handlers)
            irq_on();
        if (sends) {
            now.from = rdtsc();
            evtchn_send(target);
        }
        work();
        irq_off();
    }
}

/* Vectors are shared from k > 191 on: each looks at all of its ports. */
static unsigned int vector_of(unsigned int port)
{
    return VECTOR_FIRST + port % (VECTOR_LAST - VECTOR_FIRST);
}

static void bench_interrupt(struct cpu *cpu, unsigned int vector)
{
    unsigned int i = vector - VECTOR_FIRST;

    if (vector == VECTOR_UPCALL)
        handle_upcall(cpu);
    else if (now.works && vector == VECTOR_TARGET)
        handle_port(cpu, target);
    else
        for (; i < MAX_K && ports[i]; i += VECTOR_LAST - VECTOR_FIRST)
            handle_port(cpu, ports[i]);
}

static uint64_t tsc_cost(void)
{
    uint64_t from = rdtsc();

    return rdtsc() - from;
}

static void open_ports(unsigned int number)
{
    unsigned int i;

    for (i = 0; i < number; i++) {
        ports[i] = new_ipi(0);
        unmask(ports[i]);
    }
    target = ports[number - 1];
}

static void close_ports(unsigned int number)
{
    while (number--) {
        if (evtchn_close(ports[number]))
            die("port %u cannot be closed", ports[number]);
        ports[number] = 0;
    }
    target = 0;
}

static void await_handled(unsigned int number)
{
    while (now.handled < number)
        relax();
}

/* Everything but the target is pending, and it too if it is not sent later. */
static uint64_t latency(unsigned int k, bool during, bool on_in_handlers)
{
    unsigned int i;

    now.handled = 0;
    now.works = true;
    now.on_in_handlers = on_in_handlers;
    now.send_target = during;
    irq_off();
    for (i = 0; i < k - during; i++)
        evtchn_send(ports[i]);
    if (!during)
        now.from = rdtsc();
    irq_on();
    await_handled(k);
    now.works = false;
    return now.to - now.from - tsc_cost();
}

static void tell(const char *what, const char *mode, unsigned int k,
                 uint64_t value)
{
    print("bench: %s,%s,%u,%lu\n", what, mode, k, value);
}

static const char *abi(void)
{
    return is_fifo ? "upcall FIFO" : "upcall 2-level";
}

static void latencies_upcall(unsigned int k, const char *mode)
{
    tell("behind", mode, k, latency(k, false, false));
    if (k > 1)
        tell("during", mode, k, latency(k, true, false));
}

static void latencies_vector(unsigned int k)
{
    if (bind_vector(target, 0, VECTOR_TARGET))
        die("the target cannot be bound");
    tell("behind", "own vector", k, latency(k, false, false));
    if (k > 1) {
        tell("during", "own vector interrupts off", k, latency(k, true, false));
        tell("during", "own vector interrupts on", k, latency(k, true, true));
    }
    bind_vector(target, 0, 0);
}

/* From the first interrupt until all are handled. */
static uint64_t all_at_once(unsigned int k)
{
    uint64_t from;
    unsigned int i;

    now.handled = 0;
    irq_off();
    for (i = 0; i < k; i++)
        evtchn_send(ports[i]);
    target = 0;
    from = rdtsc();
    irq_on();
    await_handled(k);
    from = rdtsc() - from - tsc_cost();
    target = ports[k - 1];
    return from / k;
}

static void cost_of_all(unsigned int k)
{
    unsigned int i;

    tell("all", abi(), k, all_at_once(k));
    if (!has_vectors())
        return;
    for (i = 0; i < k; i++)
        if (bind_vector(ports[i], 0, vector_of(i)))
            die("port %u cannot be bound", ports[i]);
    tell("all", "own vectors", k, all_at_once(k));
}

/* Many times, as one send is less than reading the TSC. */
static uint64_t send_cost(unsigned int number)
{
    uint64_t from;
    unsigned int i;

    now.handled = 0;
    irq_off();
    from = rdtsc();
    for (i = 0; i < number; i++)
        evtchn_send(ports[i]);
    from = rdtsc() - from - tsc_cost();
    irq_on();
    await_handled(number);
    return from / number;
}

static void cost_of_send(void)
{
    unsigned int i;

    open_ports(512);
    target = 0;
    send_cost(512);
    tell("send", abi(), 512, send_cost(512));
    for (i = 0; has_vectors() && i < 512; i++)
        bind_vector(ports[i], 0, vector_of(i));
    if (has_vectors())
        tell("send", "own vectors", 512, send_cost(512));
    close_ports(512);
}

/* Jain's index in thousandths. */
static uint64_t fairness(void)
{
    uint64_t sum = 0, squares = 0;
    unsigned int i;

    for (i = 0; i < nr_cpus; i++) {
        sum += handled_on[i];
        squares += (uint64_t)handled_on[i] * handled_on[i];
        handled_on[i] = 0;
    }
    return sum * sum * 1000 / (nr_cpus * squares);
}

static uint64_t send_around(void)
{
    unsigned int i, turn;

    for (i = 0; i < nr_cpus; i++)
        handled_on[i] = 0;
    for (turn = 0; turn < SPREAD_EVENTS; turn++)
        for (i = 0; i < SPREAD_PORTS; i++) {
            now.handled = 0;
            evtchn_send(ports[i + SPREAD_PORTS]);
            while (!now.handled)
                yield();
        }
    return fairness();
}

/* Interdomain ports begin on vCPU 0, as a device's do. */
static void spread(void)
{
    unsigned int i;

    for (i = 0; i < SPREAD_PORTS; i++) {
        ports[i] = new_unbound();
        ports[i + SPREAD_PORTS] = connect_to(ports[i]);
        unmask(ports[i]);
    }
    tell("spread", "as opened", SPREAD_PORTS, send_around());
    for (i = 0; has_vectors() && i < SPREAD_PORTS; i++)
        bind_vector(ports[i], i % nr_cpus, vector_of(i));
    if (has_vectors())
        tell("spread", "own vectors", SPREAD_PORTS, send_around());
}

static void bench_size(unsigned int k)
{
    open_ports(k);
    latencies_upcall(k, abi());
    if (is_fifo) {
        set_priority(target, EVTCHN_FIFO_PRIORITY_MAX);
        latencies_upcall(k, "upcall FIFO priority 0");
        set_priority(target, EVTCHN_FIFO_PRIORITY_DEFAULT);
    }
    if (has_vectors())
        latencies_vector(k);
    cost_of_all(k);
    close_ports(k);
}

void run_bench(void)
{
    size_t i;

    interrupt_handler = bench_interrupt;
    upcall_event = handle_port;
    if (option_is("what", "spread")) {
        spread();
        return;
    }
    cost_of_send();
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        bench_size(sizes[i]);
}
