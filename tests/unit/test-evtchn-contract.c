/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The contract of the event channels' seam, over a hypervisor in memory, and
 * over evtchn_xen.c with that hypervisor behind Xen's libraries, whose
 * functions are here. Over Xen itself: tests/rig/cases/evtchn-toolstack.sh.
 */
#include "test.h"

#define __XEN_TOOLS__ 1
#include <xenctrl.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>

#include "fakes/evtchn_mem.h"
#include "fakes/played_xencall.h"
#include "xen/evtchn_abi.h"
#include "xen/release.h"

#define HVM 5u
#define PV 6u
#define NONE 7u
#define VCPUS 4u

struct subject {
    struct evtchn_mem *mem;
    struct evtchn_mem_domain *hvm, *pv;
    struct xlx__evtchn *e;
    xlx_ctx *ctx;
};

/* --- Xen's libraries ------------------------------------------------------ */

static struct {
    struct evtchn_mem *mem;
    int err; /* of every call; 0: none */
} xen;

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned flags)
{
    (void)logger, (void)dombuild_logger, (void)flags;
    xen_held.open++;
    return (xc_interface *)&xen;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    xen_held.open--;
    return 0;
}

/* The first domain from that number on, as Xen has it. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max,
                          xc_domaininfo_t *info)
{
    const struct evtchn_mem_domain *d = NULL;
    (void)xch;
    assert_int_equal(max, 1);
    for (unsigned i = 0; !d && i < xen.mem->nr_domains; i++)
        if (xen.mem->domain[i].domid >= first)
            d = &xen.mem->domain[i];
    if (xen.err || !d)
        return xen_answer(-xen.err);
    *info = (xc_domaininfo_t){
        .domain = (domid_t)d->domid,
        .flags = d->is.hvm ? XEN_DOMINF_hvm_guest : 0,
        .max_vcpu_id = d->is.vcpus ? d->is.vcpus - 1 : XEN_INVALID_MAX_VCPU_ID,
    };
    return 1;
}

int xc_evtchn_status(xc_interface *xch, xc_evtchn_status_t *status)
{
    struct xlx_evtchn_port port;
    (void)xch;
    int rc = xen.err ? -xen.err
                     : xen.mem->base.ops->status(&xen.mem->base, status->dom,
                                                 status->port, &port);
    if (rc)
        return xen_answer(rc);
    memset(&status->u, 0xff, sizeof(status->u)); /* what is not said */
    status->status = port.type;
    status->vcpu = port.vcpu;
    if (port.type == XLX_EVTCHN_UNBOUND)
        status->u.unbound.dom = (domid_t)port.remote_domid;
    if (port.type == XLX_EVTCHN_INTERDOMAIN) {
        status->u.interdomain.dom = (domid_t)port.remote_domid;
        status->u.interdomain.port = port.remote_port;
    }
    if (port.type == XLX_EVTCHN_PIRQ)
        status->u.pirq = port.irq;
    if (port.type == XLX_EVTCHN_VIRQ)
        status->u.virq = port.irq;
    return 0;
}

/* Xen's struct xen_domctl, as docs/evtchn.md has it. */
struct domctl {
    uint32_t cmd, interface_version;
    uint16_t domain, pad[3];
    struct xlx__xen_evtchn_vector_op op;
};

static void write_entry(const struct xlx_evtchn_port *p,
                        struct xlx__xen_evtchn_entry *entry)
{
    bool has_remote =
        p->type == XLX_EVTCHN_UNBOUND || p->type == XLX_EVTCHN_INTERDOMAIN;
    bool is_interdomain = p->type == XLX_EVTCHN_INTERDOMAIN;
    *entry = (struct xlx__xen_evtchn_entry){
        .port = p->port,
        .remote_port = is_interdomain ? p->remote_port : p->irq,
        .count = p->count,
        .remote_domid = has_remote ? (uint16_t)p->remote_domid : DOMID_INVALID,
        .vcpu = (uint16_t)p->vcpu,
        .state = (uint8_t)p->type,
        .vector = p->vector,
        .flags = (uint8_t)(p->pending * XLX__EVTCHN_ENTRY_PENDING |
                           p->masked * XLX__EVTCHN_ENTRY_MASKED |
                           p->toolstack * XLX__EVTCHN_ENTRY_TOOLSTACK |
                           p->used_by_xen * XLX__EVTCHN_ENTRY_XEN),
        .priority = p->priority,
    };
}

