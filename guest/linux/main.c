/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which channels have vectors: those of the frontends' that the toolstack's
 * policy names, or, without one, the parameter `channels`, whenever there is
 * reason to look: devices come and go, the policy changes, the guest was
 * restored, a CPU went offline, the toolstack allows it again.
 */
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <asm/xen/hypervisor.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "xen-vec.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#define CPUID_EVTCHN_VECTOR BIT(31) /* leaf 4, EAX */
#define LIST_MAX 256
#define POLL_S 5
#define SETTLE_MS 20

static DEFINE_MUTEX(lock); /* of all below */
static LIST_HEAD(channels);
static char chosen[LIST_MAX] = "vif,vbd"; /* the parameter */
static char policy[LIST_MAX];		  /* the toolstack's */
static bool has_policy;
static bool ready;
static int had_vectors = -1; /* not known yet */

static int dead_state, online_state;

/* --- the channels --------------------------------------------------------- */

static bool has_vectors(void)
{
	return cpuid_eax(xen_cpuid_base() + 4) & CPUID_EVTCHN_VECTOR;
}

static void forget(struct xv_channel *c)
{
	xv_unbind(c);
	list_del(&c->entry);
	kfree(c);
}

static struct xv_channel *find(evtchn_port_t port)
{
	struct xv_channel *c;

	list_for_each_entry(c, &channels, entry)
		if (c->port == port)
			return c;
	return NULL;
}

static struct xv_channel *make(const struct xv_found *found, unsigned int irq)
{
	struct xv_channel *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	snprintf(c->name, sizeof(c->name), "xen-vec %s", found->name);
	c->port = found->port;
	c->core_irq = irq;
	c->asked = c->placed = XV_ANY_CPU;
	list_add_tail(&c->entry, &channels);
	return c;
}

/* What the toolstack asks for this one has precedence over what is chosen. */
static bool is_wanted(const struct xv_found *found, int asked)
{
	if (asked == XV_ANY_CPU)
		return xv_chosen(has_policy ? policy : chosen, found);
	return asked != XV_UPCALL;
}

static void want(const struct xv_found *found)
{
	struct xv_channel *c = find(found->port);
	unsigned int irq = xv_core_irq(found->port);
	int asked = xv_asked(found);

	if (!irq || !is_wanted(found, asked))
		return;
	/* The port of a device that is gone. */
	if (c && c->core_irq != irq) {
		forget(c);
		c = NULL;
	}
	if (!c)
		c = make(found, irq);
	if (!c)
		return;
	c->wanted = true;
	c->asked = asked;
}

/* Once for each reason, not at each look. */
static void bind_wanted(struct xv_channel *c)
{
	int err = xv_bind(c);

	if (err && err != c->error)
		pr_notice("%s stays on the upcall: error %d\n",
			  c->name + strlen("xen-vec "), err);
	c->error = err;
	if (err)
		c->placed = XV_ANY_CPU;
}

/*
 * Once for each request: the administrator may move it after that. x86 puts a
 * move off until the vector of the one before was used. A quiet channel would
 * wait long for that, and gets another interrupt.
 */
static void place(struct xv_channel *c)
{
	if (c->error || c->asked == c->placed)
		return;
	if (!xv_place(c, c->asked)) {
		xv_unbind(c);
		bind_wanted(c);
		if (!c->error && !xv_place(c, c->asked))
			pr_notice("%s cannot be moved to CPU %d\n",
				  c->name + strlen("xen-vec "), c->asked);
	}
	if (!c->error)
		c->placed = c->asked;
}

static void note_vectors(bool has)
{
	if (has != had_vectors && (!has || had_vectors == 0))
		pr_notice("%s\n", has ? "Xen has vectors for channels now"
				      : "Xen has no vectors for channels, or "
					"they are switched off: all stay on "
					"the upcall");
	had_vectors = has;
}

/* What cannot be read leaves the choice to the parameter, as no node does. */
static void read_policy(void)
{
	char *text = xenbus_read(XBT_NIL, "libxl-ext", "vectors", NULL);

	has_policy = !IS_ERR(text) && strlen(text) < sizeof(policy);
	if (has_policy)
		strscpy(policy, text, sizeof(policy));
	if (!IS_ERR(text))
		kfree(text);
}

static void look(struct work_struct *work)
{
	struct xv_channel *c, *next;

	mutex_lock(&lock);
	read_policy();
	list_for_each_entry(c, &channels, entry)
		c->wanted = false;
	note_vectors(has_vectors());
	if (had_vectors && ready)
		xv_scan(want);
	list_for_each_entry_safe(c, next, &channels, entry) {
		if (c->wanted) {
			bind_wanted(c);
			place(c);
		} else {
			forget(c);
		}
	}
	xv_tell_places(had_vectors && ready);
	mutex_unlock(&lock);
}

static DECLARE_DELAYED_WORK(look_work, look);

void xv_check_soon(void)
{
	/* Freezable: not while the guest is suspended. */
	queue_delayed_work(system_freezable_wq, &look_work,
			   msecs_to_jiffies(SETTLE_MS));
}

/* --- the reasons to look -------------------------------------------------- */

