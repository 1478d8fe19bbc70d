/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Usage: lazy-uffd [OPTION]... DIR
 * Every policy serves the same guests from an image made in DIR.
 *   --mib N        memory of the guest (default 64)
 *   --rounds N     medians of so many (default 1)
 *   --pattern NAME, --policy NAME   only this one
 *   --json FILE    all medians
 *   --big GIB      instead: the pager's memory with a sparse image of that size,
 *                  as many touches recorded as can be and loaded first
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "fakes/paging_uffd.h"
#include "lazy/pager.h"

#define MAX_ROUNDS 64

/* What one run gives; all medians are taken field by field. */
enum field {
    STALLS, P50, P99, WORST, STALL_SUM, WS50, WS90, WS100, TOTAL, CPU, RSS,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    "stalls", "stall_p50_us", "stall_p99_us", "stall_max_us", "stall_sum_ms",
    "ws50_ms", "ws90_ms", "ws100_ms", "total_ms", "pager_cpu_ms",
    "pager_rss_mib",
};

struct outcome {
    double field[FIELDS];
    uint64_t wrong;
};

struct options {
    const char *dir, *pattern, *policy, *json;
    char image[4096];
    uint64_t pages;
    unsigned rounds;
    unsigned big;
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

static void *shared_memory(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED, "mmap");
    return p;
}

/* --- the pager's process -------------------------------------------------- */

static void prepare(struct xlx__pager *pager, const struct job *job)
{
    const struct contest *contest = job->contest;
    const struct record *record = job->record;
    size_t nr = contest->recorded && record ? record->nr : 0;
    pager->fill.threads = contest->threads;
    pager->recording = job->records;
    if (contest->make) {
        pager->fill.policy =
            contest->make(contest, record ? record->range : NULL, nr,
                          job->options->pages, job->shared);
    } else if (nr) {
        pager->recorded = calloc(nr, sizeof(*pager->recorded));
        must(pager->recorded, "memory");
        memcpy(pager->recorded, record->range, nr * sizeof(*pager->recorded));
        pager->nr_recorded = nr;
    }
}

static void keep_record(const struct xlx__pager *pager, struct record *record)
{
    struct xlx__gfn_range *runs;
    size_t nr;
    must(!xlx__touches_runs(pager->touches, &runs, &nr), "record");
    memcpy(record->range, runs, nr * sizeof(*runs));
    record->nr = nr;
    free(runs);
}

static double cpu_ms(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

/* The most that was resident, in MiB. */
static double peak_mib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    must(status, "/proc/self/status");
    while (fgets(line, sizeof(line), status))
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    fclose(status);
    return (double)kib / 1024;
}

static void serve(struct xlx__pager *pager, const struct job *job, int socket,
                  struct outcome *out)
{
    double cpu = cpu_ms();
    uint64_t begun = now_ns();
    atomic_store(&job->shared->begun, begun);
    if (job->contest->prefetch)
        must(!xlx__pager_prefetch(pager, UINT64_MAX, 3600000000), "prefetch");
    must(write(socket, "g", 1) == 1, "guest");
    int rc = xlx__pager_run(pager);
    if (rc) {
        fprintf(stderr, "lazy-uffd: %s: %s\n", job->contest->name,
                xlx_ctx_error(pager->ctx));
        exit(1);
    }
    out->field[TOTAL] = (double)(now_ns() - begun) / 1e6;
    out->field[CPU] = cpu_ms() - cpu;
    out->field[RSS] = peak_mib();
    if (job->records)
        keep_record(pager, job->record);
}

static struct outcome of_guest(const struct shared *s, struct outcome out)
{
    out.field[STALLS] = (double)s->stalls;
    out.field[P50] = (double)s->stall_p50 / 1e3;
    out.field[P99] = (double)s->stall_p99 / 1e3;
    out.field[WORST] = (double)s->stall_max / 1e3;
    out.field[STALL_SUM] = (double)s->stall_sum / 1e6;
    out.field[WS50] = (double)s->ws50 / 1e6;
    out.field[WS90] = (double)s->ws90 / 1e6;
    out.field[WS100] = (double)s->ws100 / 1e6;
    out.wrong = s->wrong;
    return out;
}

static void pager_main(const struct job *job, struct outcome *out)
{
    int pair[2], status;
    must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    pid_t guest = fork();
    must(guest >= 0, "fork");
    if (!guest) {
        close(pair[0]);
        _exit(guest_main(pair[1], job->options->pages, job->trace,
                         job->shared));
    }
    close(pair[1]);
    char *memory;
    int fd = guest_receive(pair[0], &memory);
    must(fd >= 0, "userfaultfd of the guest");

    xlx_ctx *ctx;
    xlx_image *image;
    struct xlx__pager *pager;
    must(!xlx_ctx_new(&ctx), "context");
    must(!xlx_image_open(ctx, job->options->image, &image), "image");
    struct paging_uffd *uffd =
        paging_uffd_new(ctx, fd, memory, job->options->pages);
    must(!xlx__pager_new(ctx, &uffd->base, image, NULL, 0, &pager), "pager");
    prepare(pager, job);
    must(!xlx__pager_start(pager, 0), "start");
    serve(pager, job, pair[0], out);
    must(write(pair[0], "c", 1) == 1, "guest");
    must(waitpid(guest, &status, 0) == guest && status == 0, "guest's end");
    *out = of_guest(job->shared, *out);
    xlx__pager_free(pager);
    uffd->base.ops->close(&uffd->base);
    xlx_image_close(image);
    xlx_ctx_free(ctx);
}

