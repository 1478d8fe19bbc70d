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

/* A backend's, and bound by nobody or the toolstack. */
bool xlx__evtchn_can_bind(const struct xlx_evtchn_port *port);

#endif
