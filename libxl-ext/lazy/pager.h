/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pager: brings the held-back pages of one domain from its image, those
 * that somebody waits for first.
 *
 * The fault thread (the one that calls xlx__pager_run) answers the ring and does
 * nothing else. The backfill threads load the runs that a policy chooses
 * (lazy/policy.h) and give way while a fault is being served. All load only
 * pages that they claimed (lazy/pages.h).
 *
 * What happens when a load fails is the same for all, and part of the contract
 * in docs/lazy-restore.md: it is tried again, the domain is paused when that
 * lasts, and it goes on by itself once a load works. Data is never replaced by
 * zeros.
 */
#ifndef XLX_LAZY_PAGER_H
#define XLX_LAZY_PAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "image/image.h"
#include "lazy/held.h"
#include "lazy/pages.h"
#include "lazy/policy.h"
#include "lazy/touches.h"
#include "libxl_ext_lazy.h"
#include "xen/paging.h"

/* How long loads may fail before the domain is paused, in milliseconds. */
#define XLX__PAGER_PATIENCE_MS 3000u

/* Counters; times in microseconds. */
struct xlx__pager_stats {
    _Atomic uint64_t faults;        /* requests of vCPUs and other domains */
    _Atomic uint64_t fault_pages;   /* pages loaded for them */
    _Atomic uint64_t fault_us;      /* time from taking to answering them */
    _Atomic uint64_t fault_us_max;
    _Atomic uint64_t fill_pages;    /* pages the backfill loaded */
    _Atomic uint64_t fill_us;       /* time it took, waits for faults included */
    _Atomic uint64_t prefetch_pages; /* pages loaded before the domain ran */
    _Atomic uint64_t dropped;       /* pages the guest gave away */
    _Atomic uint64_t retries;       /* failed loads that were tried again */
    _Atomic uint64_t pages_2m;      /* gfns backed by 2 MiB pages at the end */
};

struct xlx__pager;

/*
 * Called with every change of state, from whichever thread made it, and about
 * five times a second while filling.
 */
typedef void xlx__pager_report_fn(void *user, const struct xlx__pager *pager,
                                  enum xlx_lazy_state state,
                                  const char *reason);

#define XLX__FILL_THREADS 2

/* Faults that the policy was not told of yet; older ones are forgotten. */
#define XLX__FILL_FAULTS 16u

/*
 * While touches are recorded only the recorded set is filled, until the guest
 * has not waited for a page this long, or for so long in all: what the backfill
 * brings first would be missing in the record.
 */
#define XLX__RECORD_QUIET_US 1000000u
#define XLX__RECORD_MAX_US 10000000u

/* What the policy said and nobody took yet. */
struct xlx__fill_next {
    bool some;
    enum xlx__policy_step step;
    struct xlx__gfn_range run;
};

/* Where the backfill is. */
struct xlx__fill {
    pthread_t thread[XLX__FILL_THREADS];
    int threads; /* as many are started: 1 to XLX__FILL_THREADS */
    int started;
    _Atomic int running;
    _Atomic bool failed; /* a load of the prefetch */
    uint64_t begun; /* xlx__now_us() */
    /* Written by the fault thread, which never waits for the backfill. */
    _Atomic uint64_t fault[XLX__FILL_FAULTS];
    _Atomic uint64_t nr_faults;
    _Atomic uint64_t last_fault; /* xlx__now_us() */
    /* Under the pager's lock. */
    struct xlx__policy *policy; /* owned; made at the start when there is none */
    struct xlx__fill_next next;
    bool prefetching;     /* before the domain runs: the recorded set only */
    uint64_t pages_left;  /* of the prefetch */
    uint64_t until;       /* its end, xlx__now_us() */
    uint64_t told;     /* faults that the policy knows of */
    uint64_t reported; /* xlx__now_us() */
};

