/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Seam: event channels as the hypervisor has them. Below it Xen (evtchn_xen.c)
 * or a hypervisor in memory (tests/fakes/evtchn_mem.c).
 *
 * Rests on EVTCHNOP_status, which every Xen has, and on the domctl that
 * hypervisor/ adds (evtchn_abi.h).
 */
#ifndef XLX_XEN_EVTCHN_H
#define XLX_XEN_EVTCHN_H

#include "core/ctx.h"
#include "libxl_ext_evtchn.h"

struct xlx__evtchn;

struct xlx__evtchn_domain {
    bool hvm;       /* HVM or PVH */
    uint32_t vcpus; /* made, whether online or not */
};

/* What the hypervisor can do beyond upstream's, for one domain. */
struct xlx__evtchn_features {
    bool vectors;  /* it has the domctl; else all below is false */
    bool capable;  /* channels of this domain can have vectors */
    bool allowed;  /* nobody forbade it */
    bool counting; /* events are counted */
};

/*
 * One thread at a time. All return 0 (or what is said) or -errno: -ESRCH no
 * such domain, -EACCES not allowed, -ENOSYS this hypervisor has no such
 * operation. None logs.
 */
struct xlx__evtchn_ops {
    int (*domain)(struct xlx__evtchn *e, uint32_t domid,
                  struct xlx__evtchn_domain *domain_r);
    int (*features)(struct xlx__evtchn *e, uint32_t domid,
                    struct xlx__evtchn_features *features_r);
    /* Of EVTCHNOP_status: all but what is known with `vectors` only. -EINVAL
     * behind the last port that there is. */
    int (*status)(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
                  struct xlx_evtchn_port *port_r);
    /* Ports that are not closed, from *next on, `max` at most; *next is where
     * to continue, UINT32_MAX at the end. Returns how many, also 0 before the
     * end. -ENOSYS. */
    int (*list)(struct xlx__evtchn *e, uint32_t domid, uint32_t *next,
                struct xlx_evtchn_port *list, uint32_t max);

    /*
     * All below: -ENOSYS without the domctl, -EOPNOTSUPP for a PV domain.
     */
    /* -EPERM not offered by that vCPU, or switched off; -EBUSY the guest bound
     * it itself; -EINVAL no such port (any more), or none that can be bound;
     * -ENOENT no such vCPU; -ENOMEM. */
    int (*set)(struct xlx__evtchn *e, uint32_t domid, uint32_t port,
               uint32_t vcpu, uint8_t vector);
    /* Back to the upcall, on the vCPU that the guest chose. -EBUSY as above;
     * -EINVAL no such port, or no vector to take away. */
    int (*clear)(struct xlx__evtchn *e, uint32_t domid, uint32_t port);
    /* Replaces what the vCPU offers; ports on what is withdrawn go back. */
    int (*offer)(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                 const uint64_t vectors[4]);
    int (*offers)(struct xlx__evtchn *e, uint32_t domid, uint32_t vcpu,
                  uint64_t vectors_r[4]);
    /* Off: no channel has a vector then, nor gets one, whoever asks. */
    int (*allow)(struct xlx__evtchn *e, uint32_t domid, bool on);
    /* On: from 0. A PV domain's too. */
    int (*count)(struct xlx__evtchn *e, uint32_t domid, bool on);
};

struct xlx__evtchn {
    struct xlx__seam seam; /* first: the context closes it through this */
    const struct xlx__evtchn_ops *ops;
};

/* Opens the context's when it is not yet. 0 or -errno, reported. */
int xlx__evtchn_open(xlx_ctx *ctx);

#endif
