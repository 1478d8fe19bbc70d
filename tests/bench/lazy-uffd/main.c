/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Usage: lazy-uffd [OPTION]... DIR
 * Every policy serves the same guests from an image made in DIR.
 *   --mib N        memory of the guest (default 64)
 *   --rounds N     medians of so many (default 1)
 *   --pattern NAME[,NAME]...   only these
 *   --policy NAME[,NAME]...    only these
 *   --criu         also CRIU itself (criu.c)
 *   --stall-us N   a first touch that takes as long had to wait (default 2)
 *   --json FILE    all medians
 *   --big GIB      instead: the pager's memory with a sparse image of that
 * size, as many touches recorded as can be and loaded first
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "fakes/paging_uffd.h"
#include "lazy/pager.h"

#define MAX_ROUNDS 64

static const char *const field_names[FIELDS] = {
    "begin_ms",      "early_mib",    "stalls",       "stall_p50_us",
    "stall_p99_us",  "stall_max_us", "stall_sum_ms", "ws50_ms",
    "ws90_ms",       "ws100_ms",     "total_ms",     "pager_cpu_ms",
    "pager_rss_mib",
};

/* --- rounds and tables ---------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct outcome median(const struct outcome *outcome, unsigned rounds)
{
    struct outcome m = { 0 };
    for (int f = 0; f < FIELDS; f++) {
        double value[MAX_ROUNDS];
        for (unsigned i = 0; i < rounds; i++)
            value[i] = outcome[i].field[f];
        qsort(value, rounds, sizeof(*value), by_value);
        m.field[f] = rounds % 2
                         ? value[rounds / 2]
                         : (value[rounds / 2 - 1] + value[rounds / 2]) / 2;
    }
    return m;
}

static void print_row(const char *name, const struct outcome *m)
{
    const double *f = m->field;
    printf("%-14s %8.1f %7.1f %7.0f %7.1f %7.1f %8.1f %8.1f %8.1f %8.1f %8.1f "
           "%6.1f\n",
           name, f[BEGIN], f[EARLY], f[STALLS], f[P50], f[P99], f[WS50],
           f[WS90], f[WS100], f[TOTAL], f[CPU], f[RSS]);
}

static void print_json(FILE *json, const char *pattern, bool cold,
                       const char *name, const struct outcome *m)
{
    static const char *before = "[";
    if (!json)
        return;
    fprintf(json, "%s\n{\"pattern\":\"%s\",\"cache\":\"%s\",\"policy\":\"%s\"",
            before, pattern, cold ? "cold" : "warm", name);
    for (int f = 0; f < FIELDS; f++)
        fprintf(json, ",\"%s\":%.3f", field_names[f], m->field[f]);
    fprintf(json, "}");
    before = ",";
}

static bool is_wanted(const char *only, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = only; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, len) && (!at[len] || at[len] == ','))
            return true;
    }
    return !only;
}

static bool takes_part(const struct options *o, const struct contest *contest)
{
    return is_wanted(o->policy, contest->name) &&
           (o->criu || !contest->is_criu);
}

/* All policies in turn, as often as there are rounds. */
static void compare(const struct options *o, enum pattern pattern, bool cold,
                    struct record *record, struct shared *shared,
                    const struct criu *criu, FILE *json)
{
    struct trace trace = trace_make(pattern, o->pages, 1);
    struct outcome(*outcome)[MAX_ROUNDS] =
        calloc(nr_contests, sizeof(*outcome));
    must(outcome, "memory");
    struct job job = { .options = o,
                       .contest = &contests[DEMAND],
                       .trace = &trace,
                       .shared = shared,
                       .record = record,
                       .records = true,
                       .cold = cold };
    run(&job);
    job.records = false;
    for (unsigned round = 0; round < o->rounds; round++) {
        for (size_t i = 0; i < nr_contests; i++) {
            job.contest = &contests[i];
            if (takes_part(o, job.contest))
                outcome[i][round] =
                    job.contest->is_criu ? criu_run(criu, &job) : run(&job);
        }
    }
    printf("\n%s, %s cache: %zu pages touched of %lu\n%-14s %8s %7s %7s %7s "
           "%7s %8s "
           "%8s %8s %8s %8s %6s\n",
           pattern_names[pattern], cold ? "cold" : "warm", trace.distinct,
           (unsigned long)o->pages, "", "begin ms", "there", "stalls", "p50 us",
           "p99 us", "50% ms", "90% ms", "100% ms", "all ms", "cpu ms", "MiB");
    for (size_t i = 0; i < nr_contests; i++) {
        if (!takes_part(o, &contests[i]))
            continue;
        struct outcome m = median(outcome[i], o->rounds);
        print_row(contests[i].name, &m);
        print_json(json, pattern_names[pattern], cold, contests[i].name, &m);
    }
    fflush(stdout);
    free(outcome);
    trace_free(&trace);
}

