/* SPDX-License-Identifier: LGPL-2.1-only */
#include "lazy/recorder.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"

struct xlx__recorder {
    struct xlx__shared *shared;
    bool set;
    uint64_t quiet_us, max_us;
    uint64_t begun; /* xlx__now_us() */
    /* Written by the fault thread, which never waits for the backfill. */
    _Atomic uint64_t last_touch; /* xlx__now_us() */
};

struct xlx__recorder *xlx__recorder_new(struct xlx__shared *shared)
{
    struct xlx__recorder *recorder = calloc(1, sizeof(*recorder));
    if (recorder)
        recorder->shared = shared;
    return recorder;
}

void xlx__recorder_free(struct xlx__recorder *recorder)
{
    free(recorder);
}

void xlx__recorder_reset(struct xlx__recorder *recorder)
{
    *recorder = (struct xlx__recorder){ .shared = recorder->shared };
}

void xlx__recorder_set(struct xlx__recorder *recorder, uint64_t quiet_us,
                       uint64_t max_us)
{
    recorder->set = true;
    recorder->quiet_us = quiet_us;
    recorder->max_us = max_us;
}

bool xlx__recorder_is_set(const struct xlx__recorder *recorder)
{
    return recorder->set;
}

void xlx__recorder_begin(struct xlx__recorder *recorder)
{
    recorder->begun = xlx__now_us();
    xlx__shared_record_begun(recorder->shared, recorder->begun);
}

void xlx__recorder_touch(struct xlx__recorder *recorder, uint64_t gfn)
{
    if (!recorder->set)
        return;
    xlx__touches_add(xlx__shared_touches(recorder->shared), gfn);
    atomic_store(&recorder->last_touch, xlx__now_us());
}

bool xlx__recorder_holds_back(const struct xlx__recorder *recorder)
{
    struct xlx__shared *shared = recorder->shared;
    if (!recorder->set || xlx__shared_finish(shared) ||
        xlx__shared_has_all(shared))
        return false;
    uint64_t now = xlx__now_us();
    uint64_t last = atomic_load(&recorder->last_touch);
    if (last < recorder->begun)
        last = recorder->begun;
    return now - xlx__shared_record_begun(shared, now) < recorder->max_us &&
           now < last + recorder->quiet_us;
}

int xlx__recorder_runs(const struct xlx__recorder *recorder,
                       struct xlx__gfn_range **runs_r, size_t *nr_r)
{
    return xlx__touches_runs(xlx__shared_touches(recorder->shared), runs_r,
                             nr_r);
}

size_t xlx__recorder_count(const struct xlx__recorder *recorder)
{
    return xlx__touches_count(xlx__shared_touches(recorder->shared));
}