static int list(uint32_t domid, struct xlx__xen_evtchn_vector_op *op)
{
    struct xlx_evtchn_port ports[XLX__EVTCHN_LIST_MAX];
    struct xlx__xen_evtchn_entry *entry =
        (struct xlx__xen_evtchn_entry *)(uintptr_t)op->entries;
    if (op->nr > XLX__EVTCHN_LIST_MAX)
        return -E2BIG;
    int nr = xen.mem->base.ops->list(&xen.mem->base, domid, &op->port, ports,
                                     op->nr);
    for (int i = 0; i < nr; i++)
        write_entry(&ports[i], &entry[i]);
    op->nr = nr < 0 ? op->nr : (uint32_t)nr;
    return nr < 0 ? nr : 0;
}

static int features(uint32_t domid, struct xlx__xen_evtchn_vector_op *op)
{
    struct xlx__evtchn_features f;
    int rc = xen.mem->base.ops->features(&xen.mem->base, domid, &f);
    if (rc || !f.vectors)
        return rc ? rc : -ENOSYS;
    op->nr = XLX__EVTCHN_VERSION;
    op->flags = (uint16_t)(f.allowed * XLX__EVTCHN_ALLOWED |
                           f.counting * XLX__EVTCHN_COUNTING |
                           f.capable * XLX__EVTCHN_CAPABLE);
    return 0;
}

static int do_op(uint32_t domid, struct xlx__xen_evtchn_vector_op *op)
{
    struct xlx__evtchn *e = &xen.mem->base;
    bool on = op->flags == XLX__EVTCHN_ON;
    switch (op->op) {
    case XLX__EVTCHN_FEATURES:
        return features(domid, op);
    case XLX__EVTCHN_LIST:
        return list(domid, op);
    case XLX__EVTCHN_SET:
        return e->ops->set(e, domid, op->port, op->vcpu, op->vector);
    case XLX__EVTCHN_CLEAR:
        return e->ops->clear(e, domid, op->port);
    case XLX__EVTCHN_OFFER:
        return e->ops->offer(e, domid, op->vcpu, op->vectors);
    case XLX__EVTCHN_OFFERS:
        return e->ops->offers(e, domid, op->vcpu, op->vectors);
    case XLX__EVTCHN_ALLOW:
        return e->ops->allow(e, domid, on);
    case XLX__EVTCHN_COUNT:
        return e->ops->count(e, domid, on);
    default:
        return -ENOSYS;
    }
}

int xencall1(xencall_handle *xcall, unsigned op, uint64_t arg)
{
    struct domctl *domctl = (struct domctl *)(uintptr_t)arg;
    (void)xcall;
    assert_int_equal(op, __HYPERVISOR_domctl);
    assert_int_equal(domctl->cmd, XLX__XEN_DOMCTL_EVTCHN_VECTOR);
    assert_int_equal(domctl->interface_version, XEN_DOMCTL_INTERFACE_VERSION);
    return xen_answer(xen.err ? -xen.err : do_op(domctl->domain, &domctl->op));
}

/* --- the cases ------------------------------------------------------------ */

static void a_domain_is_told(struct subject *s)
{
    struct xlx__evtchn_domain d;
    assert_int_equal(s->e->ops->domain(s->e, HVM, &d), 0);
    assert_true(d.hvm);
    assert_int_equal(d.vcpus, VCPUS);
    assert_int_equal(s->e->ops->domain(s->e, PV, &d), 0);
    assert_false(d.hvm);
    assert_int_equal(d.vcpus, 0);
    assert_int_equal(s->e->ops->domain(s->e, HVM - 1, &d), -ESRCH);
    assert_int_equal(s->e->ops->domain(s->e, NONE, &d), -ESRCH);
}

static unsigned features_of(struct subject *s, uint32_t domid)
{
    struct xlx__evtchn_features f;
    assert_int_equal(s->e->ops->features(s->e, domid, &f), 0);
    return f.vectors * 1u + f.capable * 2u + f.allowed * 4u + f.counting * 8u;
}

static void features_are_told(struct subject *s)
{
    struct xlx__evtchn_features f;
    assert_int_equal(features_of(s, HVM), 1 + 2 + 4);
    assert_int_equal(features_of(s, PV), 1 + 4);
    assert_int_equal(s->e->ops->count(s->e, HVM, true), 0);
    assert_int_equal(s->e->ops->allow(s->e, HVM, false), 0);
    assert_int_equal(features_of(s, HVM), 1 + 2 + 8);
    assert_int_equal(s->e->ops->features(s->e, NONE, &f), -ESRCH);
    s->mem->patched = false;
    assert_int_equal(features_of(s, HVM), 0);
}

