/* SPDX-License-Identifier: LGPL-2.1-only */
/* The toolstack's operations, as the control domain on itself. */
#include "rules.h"

#include "domctl.h"

#define SYSCTL_VERSION 0x15 /* of Xen 4.17 */
#define SYSCTL_DEBUG_KEYS 7

struct sysctl {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        struct {
            uint64_t keys;
            uint32_t nr_keys;
        } debug_keys;
        uint8_t room[128];
    } u;
};

static struct xlx__xen_evtchn_entry entries[XLX__EVTCHN_LIST_MAX];

/* What it prints, evtchn-run looks for. */
static void press_e(void)
{
    struct sysctl arg = { .cmd = SYSCTL_DEBUG_KEYS,
                          .interface_version = SYSCTL_VERSION };

    arg.u.debug_keys.keys = (uintptr_t) "e";
    arg.u.debug_keys.nr_keys = 1;
    check(!hypercall3(__HYPERVISOR_sysctl, (uintptr_t)&arg, 0, 0),
          "debug key e");
}

static long set(evtchn_port_t port, unsigned int vcpu, unsigned int vector)
{
    struct xlx__xen_evtchn_vector_op op = {
        .op = XLX__EVTCHN_SET, .port = port, .vcpu = vcpu, .vector = vector
    };

    return domctl(&op);
}

static long clear(evtchn_port_t port)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_CLEAR,
                                            .port = port };

    return domctl(&op);
}

static long switch_to(uint8_t what, unsigned int flags)
{
    struct xlx__xen_evtchn_vector_op op = { .op = what, .flags = flags };

    return domctl(&op);
}

static unsigned int features(void)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_FEATURES };

    check(!domctl(&op) && op.nr == XLX__EVTCHN_VERSION, "features");
    return op.flags;
}

static long guest_offers(unsigned int vcpu, unsigned int vector)
{
    struct evtchn_offer_vectors offer = { .vcpu = vcpu };

    if (vector)
        offer.vectors[vector / 64] = 1ul << vector % 64;
    return evtchn_op(EVTCHNOP_offer_vectors, &offer);
}

/* The entry of a port; it must be there. */
static struct xlx__xen_evtchn_entry *find(evtchn_port_t port)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_LIST,
                                            .port = port,
                                            .nr = 1,
                                            .entries = (uintptr_t)entries };

    check(!domctl(&op), "list");
    check(op.nr == 1 && entries[0].port == port, "the port is listed");
    return entries;
}

static void rule_list(void)
{
    evtchn_port_t ipi = new_ipi(0), a = new_unbound(), b = connect_to(a);
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_LIST };
    struct xlx__xen_evtchn_entry *entry;

    check(domctl(&op) == -XEN_EINVAL, "list without room");
    op.nr = XLX__EVTCHN_LIST_MAX + 1;
    check(domctl(&op) == -XEN_EINVAL, "list with too much room");
    op.nr = 1;
    op.entries = -8ul;
    op.port = 0;
    check(domctl(&op) == -XEN_EFAULT, "list to an address that is none");
    op = (struct xlx__xen_evtchn_vector_op){ .op = XLX__EVTCHN_LIST,
                                             .port = ~0u,
                                             .nr = 1,
                                             .entries = (uintptr_t)entries };
    check(!domctl(&op) && !op.nr && op.port == XLX__EVTCHN_LIST_END,
          "list behind the end");
    op.port = 0;
    op.nr = XLX__EVTCHN_LIST_MAX;
    check(!domctl(&op) && op.nr >= 3 && op.port == XLX__EVTCHN_LIST_END,
          "list all");
    entry = find(ipi);
    check(entry->state == EVTCHNSTAT_ipi && !entry->vector &&
              entry->flags == XLX__EVTCHN_ENTRY_MASKED,
          "an IPI");
    evtchn_send(ipi);
    check(find(ipi)->flags & XLX__EVTCHN_ENTRY_PENDING, "it is pending");
    entry = find(a);
    check(entry->state == EVTCHNSTAT_interdomain && entry->remote_port == b &&
              entry->remote_domid == 0,
          "one end");
    evtchn_close(b);
    check(find(a)->state == EVTCHNSTAT_unbound, "the other end is closed");
    evtchn_close(a);
    evtchn_close(ipi);
}

