/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Event channels of a domain: what they are, which vCPU each interrupts, and
 * which device of the guest each belongs to.
 *
 * This works on any Xen. With the hypervisor of this project
 * (docs/hypervisor.md) channels of HVM and PVH guests can have interrupt
 * vectors of their own. `vectors` says whether that hypervisor runs; calls that
 * need it say so below.
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

/* One event channel, seen from the domain that was named. */
struct xlx_evtchn_port {
    uint32_t port;
    enum xlx_evtchn_type type;
    uint32_t vcpu; /* the vCPU that it interrupts */

    /* interdomain and unbound: the other end's domain; else
     * XLX_EVTCHN_NO_DOMID. */
    uint32_t remote_domid;
    uint32_t remote_port; /* interdomain: the other end's; else 0 */
    uint32_t irq;         /* pirq and virq: its number; else 0 */

    /* Its device, by what the domains wrote to xenstore: "vif/0 queue 3 tx",
     * "vbd/51712 queue 1", "console", "xenstore"; with " of domain 5" if the
     * device is the other end's. "" if it is not known. Printable. */
    char device[XLX_EVTCHN_DEVICE_MAX];

    /* All below is 0 or false without `vectors`. */
    uint8_t vector;   /* its own; 0: the vCPU's upcall */
    bool toolstack;   /* the vector was bound by the toolstack */
    bool pending;     /* an event waits to be handled */
    bool masked;      /* the guest has masked it */
    bool used_by_xen; /* Xen itself receives its events */
    uint8_t priority; /* FIFO: 0 the most urgent, 15 the least, 7 usual */
    uint64_t count;   /* events while `counting` */
};

/* What applies to all channels of a domain. */
struct xlx_evtchn_info {
    uint32_t domid;
    bool hvm;       /* HVM or PVH; a PV domain cannot have vectors */
    uint32_t vcpus; /* that exist, online or not */
    bool vectors;   /* the hypervisor has vectors for single channels */
    bool allowed;   /* and this domain may use them */
    bool counting;  /* and its events are counted */
    uint32_t nr_ports;
};

/* "closed", "unbound", "interdomain", "pirq", "virq" or "ipi". Never NULL. */
const char *xlx_evtchn_type_name(enum xlx_evtchn_type type);

/* The channels of a domain at one moment. */
typedef struct xlx_evtchn_channels xlx_evtchn_channels;

/*
 * Lists the domain's event channels that are not closed. What a guest wrote to
 * xenstore is used only if it agrees with what the hypervisor reports. Free
 * *channels_r with xlx_evtchn_channels_free(). Returns how many there are.
 *
 * -ESRCH   no such domain
 * -EACCES  not allowed
 * -ENXIO   no Xen here
 */
int xlx_evtchn_list(xlx_ctx *ctx, uint32_t domid,
                    xlx_evtchn_channels **channels_r);

/* NULL is allowed. */
void xlx_evtchn_channels_free(xlx_evtchn_channels *channels);

/* What applies to all of them. Valid until they are freed. */
const struct xlx_evtchn_info *
xlx_evtchn_info(const xlx_evtchn_channels *channels);

/* One of them, `i` from 0 in the order of their ports, valid until they are
 * freed. NULL: there are not so many. */
const struct xlx_evtchn_port *
xlx_evtchn_port(const xlx_evtchn_channels *channels, uint32_t i);

/* The kinds of findings about a domain's channels. */
enum xlx_evtchn_finding_code {
    XLX_EVTCHN_ONE_VCPU,  /* all channels of a kind on one vCPU of several */
    XLX_EVTCHN_ONE_QUEUE, /* a device with one channel, several vCPUs */
    XLX_EVTCHN_NO_PATCH,  /* what this hypervisor does not support */
    XLX_EVTCHN_PV,        /* why this domain cannot have vectors */
    XLX_EVTCHN_FORBIDDEN, /* vectors are switched off for this domain */
};

struct xlx_evtchn_finding {
    enum xlx_evtchn_finding_code code;
    char text[XLX_EVTCHN_FINDING_MAX]; /* one line, printable */
};

/*
 * Returns the findings about channels of xlx_evtchn_list(). Pure. Free *list_r
 * with free(); it is NULL if there are none. `size` is sizeof(**list_r).
 * Returns how many; -ENOMEM.
 */
int xlx_evtchn_diagnose(const xlx_evtchn_channels *channels,
                        struct xlx_evtchn_finding **list_r, size_t size);

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

/* A channel whose binding changes, whole: what is added later stands in a
 * struct of its own. Vector 0 is the upcall. */
struct xlx_evtchn_change {
    uint32_t port;
    uint32_t from_vcpu, to_vcpu; /* to the upcall: where it was */
    uint8_t from_vector, to_vector;
    char device[XLX_EVTCHN_DEVICE_MAX];
};