static void open_one_of_each(struct subject *s)
{
    struct xlx_evtchn_port *p = evtchn_mem_open(s->hvm, 1, XLX_EVTCHN_UNBOUND);
    p->remote_domid = 3;
    evtchn_mem_connect(s->hvm, 2, 0, 44);
    evtchn_mem_open(s->hvm, 4, XLX_EVTCHN_PIRQ)->irq = 19;
    evtchn_mem_open(s->hvm, 5, XLX_EVTCHN_VIRQ)->irq = 2;
    evtchn_mem_open(s->hvm, 6, XLX_EVTCHN_IPI)->vcpu = 3;
}

static void expect_port(const struct xlx_evtchn_port *got,
                        const struct xlx_evtchn_port *want)
{
    assert_int_equal(got->port, want->port);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->vcpu, want->vcpu);
    assert_int_equal(got->remote_domid, want->remote_domid);
    assert_int_equal(got->remote_port, want->remote_port);
    assert_int_equal(got->irq, want->irq);
}

static void each_type_has_its_state(struct subject *s)
{
    struct xlx_evtchn_port p;
    open_one_of_each(s);
    for (uint32_t port = 0; port < s->hvm->nr_ports; port++) {
        memset(&p, 0xff, sizeof(p));
        assert_int_equal(s->e->ops->status(s->e, HVM, port, &p), 0);
        expect_port(&p, &s->hvm->port[port]);
    }
    assert_int_equal(s->e->ops->status(s->e, HVM, s->hvm->nr_ports, &p),
                     -EINVAL);
    assert_int_equal(s->e->ops->status(s->e, NONE, 0, &p), -ESRCH);
}

static void a_list_has_what_only_the_domctl_tells(struct subject *s)
{
    struct xlx_evtchn_port list[8];
    uint32_t next = 0;
    open_one_of_each(s);
    struct xlx_evtchn_port *p = &s->hvm->port[2];
    p->vector = 0x41;
    p->toolstack = p->masked = true;
    p->priority = 3;
    p->count = UINT64_C(1) << 40;
    s->hvm->port[5].pending = s->hvm->port[5].used_by_xen = true;
    assert_int_equal(s->e->ops->list(s->e, HVM, &next, list, 8), 5);
    assert_int_equal(next, UINT32_MAX);
    static const uint32_t ports[] = { 1, 2, 4, 5, 6 };
    for (int i = 0; i < 5; i++)
        expect_port(&list[i], &s->hvm->port[ports[i]]);
    assert_int_equal(list[1].vector, 0x41);
    assert_true(list[1].toolstack && list[1].masked && !list[1].pending);
    assert_false(list[1].used_by_xen);
    assert_int_equal(list[1].priority, 3);
    assert_true(list[1].count == UINT64_C(1) << 40);
    assert_true(list[3].pending && list[3].used_by_xen && !list[3].masked);
    assert_false(list[3].toolstack);
}

static void a_list_continues_where_it_stopped(struct subject *s)
{
    struct xlx_evtchn_port list[8] = { 0 };
    uint32_t next = 0;
    open_one_of_each(s);
    assert_int_equal(s->e->ops->list(s->e, HVM, &next, list, 3), 3);
    assert_int_equal(list[2].port, 4);
    assert_int_equal(list[3].port, 0);
    s->mem->list_max = 1; /* Xen stops early */
    assert_int_equal(s->e->ops->list(s->e, HVM, &next, list, 8), 1);
    assert_int_equal(list[0].port, 5);
    s->mem->list_max = 0;
    assert_int_equal(s->e->ops->list(s->e, HVM, &next, list, 8), 1);
    assert_int_equal(list[0].port, 6);
    assert_int_equal(next, UINT32_MAX);
}

/* More room than one call of Xen's takes. */
static void a_list_may_have_any_room(struct subject *s)
{
    static struct xlx_evtchn_port list[EVTCHN_MEM_PORTS + 1];
    uint32_t next = 0;
    s->hvm->nr_ports = EVTCHN_MEM_PORTS;
    for (uint32_t port = 0; port < EVTCHN_MEM_PORTS; port++)
        evtchn_mem_open(s->hvm, port, XLX_EVTCHN_IPI);
    assert_int_equal(
        s->e->ops->list(s->e, HVM, &next, list, EVTCHN_MEM_PORTS + 1),
        EVTCHN_MEM_PORTS);
    assert_int_equal(list[EVTCHN_MEM_PORTS - 1].port, EVTCHN_MEM_PORTS - 1);
}

