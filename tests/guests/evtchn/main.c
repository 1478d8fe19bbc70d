/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-guest: a guest of its own that opens event channels, binds them to
 * vectors, and says on its console what arrived. README.md has the scenarios.
 */
#include "scenarios.h"

static const char *command_line;

/* What is behind "name=" in the command line, or NULL. */
static const char *find_option(const char *name)
{
    const char *at = command_line, *n;
    bool starts = true;

    for (; *at; starts = *at == ' ', at++) {
        if (!starts)
            continue;
        for (n = name; *n && at[n - name] == *n; n++)
            ;
        if (!*n && at[n - name] == '=')
            return at + (n - name) + 1;
    }
    return NULL;
}

uint64_t option(const char *name, uint64_t fallback)
{
    const char *at = find_option(name);
    uint64_t value = 0;

    if (!at)
        return fallback;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + *at - '0';
    if (*at && *at != ' ')
        die("option %s is not a number", name);
    return value;
}

bool option_is(const char *name, const char *value)
{
    const char *at = find_option(name);

    for (; at && *value && *at == *value; at++, value++)
        ;
    return at && !*value && (!*at || *at == ' ');
}

static uint32_t xen_leaf(void)
{
    uint32_t leaf, regs[4];

    for (leaf = XEN_CPUID_FIRST_LEAF; leaf < 0x40010000; leaf += 0x100) {
        cpuid(leaf, regs);
        if (regs[1] == XEN_CPUID_SIGNATURE_EBX)
            return leaf;
    }
    return 0;
}

/* False: no hypervisor to speak to, so no way to say so. */
static bool map_hypercalls(void)
{
    uint32_t leaf = xen_leaf(), regs[4];

    if (!leaf)
        return false;
    cpuid(leaf + 2, regs);
    wrmsr(regs[1], (uintptr_t)hypercall_page);
    return true;
}

bool has_vectors(void)
{
    uint32_t regs[4];

    cpuid(xen_leaf() + 4, regs);
    return regs[0] & XEN_HVM_CPUID_EVTCHN_VECTOR;
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "rules", run_rules }, { "storm", run_storm }, { "hostile", run_hostile },
    { "bench", run_bench }, { "serve", run_serve },
};

static void run_scenario(void)
{
    size_t i;

    for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (option_is("run", scenarios[i].name)) {
            scenarios[i].run();
            finish(true);
        }
    die("no such scenario: %s", command_line);
}

static void no_event(struct cpu *cpu, evtchn_port_t port)
{
    (void)cpu;
    test_and_clear_pending(port);
}

static void no_vector(struct cpu *cpu, unsigned int vector)
{
    if (vector != VECTOR_UPCALL)
        die("vector %u on vcpu %u, which nothing raises", vector, cpu->id);
    handle_upcall(cpu);
}

void start(const struct hvm_start_info *info)
{
    command_line = info->cmdline_paddr ? (char *)info->cmdline_paddr : "";
    if (!map_hypercalls())
        return;
    interrupt_handler = no_vector;
    upcall_event = no_event;
    nr_cpus = 1;
    console_init();
    cpu_init();
    nr_cpus = option("vcpus", count_cpus());
    evtchn_init();
    start_cpus(nr_cpus);
    irq_on();
    print("evtchn-guest: %u vcpus, %s, vectors: %s\n", nr_cpus,
          is_fifo ? "FIFO" : "2-level", has_vectors() ? "yes" : "no");
    run_scenario();
}