static void compare_all(const struct options *o)
{
    struct record *record = shared_memory(sizeof(*record));
    struct shared *shared = shared_memory(sizeof(*shared));
    FILE *json = NULL;
    if (o->json) {
        json = fopen(o->json, "we");
        must(json, o->json);
    }
    struct criu *criu = o->criu ? criu_new(o->dir, o->pages) : NULL;
    image_make(o->image, o->pages, false);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        if (!is_wanted(o->pattern, pattern_names[pattern]))
            continue;
        compare(o, (enum pattern)pattern, false, record, shared, criu, json);
        compare(o, (enum pattern)pattern, true, record, shared, criu, json);
    }
    criu_free(criu);
    if (json)
        must(fprintf(json, "\n]\n") > 0 && !fclose(json), o->json);
}

/* --- the memory that a big guest takes of the pager ----------------------- */

#define BIG_US 3000000u

static int big_main(const struct options *o)
{
    xlx_ctx *ctx;
    xlx_image *image;
    struct xlx__pager *pager;
    int null = memfd_create("nobody", MFD_CLOEXEC); /* no guest: no faults */
    must(null >= 0 && !xlx_ctx_new(&ctx), "context");
    must(!xlx_image_open(ctx, o->image, &image), "image");
    struct paging_uffd *uffd = paging_uffd_new(ctx, null, NULL, o->pages);
    uffd->discards = true;
    must(!xlx__pager_new(ctx, &uffd->base, image, NULL, 0, &pager), "pager");
    struct xlx__touches *touches =
        xlx__shared_touches(xlx__pager_shared(pager));
    struct xlx__gfn_range *recorded;
    size_t nr;
    for (uint64_t i = 0; i < XLX__TOUCHES_MAX; i++)
        xlx__touches_add(touches, i * 61 % o->pages);
    must(!xlx__touches_runs(touches, &recorded, &nr), "record");
    xlx__backfill_set_recorded(xlx__pager_backfill(pager), recorded, nr);
    must(!xlx__pager_start(pager, 0), "start");
    uint64_t begun = now_ns();
    must(!xlx__pager_prefetch(pager, UINT64_MAX, BIG_US), "fill");
    double took = (double)(now_ns() - begun) / 1e9;
    double gib =
        (double)xlx__pages_done(xlx__shared_pages(xlx__pager_shared(pager))) /
        (1 << 18);
    printf("%u GiB, sparse, %zu touches recorded: pager's peak %.1f MiB; %.1f "
           "GiB filled in %.1f s, no guest\n",
           o->big, nr, peak_mib(), gib, took);
    return 0;
}

static void measure_big(const struct options *o)
{
    int status;
    image_make(o->image, o->pages, true);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (!pid) {
        int rc = big_main(o);
        fflush(stdout);
        _exit(rc);
    }
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    unlink(o->image);
    if (status)
        exit(1);
}

/* --- options -------------------------------------------------------------- */

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || !value || value > max) {
        fprintf(stderr, "lazy-uffd: '%s': a number from 1 to %u\n", text, max);
        exit(1);
    }
    return (unsigned)value;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        { "mib", 1, NULL, 'm' },
        { "rounds", 1, NULL, 'r' },
        { "pattern", 1, NULL, 'p' },
        { "policy", 1, NULL, 'c' },
        { "json", 1, NULL, 'j' },
        { "big", 1, NULL, 'b' },
        { "stall-us", 1, NULL, 's' },
        { "criu", 0, NULL, 'u' },
        { 0 },
    };
    int c;
    *o = (struct options){ .pages = 64 << 8, .rounds = 1, .stall_ns = 2000 };
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'm':
            o->pages = (uint64_t)number(optarg, 3 << 10) << 8;
            break;
        case 'r':
            o->rounds = number(optarg, MAX_ROUNDS);
            break;
        case 'p':
            o->pattern = optarg;
            break;
        case 'c':
            o->policy = optarg;
            break;
        case 'j':
            o->json = optarg;
            break;
        case 'b':
            o->big = number(optarg, 256);
            break;
        case 's':
            o->stall_ns = number(optarg, 1000000) * 1000ull;
            break;
        case 'u':
            o->criu = true;
            break;
        default:
            return false;
        }
    }
    if (o->big)
        o->pages = (uint64_t)o->big << 18;
    if (optind != argc - 1)
        return false;
    o->dir = argv[optind];
    snprintf(o->image, sizeof(o->image), "%s/bench-lazy-image", o->dir);
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    char *memory;
    if (argc == 3 && !strcmp(argv[1], "--criu-guest"))
        return criu_guest_main(argv[2]);
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: lazy-uffd [--mib N] [--rounds N] [--pattern "
                        "NAMES] [--policy NAMES] [--stall-us N] [--criu] "
                        "[--json FILE] [--big GIB] DIR\n");
        return 1;
    }
    int fd = paging_uffd_memory(1, &memory);
    if (fd < 0) {
        printf("lazy-uffd: skipped, no userfaultfd here: %s\n", strerror(-fd));
        return 0;
    }
    close(fd);
    if (o.big)
        measure_big(&o);
    else
        compare_all(&o);
    unlink(o.image);
    return 0;
}