static void a_vector_is_set_and_cleared(struct subject *s)
{
    struct xlx_evtchn_port *p = evtchn_mem_connect(s->hvm, 9, 0, 1);
    evtchn_mem_offer(s->hvm, 2, 0x40, 2);
    p->vcpu = 1;
    assert_int_equal(s->e->ops->set(s->e, HVM, 9, 2, 0x41), 0);
    assert_int_equal(p->vcpu, 2);
    assert_int_equal(p->vector, 0x41);
    assert_true(p->toolstack);
    assert_int_equal(s->e->ops->clear(s->e, HVM, 9), 0);
    assert_int_equal(p->vcpu, 1);
    assert_int_equal(p->vector, 0);
    assert_int_equal(s->e->ops->clear(s->e, HVM, 9), -EINVAL);
}

static void what_cannot_be_bound_is_refused(struct subject *s)
{
    const struct xlx__evtchn_ops *ops = s->e->ops;
    evtchn_mem_offer(s->hvm, 2, 0x40, 1);
    evtchn_mem_connect(s->hvm, 9, 0, 1)->vector = 0x50; /* the guest did */
    evtchn_mem_connect(s->hvm, 10, 0, 2);
    assert_int_equal(ops->set(s->e, HVM, 10, 2, 0x41), -EPERM);
    assert_int_equal(ops->set(s->e, HVM, 10, 1, 0x40), -EPERM);
    assert_int_equal(ops->set(s->e, HVM, 10, VCPUS, 0x40), -ENOENT);
    assert_int_equal(ops->set(s->e, HVM, 11, 2, 0x40), -EINVAL);
    assert_int_equal(ops->set(s->e, HVM, 9, 2, 0x40), -EBUSY);
    assert_int_equal(ops->clear(s->e, HVM, 9), -EBUSY);
    assert_int_equal(ops->set(s->e, PV, 9, 0, 0x40), -EOPNOTSUPP);
    assert_int_equal(ops->clear(s->e, PV, 9), -EOPNOTSUPP);
    assert_int_equal(ops->set(s->e, NONE, 9, 2, 0x40), -ESRCH);
    assert_int_equal(s->hvm->port[10].vector, 0);
}

static void an_offer_replaces_the_former(struct subject *s)
{
    const struct xlx__evtchn_ops *ops = s->e->ops;
    const uint64_t vectors[4] = { UINT64_C(1) << 63, 2, 3, UINT64_MAX };
    const uint64_t none[4] = { 0 }, exceptions[4] = { 1 };
    uint64_t got[4] = { 0 };
    evtchn_mem_connect(s->hvm, 9, 0, 1);
    assert_int_equal(ops->offer(s->e, HVM, 3, vectors), 0);
    assert_int_equal(ops->offers(s->e, HVM, 3, got), 0);
    assert_memory_equal(got, vectors, sizeof(got));
    assert_int_equal(ops->set(s->e, HVM, 9, 3, 63), 0);
    assert_int_equal(ops->offer(s->e, HVM, 3, exceptions), -EINVAL);
    assert_int_equal(ops->offer(s->e, HVM, 3, none), 0);
    assert_int_equal(s->hvm->port[9].vector, 0);
    assert_int_equal(ops->offers(s->e, HVM, 3, got), 0);
    assert_memory_equal(got, none, sizeof(got));
    assert_int_equal(ops->offer(s->e, HVM, VCPUS, none), -ENOENT);
    assert_int_equal(ops->offers(s->e, HVM, VCPUS, got), -ENOENT);
    assert_int_equal(ops->offers(s->e, PV, 0, got), -EOPNOTSUPP);
}

static void a_domain_can_be_forbidden_vectors(struct subject *s)
{
    const struct xlx__evtchn_ops *ops = s->e->ops;
    evtchn_mem_connect(s->hvm, 9, 0, 1);
    evtchn_mem_offer(s->hvm, 0, 0x40, 1);
    assert_int_equal(ops->set(s->e, HVM, 9, 0, 0x40), 0);
    assert_int_equal(ops->allow(s->e, HVM, false), 0);
    assert_int_equal(s->hvm->port[9].vector, 0);
    assert_int_equal(ops->set(s->e, HVM, 9, 0, 0x40), -EPERM);
    assert_int_equal(ops->allow(s->e, HVM, true), 0);
    assert_int_equal(ops->set(s->e, HVM, 9, 0, 0x40), 0);
    assert_int_equal(ops->allow(s->e, PV, true), -EOPNOTSUPP);
}

