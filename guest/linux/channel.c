/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel's vector: an interrupt of a child of x86's domain of vectors, as
 * those of MSI are. Where MSI writes vector and APIC into a device, this makes
 * EVTCHNOP_bind_vector. Its handler passes the event on to the interrupt that
 * the event core has for the channel, so the core, its masks and its late EOI
 * stay what they are.
 *
 * Xen may raise a vector although the event was handled, and x86 may deliver it
 * where the channel was bound before. The latter are dropped: whoever moves a
 * channel has Xen look for PENDING again, so the same event was announced at
 * the new place.
 */
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/version.h>

#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/xen/hypercall.h>
#include <xen/events.h>
#include <xen/xen-ops.h>

#include "evtchn_vector.h"
#include "xen-vec.h"

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;

/* --- what Xen is told ----------------------------------------------------- */

static int bind_vector(const struct xv_channel *c, struct xv_place to)
{
	struct evtchn_bind_vector op = {
		.port = c->port,
		.vcpu = xen_vcpu_nr(to.cpu),
		.vector = to.vector,
	};

	return HYPERVISOR_event_channel_op(EVTCHNOP_bind_vector, &op);
}

/* With c->lock. What Xen refuses leaves the channel where it was. */
static int bind_here(struct xv_channel *c)
{
	int before = c->on_cpu, err;

	/* It can be raised there before the hypercall returns. */
	WRITE_ONCE(c->on_cpu, c->place.cpu);
	err = bind_vector(c, c->place);
	if (err)
		WRITE_ONCE(c->on_cpu, before);
	return err;
}

static struct xv_place place_of(struct irq_data *data)
{
	return (struct xv_place){
		.cpu = cpumask_first(
			irq_data_get_effective_affinity_mask(data)),
		.vector = irqd_cfg(data)->vector,
	};
}

/*
 * With c->lock and the interrupt's own, so no edge is taken meanwhile. One
 * that was taken and not handled is forgotten: Xen announces it again.
 */
static int move(struct xv_channel *c)
{
	int edge = xchg(&c->edge, 0);
	int err = bind_here(c);

	if (err)
		WRITE_ONCE(c->edge, edge);
	return err;
}

/* --- the interrupt -------------------------------------------------------- */

/* With the interrupt's lock, on the CPU that got it. */
static void ack(struct irq_data *data)
{
	struct xv_channel *c = irq_data_get_irq_chip_data(data);

	/* First: acknowledging it may move it. */
	if (smp_processor_id() == READ_ONCE(c->on_cpu))
		WRITE_ONCE(c->edge, 1);
	else
		c->extra++;
	irq_chip_ack_parent(data);
}

/*
 * The genirq core calls these without asking whether there are any, when a
 * move had to wait. There is nothing to mask: an edge that comes while the
 * handler runs is remembered.
 */
static void no_mask(struct irq_data *data)
{
}

static int set_affinity(struct irq_data *data, const struct cpumask *mask,
			bool force)
{
	struct xv_channel *c = irq_data_get_irq_chip_data(data);
	int ret = irq_chip_set_affinity_parent(data, mask, force);
	struct xv_place to;
	int err = 0;

	if (ret < 0 || ret == IRQ_SET_MASK_OK_DONE)
		return ret;
	to = place_of(data);
	raw_spin_lock(&c->lock);
	if (to.cpu != c->place.cpu || to.vector != c->place.vector) {
		c->place = to;
		if (c->on_cpu >= 0)
			err = move(c);
	}
	raw_spin_unlock(&c->lock);
	if (err)
		xv_check_soon();
	return ret;
}

