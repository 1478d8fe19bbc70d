/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * One run of the engine: the pager's process, whose child is the guest.
 */
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

void *shared_memory(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED, "mmap");
    return p;
}

static void prepare(struct xlx__pager *pager, const struct job *job)
{
    const struct contest *contest = job->contest;
    const struct record *record = job->record;
    size_t nr = contest->recorded && record ? record->nr : 0;
    struct xlx__policy *policy = NULL;
    if (job->records)
        xlx__recorder_set(xlx__pager_recorder(pager), XLX__RECORD_QUIET_US,
                          XLX__RECORD_MAX_US);
    if (contest->make) {
        policy = contest->make(contest, record ? record->range : NULL, nr,
                               job->options->pages, job->shared);
    } else if (nr) {
        struct xlx__gfn_range *copy = calloc(nr, sizeof(*copy));
        must(copy, "memory");
        memcpy(copy, record->range, nr * sizeof(*copy));
        xlx__backfill_set_recorded(xlx__pager_backfill(pager), copy, nr);
    }
    xlx__backfill_set_policy(xlx__pager_backfill(pager), policy,
                             contest->threads);
}

static void keep_record(const struct xlx__pager *pager, struct record *record)
{
    struct xlx__gfn_range *runs;
    size_t nr;
    must(!xlx__recorder_runs(xlx__pager_recorder(pager), &runs, &nr), "record");
    memcpy(record->range, runs, nr * sizeof(*runs));
    record->nr = nr;
    free(runs);
}

double cpu_ms_of(const struct rusage *use)
{
    return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) * 1e3 +
           (double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e3;
}

static double cpu_ms(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return cpu_ms_of(&use);
}

double peak_mib(void)
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

static void serve(xlx_ctx *ctx, struct xlx__pager *pager, const struct job *job,
                  int socket, uint64_t start, struct outcome *out)
{
    double cpu = cpu_ms();
    uint64_t begun = now_ns();
    atomic_store(&job->shared->begun, begun);
    if (job->contest->prefetch)
        must(!xlx__pager_prefetch(pager, UINT64_MAX, 3600000000), "prefetch");
    job->shared->early =
        xlx__pages_done(xlx__shared_pages(xlx__pager_shared(pager)));
    must(write(socket, "g", 1) == 1, "guest");
    int rc = xlx__pager_run(pager);
    if (rc) {
        fprintf(stderr, "lazy-uffd: %s: %s\n", job->contest->name,
                xlx_ctx_error(ctx));
        exit(1);
    }
    out->field[BEGIN] = (double)(begun - start) / 1e6;
    out->field[TOTAL] = (double)(now_ns() - begun) / 1e6;
    out->field[CPU] = cpu_ms() - cpu;
    out->field[RSS] = peak_mib();
    if (job->records)
        keep_record(pager, job->record);
}

void outcome_of_guest(struct outcome *outcome, const struct job *job)
{
    const struct shared *s = job->shared;
    double *field = outcome->field;
    if (s->wrong) {
        fprintf(stderr, "lazy-uffd: %s: %lu pages with wrong content\n",
                job->contest->name, (unsigned long)s->wrong);
        exit(1);
    }
    field[EARLY] = (double)s->early / 256;
    field[STALLS] = (double)s->stalls;
    field[P50] = (double)s->stall_p50 / 1e3;
    field[P99] = (double)s->stall_p99 / 1e3;
    field[WORST] = (double)s->stall_max / 1e3;
    field[STALL_SUM] = (double)s->stall_sum / 1e6;
    field[WS50] = (double)s->ws50 / 1e6;
    field[WS90] = (double)s->ws90 / 1e6;
    field[WS100] = (double)s->ws100 / 1e6;
}

static void pager_main(const struct job *job, struct outcome *out)
{
    int pair[2], status;
    must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    pid_t guest = fork();
    must(guest >= 0, "fork");
    if (!guest) {
        close(pair[0]);
        _exit(
            guest_main(pair[1], job->options->pages, job->trace, job->shared));
    }
    close(pair[1]);
    char *memory;
    int fd = guest_receive(pair[0], &memory);
    must(fd >= 0, "userfaultfd of the guest");

    xlx_ctx *ctx;
    xlx_image *image;
    struct xlx__pager *pager;
    uint64_t start = now_ns();
    must(!xlx_ctx_new(&ctx), "context");
    must(!xlx_image_open(ctx, job->options->image, &image), "image");
    struct paging_uffd *uffd =
        paging_uffd_new(ctx, fd, memory, job->options->pages);
    must(!xlx__pager_new(ctx, &uffd->base, image, NULL, 0, &pager), "pager");
    prepare(pager, job);
    must(!xlx__pager_start(pager, 0), "start");
    serve(ctx, pager, job, pair[0], start, out);
    must(write(pair[0], "c", 1) == 1, "guest");
    must(waitpid(guest, &status, 0) == guest && status == 0, "guest's end");
    outcome_of_guest(out, job);
    xlx__pager_free(pager);
    uffd->base.ops->close(&uffd->base);
    xlx_image_close(image);
    xlx_ctx_free(ctx);
}

struct outcome run(const struct job *job)
{
    struct outcome *out = shared_memory(sizeof(*out)), copy;
    int status;
    memset(job->shared, 0, sizeof(*job->shared));
    job->shared->stall_ns = job->options->stall_ns;
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
    return copy;
}
