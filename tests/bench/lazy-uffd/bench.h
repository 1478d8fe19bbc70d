/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The lazy engine without Xen: one process plays the guest, the engine fills
 * its memory from a synthetic save image by userfaultfd.
 */
#ifndef LAZY_UFFD_BENCH_H
#define LAZY_UFFD_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/resident.h"
#include "lazy/policy.h"
#include "lazy/touches.h"

/* --- traces.c ------------------------------------------------------------- */

enum pattern { SEQUENTIAL, RANDOM, ZIPF, CHASE, PATTERNS };

extern const char *const pattern_names[PATTERNS];

/* What the guest touches, in this order; the same for the same arguments. */
struct trace {
    uint32_t *gfn;
    size_t nr;
    size_t distinct; /* pages: the working set */
};

struct trace trace_make(enum pattern pattern, uint64_t pages, unsigned seed);
void trace_free(struct trace *trace);

/* --- guest.c -------------------------------------------------------------- */

/* Shared by pager and guest; times in nanoseconds, CLOCK_MONOTONIC. */
struct shared {
    _Atomic uint64_t begun; /* the pager began; the guest may run later */
    _Atomic bool touched;   /* the guest is through its trace */
    uint64_t early;         /* pages that were there when the guest first ran */
    uint64_t stall_ns;      /* a first touch that takes as long had to wait */
    uint64_t ws50, ws90, ws100; /* from `begun`: so much of the working set */
    uint64_t stalls, stall_p50, stall_p99, stall_max, stall_sum;
    uint64_t wrong; /* pages with wrong content */
};

/*
 * The guest's process: makes its memory, sends its userfaultfd and address over
 * `socket`, runs when a byte comes, checks all pages when the next comes.
 */
int guest_main(int socket, uint64_t pages, const struct trace *trace,
               struct shared *shared);

/* Its parts: what is in its memory, the touches, and all pages looked at. */
void guest_fill(char *memory, uint64_t pages);
void guest_touch(const char *memory, uint64_t pages, const struct trace *t,
                 struct shared *s);
void guest_check(const char *memory, uint64_t pages, struct shared *s);

/* The pager's end of that socket. */
int guest_receive(int socket, char **memory_r);

uint64_t now_ns(void);

/* --- image.c -------------------------------------------------------------- */

/* A save file of a guest of so many pages; sparse ones are holes. */
void image_make(const char *path, uint64_t pages, bool sparse);
void image_drop_from_cache(const char *path);

/* --- policies.c ----------------------------------------------------------- */

struct contest {
    const char *name;
    const char *what;
    /* NULL: the engine's own. */
    struct xlx__policy *(*make)(const struct contest *contest,
                                const struct xlx__gfn_range *recorded,
                                size_t nr_recorded, uint64_t pages,
                                const struct shared *shared);
    bool is_criu;  /* no policy: CRIU itself */
    bool recorded; /* is given a recorded working set */
    bool prefetch; /* and loads it before the guest runs */
    int threads;   /* of the backfill */
};

/* The place in `contests` of the one that brings nothing unasked. */
#define DEMAND 2

extern const struct contest contests[];
extern const size_t nr_contests;

/* --- serve.c -------------------------------------------------------------- */

/* What one run gives; all medians are taken field by field. */
enum field {
    BEGIN,
    EARLY,
    STALLS,
    P50,
    P99,
    WORST,
    STALL_SUM,
    WS50,
    WS90,
    WS100,
    TOTAL,
    CPU,
    RSS,
    FIELDS
};

struct outcome {
    double field[FIELDS];
};

struct options {
    const char *dir, *pattern, *policy, *json;
    char image[4096];
    uint64_t pages, stall_ns;
    unsigned rounds;
    unsigned big;
    bool criu;
};

/* The recorded set, in memory that outlives the process that recorded it. */
struct record {
    size_t nr;
    struct xlx__gfn_range range[XLX__TOUCHES_MAX];
};

struct job {
    const struct options *options;
    const struct contest *contest;
    const struct trace *trace;
    struct shared *shared;
    struct record *record; /* NULL: none */
    bool records;          /* writes it */
    bool cold;
};

/* A guest and its pager, each a process of its own. */
struct outcome run(const struct job *job);

/* What the guest noted; exits with a message when a page was wrong. */
void outcome_of_guest(struct outcome *outcome, const struct job *job);

/* Of this process: the most that was resident, in MiB. */
double peak_mib(void);

struct rusage;
double cpu_ms_of(const struct rusage *use);

void *shared_memory(size_t len);

/* --- criu.c --------------------------------------------------------------- */

/* A process of so many pages, dumped into a folder in `dir`. */
struct criu *criu_new(const char *dir, uint64_t pages);

/* It is restored and does what the job's guest does. */
struct outcome criu_run(const struct criu *criu, const struct job *job);

void criu_free(struct criu *criu);

/* What is dumped: `path` is of what it shares with its parent. */
int criu_guest_main(const char *path);

/* Exits with a message unless `ok`. */
void must(bool ok, const char *what);

#endif
