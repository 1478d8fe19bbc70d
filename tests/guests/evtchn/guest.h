/* SPDX-License-Identifier: LGPL-2.1-only */
/* The machine as a test sees it: vCPUs, interrupts, hypercalls, a console. */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define MAX_VCPUS 8
#define STACK_SIZE 0x8000
#define PAGE 4096

/* Vectors with a meaning of their own; 0x30 and up are for tests. */
#define VECTOR_UPCALL 0x28
#define VECTOR_KICK 0x29
#define VECTOR_FIRST 0x30
#define VECTOR_LAST 0xef
#define VECTOR_SPURIOUS 0xff

struct cpu {
    unsigned int id;
    volatile bool up;
    void (*volatile job)(struct cpu *cpu);
    uint64_t random;
    uint32_t fifo_head[EVTCHN_FIFO_MAX_QUEUES];
    volatile uint64_t upcalls;
};

extern struct cpu cpus[MAX_VCPUS];
extern unsigned int nr_cpus;
extern shared_info_t shared_info;

/* Called with interrupts off; the EOI follows it. */
typedef void interrupt_fn(struct cpu *cpu, unsigned int vector);
extern interrupt_fn *interrupt_handler;

/* --- cpu.c --- */

void cpu_init(void);
unsigned int count_cpus(void);
void start_cpus(unsigned int number);
/* Starts one that is down, at its job; an INIT must have reset it before. */
void restart_cpu(struct cpu *cpu);
void send_init(struct cpu *cpu);
void lapic_on(void);
void lapic_off(void);
void lapic_eoi(void);
/* One that is idle runs it, and takes its job away when it is done. */
void give_job(struct cpu *cpu, void (*job)(struct cpu *cpu));
/* Runs fn on every vCPU, this one included, and waits for all. */
void on_all_cpus(void (*fn)(struct cpu *cpu));

static inline struct cpu *this_cpu(void)
{
    uint64_t sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return *(struct cpu **)((sp - 1) & -(uint64_t)STACK_SIZE);
}

static inline void irq_on(void)
{
    __asm__ volatile("sti" ::: "memory");
}

static inline void irq_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static inline void relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
                     "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

/* xorshift64*: the same seed, the same numbers. */
static inline uint32_t random_u32(struct cpu *cpu)
{
    uint64_t x = cpu->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    cpu->random = x;
    return (x * 0x2545f4914f6cdd1dull) >> 32;
}

/* --- hypercalls --- */

extern char hypercall_page[PAGE];

static inline long hypercall3(unsigned int nr, uint64_t a, uint64_t b,
                              uint64_t c)
{
    uint64_t result = (uintptr_t)hypercall_page + nr * 32;

    __asm__ volatile("call *%0"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "memory", "rcx", "r8", "r9", "r10", "r11");
    return result;
}

static inline long evtchn_op(unsigned int cmd, void *arg)
{
    return hypercall3(__HYPERVISOR_event_channel_op, cmd, (uintptr_t)arg, 0);
}

void yield(void);

/* --- what boot.S calls --- */

void start(const struct hvm_start_info *info);
void start_ap(void);
void interrupted(unsigned int vector, uint64_t error, uint64_t rip);

/* --- console.c --- */

void console_init(void);
/* %s %u %x %d, and l before the last three. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the run: prints, and takes the machine down. */
void die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void finish(bool passed) __attribute__((noreturn));

/* --- what the command line says --- */

/* The number behind "name=", or fallback. */
uint64_t option(const char *name, uint64_t fallback);
/* Whether "name=value" is there. */
bool option_is(const char *name, const char *value);

#endif
