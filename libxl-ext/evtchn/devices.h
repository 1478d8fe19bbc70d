/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which device of a domain a port belongs to, by what its frontend drivers and
 * the toolstack wrote into xenstore.
 */
#ifndef XLX_EVTCHN_DEVICES_H
#define XLX_EVTCHN_DEVICES_H

#include "core/ctx.h"
#include "libxl_ext_evtchn.h"

/* A guest may write more than this many nodes, or deeper; the rest has no
 * name then. */
#define XLX__CLAIMS_NODES_MAX 4096u
#define XLX__CLAIMS_DEPTH_MAX 4u

/* One end of a device's channel: `port` of the domain is for `device`. */
struct xlx__claim {
    uint32_t port;
    uint32_t backend; /* its other end's domain, or XLX_EVTCHN_NO_DOMID */
    char device[XLX_EVTCHN_DEVICE_MAX]; /* printable */
};

struct xlx__claims {
    struct xlx__claim *v;
    size_t nr;
};

/*
 * Reads all claims of a domain; a domain without any, or that is gone, has
 * none. They are what the guest says: xlx__claims_name() asks whether the
 * hypervisor says so too. 0 or -errno, reported; xlx__claims_free() in any
 * case.
 */
int xlx__claims_read(xlx_ctx *ctx, uint32_t domid, struct xlx__claims *claims);

void xlx__claims_free(struct xlx__claims *claims);

/*
 * The device of `port` by the claims of the domain that has it (`of` is
 * XLX_EVTCHN_NO_DOMID), or by those of the domain `of` at its other end, where
 * `domid` has the port. "" when none fits. Pure.
 */
void xlx__claims_name(const struct xlx__claims *claims, uint32_t of,
                      uint32_t domid, const struct xlx_evtchn_port *port,
                      char device_r[XLX_EVTCHN_DEVICE_MAX]);

#endif