static struct irq_chip chip = {
	.name = "xen-vec",
	.irq_ack = ack,
	.irq_mask = no_mask,
	.irq_unmask = no_mask,
	.irq_set_affinity = set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

/* As the upcall does: the core frees an interrupt when all have left this. */
static void pass_on(const struct xv_channel *c)
{
	rcu_read_lock();
	if (irq_from_evtchn(c->port) == c->core_irq)
		generic_handle_irq(c->core_irq);
	rcu_read_unlock();
}

/* The lock keeps the channel where it is until the event was handled. */
static irqreturn_t handler(int irq, void *data)
{
	struct xv_channel *c = data;

	raw_spin_lock(&c->lock);
	if (xchg(&c->edge, 0)) {
		c->events++;
		pass_on(c);
	}
	raw_spin_unlock(&c->lock);
	return IRQ_HANDLED;
}

/* --- the domain ----------------------------------------------------------- */

static int alloc_irq(struct irq_domain *d, unsigned int virq, unsigned int nr,
		     void *arg)
{
	struct irq_alloc_info *info = arg;
	struct xv_channel *c = info->data;
	int err = irq_domain_alloc_irqs_parent(d, virq, nr, arg);

	if (err)
		return err;
	irq_domain_set_info(d, virq, c->port, &chip, c, handle_edge_irq, NULL,
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
	struct xv_channel *c = irq_data_get_irq_chip_data(data);

	c->place = place_of(data);
	return 0;
}

static const struct irq_domain_ops ops = {
	.alloc = alloc_irq,
	.free = release_irq,
	.activate = activate,
};

int xv_start(void)
{
	fwnode = irq_domain_alloc_named_fwnode("xen-vec");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode,
					     &ops, NULL);
	if (!domain)
		irq_domain_free_fwnode(fwnode);
	return domain ? 0 : -ENOMEM;
}

void xv_end(void)
{
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

/* --- the event core's side ------------------------------------------------ */

/* IPIs and the like have chips with other names, and cannot be moved. */
unsigned int xv_core_irq(evtchn_port_t port)
{
	unsigned int irq = irq_from_evtchn(port);
	struct irq_data *data;
	bool good;

	if (!irq || irq == -1U)
		return 0;
	rcu_read_lock();
	data = irq_get_irq_data(irq);
	good = data && data->chip && data->chip->name &&
	       strstarts(data->chip->name, "xen-dyn");
	rcu_read_unlock();
	return good ? irq : 0;
}

static bool still_there(const struct xv_channel *c)
{
	return irq_from_evtchn(c->port) == c->core_irq;
}

/*
 * Moved by the core, a channel would lose its vector. So while it has one its
 * affinity is the vector's alone, and the core's interrupt cannot be moved
 * through /proc.
 */
static void hold_core_irq(const struct xv_channel *c, bool hold)
{
	if (!still_there(c))
		return;
	if (hold)
		irq_set_status_flags(c->core_irq, IRQ_NO_BALANCING);
	else
		irq_clear_status_flags(c->core_irq, IRQ_NO_BALANCING);
}

/*
 * Back to the upcall, on the CPU where the core looks for it. The core itself
 * does that, when it sets the affinity again: EVTCHNOP_bind_vcpu unbinds, and
 * the unmask after it announces what is pending.
 */
static void to_upcall(const struct xv_channel *c)
{
	struct xv_place upcall = { .vector = 0 };
	struct irq_data *data;

	rcu_read_lock();
	data = still_there(c) ? irq_get_irq_data(c->core_irq) : NULL;
	if (data &&
	    irq_set_affinity(c->core_irq, irq_data_get_affinity_mask(data))) {
		upcall.cpu = cpumask_first(
			irq_data_get_effective_affinity_mask(data));
		if (upcall.cpu >= nr_cpu_ids)
			upcall.cpu = 0;
		bind_vector(c, upcall);
	}
	rcu_read_unlock();
}

/* --- binding -------------------------------------------------------------- */

static int make_irq(struct xv_channel *c)
{
	struct irq_alloc_info info = { .data = c };
	int virq = irq_domain_alloc_irqs(domain, 1, NUMA_NO_NODE, &info);
	int err;

	if (virq <= 0)
		return virq ? virq : -ENOSPC;
	/* Never held back itself: whether its events are is the core's part. */
	err = request_irq(virq, handler, IRQF_NO_THREAD | IRQF_NO_SUSPEND,
			  c->name, c);
	if (err)
		irq_dispose_mapping(virq);
	else
		c->irq = virq;
	return err;
}

static int bind(struct xv_channel *c)
{
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&c->lock, flags);
	err = bind_here(c);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return err;
}

int xv_bind(struct xv_channel *c)
{
	int err = 0;

	if (!c->irq) {
		raw_spin_lock_init(&c->lock);
		c->on_cpu = -1;
		err = make_irq(c);
	}
	if (!err)
		err = bind(c);
	if (err)
		xv_unbind(c);
	else
		hold_core_irq(c, true);
	return err;
}

bool xv_place(struct xv_channel *c, int cpu)
{
	const struct cpumask *to = cpu < 0 ? cpu_online_mask : cpumask_of(cpu);
	int err = irq_set_affinity(c->irq, to);

	/* While x86 has not finished the move before, this one is put off. */
	return !err && (cpu < 0 || READ_ONCE(c->on_cpu) == cpu);
}

void xv_unbind(struct xv_channel *c)
{
	unsigned long flags;

	if (!c->irq)
		return;
	/* What is raised from now on is announced again, by the upcall. */
	raw_spin_lock_irqsave(&c->lock, flags);
	WRITE_ONCE(c->on_cpu, -1);
	WRITE_ONCE(c->edge, 0);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	hold_core_irq(c, false);
	to_upcall(c);
	free_irq(c->irq, c);
	irq_dispose_mapping(c->irq);
	c->irq = 0;
}
