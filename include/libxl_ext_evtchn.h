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

/* --- vectors -------------------------------------------------------------- */

#define XLX_EVTCHN_VECTOR_MIN 0x20u
#define XLX_EVTCHN_VECTOR_MAX 0xffu

/* The vectors that a vCPU lets the toolstack bind channels to. */
struct xlx_evtchn_offer {
    uint32_t vcpu;
    uint64_t vectors[4]; /* bit v % 64 of vectors[v / 64] is vector v */
};

/* One channel that gets another binding. Vector 0 is the upcall. */
struct xlx_evtchn_change {
    uint32_t port;
    uint32_t from_vcpu, to_vcpu; /* to the upcall: where it was */
    uint8_t from_vector, to_vector;
    char device[XLX_EVTCHN_DEVICE_MAX];
};

/* How channels are spread. */
struct xlx_evtchn_plan {
    uint32_t hot;        /* how many have, or get, a vector of their own */
    uint32_t vcpus;      /* over how many vCPUs the load is counted */
    bool counted;        /* the load is of counted events; else every device's
                          * channel counts the same */
    /* Jain's index of the load on these vCPUs, in thousandths: 1000 when each
     * has the same, 1000 / vcpus when one has all; 0 without load. */
    uint32_t index_before, index_after;
};

/*
 * Which channels are to get vectors, so that the busiest are spread over the
 * vCPUs that offer some: pure, and the same for the same input.
 *
 * `hot` channels at most, or, for 0, those that have nine tenths of the events;
 * the rest is to be on the upcall. No vector is given twice on a vCPU, none
 * that is not offered. What the guest bound itself, or Xen uses, stays. A
 * binding that is right already stays; a channel is moved only where that
 * evens out the load.
 *
 * *list_r, sorted by port, is to be freed with free(); NULL when nothing
 * changes. Returns how many; -ENOMEM.
 */
int xlx_evtchn_plan(const struct xlx_evtchn_info *info,
                    const struct xlx_evtchn_port *ports,
                    const struct xlx_evtchn_offer *offers, int nr_offers,
                    uint32_t hot, struct xlx_evtchn_plan *plan_r,
                    struct xlx_evtchn_change **list_r);

/*
 * What a PV domain, a hypervisor without vectors and a domain that may not have
 * them answer to all calls below: -ENOTSUP, -ENOSYS and -EPERM, with the
 * reason. -ESRCH no such domain; -EBUSY another command is at work on the
 * domain's channels.
 */

/*
 * The vectors that the guest offers, a row for each vCPU that offers some,
 * sorted: what it wrote into xenstore, or, when nothing is there, what it told
 * Xen. *list_r is to be freed with free(); NULL when there is none. Returns how
 * many. -EBADMSG what is in xenstore makes no sense (also of the calls below
 * that need offers).
 */
int xlx_evtchn_offers(xlx_ctx *ctx, uint32_t domid,
                      struct xlx_evtchn_offer **list_r);

/*
 * Lets the channel interrupt `vcpu` with `vector`, or, for 0, with the first
 * one that is offered and free; *vector_r says which. What it had from us
 * before is replaced. On failure nothing has changed.
 *
 * -EINVAL  no vector can have that number; the channel cannot be bound, or not
 *          to that vCPU
 * -ENOENT  no such channel (any more), or no such vCPU
 * -EACCES  the guest does not offer that vector, or none, on that vCPU
 * -EEXIST  another channel has it there
 * -EALREADY  the guest bound the channel itself
 */
int xlx_evtchn_bind(xlx_ctx *ctx, uint32_t domid, uint32_t port, uint32_t vcpu,
                    uint8_t vector, uint8_t *vector_r);

/*
 * Puts the channel back to the upcall, on the vCPU where the guest had it. 1:
 * it had no vector. -ENOENT no such channel; -EALREADY the guest bound it
 * itself.
 */
int xlx_evtchn_unbind(xlx_ctx *ctx, uint32_t domid, uint32_t port);

/*
 * Whether the domain's channels may have vectors, which they may at first. false:
 * all are on the upcall from now on, also those that the guest bound, and stay
 * there; the guest no longer finds the operation by CPUID. Lasts until the domain
 * is gone: save, migration and reboot make another. 1: it was so already.
 *
 * -ENOTSUP  a PV domain
 * -ENOSYS   this hypervisor has no vectors for single channels
 */
int xlx_evtchn_allow(xlx_ctx *ctx, uint32_t domid, bool allow);

/* All zero: what suits most. */
struct xlx_evtchn_spread_config {
    uint32_t hot;  /* as xlx_evtchn_plan() takes it */
    /* For how long events are counted before; where somebody counts already,
     * those counts are taken. 0: no counting. */
    uint32_t sample_ms;
    bool dry_run; /* only say what would be done */
};

/*
 * Counts, plans (xlx_evtchn_plan) and does it; channels for which the guest
 * wishes a vector in xenstore get that. A channel that was closed
 * meanwhile is left out with a warning; any other failure puts all back that
 * was changed. *list_r is what was done, or would be, for free(); NULL when
 * nothing. Returns how many.
 *
 * -EACCES  the guest offers no vectors, or one no more
 */
int xlx_evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_spread_config *config,
                      struct xlx_evtchn_plan *plan_r,
                      struct xlx_evtchn_change **list_r);

/* --- as channels come and go ---------------------------------------------- */

/* What a watch is to do. */
struct xlx_evtchn_watch_config {
    const char *guest; /* name or domid of one that runs; copied */
    uint32_t hot;      /* as xlx_evtchn_plan() takes it */
    uint32_t every_ms; /* looks at the load so often; 0: 10 s */
};

/* Valid during the call it is handed to. */
struct xlx_evtchn_report {
    const char *guest;
    uint32_t domid;
    uint32_t nr_changes;
    const struct xlx_evtchn_change *changes; /* what was done */
    const struct xlx_evtchn_plan *plan;      /* NULL on failure */
    const char *reason; /* why nothing could be done; one line, "" for none */
};

/* Told when something was changed, or cannot be any more or for another
 * reason; called by the thread that dispatches. */
typedef void xlx_evtchn_report_fn(void *user,
                                  const struct xlx_evtchn_report *report);

/*
 * xlx_evtchn_spread() again and again: when the guest's devices or what it
 * offers change, and every so often, by the events since the last time. The
 * guest is known by its UUID: the watch goes on with it after a save and
 * restore or a reboot, as another domain, and waits while it does not run. A
 * failure is reported and tried again.
 */
typedef struct xlx_evtchn_watch xlx_evtchn_watch;

/* The context belongs to the watch until that is freed. -EBUSY there is one for
 * this guest already; -EINVAL a domain without UUID; else as above. */
int xlx_evtchn_watch_new(xlx_ctx *ctx,
                         const struct xlx_evtchn_watch_config *config,
                         xlx_evtchn_report_fn *report, void *user,
                         xlx_evtchn_watch **watch_r);

/* NULL is allowed. What is bound stays so. */
void xlx_evtchn_watch_free(xlx_evtchn_watch *watch);

/* Readable when there is something to dispatch; the watch's own. */
int xlx_evtchn_watch_fd(const xlx_evtchn_watch *watch);

/* Does what there is to do; does not wait. -errno when the watch cannot go on;
 * what fails with the guest is only reported. */
int xlx_evtchn_watch_dispatch(xlx_evtchn_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
