/* SPDX-License-Identifier: LGPL-2.1-only */
#include "fakes/contention_fake.h"

#include <errno.h>

static struct contention_fake *of(struct xlx__contention *c)
{
    return (struct contention_fake *)c;
}

static int fake_look(struct xlx__contention *c,
                     struct xlx__contention_now *now_r)
{
    struct contention_fake *f = of(c);
    f->looks++;
    if (f->gone || f->fail_err)
        return f->gone ? -ESRCH : -f->fail_err;
    *now_r = (struct xlx__contention_now){ .idle_us = f->idle_us,
                                           .paused = f->paused };
    for (unsigned i = 0; !f->paused && i < XLX__CONTENTION_VCPUS; i++) {
        now_r->vcpus += f->vcpu[i] > FAKE_VCPU_OFFLINE;
        now_r->waiting += f->vcpu[i] == FAKE_VCPU_WAITING;
    }
    return 0;
}

static void fake_close(struct xlx__contention *c)
{
    of(c)->closed++;
}

static const struct xlx__contention_ops fake_ops = {
    .look = fake_look,
    .close = fake_close,
};

void contention_fake_init(struct contention_fake *f)
{
    *f = (struct contention_fake){ .base = { .ops = &fake_ops, .domid = 1 } };
}
