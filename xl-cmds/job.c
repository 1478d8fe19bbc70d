/* SPDX-License-Identifier: LGPL-2.1-only */
#include "job.h"

#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 100

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void job_begin(struct job *job, struct cmd_env *env, const char *name)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &job->was);
    job->env = env;
    job->name = name;
    job->shows = isatty(fileno(env->err));
    job->shown = false;
    job->next_ms = 0;
    job->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool job_progress(void *user, uint64_t done, uint64_t total)
{
    struct job *job = user;
    struct signalfd_siginfo signal;
    int64_t now = now_ms();
    if (job->shows && total && (now >= job->next_ms || done == total)) {
        fprintf(job->env->err, "\r%s: %3u%% of %lu MiB ", job->name,
                (unsigned)(done * 100 / total), (unsigned long)(total >> 8));
        fflush(job->env->err);
        job->shown = true;
        job->next_ms = now + INTERVAL_MS;
    }
    return job->signals < 0 || read(job->signals, &signal, sizeof(signal)) < 0;
}

void job_clear(struct job *job)
{
    if (job->shown)
        fputs("\r\033[K", job->env->err);
    job->shown = false;
}

void job_end(struct job *job)
{
    job_clear(job);
    if (job->signals >= 0)
        close(job->signals);
    sigprocmask(SIG_SETMASK, &job->was, NULL);
}
