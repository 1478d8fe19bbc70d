/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What libxc's restore wants of the records of a PV guest. Such a guest is
 * not restored lazily; that its image is complete can be said all the same.
 * What its registers, its page tables and its list of P2M frames refer to is
 * not followed.
 */
#ifndef XLX_IMAGE_LIBXC_PV_H
#define XLX_IMAGE_LIBXC_PV_H

#include "image/internal.h"

/* What the records said so far; zeroed at the start. */
struct xlx__pv {
    unsigned width;   /* bytes of the guest's words; 0 before X86_PV_INFO */
    uint64_t end_pfn; /* its pfns are below; 0 before X86_PV_P2M_FRAMES */
    bool vcpu;        /* there was a state of vCPU 0 */
};

/*
 * Checks a record of one of the X86_PV types or SHARED_INFO, whose body has its
 * header at least. `name` is its type's. -EBADMSG, or as reading.
 */
int xlx__pv_record(struct xlx__source *src, const struct xlx__record *record,
                   const char *name, struct xlx__pv *pv);

/* A record that the guest needs and that was not there; NULL: none. */
const char *xlx__pv_missing(const struct xlx__pv *pv);

#endif
