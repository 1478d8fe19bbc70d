/* SPDX-License-Identifier: LGPL-2.1-only */
/* The console: a guest's ring, or the hypervisor's own if there is none. */
#include <stdarg.h>

#include "guest.h"

static struct xencons_interface *ring;
static evtchn_port_t ring_port;
static volatile int lock;

static uint64_t hvm_param(uint32_t index)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

    if (hypercall3(__HYPERVISOR_hvm_op, HVMOP_get_param, (uintptr_t)&param, 0))
        return 0;
    return param.value;
}

void console_init(void)
{
    ring = (void *)(uintptr_t)(hvm_param(HVM_PARAM_CONSOLE_PFN) * PAGE);
    ring_port = hvm_param(HVM_PARAM_CONSOLE_EVTCHN);
}

static void notify_ring(void)
{
    struct evtchn_send send = { .port = ring_port };

    evtchn_op(EVTCHNOP_send, &send);
}

static void put_ring(const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++) {
        while (ring->out_prod - *(volatile uint32_t *)&ring->out_cons >=
               sizeof(ring->out)) {
            notify_ring();
            yield();
        }
        ring->out[ring->out_prod % sizeof(ring->out)] = text[i];
        __asm__ volatile("" ::: "memory");
        ring->out_prod++;
    }
    notify_ring();
}

static void put(const char *text, size_t length)
{
    if (ring)
        put_ring(text, length);
    else
        hypercall3(__HYPERVISOR_console_io, CONSOLEIO_write, length,
                   (uintptr_t)text);
}

static char *add_number(char *at, uint64_t value, unsigned int base)
{
    char digits[20];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *add_argument(char *at, const char **format, va_list *list)
{
    bool is_long = **format == 'l';
    const char *text;
    uint64_t value;
    char kind;

    if (is_long)
        ++*format;
    kind = *(*format)++;
    if (kind == 's') {
        for (text = va_arg(*list, const char *); *text; text++)
            *at++ = *text;
        return at;
    }
    if (is_long)
        value = va_arg(*list, uint64_t);
    else if (kind == 'd')
        value = va_arg(*list, int);
    else
        value = va_arg(*list, uint32_t);
    if (kind == 'd' && (int64_t)value < 0) {
        *at++ = '-';
        value = -value;
    }
    return add_number(at, value, kind == 'x' ? 16 : 10);
}

static void print_list(const char *format, va_list *list)
{
    char line[400], *at = line;

    while (*format && at < line + 300) {
        if (*format == '%') {
            format++;
            at = add_argument(at, &format, list);
        } else {
            *at++ = *format++;
        }
    }
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        yield();
    put(line, at - line);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void print(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_list(format, &list);
    va_end(list);
}

void finish(bool passed)
{
    /* A control domain takes the machine with it, which ends its emulator. */
    struct sched_shutdown shutdown = {
        .reason = ring ? SHUTDOWN_poweroff : SHUTDOWN_reboot,
    };

    print("evtchn-guest: %s\n", passed ? "passed" : "FAILED");
    irq_off();
    hypercall3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uintptr_t)&shutdown,
               0);
    for (;;)
        __asm__ volatile("hlt");
}

void die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print("evtchn-guest: ");
    print_list(format, &list);
    print("\n");
    va_end(list);
    finish(false);
}