/* A plan by which channels are spread. */
struct xlx_evtchn_plan {
    uint32_t hot;   /* how many have, or get, a vector of their own */
    uint32_t vcpus; /* over how many vCPUs the load is counted */
    bool counted;   /* the load is counted events; else every device's
                     * channel counts the same */
    /* Jain's fairness index of the load on these vCPUs, in thousandths: 1000
     * if each has the same, 1000 / vcpus if one has all; 0 without load. */
    uint32_t index_before, index_after;
};

/*
 * Plans which channels get vectors, so that the busiest are spread over the
 * vCPUs that offer some. Pure: the same input gives the same plan.
 *
 * At most `hot` channels get vectors, or, for 0, those that have nine tenths of
 * the events; the others are on the upcall. No vector is used twice on a vCPU,
 * and none that is not offered. A binding of the guest's or of Xen's stays, and
 * so does a binding that is right already. A channel is moved only if that
 * evens out the load.
 *
 * `size` is sizeof(*plan_r). Free *list_r, sorted by port, with free(); it is
 * NULL if nothing changes. Returns how many; -ENOMEM.
 */
int xlx_evtchn_plan(const xlx_evtchn_channels *channels,
                    const struct xlx_evtchn_offer *offers, int nr_offers,
                    uint32_t hot, struct xlx_evtchn_plan *plan_r, size_t size,
                    struct xlx_evtchn_change **list_r);

/*
 * All calls below fail with -ENOTSUP for a PV domain, -ENOSYS on a hypervisor
 * without vectors, and -EPERM for a domain that may not have them, with the
 * reason. -ESRCH no such domain; -EBUSY another command works on the domain's
 * channels.
 */

/*
 * Lists the vectors that the guest offers, a row for each vCPU that offers
 * some, sorted. They are what the guest wrote to xenstore, or, if nothing is
 * there, what it offered by hypercall. Free *list_r with free(); it is NULL if
 * there is none. Returns how many. -EBADMSG the nodes in xenstore are malformed
 * (also for the calls below that need offers).
 */
int xlx_evtchn_offers(xlx_ctx *ctx, uint32_t domid,
                      struct xlx_evtchn_offer **list_r);

/*
 * Binds the channel to `vector` on `vcpu`, or, for 0, to the first vector that
 * is offered and free; *vector_r is the one. It replaces an earlier binding of
 * the toolstack's. On failure nothing has changed. A guest that binds its
 * channels itself is asked, if its driver can be asked: then `vector` is 0, and
 * *vector_r is what the guest chose.
 *
 * -EINVAL  no vector can have that number; the channel cannot be bound, or not
 *          to that vCPU
 * -ENOENT  no such channel (or no longer), or no such vCPU
 * -EACCES  the guest does not offer that vector, or none, on that vCPU
 * -EEXIST  another channel has it there
 * -EALREADY  the guest bound the channel itself
 * -ETIMEDOUT the guest has not done in 10 s what it was asked
 */
int xlx_evtchn_bind(xlx_ctx *ctx, uint32_t domid, uint32_t port, uint32_t vcpu,
                    uint8_t vector, uint8_t *vector_r);

/*
 * Returns the channel to the upcall, on the vCPU where the guest had it. 1: it
 * had no vector. -ENOENT no such channel; -EALREADY the guest bound it itself,
 * and cannot be asked; -ETIMEDOUT as above.
 */
int xlx_evtchn_unbind(xlx_ctx *ctx, uint32_t domid, uint32_t port);

/*
 * Sets whether the domain's channels may have vectors; at first they may. With
 * false all are on the upcall from now on, also those that the guest bound, and
 * stay there; the guest no longer finds the operation by CPUID. The setting
 * lasts until the domain ends: save, migration and reboot make another. 1: it
 * was set so already.
 *
 * -ENOTSUP  a PV domain
 * -ENOSYS   this hypervisor has no vectors for single channels
 */
int xlx_evtchn_allow(xlx_ctx *ctx, uint32_t domid, bool allow);

/* All zero are the defaults. */
struct xlx_evtchn_spread_config {
    uint32_t hot; /* as xlx_evtchn_plan() takes it */
    /* How long events are counted first. If they are counted already, those
     * counts are used. 0: no counting. */
    uint32_t sample_ms;
    bool dry_run; /* only report what would be done */
};

/*
 * Counts events, plans (xlx_evtchn_plan) and carries out the plan. Channels
 * with a vector request in xenstore get that vector. A channel that was closed
 * meanwhile is left out with a warning; any other failure undoes all changes.
 * *list_r is what was done, or would be; free it with free(), it is NULL if
 * nothing was. `config_size` is sizeof(*config), and `plan_size` that of
 * *plan_r. Returns how many. A guest that binds its channels itself is asked to
 * move them, if its driver can be asked, and chooses the vectors.
 *
 * -EACCES     the guest offers no vectors, or no longer offers one
 * -ETIMEDOUT  the guest has not done in 10 s what it was asked
 * -E2BIG      a config of a newer version sets what this one does not have
 */