static struct outcome run(const struct job *job)
{
    struct outcome *out = shared_memory(sizeof(*out)), copy;
    int status;
    memset(job->shared, 0, sizeof(*job->shared));
    if (job->cold)
        image_drop_from_cache(job->options->image);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (!pid) {
        pager_main(job, out);
        _exit(0);
    }
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    if (status)
        exit(1);
    copy = *out;
    munmap(out, sizeof(*out));
    if (copy.wrong) {
        fprintf(stderr, "lazy-uffd: %s: %lu pages with wrong content\n",
                job->contest->name, (unsigned long)copy.wrong);
        exit(1);
    }
    return copy;
}

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
        m.field[f] = rounds % 2 ? value[rounds / 2]
                                : (value[rounds / 2 - 1] + value[rounds / 2]) /
                                      2;
    }
    return m;
}

static void print_row(const char *name, const struct outcome *m)
{
    const double *f = m->field;
    printf("%-14s %7.0f %7.1f %7.1f %8.1f %8.1f %8.1f %8.1f %8.1f %6.1f\n",
           name, f[STALLS], f[P50], f[P99], f[WS50], f[WS90], f[WS100],
           f[TOTAL], f[CPU], f[RSS]);
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
    return !only || !strcmp(only, name);
}

/* All policies in turn, as often as there are rounds. */
static void compare(const struct options *o, enum pattern pattern, bool cold,
                    struct record *record, struct shared *shared, FILE *json)
{
    struct trace trace = trace_make(pattern, o->pages, 1);
    struct outcome (*outcome)[MAX_ROUNDS] =
        calloc(nr_contests, sizeof(*outcome));
    must(outcome, "memory");
    struct job job = { .options = o, .contest = &contests[DEMAND],
                       .trace = &trace, .shared = shared, .record = record,
                       .records = true, .cold = cold };
    run(&job);
    job.records = false;
    for (unsigned round = 0; round < o->rounds; round++) {
        for (size_t i = 0; i < nr_contests; i++) {
            job.contest = &contests[i];
            if (is_wanted(o->policy, contests[i].name))
                outcome[i][round] = run(&job);
        }
    }
    printf("\n%s, %s cache: %zu pages touched of %lu\n%-14s %7s %7s %7s %8s "
           "%8s %8s %8s %8s %6s\n",
           pattern_names[pattern], cold ? "cold" : "warm", trace.distinct,
           (unsigned long)o->pages, "", "stalls", "p50 us", "p99 us", "50% ms",
           "90% ms", "100% ms", "all ms", "cpu ms", "MiB");
    for (size_t i = 0; i < nr_contests; i++) {
        if (!is_wanted(o->policy, contests[i].name))
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
    image_make(o->image, o->pages, false);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        if (!is_wanted(o->pattern, pattern_names[pattern]))
            continue;
        compare(o, (enum pattern)pattern, false, record, shared, json);
        compare(o, (enum pattern)pattern, true, record, shared, json);
    }
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
    for (uint64_t i = 0; i < XLX__TOUCHES_MAX; i++)
        xlx__touches_add(pager->touches, i * 61 % o->pages);
    must(!xlx__touches_runs(pager->touches, &pager->recorded,
                            &pager->nr_recorded),
         "record");
    must(!xlx__pager_start(pager, 0), "start");
    uint64_t begun = now_ns();
    must(!xlx__pager_prefetch(pager, UINT64_MAX, BIG_US), "fill");
    double took = (double)(now_ns() - begun) / 1e9;
    double gib = (double)xlx__pages_done(pager->pages) / (1 << 18);
    printf("%u GiB, sparse, %zu touches recorded: pager's peak %.1f MiB; %.1f "
           "GiB filled in %.1f s, no guest\n",
           o->big, pager->nr_recorded, peak_mib(), gib, took);
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
        { "mib", 1, NULL, 'm' },     { "rounds", 1, NULL, 'r' },
        { "pattern", 1, NULL, 'p' }, { "policy", 1, NULL, 'c' },
        { "json", 1, NULL, 'j' },    { "big", 1, NULL, 'b' },
        { 0 },
    };
    int c;
    *o = (struct options){ .pages = 64 << 8, .rounds = 1 };
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'm': o->pages = (uint64_t)number(optarg, 3 << 10) << 8; break;
        case 'r': o->rounds = number(optarg, MAX_ROUNDS); break;
        case 'p': o->pattern = optarg; break;
        case 'c': o->policy = optarg; break;
        case 'j': o->json = optarg; break;
        case 'b': o->big = number(optarg, 256); break;
        default: return false;
        }
    }
    if (o->big)
        o->pages = (uint64_t)o->big << 18;
    if (optind != argc - 1)
        return false;
    snprintf(o->image, sizeof(o->image), "%s/bench-lazy-image", argv[optind]);
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    char *memory;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: lazy-uffd [--mib N] [--rounds N] [--pattern "
                        "NAME] [--policy NAME] [--json FILE] [--big GIB] "
                        "DIR\n");
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
