/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A long job of a command: progress on a terminal, and an end without loss when
 * it is interrupted.
 */
#ifndef CMD_JOB_H
#define CMD_JOB_H

#include <signal.h>

#include "cmd.h"

struct job {
    struct cmd_env *env;
    const char *name; /* of the command */
    bool shows;       /* progress */
    bool shown;       /* a line of it stands on the terminal */
    int64_t next_ms;  /* when the line is written again */
    int signals;      /* SIGINT and SIGTERM, or -1 */
    sigset_t was;
};

/* From here on SIGINT and SIGTERM only end the job. */
void job_begin(struct job *job, struct cmd_env *env, const char *name);

/* As xlx_image_progress_fn(), with the job as `user`. */
bool job_progress(void *job, uint64_t done, uint64_t total);

/* Takes the line of progress away, where others are to be printed. */
void job_clear(struct job *job);

void job_end(struct job *job);

#endif
