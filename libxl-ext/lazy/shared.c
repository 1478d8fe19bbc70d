/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/shared.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct xlx__shared {
    /* Each a mapping of its own, where it is in every process. */
    struct xlx__pages *pages;
    struct xlx__touches *touches;
    _Atomic uint64_t counter[XLX__COUNTERS];
    _Atomic bool started;
    _Atomic int pauses;
    _Atomic bool pause_in_doubt;
    _Atomic uint64_t record_begun; /* 0: it has not */
    _Atomic uint64_t bwlimit;
    _Atomic bool fill_paused;
    _Atomic bool finish;
};

struct xlx__shared *xlx__shared_new(uint64_t end)
{
    struct xlx__shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return NULL;
    shared->pages = xlx__pages_new(end);
    shared->touches = xlx__touches_new();
    if (shared->pages && shared->touches)
        return shared;
    xlx__shared_free(shared);
    return NULL;
}

void xlx__shared_free(struct xlx__shared *shared)
{
    if (!shared)
        return;
    xlx__pages_free(shared->pages);
    xlx__touches_free(shared->touches);
    munmap(shared, sizeof(*shared));
}

struct xlx__pages *xlx__shared_pages(const struct xlx__shared *shared)
{
    return shared->pages;
}

struct xlx__touches *xlx__shared_touches(const struct xlx__shared *shared)
{
    return shared->touches;
}

bool xlx__shared_has_all(const struct xlx__shared *shared)
{
    return xlx__pages_done(shared->pages) == xlx__pages_total(shared->pages);
}

/* --- counters ------------------------------------------------------------- */

void xlx__shared_count(struct xlx__shared *shared, enum xlx__counter counter,
                       uint64_t n)
{
    atomic_fetch_add(&shared->counter[counter], n);
}

void xlx__shared_set(struct xlx__shared *shared, enum xlx__counter counter,
                     uint64_t value)
{
    atomic_store(&shared->counter[counter], value);
}

uint64_t xlx__shared_counter(const struct xlx__shared *shared,
                             enum xlx__counter counter)
{
    return atomic_load(&shared->counter[counter]);
}

void xlx__shared_status(const struct xlx__shared *shared,
                        struct xlx_lazy_status *status)
{
    status->done = xlx__pages_done(shared->pages);
    status->held_back = xlx__pages_total(shared->pages);
    status->fault_pages = xlx__shared_counter(shared, XLX__FAULT_PAGES);
    status->fill_pages = xlx__shared_counter(shared, XLX__FILL_PAGES);
    status->prefetch_pages = xlx__shared_counter(shared, XLX__PREFETCH_PAGES);
    status->dropped = xlx__shared_counter(shared, XLX__DROPPED);
    status->pages_2m = xlx__shared_counter(shared, XLX__PAGES_2M);
    status->faults = xlx__shared_counter(shared, XLX__FAULTS);
    status->retries = xlx__shared_counter(shared, XLX__RETRIES);
    status->fault_us = xlx__shared_counter(shared, XLX__FAULT_US);
    status->fault_us_max = xlx__shared_counter(shared, XLX__FAULT_US_MAX);
    status->fill_us = xlx__shared_counter(shared, XLX__FILL_US);
    status->mark_us = xlx__shared_counter(shared, XLX__MARK_US);
    status->restarts = xlx__shared_counter(shared, XLX__SUCCESSORS);
    status->bwlimit = xlx__shared_bwlimit(shared);
    status->paused = xlx__shared_fill_paused(shared);
}

/* --- where the pager is --------------------------------------------------- */

void xlx__shared_set_started(struct xlx__shared *shared)
{
    atomic_store(&shared->started, true);
}

bool xlx__shared_started(const struct xlx__shared *shared)
{
    return atomic_load(&shared->started);
}

uint64_t xlx__shared_record_begun(struct xlx__shared *shared, uint64_t now)
{
    uint64_t begun = 0;
    return atomic_compare_exchange_strong(&shared->record_begun, &begun, now)
               ? now
               : begun;
}

void xlx__shared_doubt_pause(struct xlx__shared *shared, bool in_doubt)
{
    atomic_store(&shared->pause_in_doubt, in_doubt);
}

bool xlx__shared_pause_is_in_doubt(const struct xlx__shared *shared)
{
    return atomic_load(&shared->pause_in_doubt);
}

void xlx__shared_add_pauses(struct xlx__shared *shared, int nr)
{
    atomic_fetch_add(&shared->pauses, nr);
}

int xlx__shared_pauses(const struct xlx__shared *shared)
{
    return atomic_load(&shared->pauses);
}

/* --- what the operator wants of the backfill ------------------------------ */

void xlx__shared_change(struct xlx__shared *shared,
                        const struct xlx_lazy_change *change)
{
    if (change->set_bwlimit)
        atomic_store(&shared->bwlimit, change->bwlimit);
    if (change->fill == XLX_LAZY_FILL_PAUSE ||
        change->fill == XLX_LAZY_FILL_RESUME) {
        atomic_store(&shared->fill_paused, change->fill == XLX_LAZY_FILL_PAUSE);
        atomic_store(&shared->finish, false);
    }
    if (change->fill == XLX_LAZY_FILL_FINISH)
        atomic_store(&shared->finish, true);
}

uint64_t xlx__shared_bwlimit(const struct xlx__shared *shared)
{
    return atomic_load(&shared->bwlimit);
}

bool xlx__shared_fill_paused(const struct xlx__shared *shared)
{
    return atomic_load(&shared->fill_paused) && !atomic_load(&shared->finish);
}

bool xlx__shared_finish(const struct xlx__shared *shared)
{
    return atomic_load(&shared->finish);
}
