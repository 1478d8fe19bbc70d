/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-list and lazy-wait: how far a lazily restored guest is.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "libxl_ext_lazy.h"

enum { OPT_LIST_JSON };

const struct cmd_option cmd_lazy_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "all numbers, as JSON" },
    { 0 }
};

const char cmd_lazy_list_details[] =
    "STATE is filling, stalled (reads fail: the guest is paused until they\n"
    "work again), complete, or failed (see REASON).\n";

enum { OPT_WAIT_QUIET };

const struct cmd_option cmd_lazy_wait_options[] = {
    { "quiet", 'q', CMD_NO_ARG, NULL, "no progress" },
    { 0 }
};

const char cmd_lazy_wait_details[] =
    "Returns 0 when all memory of the guest is present: then its save file may\n"
    "go, and it can be saved or migrated. Returns 1 when it failed. An\n"
    "interrupted wait changes nothing.\n"
    "\n"
    "Example:\n"
    "  xl restore --lazy guest.save && xl-ext lazy-wait guest\n";

static unsigned percent(const struct xlx_lazy_status *s)
{
    return s->held_back ? (unsigned)(s->done * 100 / s->held_back) : 100;
}

static void print_row(FILE *out, const struct xlx_lazy_status *s)
{
    fprintf(out, "%-6u %-9s %4u%% %10lu %10lu %8lu  %s%s%s\n", s->domid,
            xlx_lazy_state_name(s->state), percent(s),
            (unsigned long)s->held_back, (unsigned long)s->done,
            (unsigned long)s->faults, s->image, *s->reason ? ": " : "",
            s->reason);
}

static int print_json(FILE *out, const struct xlx_lazy_status *list, size_t nr)
{
    fputs("[", out);
    for (size_t i = 0; i < nr; i++) {
        char *json = xlx_lazy_status_json(&list[i]);
        if (!json)
            return CMD_FAILED;
        fprintf(out, "%s%s", i ? ",\n" : "", json);
        free(json);
    }
    fputs("]\n", out);
    return CMD_OK;
}

static void print_table(FILE *out, const struct xlx_lazy_status *list,
                        size_t nr)
{
    fprintf(out, "%-6s %-9s %5s %10s %10s %8s  %s\n", "DOMID", "STATE", "",
            "HELD-BACK", "PRESENT", "FAULTS", "IMAGE");
    for (size_t i = 0; i < nr; i++)
        print_row(out, &list[i]);
}

int cmd_lazy_list(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    int status;
    const struct cmd *self = cmd_find("lazy-list");
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc)
        return cmd_usage(env, self, "%s: takes no operand", opts.argv[0]);

    uint32_t *domids;
    int nr = xlx_lazy_list(env->ctx, &domids);
    if (nr < 0)
        return CMD_FAILED;
    struct xlx_lazy_status *list = calloc((size_t)nr + 1, sizeof(*list));
    size_t known = 0;
    for (int i = 0; list && i < nr; i++)
        if (!xlx_lazy_status(env->ctx, domids[i], &list[known]))
            known++;
    free(domids);
    if (!list)
        return CMD_FAILED;
    status = CMD_OK;
    if (opts.set[OPT_LIST_JSON])
        status = print_json(env->out, list, known);
    else
        print_table(env->out, list, known);
    free(list);
    return status;
}

/* --- lazy-wait ------------------------------------------------------------- */

static void show_progress(struct cmd_env *env, const struct xlx_lazy_status *s)
{
    fprintf(env->err, "\rdomain %u: %-8s %3u%% of %lu MiB, %lu faults ",
            s->domid, xlx_lazy_state_name(s->state), percent(s),
            (unsigned long)(s->held_back * XLX_PAGE_SIZE >> 20),
            (unsigned long)s->faults);
    fflush(env->err);
}

int cmd_wait_until_filled(struct cmd_env *env, const char *command,
                          uint32_t domid, bool progress)
{
    const struct timespec interval = { .tv_nsec = 100 * 1000000 };
    struct xlx_lazy_status s;
    progress = progress && isatty(fileno(env->err));
    for (;;) {
        if (xlx_lazy_status(env->ctx, domid, &s))
            return CMD_FAILED;
        if (progress)
            show_progress(env, &s);
        if (s.state != XLX_LAZY_FILLING && s.state != XLX_LAZY_STALLED)
            break;
        nanosleep(&interval, NULL);
    }
    if (progress)
        fputc('\n', env->err);
    if (s.state == XLX_LAZY_COMPLETE)
        return CMD_OK;
    fprintf(env->err, "%s: domain %u: %s: %s\n", command, domid,
            xlx_lazy_state_name(s.state), s.reason);
    return CMD_FAILED;
}

int cmd_lazy_wait(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    int status;
    uint32_t domid;
    const struct cmd *self = cmd_find("lazy-wait");
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 1)
        return cmd_usage(env, self, "takes one domain");
    if (xlx_domain_find(env->ctx, opts.argv[0], &domid))
        return CMD_FAILED;
    return cmd_wait_until_filled(env, self->name, domid,
                                 !opts.set[OPT_WAIT_QUIET]);
}
