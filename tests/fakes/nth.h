/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * "Fail the n-th call": one counter that all fakes of a test share.
 */
#ifndef FAKES_NTH_H
#define FAKES_NTH_H

#include <stdbool.h>

struct nth {
    int calls;   /* so far */
    int fail_at; /* which one fails, from 1; 0: none */
};

/* True when this call is the one to fail. */
static inline bool nth_fails(struct nth *nth)
{
    return nth && ++nth->calls == nth->fail_at;
}

#endif