int xlx_evtchn_spread(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_evtchn_spread_config *config,
                      size_t config_size, struct xlx_evtchn_plan *plan_r,
                      size_t plan_size, struct xlx_evtchn_change **list_r);

/* --- a policy that lasts ------------------------------------------------- */

#define XLX_EVTCHN_CHOICE_MAX 256

/* Which channels of a guest its driver is to give vectors. */
struct xlx_evtchn_policy {
    char uuid[XLX_UUID_MAX];
    char name[XLX_GUEST_NAME_MAX];       /* when it was known last */
    char vectors[XLX_EVTCHN_CHOICE_MAX]; /* "vif,vbd/51712"; "": none */
    uint32_t domid;                      /* 0: it does not run */
};

/*
 * Stores the guest's policy in XLX_PATH_STATE, where it outlasts reboots of
 * guest and host, and tells the guest, if it runs, by the node
 * /local/domain/N/libxl-ext/vectors. What the guest does with it is up to its
 * driver (docs/evtchn-linux.md has one that obeys). `guest` is a name, domid or
 * UUID, of a guest that runs or has a policy already. A guest that cannot be
 * told is an error, but what was stored stays: xlx_evtchn_policy_apply() tells
 * it.
 *
 * `vectors` has kinds ("vif", "blk" or "vbd") and devices ("vif/0", "xvda"),
 * separated by commas; "" is no channel at all.
 *
 * -EINVAL  `vectors` is malformed, or the guest has no UUID
 * -ESRCH   no such guest
 * -EBUSY   another command writes
 */
int xlx_evtchn_policy_set(xlx_ctx *ctx, const char *guest, const char *vectors);

/* Forgets the policy: the driver decides by itself again. -ENOENT there is
 * none. */
int xlx_evtchn_policy_remove(xlx_ctx *ctx, const char *guest);

/*
 * Lists all policies, sorted by name. Free *list_r with free(); it is NULL if
 * there is none. `size` is sizeof(**list_r). A file that is no policy is left
 * out, with a warning. Returns how many. Works also where no Xen runs.
 */
int xlx_evtchn_policy_list(xlx_ctx *ctx, struct xlx_evtchn_policy **list_r,
                           size_t size);

/*
 * Tells every guest that runs its policy: after a start, a restore or a
 * migration it has not been told yet. A guest is known by its UUID, else by its
 * name. Returns how many were told something new; -errno if it failed for one,
 * after it has tried all.
 */
int xlx_evtchn_policy_apply(xlx_ctx *ctx);

/* --- watching a guest's channels ------------------------------------------ */

/* What a watch is to do. */
struct xlx_evtchn_watch_config {
    const char *guest; /* name or domid of one that runs; copied */
    uint32_t hot;      /* as xlx_evtchn_plan() takes it */
    uint32_t every_ms; /* interval of the checks; 0: 10 s */
};

/* Valid during the call that gets it. */
struct xlx_evtchn_report {
    const char *guest;
    uint32_t domid;
    uint32_t nr_changes;
    const struct xlx_evtchn_change *changes; /* what was done */
    const struct xlx_evtchn_plan *plan;      /* NULL on failure */
    const char *reason; /* why nothing could be done; one line, or "" */
};

/* Called when something was changed, and when that fails for the first time or
 * for another reason, by the thread that dispatches. */
typedef void xlx_evtchn_report_fn(void *user,
                                  const struct xlx_evtchn_report *report);

/*
 * A watch repeats xlx_evtchn_spread(): when the guest's devices or its offers
 * change, and periodically, by the events since the last time. It knows the
 * guest by its UUID: it continues with the guest after a save and restore or a
 * reboot, as another domain, and waits while the guest does not run. It reports
 * a failure and tries again.
 */
typedef struct xlx_evtchn_watch xlx_evtchn_watch;

/* The context belongs to the watch until that is freed. `size` is
 * sizeof(*config). -EBUSY this guest has a watch already; -EINVAL a domain
 * without UUID; else as above. */
int xlx_evtchn_watch_new(xlx_ctx *ctx,
                         const struct xlx_evtchn_watch_config *config,
                         size_t size, xlx_evtchn_report_fn *report, void *user,
                         xlx_evtchn_watch **watch_r);

/* NULL is allowed. Bindings stay. */
void xlx_evtchn_watch_free(xlx_evtchn_watch *watch);

/* Readable when there is something to dispatch; the watch owns it. */
int xlx_evtchn_watch_fd(const xlx_evtchn_watch *watch);

/* Does what is due; does not wait. -errno if the watch cannot continue; a
 * failure with the guest is only reported. */
int xlx_evtchn_watch_dispatch(xlx_evtchn_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
