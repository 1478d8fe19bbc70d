/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the toolstack wants channels. The guest tells it by data/evtchn-places
 * on which vCPUs it puts channels, and the toolstack writes one of them for a
 * port to libxl-ext/places (docs/evtchn-toolstack.md).
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <xen/xen-ops.h>
#include <xen/xenbus.h>

#include "xen-vec.h"

#define TEXT_MAX 512 /* the protocol's */

/* A CPU that is offline is none to put anything on. */
static int cpu_of(unsigned int vcpu)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (xen_vcpu_nr(cpu) == vcpu)
			return cpu;
	return XV_ANY_CPU;
}

/* "1 vif/0", or "- vif/0". A port that was another device's then is not meant.
 */
static int parse_place(char *text, const char *device)
{
	char *rest = text, *place = strsep(&rest, " ");
	unsigned int vcpu;

	if (!rest || strcmp(rest, device))
		return XV_ANY_CPU;
	if (!strcmp(place, "-"))
		return XV_UPCALL;
	return kstrtouint(place, 10, &vcpu) ? XV_ANY_CPU : cpu_of(vcpu);
}

int xv_asked(const struct xv_found *found)
{
	char node[16], *text;
	int asked;

	snprintf(node, sizeof(node), "%u", found->port);
	text = xenbus_read(XBT_NIL, "libxl-ext/places", node, NULL);
	if (IS_ERR(text))
		return XV_ANY_CPU;
	asked = parse_place(text, found->device);
	kfree(text);
	return asked;
}

static void list_vcpus(char *text, size_t size)
{
	size_t len = 0;
	int cpu;

	*text = 0;
	for_each_online_cpu(cpu)
		len += scnprintf(text + len, size - len, "%s%u", len ? " " : "",
				 xen_vcpu_nr(cpu));
}

/* Only what differs is written. */
void xv_tell_places(bool any)
{
	char text[TEXT_MAX] = "";
	char *told = xenbus_read(XBT_NIL, "data", "evtchn-places", NULL);
	bool there = !IS_ERR(told);

	if (any)
		list_vcpus(text, sizeof(text));
	if (any && !(there && !strcmp(told, text)))
		xenbus_printf(XBT_NIL, "data", "evtchn-places", "%s", text);
	if (!any && there)
		xenbus_rm(XBT_NIL, "data", "evtchn-places");
	if (there)
		kfree(told);
}
