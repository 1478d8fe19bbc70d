/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-wait, lazy-finish, and the wait before save, migrate and dump-core.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_lazy.h"

enum { OPT_WAIT_QUIET };

const struct cmd_option cmd_lazy_wait_options[] = {
    { "quiet", 'q', CMD_NO_ARG, NULL, "no progress" }, { 0 }
};

const char cmd_lazy_wait_details[] =
    "Returns 0 when all memory of the guest is present: then you may delete\n"
    "its save file, and save or migrate the guest. Returns 1 if the restore\n"
    "failed. Interrupting the command changes nothing.\n"
    "\n"
    "Example:\n"
    "  xl-ext restore --lazy guest.save && xl-ext lazy-wait guest\n";

const char cmd_lazy_finish_details[] =
    "Loads all memory of the guest as fast as possible, whatever lazy-set\n"
    "set, and waits as lazy-wait does. Interrupting the command does not stop\n"
    "the loading.\n";

/* --- progress ------------------------------------------------------------- */

#define BAR 30

struct progress {
    bool shown;
    struct timespec begun;
    uint64_t done; /* at the beginning */
};

static double seconds_since(const struct timespec *begun)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun->tv_sec) +
           (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

static void show_rate(FILE *err, const struct progress *p,
                      const struct xlx_lazy_status *s)
{
    double took = seconds_since(&p->begun);
    double rate = took > 0.5 && s->done > p->done
                      ? (double)(s->done - p->done) / took
                      : 0;
    if (rate <= 0)
        return;
    uint64_t left = (uint64_t)((double)(s->held_back - s->done) / rate);
    fprintf(err, " %.0f MiB/s %lu:%02lu left", rate * XLX_PAGE_SIZE / (1 << 20),
            (unsigned long)(left / 60), (unsigned long)(left % 60));
}

static void show(FILE *err, struct progress *p, const struct xlx_lazy_status *s)
{
    char bar[BAR + 1];
    if (!p->shown) {
        clock_gettime(CLOCK_MONOTONIC, &p->begun);
        p->done = s->done;
        p->shown = true;
    }
    cmd_lazy_bar(s, bar, BAR);
    fprintf(err, "\r\033[Kdomain %u: [%s] %u%% of %lu MiB", s->domid, bar,
            cmd_lazy_percent(s),
            (unsigned long)(s->held_back * XLX_PAGE_SIZE >> 20));
    if (s->state == XLX_LAZY_STALLED)
        fprintf(err, " stalled: %s", s->reason);
    else if (*s->reason)
        fprintf(err, " %s", s->reason);
    else if (s->paused)
        fprintf(err, " paused");
    else
        show_rate(err, p, s);
    fflush(err);
}

/* Where there is no bar, so that nobody waits without a message. */
static void say_reason(FILE *err, const char *command, char *said, size_t size,
                       const struct xlx_lazy_status *s)
{
    if (*s->reason && strcmp(s->reason, said))
        fprintf(err, "%s: domain %u: %s: %s\n", command, s->domid,
                xlx_lazy_state_name(s->state), s->reason);
    snprintf(said, size, "%s", s->reason);
}

/* --- waiting -------------------------------------------------------------- */

/* A pager that does not listen yet, or one that died, will a moment later. */
static int ask_to_finish(struct cmd_env *env, uint32_t domid, bool *asked)
{
    const struct xlx_lazy_change finish = { .fill = XLX_LAZY_FILL_FINISH };
    int rc = *asked ? 0
                    : xlx_lazy_set(env->ctx, domid, &finish, sizeof(finish),
                                   NULL, 0);
    *asked = !rc;
    return rc == -ENOTCONN ? 0 : rc;
}

static bool is_going_on(const struct xlx_lazy_status *s)
{
    return s->state == XLX_LAZY_FILLING || s->state == XLX_LAZY_STALLED;
}

int cmd_wait_until_filled(struct cmd_env *env, const char *command,
                          uint32_t domid, enum cmd_wait how)
{
    const struct timespec interval = { .tv_nsec = 100 * 1000000 };
    bool bar = !(how & CMD_WAIT_QUIET) && isatty(fileno(env->err));
    bool asked = !(how & CMD_WAIT_FINISH);
    struct progress progress = { 0 };
    char said[sizeof(((struct xlx_lazy_status *)0)->reason)] = "";
    struct xlx_lazy_status s;
    for (;;) {
        /* Without it nothing tells that memory is complete. */
        if (xlx_lazy_status(env->ctx, domid, &s, sizeof(s)))
            return CMD_FAILED;
        if (bar)
            show(env->err, &progress, &s);
        if (!is_going_on(&s))
            break;
        if (!bar)
            say_reason(env->err, command, said, sizeof(said), &s);
        if (ask_to_finish(env, domid, &asked))
            return CMD_FAILED;
        nanosleep(&interval, NULL);
    }
    if (bar)
        fputc('\n', env->err);
    if (s.state == XLX_LAZY_COMPLETE)
        return CMD_OK;
    fprintf(env->err, "%s: domain %u: %s: %s\n", command, domid,
            xlx_lazy_state_name(s.state), s.reason);
    return CMD_FAILED;
}

static int wait_command(struct cmd_env *env, int argc, char **argv,
                        const char *name, enum cmd_wait how)
{
    struct cmd_opts opts;
    int status;
    uint32_t domid;
    const struct cmd *self = cmd_find(name);
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 1)
        return cmd_usage(env, self, "takes one domain");
    if (cmd_find_domain(env, opts.argv[0], &domid))
        return CMD_FAILED;
    if (opts.set[OPT_WAIT_QUIET])
        how |= CMD_WAIT_QUIET;
    return cmd_wait_until_filled(env, self->name, domid, how);
}

int cmd_lazy_wait(struct cmd_env *env, int argc, char **argv)
{
    return wait_command(env, argc, argv, "lazy-wait", 0);
}

int cmd_lazy_finish(struct cmd_env *env, int argc, char **argv)
{
    return wait_command(env, argc, argv, "lazy-finish", CMD_WAIT_FINISH);
}
