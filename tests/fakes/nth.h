/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * "Fail the n-th call": one counter that all fakes of a test share. Or: let
 * something else happen just before it.
 */
#ifndef FAKES_NTH_H
#define FAKES_NTH_H

#include <stdbool.h>

struct nth {
    int calls;   /* so far */
    int fail_at; /* which one fails, from 1; 0: none */
    int act_at;  /* before which one act() is called; its calls count too */
    void (*act)(void *user);
    void *user;
};

/* True when this call is the one to fail. */
static inline bool nth_fails(struct nth *nth)
{
    if (!nth)
        return false;
    bool fails = ++nth->calls == nth->fail_at;
    if (nth->act && nth->calls == nth->act_at)
        nth->act(nth->user);
    return fails;
}

#endif