struct xlx__pager {
    xlx_ctx *ctx;
    struct xlx__paging *paging;
    const xlx_image *image;
    struct xlx__pages *pages;
    struct xlx__gfn_range *held; /* what was held back at the start */
    size_t nr_held;
    struct xlx__gfn_range *recorded; /* the working set, first touched first */
    size_t nr_recorded;
    struct xlx__touches *touches; /* NULL: nothing is recorded */
    const xlx_image_index *index; /* zeros, checksums; NULL: none known */
    uint64_t record_quiet_us, record_max_us;
    struct xlx__pager_stats stats;
    struct xlx__fill fill;
    xlx__pager_report_fn *report;
    void *report_user;
    unsigned patience_ms;

    _Atomic bool stop;     /* the domain is gone, or we failed */
    _Atomic bool filled;   /* the backfill is through */
    _Atomic int faulting;  /* faults being served now */
    pthread_mutex_t lock;  /* for the two below */
    pthread_cond_t settled; /* a claimed run was settled or released */
    int stalled;           /* threads whose loads fail: the domain is paused */
};

/*
 * Makes a pager for `domid`: everything in `image` outside the resident ranges
 * is held back. Takes over nothing; `image` and `paging` outlive the pager.
 */
int xlx__pager_new(xlx_ctx *ctx, struct xlx__paging *paging,
                   const xlx_image *image,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__pager **pager_r);
void xlx__pager_free(struct xlx__pager *pager);

/*
 * Turns paging on, sets memory aside for all pages of the image and marks the
 * held-back ones. The domain has not run yet. All undone when it fails.
 */
int xlx__pager_start(struct xlx__pager *pager, uint64_t ring_gfn);

/*
 * Loads what is in `recorded`, before the domain runs: in its order, at most so
 * many pages, for about so long. What is left comes first in the backfill. Ends
 * early when a load fails: the backfill tries it again. 0; -EIO; -ENOMEM.
 */
int xlx__pager_prefetch(struct xlx__pager *pager, uint64_t max_pages,
                        uint64_t max_us);

/* Ends paging of a domain that never ran and will be restored otherwise. */
void xlx__pager_cancel(struct xlx__pager *pager);

/*
 * Serves faults and fills until all pages are present, then ends paging.
 * 0; -ESRCH the domain was destroyed meanwhile; another -errno when it cannot
 * go on, the domain paused.
 */
int xlx__pager_run(struct xlx__pager *pager);

/* --- between the files of the pager --------------------------------------- */

/*
 * Starts the backfill threads. 0 or -errno: then stop is set, but for a
 * prefetch; join even so.
 */
int xlx__pager_fill_start(struct xlx__pager *pager);
void xlx__pager_fill_join(struct xlx__pager *pager);
void xlx__pager_fill_free(struct xlx__pager *pager);

/* Tells the backfill where the guest is. Of the fault thread; never blocks. */
void xlx__pager_fill_fault(struct xlx__pager *pager, uint64_t gfn);

/*
 * Loads claimed pages [gfn, gfn + nr), nr at most XLX__PAGING_RUN_MAX, through
 * `buffer`, as often as it takes, and settles them. False when there is no
 * domain to load for any more: then they are released.
 */
bool xlx__pager_load(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                     void *buffer);

/* The same for pages whose content is in `buffer` already. */
bool xlx__pager_load_read(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                          void *buffer);

/*
 * One attempt to read; the pages need not be claimed. What the index knows to be
 * zeros is not read, all else is held against its checksums.
 * 0; -EBADMSG a wrong checksum; or as xlx_image_read().
 */
int xlx__pager_read(struct xlx__pager *pager, uint64_t gfn, uint32_t nr,
                    void *buffer);

/* True when the domain is being destroyed or gone; also sets stop. */
bool xlx__pager_gone(struct xlx__pager *pager);

void xlx__pager_report(struct xlx__pager *pager, enum xlx_lazy_state state,
                       const char *reason);

/* CLOCK_MONOTONIC. */
uint64_t xlx__now_us(void);

#endif
