/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a list of event channels tells. Pure.
 */
#ifndef XLX_EVTCHN_DIAGNOSE_H
#define XLX_EVTCHN_DIAGNOSE_H

#include "libxl_ext_evtchn.h"

/* As xlx_evtchn_diagnose(), of the `info->nr_ports` channels at `ports`. */
int xlx__evtchn_diagnose(const struct xlx_evtchn_info *info,
                         const struct xlx_evtchn_port *ports,
                         struct xlx_evtchn_finding **list_r);

#endif
