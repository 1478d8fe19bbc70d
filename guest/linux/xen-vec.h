/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-vec: event channels that the kernel's event core serves get interrupt
 * vectors of their own. docs/evtchn-linux.md says what it does, and why no
 * event is lost.
 */
#ifndef XEN_VEC_H
#define XEN_VEC_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <xen/interface/event_channel.h>

#define XV_NAME_MAX 40

/* Where a channel is to be, if not on a certain CPU. */
#define XV_ANY_CPU (-1)
#define XV_UPCALL (-2)

/* --- channel.c: one channel, its vector, its interrupt -------------------- */

/* Where an interrupt goes. */
struct xv_place {
	unsigned int cpu;
	u8 vector;
};

struct xv_channel {
	struct list_head entry;
	char name[XV_NAME_MAX]; /* "xen-vec vif0-q0-rx" */
	evtchn_port_t port;
	unsigned int core_irq; /* the event core's, with the driver's handler */
	unsigned int irq;      /* the vector's; 0: it has none */
	int error;	       /* why it has none; 0 before the first try */
	bool wanted;	       /* main.c's: of the present scan */
	int asked;	       /* and the CPU of it, or XV_ANY_CPU */
	int placed;	       /* the one that was asked for last, and done */

	/* The rest belongs to channel.c. */
	raw_spinlock_t lock;
	struct xv_place place; /* where x86 has put the vector */
	int on_cpu;	       /* where Xen raises it; -1: nowhere */
	int edge;	       /* it was raised and not handled yet */
	unsigned long events, extra;
};

/* Once, before anything else; 0 or a negative error. */
int xv_start(void);
void xv_end(void);

/*
 * The event core's interrupt of a port. 0: it has none that can be given a
 * vector.
 */
unsigned int xv_core_irq(evtchn_port_t port);

/*
 * Gives the channel a vector and an interrupt, or, when it has them, has Xen
 * bind it again: after Xen may have unbound it. On failure the channel has no
 * vector, and its events come by the upcall.
 */
int xv_bind(struct xv_channel *c);

/*
 * Moves one that has a vector to that CPU, or lets it be on any. False: it was
 * not moved, or not yet.
 */
bool xv_place(struct xv_channel *c, int cpu);

/* The reverse of xv_bind(); also for one that has no vector. */
void xv_unbind(struct xv_channel *c);

/* main.c's: a vector could not be moved; the channel is to be looked at. */
void xv_check_soon(void);

/* --- devices.c: which channels there are ---------------------------------- */

struct xv_found {
	evtchn_port_t port;
	const char *name;   /* "vif0-q0-rx" */
	const char *kind;   /* "vif" */
	const char *device; /* "vif/0" */
	const char *disk;   /* "xvda", or "" */
};

typedef void xv_found_fn(const struct xv_found *found);

/*
 * Calls fn for each channel of the guest's connected frontends, as they have
 * written them to xenstore. Sleeps.
 */
void xv_scan(xv_found_fn *fn);

/* Whether a list such as "vif,xvda,port/9" names the channel. */
bool xv_chosen(const char *list, const struct xv_found *found);

/* --- places.c: where the toolstack wants them ----------------------------- */

/* A CPU, XV_ANY_CPU or XV_UPCALL: what it asks for the channel. Sleeps. */
int xv_asked(const struct xv_found *found);

/* Tells it on which vCPUs it can have channels, or that it can have none. */
void xv_tell_places(bool any);

#endif
