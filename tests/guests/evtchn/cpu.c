/* SPDX-License-Identifier: LGPL-2.1-only */
/* vCPUs and their local APICs. */
#include "guest.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0xc00
#define MSR_EOI 0x80b
#define MSR_SPIV 0x80f
#define MSR_ISR_7 0x817 /* vectors 0xe0 to 0xff */
#define MSR_ICR 0x830
#define SPIV_ON 0x100
#define ICR_INIT 0x4500
#define ICR_FIXED 0x4000
#define STUB_SIZE 16

struct gate {
    uint16_t offset_low, selector, type, offset_middle;
    uint32_t offset_high, zero;
};

struct cpu cpus[MAX_VCPUS];
unsigned int nr_cpus;
interrupt_fn *interrupt_handler;

extern char stubs[], stacks[], pml4[];
void entry_ap(void);

static struct gate idt[256];

static void idt_init(void)
{
    unsigned int i;
    uintptr_t at;

    for (i = 0; i < 256; i++) {
        at = (uintptr_t)stubs + i * STUB_SIZE;
        idt[i] = (struct gate){ .offset_low = at,
                                .selector = 8,
                                .type = 0x8e00,
                                .offset_middle = at >> 16,
                                .offset_high = at >> 32 };
    }
}

static void idt_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    __asm__ volatile("lidt %0" ::"m"(pointer));
}

void lapic_on(void)
{
    wrmsr(MSR_SPIV, SPIV_ON | VECTOR_SPURIOUS);
}

void lapic_off(void)
{
    wrmsr(MSR_SPIV, VECTOR_SPURIOUS);
}

void lapic_eoi(void)
{
    wrmsr(MSR_EOI, 0);
}

static void set_upcall(struct cpu *cpu)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vcpu = cpu->id,
                                               .vector = VECTOR_UPCALL };

    if (hypercall3(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector,
                   (uintptr_t)&op, 0))
        die("no upcall vector on vcpu %u", cpu->id);
}

static void this_cpu_init(void)
{
    idt_load();
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    lapic_on();
    set_upcall(this_cpu());
}

void interrupted(unsigned int vector, uint64_t error, uint64_t rip)
{
    if (vector < 32)
        die("exception %u, error %lx, at %lx", vector, error, rip);
    /* Spurious only if it is not in service: it can be bound like others. */
    if (vector == VECTOR_SPURIOUS && !(rdmsr(MSR_ISR_7) >> 31 & 1))
        return;
    if (vector != VECTOR_KICK)
        interrupt_handler(this_cpu(), vector);
    lapic_eoi();
}

/* A vCPU's APIC has twice its number. */
static void send_ipi(struct cpu *cpu, uint32_t what)
{
    wrmsr(MSR_ICR, (uint64_t)(cpu->id * 2) << 32 | what);
}

static void claim_stack(unsigned int id)
{
    cpus[id].id = id;
    *(struct cpu **)(stacks + id * STACK_SIZE) = &cpus[id];
}

void cpu_init(void)
{
    claim_stack(0);
    cpus[0].up = true;
    idt_init();
    this_cpu_init();
}

unsigned int count_cpus(void)
{
    unsigned int i;

    for (i = 1; i < MAX_VCPUS; i++)
        if (hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, i, 0) < 0)
            break;
    return i;
}

/* Sleeps, so as not to take time from those that work. */
static void await_job(struct cpu *cpu)
{
    irq_off();
    while (!cpu->job)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    irq_on();
}

void give_job(struct cpu *cpu, void (*job)(struct cpu *cpu))
{
    __atomic_store_n(&cpu->job, job, __ATOMIC_RELEASE);
    send_ipi(cpu, ICR_FIXED | VECTOR_KICK);
}

void start_ap(void)
{
    struct cpu *cpu = this_cpu();

    this_cpu_init();
    cpu->up = true;
    irq_on();
    for (;;) {
        await_job(cpu);
        cpu->job(cpu);
        cpu->job = NULL;
    }
}

void restart_cpu(struct cpu *cpu)
{
    struct vcpu_hvm_context context = {
        .mode = VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 = {
            .rip = (uintptr_t)entry_ap,
            .rsp = (uintptr_t)stacks + (cpu->id + 1) * STACK_SIZE,
            .rflags = 2,
            .cr0 = 0x80000013,
            .cr3 = (uintptr_t)pml4,
            .cr4 = 0x620,
            .efer = 0x500,
        },
    };
    long error;

    cpu->up = false;
    error = hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_initialise, cpu->id,
                       (uintptr_t)&context);
    if (!error)
        error = hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_up, cpu->id, 0);
    if (error)
        die("vcpu %u does not start: %ld", cpu->id, error);
    while (!cpu->up)
        yield();
}

void start_cpus(unsigned int number)
{
    unsigned int i;

    nr_cpus = number;
    for (i = 1; i < number; i++) {
        claim_stack(i);
        restart_cpu(&cpus[i]);
    }
}

void send_init(struct cpu *cpu)
{
    send_ipi(cpu, ICR_INIT);
    while (hypercall3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, cpu->id, 0) > 0)
        yield();
}

void on_all_cpus(void (*fn)(struct cpu *cpu))
{
    unsigned int i;

    for (i = 1; i < nr_cpus; i++)
        give_job(&cpus[i], fn);
    fn(&cpus[0]);
    for (i = 1; i < nr_cpus; i++)
        while (cpus[i].job)
            yield();
}

void yield(void)
{
    hypercall3(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
}