static void rule_set(void)
{
    evtchn_port_t port = new_unbound(), other = connect_to(port);
    unsigned int last = nr_cpus - 1;

    unmask(port);
    check(set(port, last, 0x70) == -XEN_EPERM, "set what nobody offered");
    check(!guest_offers(last, 0x70), "offer");
    check(set(port, last, 0x71) == -XEN_EPERM, "set another than offered");
    check(set(port, last, 0x10) == -XEN_EINVAL, "set below 0x20");
    check(set(port, 77, 0x70) == -XEN_ENOENT, "set for no vCPU");
    check(set(4000, last, 0x70) == -XEN_EINVAL, "set of a free port");
    check(set(~0u, last, 0x70) == -XEN_EINVAL, "set of no port");
    check(clear(port) == -XEN_EINVAL, "clear without a vector");
    check(!set(port, last, 0x70), "set");
    check(find(port)->vector == 0x70 && find(port)->vcpu == last &&
              find(port)->flags & XLX__EVTCHN_ENTRY_TOOLSTACK,
          "it is listed");
    press_e();
    forget();
    evtchn_send(other);
    await(arrived[last][0x70] == 1, "what the toolstack set arrives");
    test_and_clear_pending(port);
    check(!clear(port) && !find(port)->vector && find(port)->vcpu == 0,
          "clear goes back to the guest's vCPU");
    check(!bind_vector(port, 0, 0x72), "the guest binds");
    check(set(port, last, 0x70) == -XEN_EBUSY, "set what the guest bound");
    check(clear(port) == -XEN_EBUSY, "clear what the guest bound");
    bind_vector(port, 0, 0);
    check(!set(port, last, 0x70), "set again");
    evtchn_send(other);
    settle_down();
    forget();
    check(!guest_offers(last, 0) && !find(port)->vector, "withdraw");
    await(upcall_arrived[port] == 1, "what was pending goes to the upcall");
    evtchn_close(other);
    evtchn_close(port);
}

static void rule_offers(void)
{
    struct xlx__xen_evtchn_vector_op op = { .op = XLX__EVTCHN_OFFER,
                                            .vectors = { 0, 3, 0, 1ul << 63 } };

    check(!domctl(&op), "the toolstack relays an offer");
    op = (struct xlx__xen_evtchn_vector_op){ .op = XLX__EVTCHN_OFFERS };
    check(!domctl(&op) && op.vectors[1] == 3 && op.vectors[3] == 1ul << 63 &&
              !op.vectors[0] && !op.vectors[2],
          "it can be read");
    op.vcpu = 1000;
    check(domctl(&op) == -XEN_ENOENT, "offers of no vCPU");
    op = (struct xlx__xen_evtchn_vector_op){ .op = XLX__EVTCHN_OFFER,
                                             .vectors = { 1 } };
    check(domctl(&op) == -XEN_EINVAL, "an offer of vector 0");
    check(!guest_offers(0, 0), "the guest withdraws it");
    op.op = 99;
    check(domctl(&op) == -XEN_EINVAL, "no such operation");
}

static void rule_allow(void)
{
    evtchn_port_t port = new_ipi(0);

    unmask(port);
    check(features() == (XLX__EVTCHN_ALLOWED | XLX__EVTCHN_CAPABLE),
          "allowed at first");
    bind_vector(port, 0, 0x73);
    check(switch_to(XLX__EVTCHN_ALLOW, 2) == -XEN_EINVAL, "a flag too many");
    check(!switch_to(XLX__EVTCHN_ALLOW, 0), "switch off");
    check(features() == XLX__EVTCHN_CAPABLE, "it is off");
    check(!has_vectors(), "and CPUID says so");
    check(!find(port)->vector, "which unbinds");
    check(bind_vector(port, 0, 0x73) == -XEN_EPERM, "and refuses to bind");
    check(!bind_vector(port, 0, 0), "but not to unbind");
    guest_offers(0, 0x74);
    check(set(port, 0, 0x74) == -XEN_EPERM, "nor does the toolstack");
    check(!switch_to(XLX__EVTCHN_ALLOW, XLX__EVTCHN_ON), "switch on");
    check(has_vectors() && !bind_vector(port, 0, 0x73), "it is on");
    guest_offers(0, 0);
    evtchn_close(port);
}

static void rule_count(void)
{
    evtchn_port_t old = new_ipi(0), port;
    unsigned int i;

    unmask(old);
    evtchn_send(old);
    settle_down();
    check(!find(old)->count, "nothing counts while it is off");
    check(!switch_to(XLX__EVTCHN_COUNT, XLX__EVTCHN_ON), "count");
    check(features() & XLX__EVTCHN_COUNTING, "it counts");
    port = new_ipi(0);
    unmask(port);
    for (i = 0; i < 5; i++) {
        evtchn_send(old);
        evtchn_send(port);
        settle_down();
    }
    check(find(old)->count == 5 && find(port)->count == 5, "five events");
    bind_vector(port, 0, 0x75);
    press_e();
    evtchn_send(port);
    evtchn_send(port);
    check(find(port)->count == 6, "what is pending counts once");
    evtchn_close(port);
    port = new_ipi(0);
    check(!find(port)->count, "a new port starts from 0");
    check(!switch_to(XLX__EVTCHN_COUNT, 0), "stop counting");
    forget();
    unmask(old);
    evtchn_send(old);
    await(find(old)->count == 5 && upcall_arrived[old] == 1,
          "the count stays, events go on");
    evtchn_close(port);
    evtchn_close(old);
}

void rules_of_domctl(void)
{
    rule_list();
    rule_set();
    rule_offers();
    rule_allow();
    rule_count();
}
