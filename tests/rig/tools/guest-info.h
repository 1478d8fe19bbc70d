/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Watching a domain from dom0, for tools that print a line for each look.
 */
#ifndef GUEST_INFO_H
#define GUEST_INFO_H

#include <stdint.h>
#include <time.h>

#include <xenctrl.h>

/* Microseconds since 1970. */
static inline unsigned long long now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

/* Whether a domain of number `domid` or a later one exists: *info is the
 * first. */
static inline int find_domain(xc_interface *xch, uint32_t domid,
                              xc_domaininfo_t *info)
{
    return xc_domain_getinfolist(xch, domid, 1, info) == 1 &&
           !(info->flags & XEN_DOMINF_dying);
}

#endif
