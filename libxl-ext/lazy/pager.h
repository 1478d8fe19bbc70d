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
 * What happens when a load fails is part of the contract in
 * docs/lazy-restore.md. For a fault it is tried again, the domain is paused when
 * that lasts, and it goes on by itself once a load works. The backfill has
 * nobody waiting: it keeps pages that cannot be read aside (lazy/bad.h), holds
 * no claim while it waits, and pauses nobody. Data is never replaced by zeros.
 */
#ifndef XLX_LAZY_PAGER_H
#define XLX_LAZY_PAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "image/image.h"
#include "lazy/bad.h"
#include "lazy/guest.h"
#include "lazy/held.h"
#include "lazy/loader.h"
#include "lazy/pages.h"
#include "lazy/policy.h"
#include "lazy/recorder.h"
#include "libxl_ext_lazy.h"

struct xlx__pager;

/*
 * Called with every change of state, from whichever thread made it, and about
 * five times a second while filling.
 */
typedef void xlx__pager_report_fn(void *user, struct xlx__pager *pager,
                                  enum xlx_lazy_state state,
                                  const char *reason);

#define XLX__FILL_THREADS 2

/* Faults that the policy was not told of yet; older ones are forgotten. */
#define XLX__FILL_FAULTS 16u

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
    /* Under the pager's lock. */
    struct xlx__policy *policy; /* owned; made at the start when there is none */
    struct xlx__fill_next next;
    bool prefetching;     /* before the domain runs: the recorded set only */
    uint64_t pages_left;  /* of the prefetch */
    uint64_t until;       /* its end, xlx__now_us() */
    uint64_t told;     /* faults that the policy knows of */
    uint64_t reported; /* xlx__now_us() */
    struct xlx__bad bad; /* pages kept aside */
    char trouble[160];   /* why the backfill does not get on; else "" */
};

struct xlx__pager {
    struct xlx__guest guest;
    struct xlx__shared *shared; /* owned */
    struct xlx__loader *loader; /* owned */
    struct xlx__recorder *recorder; /* owned */
    const xlx_image *image;
    struct xlx__pages *pages; /* in shared */
    struct xlx__gfn_range *held; /* what was held back at the start */
    size_t nr_held;
    struct xlx__gfn_range *recorded; /* the working set, first touched first */
    size_t nr_recorded;
    struct xlx__fill fill;
    xlx__pager_report_fn *report;
    void *report_user;

    _Atomic bool filled;   /* the backfill is through */
    _Atomic int faulting;  /* faults being served now */
    pthread_mutex_t lock;  /* for all below */
    unsigned changes; /* of what the operator wants */
    uint64_t pace_us; /* under a limit: when the next block may go */
};

/*
 * Makes a pager for `domid`: everything in `image` outside the resident ranges
 * is held back. `image` and `paging` outlive the pager; `paging` may be NULL and
 * set later, in the process that starts the pager or takes over.
 */
int xlx__pager_new(xlx_ctx *ctx, struct xlx__paging *paging,
                   const xlx_image *image,
                   const struct xlx__gfn_range *resident, size_t nr_resident,
                   struct xlx__pager **pager_r);
void xlx__pager_free(struct xlx__pager *pager);
void xlx__pager_set_paging(struct xlx__pager *pager,
                           struct xlx__paging *paging);

/* What survives a kill, who loads pages, and who records; owned by the pager. */
struct xlx__shared *xlx__pager_shared(const struct xlx__pager *pager);
struct xlx__loader *xlx__pager_loader(const struct xlx__pager *pager);
struct xlx__recorder *xlx__pager_recorder(const struct xlx__pager *pager);

/* The working set of an earlier restore, in the order of first touches: free()d
 * by the pager. Before there are threads. */
void xlx__pager_set_recorded(struct xlx__pager *pager,
                             struct xlx__gfn_range *recorded, size_t nr);
const struct xlx__gfn_range *
xlx__pager_recorded(const struct xlx__pager *pager, size_t *nr_r);

/* Of a page that somebody waits for: how long it may fail, and how long one
 * attempt may take, before the domain is paused. */
void xlx__pager_set_patience(struct xlx__pager *pager, unsigned patience_ms,
                             unsigned hang_ms);

/*
 * Turns paging on, sets memory aside for all pages of the image and marks the
 * held-back ones. The domain has not run yet. All undone when it fails.
 */
int xlx__pager_start(struct xlx__pager *pager, uint64_t ring_gfn);

/*
 * Loads the recorded working set, before the domain runs: in its order, at most so
 * many pages, for about so long. What is left comes first in the backfill. Ends
 * early when a load fails: the backfill tries it again. 0; -EIO; -ENOMEM.
 */
int xlx__pager_prefetch(struct xlx__pager *pager, uint64_t max_pages,
                        uint64_t max_us);

/*
 * In another process than the one that started, which has died: goes on where
 * that one was. Nothing it loaded or the guest wrote is lost, nobody waits for
 * an answer that will not come, and the domain is not paused for its sake any
 * more. 0; -EBUSY as take_over() of paging.h; -ESRCH the domain is gone.
 */
int xlx__pager_take_over(struct xlx__pager *pager, uint64_t ring_gfn);

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

/* Pages kept aside are tried again at once. With the lock held. */
void xlx__pager_fill_retry(struct xlx__pager *pager);

/*
 * Why the backfill does not get on, and how many pages it cannot read. False when
 * there is nothing to say.
 */
bool xlx__pager_fill_trouble(struct xlx__pager *pager, char *text, size_t len);
bool xlx__pager_fill_bad(struct xlx__pager *pager, char *text, size_t len);

/* The pages kept aside, for a status; from any thread. */
void xlx__pager_bad(struct xlx__pager *pager, struct xlx_lazy_status *status);

/* What a thread of the backfill has. */
struct xlx__filler {
    struct xlx__pager *pager;
    char *buffer; /* XLX__PAGING_RUN_MAX pages */
    bool unread[XLX__PAGING_RUN_MAX]; /* of the run: not in the buffer */
    unsigned backoff_ms; /* where nothing can be read */
    const char *what;    /* it does */
};

/*
 * Loads what is absent of a run; pages that cannot be read are kept aside.
 * False when the domain is gone; in a prefetch, when anything failed.
 */
bool xlx__fill_run(struct xlx__filler *f, const struct xlx__gfn_range *run);

/* Tells the backfill where the guest is. Of the fault thread; never blocks. */
void xlx__pager_fill_fault(struct xlx__pager *pager, uint64_t gfn);

/* Returns when the backfill may load `pages` more, on stop, or when all is
 * present. */
void xlx__pager_throttle(struct xlx__pager *pager, uint64_t pages);

/* Does what the operator wants, from any thread. */
void xlx__pager_change(struct xlx__pager *pager,
                       const struct xlx_lazy_change *change);

/*
 * How long, in microseconds, to wait with `bytes` so that `rate` bytes a second
 * are not exceeded; *next_us is what this needs to know the next time. Time that
 * was not used is not saved up. Pure.
 */
uint64_t xlx__pace(uint64_t *next_us, uint64_t now_us, uint64_t bytes,
                   uint64_t rate);

/* Makes the locks; also those that a dead pager may have held. */
void xlx__pager_init_locks(struct xlx__pager *pager);

/* Reports where it is: filling, and with what trouble, or stalled and why. */
void xlx__pager_progress(struct xlx__pager *pager);

void xlx__pager_report(struct xlx__pager *pager, enum xlx_lazy_state state,
                       const char *reason);

#endif
