/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The processors of a host and the vCPUs of one domain in memory.
 */
#ifndef CONTENTION_FAKE_H
#define CONTENTION_FAKE_H

#include "xen/contention.h"

enum fake_vcpu {
    FAKE_VCPU_NONE,
    FAKE_VCPU_OFFLINE,
    FAKE_VCPU_BLOCKED,
    FAKE_VCPU_RUNNING,
    FAKE_VCPU_WAITING,
};

struct contention_fake {
    struct xlx__contention base;
    enum fake_vcpu vcpu[2 * XLX__CONTENTION_VCPUS];
    uint64_t idle_us;
    bool paused, gone;
    int fail_err; /* of every look; 0: none */
    int looks, closed;
};

/* No vCPU, nothing ever idled. */
void contention_fake_init(struct contention_fake *f);

#endif
