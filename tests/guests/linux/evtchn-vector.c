/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One event channel with an interrupt of its own in an unchanged Linux: a
 * vector of x86's own domain of vectors, a handler by request_irq(), affinity
 * by /proc/irq, statistics by /proc/interrupts.
 *
 * The domain below is a child of x86_vector_domain, as those of MSI and of the
 * IO-APIC are. Where they write a vector and an APIC's number into a device, it
 * makes EVTCHNOP_bind_vector. Needs CPUID's bit for that (docs/evtchn.md).
 *
 * The channel is one of the guest to itself. Its parameters, below
 * /sys/module/evtchn_vector/parameters: `send` N sends that many events, each
 * when the one before was handled; `handled` counts them; `irq`, `port`.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/version.h>

#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/hypervisor.h>
#include <xen/events.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/xen.h>
#include <xen/xen-ops.h>

#define EVTCHNOP_BIND_VECTOR 64
#define CPUID_EVTCHN_VECTOR BIT(31) /* leaf 4, EAX */
#define WAIT_US 2000000

struct bind_vector {
	evtchn_port_t port;
	u32 vcpu;
	u8 vector;
	u8 pad[3];
};

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;
static evtchn_port_t port, peer;
static int core_irq; /* the event core's, never requested: keeps the port */
static unsigned int irq;
static atomic_t handled;

module_param(irq, uint, 0444);
module_param(port, uint, 0444);

/* --- the interrupt -------------------------------------------------------- */

static int bind_vector(u32 vcpu, u8 vector)
{
	struct bind_vector op = { .port = port,
				  .vcpu = vcpu,
				  .vector = vector };

	return HYPERVISOR_event_channel_op(EVTCHNOP_BIND_VECTOR, &op);
}

/* Where x86 has put it: the vector, on which CPU. */
static int tell_xen(struct irq_data *data)
{
	unsigned int cpu =
		cpumask_first(irq_data_get_effective_affinity_mask(data));

	return bind_vector(xen_vcpu_nr(cpu), irqd_cfg(data)->vector);
}

static void ack(struct irq_data *data)
{
	/* Before the handler looks: what comes from now on interrupts again. */
	xen_clear_irq_pending(core_irq);
	irq_chip_ack_parent(data);
}

static int set_affinity(struct irq_data *data, const struct cpumask *mask,
			bool force)
{
	int ret = irq_chip_set_affinity_parent(data, mask, force);
	int err = ret < 0 || ret == IRQ_SET_MASK_OK_DONE ? 0 : tell_xen(data);

	return err ? err : ret;
}

/*
 * The genirq core calls these without asking whether there are any, when a
 * change of affinity had to wait for the one before.
 */
static void no_mask(struct irq_data *data)
{
}

static struct irq_chip chip = {
	.name = "evtchn-vector",
	.irq_ack = ack,
	.irq_mask = no_mask,
	.irq_unmask = no_mask,
	.irq_set_affinity = set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

/* --- the domain ----------------------------------------------------------- */

static int alloc_irq(struct irq_domain *d, unsigned int virq, unsigned int nr,
		     void *arg)
{
	int err = irq_domain_alloc_irqs_parent(d, virq, nr, arg);

	if (err)
		return err;
	irq_domain_set_info(d, virq, 0, &chip, NULL, handle_edge_irq, NULL,
			    "edge");
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	/* It can be moved at any time: one hypercall does it. */
	irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);
#endif
	return 0;
}

static void release_irq(struct irq_domain *d, unsigned int virq,
			unsigned int nr)
{
	irq_domain_reset_irq_data(irq_domain_get_irq_data(d, virq));
	irq_domain_free_irqs_parent(d, virq, nr);
}

/* The parent has given it a vector by now: request_irq() makes it. */
static int activate(struct irq_domain *d, struct irq_data *data, bool early)
{
	struct evtchn_unmask unmask = { .port = port };
	int err = tell_xen(data);

	return err ? err
		   : HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &unmask);
}

static void deactivate(struct irq_domain *d, struct irq_data *data)
{
	bind_vector(0, 0);
}

static const struct irq_domain_ops ops = {
	.alloc = alloc_irq,
	.free = release_irq,
	.activate = activate,
	.deactivate = deactivate,
};

/* --- its use: an ordinary handler ----------------------------------------- */

static irqreturn_t handler(int number, void *data)
{
	atomic_inc(&handled);
	return IRQ_HANDLED;
}

static int send_one(void)
{
	struct evtchn_send op = { .port = peer };
	int before = atomic_read(&handled), us;
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_send, &op);

	for (us = 0; !err && atomic_read(&handled) == before; us += 10) {
		if (us > WAIT_US)
			return -ETIMEDOUT;
		usleep_range(5, 10);
	}
	return err;
}

static int set_send(const char *text, const struct kernel_param *param)
{
	unsigned int nr;
	int err = kstrtouint(text, 10, &nr);

	while (!err && nr--)
		err = send_one();
	return err;
}

static int get_handled(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", atomic_read(&handled));
}

static const struct kernel_param_ops send_ops = { .set = set_send };
static const struct kernel_param_ops handled_ops = { .get = get_handled };

module_param_cb(send, &send_ops, NULL, 0200);
module_param_cb(handled, &handled_ops, NULL, 0444);

/* --- start and end -------------------------------------------------------- */

static int open_channel(void)
{
	struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF,
					      .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF };
	int err = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

	if (err)
		return err;
	port = bind.remote_port = alloc.port;
	/* Masked, known to the event core, and handled by nobody. */
	core_irq = bind_evtchn_to_irq(port);
	if (core_irq < 0)
		return core_irq;
	err = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind);
	peer = bind.local_port;
	return err;
}

static void close_channel(void)
{
	struct evtchn_close op = { .port = peer };

	if (peer)
		HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
	if (core_irq > 0) {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
		evtchn_make_refcounted(port);
#else
		evtchn_make_refcounted(port, false);
#endif
		evtchn_put(port);
	}
}

static void undo(void)
{
	if (irq)
		irq_dispose_mapping(irq);
	if (domain)
		irq_domain_remove(domain);
	if (fwnode)
		irq_domain_free_fwnode(fwnode);
	close_channel();
}

static int make_irq(void)
{
	struct irq_alloc_info info = { 0 };
	int virq;

	fwnode = irq_domain_alloc_named_fwnode("evtchn-vector");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 1, fwnode,
					     &ops, NULL);
	if (!domain)
		return -ENOMEM;
	virq = irq_domain_alloc_irqs(domain, 1, NUMA_NO_NODE, &info);
	if (virq <= 0)
		return virq ? virq : -ENOSPC;
	irq = virq;
	return request_irq(irq, handler, 0, "evtchn-vector", &handled);
}

static int __init start(void)
{
	int err;

	if (!xen_hvm_domain() ||
	    !(cpuid_eax(xen_cpuid_base() + 4) & CPUID_EVTCHN_VECTOR)) {
		pr_err("evtchn-vector: this Xen has no vectors for channels\n");
		return -ENODEV;
	}
	err = open_channel();
	if (!err)
		err = make_irq();
	if (err) {
		pr_err("evtchn-vector: %d\n", err);
		undo();
	}
	return err;
}

static void __exit end(void)
{
	free_irq(irq, &handled);
	undo();
}

module_init(start);
module_exit(end);
MODULE_DESCRIPTION("An event channel with an interrupt vector of its own");
MODULE_LICENSE("GPL");
