/* SPDX-License-Identifier: LGPL-2.1-only */
/* The rounds of the storm, and what is checked after each. */
#include "storm.h"

#define STEPS 150 /* of each vCPU, in a round */
#define PATIENCE 20000

/* --- vCPU 0 looks after the others ---------------------------------------- */

static void bring_back(struct cpu *cpu, struct cpu *other)
{
    enum phase phase = my[other->id].phase;

    if (phase == DOWN) {
        while (hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, other->id, 0))
            yield();
        send_some(cpu, 8);
        my[other->id].downs++;
        my[other->id].phase = RUNNING;
        hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_up, other->id, 0);
    } else if (phase == PARKED) {
        send_some(cpu, 8);
        send_init(other);
        send_some(cpu, 8);
        my[other->id].inits++;
        my[other->id].phase = RUNNING;
        restart_cpu(other);
    }
}

/* False when all of them are done. */
static bool look_after(struct cpu *cpu)
{
    bool busy = false;
    unsigned int i;

    for (i = 1; i < nr_cpus; i++) {
        bring_back(cpu, &cpus[i]);
        busy |= cpus[i].job != NULL;
    }
    return busy;
}

static void steps(struct cpu *cpu)
{
    while (my[cpu->id].left) {
        my[cpu->id].left--;
        step(cpu);
        if (!cpu->id)
            look_after(cpu);
    }
}

static void round_of_steps(void)
{
    unsigned int i;

    for (i = 0; i < nr_cpus; i++)
        my[i].left = STEPS;
    for (i = 1; i < nr_cpus; i++)
        give_job(&cpus[i], steps);
    steps(&cpus[0]);
    while (look_after(&cpus[0]))
        yield();
}

/* --- and checks ----------------------------------------------------------- */

static struct slot *unseen(void)
{
    unsigned int i;

    for (i = 0; i < SLOTS; i++)
        if (slots[i].seen < slots[i].sent || is_pending(slots[i].rx))
            return &slots[i];
    return NULL;
}

static bool settle(void)
{
    unsigned int i;

    for (i = 0; i < PATIENCE; i++) {
        if (!unseen())
            return true;
        yield();
    }
    return false;
}

static void check_round(uint64_t seed, unsigned int round)
{
    struct slot *slot;
    unsigned int i;

    /* Not the others: to unmask is to notify again. */
    for (i = 0; i < SLOTS; i++)
        if (is_masked(slots[i].rx))
            unmask(slots[i].rx);
    if (settle())
        return;
    /* An INIT stops timers. */
    on_all_cpus(fire_timer);
    if (settle())
        return;
    slot = unseen();
    die("lost: seed %lu, round %u: port %u, kind %u, vcpu %u, vector %u: "
        "sent %lu, seen %lu, %s, %s",
        seed, round, slot->rx, slot->kind, slot->target >> 8,
        slot->target & 0xff, slot->sent, slot->seen,
        is_pending(slot->rx) ? "pending" : "not pending",
        is_masked(slot->rx) ? "masked" : "not masked");
}

/* What was unbound stays silent. */
static void check_silence(uint64_t seed)
{
    unsigned int i;

    for (i = 0; i < SLOTS; i++) {
        excuse(slots[i].target);
        slots[i].target &= ~0xffu;
        bind_vector(slots[i].rx, slots[i].target >> 8, 0);
    }
    check_round(seed, 0);
    for (i = 0; i < 2000; i++)
        yield();
    upcalls_only = true;
    for (i = 0; i < SLOTS; i++)
        if (slots[i].kind != TIMER)
            send_slot(&cpus[0], &slots[i]);
    on_all_cpus(fire_timer);
    check_round(seed, 0);
}

static void open_slots(void)
{
    unsigned int i;

    for (i = 0; i < MAX_PORTS; i++)
        slot_of[i] = NO_SLOT;
    for (i = 0; i < SLOTS; i++) {
        slots[i].kind = i % 4 == 3 ? IPI : INTERDOMAIN;
        if (i >= SLOTS - MAX_VCPUS)
            slots[i].kind = i >= SLOTS - nr_cpus ? TIMER : INTERDOMAIN;
        open_slot(&slots[i],
                  slots[i].kind == TIMER ? SLOTS - 1 - i : i % nr_cpus);
    }
}

static uint64_t total(size_t offset)
{
    uint64_t sum = 0;
    unsigned int i;

    for (i = 0; i < nr_cpus; i++)
        sum += *(uint64_t *)((char *)&my[i] + offset);
    return sum;
}

#define TOTAL(member) total((char *)&my[0].member - (char *)&my[0])

void run_storm(void)
{
    uint64_t seed = option("seed", rdtsc()), wanted = option("sends", 100000);
    unsigned int i, round;

    print("storm: seed %lu\n", seed);
    for (i = 0; i < nr_cpus; i++)
        cpus[i].random = (seed + i + 1) * 0x9e3779b97f4a7c15ull | 1;
    interrupt_handler = storm_interrupt;
    upcall_event = storm_event;
    open_slots();
    for (round = 1; TOTAL(sends) < wanted; round++) {
        round_of_steps();
        check_round(seed, round);
        if (round % 1000 == 0)
            print("storm: %lu sends\n", TOTAL(sends));
    }
    check_silence(seed);
    print("storm: %lu sends, %u rounds, %lu vectors, %lu INITs, %lu offline, "
          "none lost\n",
          TOTAL(sends), round - 1, TOTAL(vectors), TOTAL(inits), TOTAL(downs));
}
