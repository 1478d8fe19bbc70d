/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Event channels of a domain: what they are, which vCPU each interrupts, and
 * which device of the guest each belongs to.
 *
 * Works on any Xen. With the hypervisor of this project (docs/hypervisor.md)
 * channels of HVM and PVH guests can have interrupt vectors of their own;
 * `vectors` says whether it is there, and what needs it is told below.
 */
#ifndef LIBXL_EXT_EVTCHN_H
#define LIBXL_EXT_EVTCHN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libxl_ext.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XLX_EVTCHN_DEVICE_MAX 64
#define XLX_EVTCHN_FINDING_MAX 256
#define XLX_EVTCHN_NO_DOMID UINT32_MAX

/* Xen's states of a port, public/event_channel.h. */
enum xlx_evtchn_type {
    XLX_EVTCHN_CLOSED,
    XLX_EVTCHN_UNBOUND,     /* waits for the other domain to bind */
    XLX_EVTCHN_INTERDOMAIN, /* connected to a port of another domain */
    XLX_EVTCHN_PIRQ,        /* an interrupt of a device passed through */
    XLX_EVTCHN_VIRQ,        /* the hypervisor's own: timer, console, ... */
    XLX_EVTCHN_IPI,         /* between the domain's own vCPUs */
};

/* One event channel, seen from the domain that was asked about. */
struct xlx_evtchn_port {
    uint32_t port;
    enum xlx_evtchn_type type;
    uint32_t vcpu; /* which one it interrupts */

    /* interdomain and unbound: the other end's domain; else
     * XLX_EVTCHN_NO_DOMID. */
    uint32_t remote_domid;
    uint32_t remote_port; /* interdomain: the other end's; else 0 */
    uint32_t irq;         /* pirq and virq: its number; else 0 */

    /* What it is for, by what the domains wrote into xenstore: "vif/0 queue 3
     * tx", "vbd/51712 queue 1", "console", "xenstore"; with " of domain 5"
     * where the device is the other end's. "" when nobody says. Printable. */
    char device[XLX_EVTCHN_DEVICE_MAX];

    /* All below is 0 or false without `vectors`. */
    uint8_t vector;  /* its own; 0: the vCPU's upcall */
    bool toolstack;  /* the vector was bound by the toolstack */
    bool pending;    /* an event waits to be handled */
    bool masked;     /* the guest does not want to hear of it now */
    bool used_by_xen; /* Xen itself receives here */
    uint8_t priority; /* FIFO: 0 the most urgent, 15 the least, 7 usual */
    uint64_t count;   /* events while `counting` */
};

/* What goes for all channels of a domain. */
struct xlx_evtchn_info {
    uint32_t domid;
    bool hvm;       /* HVM or PVH; a PV domain cannot have vectors */
    uint32_t vcpus; /* made, whether online or not */
    bool vectors;   /* the hypervisor has vectors for single channels */
    bool allowed;   /* and this domain may use them */
    bool counting;  /* and its events are counted */
    uint32_t nr_ports;
};

/* "closed", "unbound", "interdomain", "pirq", "virq" or "ipi". Never NULL. */
const char *xlx_evtchn_type_name(enum xlx_evtchn_type type);

/*
 * The domain's event channels that are not closed, sorted by port. *list_r is
 * to be freed with free(); it is NULL when there are none. What a guest wrote
 * into xenstore is only believed where the hypervisor's word agrees with it.
 *
 * -ESRCH   no such domain
 * -EACCES  not allowed
 * -ENXIO   no Xen here
 */
int xlx_evtchn_list(xlx_ctx *ctx, uint32_t domid,
                    struct xlx_evtchn_info *info_r,
                    struct xlx_evtchn_port **list_r);

/* What can be said of a domain's channels. */
enum xlx_evtchn_finding_code {
    XLX_EVTCHN_ONE_VCPU,   /* all channels of a kind on one vCPU of several */
    XLX_EVTCHN_ONE_QUEUE,  /* a device with one channel, several vCPUs */
    XLX_EVTCHN_NO_PATCH,   /* what this hypervisor cannot do */
    XLX_EVTCHN_PV,         /* why this domain cannot have vectors */
    XLX_EVTCHN_FORBIDDEN,  /* vectors are switched off for this domain */
};

struct xlx_evtchn_finding {
    enum xlx_evtchn_finding_code code;
    char text[XLX_EVTCHN_FINDING_MAX]; /* one line, printable */
};

/*
 * What is worth knowing of a list that xlx_evtchn_list() made: pure. *list_r is
 * to be freed with free(); it is NULL when there is nothing. Returns how many;
 * -ENOMEM.
 */
int xlx_evtchn_diagnose(const struct xlx_evtchn_info *info,
                        const struct xlx_evtchn_port *ports,
                        struct xlx_evtchn_finding **list_r);

/* "one-vcpu", "one-queue", "no-patch", "pv", "forbidden". Never NULL. */
const char *xlx_evtchn_finding_name(enum xlx_evtchn_finding_code code);

#ifdef __cplusplus
}
#endif

#endif