static void events_are_counted_of_any_domain(struct subject *s)
{
    assert_int_equal(s->e->ops->count(s->e, HVM, true), 0);
    assert_true(s->hvm->counting);
    assert_int_equal(s->e->ops->count(s->e, HVM, false), 0);
    assert_false(s->hvm->counting);
    assert_int_equal(s->e->ops->count(s->e, PV, true), 0);
    assert_true(s->pv->counting);
}

static void upstreams_xen_has_no_vectors(struct subject *s)
{
    const struct xlx__evtchn_ops *ops = s->e->ops;
    struct xlx_evtchn_port port;
    uint64_t vectors[4] = { 0 };
    uint32_t next = 0;
    s->mem->patched = false;
    assert_int_equal(ops->status(s->e, HVM, 0, &port), 0);
    assert_int_equal(ops->list(s->e, HVM, &next, &port, 1), -ENOSYS);
    assert_int_equal(next, 0);
    assert_int_equal(ops->set(s->e, HVM, 0, 0, 0x40), -ENOSYS);
    assert_int_equal(ops->clear(s->e, HVM, 0), -ENOSYS);
    assert_int_equal(ops->offer(s->e, HVM, 0, vectors), -ENOSYS);
    assert_int_equal(ops->offers(s->e, HVM, 0, vectors), -ENOSYS);
    assert_int_equal(ops->allow(s->e, HVM, true), -ENOSYS);
    assert_int_equal(ops->count(s->e, HVM, true), -ENOSYS);
}

/* --- the subjects --------------------------------------------------------- */

static int fits(struct xlx__hypervisor *hypervisor)
{
    (void)hypervisor;
    return 0;
}

static void close_nothing(struct xlx__seam *seam)
{
    (void)seam;
}

static const struct xlx__hypervisor_ops hypervisor_ops = { .try_calls = fits };
static struct xlx__hypervisor hypervisor = { .seam = { .close = close_nothing },
                                             .ops = &hypervisor_ops };

static struct subject begin(bool real)
{
    struct subject s = { .mem = evtchn_mem_new(NULL) };
    s.mem->patched = true;
    s.hvm = evtchn_mem_add(s.mem, HVM, true, VCPUS);
    s.pv = evtchn_mem_add(s.mem, PV, false, 0);
    memset(&xen, 0, sizeof(xen));
    xen.mem = s.mem;
    assert_int_equal(xlx_ctx_new(&s.ctx), 0);
    s.ctx->hypervisor = &hypervisor;
    if (real)
        assert_int_equal(xlx__evtchn_open(s.ctx), 0);
    s.e = real ? s.ctx->evtchn : &s.mem->base;
    return s;
}

static void end(struct subject *s)
{
    xlx_ctx_free(s->ctx);
    assert_int_equal(xen_held.open, 0);
    assert_int_equal(xen_held.buffers, 0);
    s->mem->base.seam.close(&s->mem->base.seam);
}

static void run_cases(bool real)
{
    static void (*const cases[])(struct subject *) = {
        a_domain_is_told,
        features_are_told,
        each_type_has_its_state,
        a_list_has_what_only_the_domctl_tells,
        a_list_continues_where_it_stopped,
        a_list_may_have_any_room,
        a_vector_is_set_and_cleared,
        what_cannot_be_bound_is_refused,
        an_offer_replaces_the_former,
        a_domain_can_be_forbidden_vectors,
        events_are_counted_of_any_domain,
        upstreams_xen_has_no_vectors,
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct subject s = begin(real);
        cases[i](&s);
        end(&s);
    }
}

static void the_fake_keeps_it(void **state)
{
    (void)state;
    run_cases(false);
}

static void evtchn_xen_keeps_it(void **state)
{
    (void)state;
    run_cases(true);
}

/* libxenctrl passes on Xen's EPERM for what the caller may not do at all. */
static void who_is_not_allowed_is_told(void **state)
{
    (void)state;
    struct subject s = begin(true);
    struct xlx__evtchn_domain d;
    struct xlx_evtchn_port port;
    xen.err = EPERM;
    assert_int_equal(s.e->ops->domain(s.e, HVM, &d), -EACCES);
    assert_int_equal(s.e->ops->status(s.e, HVM, 0, &port), -EACCES);
    assert_int_equal(features_of(&s, HVM), 0);
    xen.err = ENOMEM;
    assert_int_equal(s.e->ops->domain(s.e, HVM, &d), -ENOMEM);
    assert_int_equal(s.e->ops->status(s.e, HVM, 0, &port), -ENOMEM);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_keeps_it),
        cmocka_unit_test(evtchn_xen_keeps_it),
        cmocka_unit_test(who_is_not_allowed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
