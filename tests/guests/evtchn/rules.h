/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef RULES_H
#define RULES_H

#include "scenarios.h"

/* What came since forget(). */
extern volatile unsigned int arrived[MAX_VCPUS][256];
extern volatile unsigned int upcall_arrived[MAX_PORTS];

void check(bool right, const char *what);
/* Waits until it is right, however slow the machine. */
#define await(right, what)          \
    do {                            \
        unsigned int left_ = 10000; \
                                    \
        while (!(right) && --left_) \
            yield();                \
        check(left_, what);         \
    } while (0)
/* Long enough for what is on its way on this vCPU. */
void settle_down(void);
void forget(void);

/* As the control domain, on itself; nothing in another domain. */
void rules_of_domctl(void);

#endif
