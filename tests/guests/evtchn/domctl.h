/* SPDX-License-Identifier: LGPL-2.1-only */
/* The toolstack's operations, by the control domain on itself. */
#ifndef DOMCTL_H
#define DOMCTL_H

#include "guest.h"
#include "xen/evtchn_abi.h"

#define DOMCTL_VERSION 0x15 /* of Xen 4.17 */

static inline long domctl(struct xlx__xen_evtchn_vector_op *op)
{
    struct {
        uint32_t cmd;
        uint32_t interface_version;
        uint16_t domain;
        uint16_t pad[3];
        union {
            struct xlx__xen_evtchn_vector_op op;
            uint8_t room[128];
        } u;
    } arg = { .cmd = XLX__XEN_DOMCTL_EVTCHN_VECTOR,
              .interface_version = DOMCTL_VERSION };
    long error;

    arg.u.op = *op;
    error = hypercall3(__HYPERVISOR_domctl, (uintptr_t)&arg, 0, 0);
    *op = arg.u.op;
    return error;
}

#endif
