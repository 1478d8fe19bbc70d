/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How much of the time the backfill may run, so that it is fast where nobody
 * else needs the processors, and not in the way of the guest where they are
 * short. Pure: values in, a share out.
 *
 * The backfill is in the way when vCPUs of its guest could run and have no
 * processor. It is not in the way
 *   - while the domain is paused;
 *   - when the guest waits longer for pages than for processors: then it is the
 *     backfill that helps;
 *   - when other programs of the control domain would take what it leaves: the
 *     guest would gain nothing, and get its pages later.
 */
#ifndef XLX_LAZY_SHARE_H
#define XLX_LAZY_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* All of the time; a share is a part of it. */
#define XLX__SHARE_ALL 1000u

/* However much the guest waits: a host that is busy without end fills, too. */
#define XLX__SHARE_LEAST 250u

/* However many guests fill at once. */
#define XLX__SHARE_MIN 10u

/* How the host is at one moment. Counters only grow. */
struct xlx__share_look {
    uint64_t now_us;
    uint64_t idle_us;      /* what the host's processors idled, all together */
    uint64_t page_wait_us; /* what the guest's vCPUs waited for pages */
    uint32_t waiting;      /* vCPUs that could run and have no processor */
    uint32_t processors;   /* vCPUs of the control domain, where we run */
    uint32_t runnable;     /* threads of the control domain that run or could */
    uint32_t threads;      /* of them, those of this backfill */
    uint32_t fills;        /* backfills on this host, this one among them */
    bool paused;           /* the domain is */
};

/* What is known of the last look; zeros at first. */
struct xlx__share {
    uint32_t share; /* by what the guest does; 0: there was no look yet */
    uint32_t given; /* and by what other backfills do */
    struct xlx__share_look last;
};

/*
 * The share from now on, 1 to XLX__SHARE_ALL, of each thread's time. To be
 * asked about ten times a second: the share is halved while the backfill is in
 * the way, and comes back by an eighth of the whole when it is not; at once
 * where a processor idles.
 */
uint32_t xlx__share_next(struct xlx__share *share,
                         const struct xlx__share_look *look);

/* How long, in microseconds, a thread has to rest that has used a processor for
 * so long, in a time of `took_us`. One that others kept waiting has rested. */
uint64_t xlx__share_rest(uint32_t share, uint64_t worked_us, uint64_t took_us);

#endif