/* Nothing tells a guest that its toolstack allows vectors again. */
static void poll(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(poll_work, poll);

static void poll(struct work_struct *work)
{
	if (has_vectors() != READ_ONCE(had_vectors))
		xv_check_soon();
	queue_delayed_work(system_freezable_wq, &poll_work, POLL_S * HZ);
}

static void node_changed(struct xenbus_watch *watch, const char *path,
			 const char *token)
{
	xv_check_soon();
}

/* xenbus sets its watches anew after a resume, and each is called then. */
static struct xenbus_watch device_watch = {
	.node = "device",
	.callback = node_changed,
};

/* The toolstack's: its policy, and its places. */
static struct xenbus_watch policy_watch = {
	.node = "libxl-ext",
	.callback = node_changed,
};

/* The core has moved what it had there, and with that unbound it. */
static int cpu_came_or_went(unsigned int cpu)
{
	xv_check_soon();
	return 0;
}

/* --- parameters ----------------------------------------------------------- */

static int set_channels(const char *text, const struct kernel_param *param)
{
	if (strlen(text) >= sizeof(chosen))
		return -ENOSPC;
	mutex_lock(&lock);
	strscpy(chosen, text, sizeof(chosen));
	strim(chosen);
	mutex_unlock(&lock);
	if (ready) {
		mod_delayed_work(system_freezable_wq, &look_work, 0);
		flush_delayed_work(&look_work);
	}
	return 0;
}

static int get_channels(char *text, const struct kernel_param *param)
{
	int len;

	mutex_lock(&lock);
	len = sysfs_emit(text, "%s\n", chosen);
	mutex_unlock(&lock);
	return len;
}

static int get_policy(char *text, const struct kernel_param *param)
{
	int len;

	mutex_lock(&lock);
	len = sysfs_emit(text, "%s\n", has_policy ? policy : "-");
	mutex_unlock(&lock);
	return len;
}

static int list_channel(char *text, int len, const struct xv_channel *c)
{
	const char *name = c->name + strlen("xen-vec ");

	if (c->error)
		return sysfs_emit_at(text, len, "%s port %u error %d\n", name,
				     c->port, c->error);
	return sysfs_emit_at(text, len,
			     "%s port %u irq %u cpu %d vector 0x%02x "
			     "events %lu extra %lu\n",
			     name, c->port, c->irq, c->on_cpu, c->place.vector,
			     c->events, c->extra);
}

static int get_bound(char *text, const struct kernel_param *param)
{
	const struct xv_channel *c;
	int len = 0;

	mutex_lock(&lock);
	list_for_each_entry(c, &channels, entry)
		len += list_channel(text, len, c);
	mutex_unlock(&lock);
	return len;
}

static const struct kernel_param_ops channels_ops = { .set = set_channels,
						      .get = get_channels };
static const struct kernel_param_ops policy_ops = { .get = get_policy };
static const struct kernel_param_ops bound_ops = { .get = get_bound };

module_param_cb(channels, &channels_ops, NULL, 0644);
MODULE_PARM_DESC(channels, "which channels get vectors: kinds (vif), devices "
			   "(vif/0, xvda), ports (port/9); default vif,vbd");
module_param_cb(policy, &policy_ops, NULL, 0444);
MODULE_PARM_DESC(policy, "the toolstack's list in place of channels, or -");
module_param_cb(bound, &bound_ops, NULL, 0444);
MODULE_PARM_DESC(bound, "those that have one, with their counts");

/* --- start and end -------------------------------------------------------- */

static void stop_looking(void)
{
	ready = false;
	unregister_xenbus_watch(&policy_watch);
	unregister_xenbus_watch(&device_watch);
	if (online_state > 0)
		cpuhp_remove_state_nocalls(online_state);
	if (dead_state > 0)
		cpuhp_remove_state_nocalls(dead_state);
	cancel_delayed_work_sync(&poll_work);
	/* The vectors' own last: moving one asks for a look. */
	mod_delayed_work(system_freezable_wq, &look_work, 0);
	flush_delayed_work(&look_work);
	cancel_delayed_work_sync(&look_work);
}

static int watch_cpus(void)
{
	dead_state = cpuhp_setup_state_nocalls(
		CPUHP_BP_PREPARE_DYN, "xen-vec:dead", NULL, cpu_came_or_went);
	if (dead_state < 0)
		return dead_state;
	online_state = cpuhp_setup_state_nocalls(
		CPUHP_AP_ONLINE_DYN, "xen-vec:online", cpu_came_or_went, NULL);
	return online_state < 0 ? online_state : 0;
}

static int start_looking(void)
{
	int err = register_xenbus_watch(&device_watch);

	if (err)
		return err;
	err = register_xenbus_watch(&policy_watch);
	if (err) {
		unregister_xenbus_watch(&device_watch);
		return err;
	}
	err = watch_cpus();
	if (err) {
		stop_looking();
		return err;
	}
	ready = true;
	mod_delayed_work(system_freezable_wq, &look_work, 0);
	flush_delayed_work(&look_work);
	queue_delayed_work(system_freezable_wq, &poll_work, POLL_S * HZ);
	return 0;
}

static int __init start(void)
{
	int err;

	if (!xen_hvm_domain())
		return -ENODEV;
	err = xv_start();
	if (err)
		return err;
	err = start_looking();
	if (err)
		xv_end();
	return err;
}

static void __exit end(void)
{
	stop_looking();
	xv_end();
}

module_init(start);
module_exit(end);
MODULE_DESCRIPTION("Interrupt vectors of their own for Xen's event channels");
MODULE_LICENSE("GPL");
