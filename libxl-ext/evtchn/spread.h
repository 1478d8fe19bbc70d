/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Sets of vectors, and which channels can be bound. Pure.
 */
#ifndef XLX_EVTCHN_SPREAD_H
#define XLX_EVTCHN_SPREAD_H

#include "libxl_ext_evtchn.h"

/* Bit v % 64 of vectors[v / 64] is vector v, which is below 256. */
bool xlx__vectors_has(const uint64_t vectors[4], unsigned vector);

/* The smallest one; 0 when there is none. */
unsigned xlx__vectors_first(const uint64_t vectors[4]);

/* As xlx_evtchn_plan(), of the `info->nr_ports` channels at `ports`. */
int xlx__evtchn_plan(const struct xlx_evtchn_info *info,
                     const struct xlx_evtchn_port *ports,
                     const struct xlx_evtchn_offer *offers, int nr_offers,
                     uint32_t hot, struct xlx_evtchn_plan *plan_r,
                     struct xlx_evtchn_change **list_r);

/* A backend's, and bound by nobody or the toolstack. */
bool xlx__evtchn_can_bind(const struct xlx_evtchn_port *port);

#endif
