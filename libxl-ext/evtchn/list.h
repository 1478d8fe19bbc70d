/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The channels of a domain, for the calls that need to look before they act.
 */
#ifndef XLX_EVTCHN_LIST_H
#define XLX_EVTCHN_LIST_H

#include "core/ctx.h"
#include "libxl_ext_evtchn.h"
#include "xen/evtchn.h"

/* The domain, in Xen and in xenstore; opens the seam. 0; -ESRCH, ... reported.
 */
int xlx__evtchn_look(xlx_ctx *ctx, uint32_t domid,
                     struct xlx_evtchn_info *info_r,
                     struct xlx__evtchn_features *features_r);

/* The channels that are not closed, sorted by port, without the names of
 * devices. *list_r for free(). Returns how many. */
int xlx__evtchn_ports(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx__evtchn_features *features,
                      struct xlx_evtchn_port **list_r);

/* The same with these names, and the domain. */
int xlx__evtchn_list(xlx_ctx *ctx, uint32_t domid,
                     struct xlx_evtchn_info *info_r,
                     struct xlx_evtchn_port **list_r);

/* Reports what a slot of the seam said, with what was done and to what. */
int xlx__evtchn_failed(xlx_ctx *ctx, uint32_t domid, int rc);

#endif
