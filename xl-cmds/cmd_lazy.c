/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-list: how far the lazily restored guests are.
 */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"
#include "cmd_lazy.h"
#include "libxl_ext_lazy.h"

enum { OPT_LIST_JSON };

const struct cmd_option cmd_lazy_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print all numbers as JSON" }, { 0 }
};

const char cmd_lazy_list_details[] =
    "STATE is filling; paused (by lazy-set: only pages that the guest touches\n"
    "are loaded); stalled (the guest is paused, because reads of pages that\n"
    "it waits for fail, until they succeed); complete; or failed. The text\n"
    "behind the image describes a problem. Pages that cannot be read do no\n"
    "harm until the guest touches one.\n";

static void print_row(FILE *out, const struct xlx_lazy_status *s)
{
    const char *state = s->state == XLX_LAZY_FILLING && s->paused
                            ? "paused"
                            : xlx_lazy_state_name(s->state);
    char image[sizeof(s->image) * 4], reason[sizeof(s->reason) * 4];
    cmd_escape(s->image, image);
    cmd_escape(s->reason, reason);
    fprintf(out, "%-6u %-9s %4u%% %10lu %10lu %8lu  %s%s%s\n", s->domid, state,
            cmd_lazy_percent(s), (unsigned long)s->held_back,
            (unsigned long)s->done, (unsigned long)s->faults, image,
            *reason ? ": " : "", reason);
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
    fprintf(out, "%-6s %-9s %5s %10s %10s %8s  %s\n", "DOMID", "STATE", "DONE",
            "WITHHELD", "PRESENT", "FAULTS", "IMAGE");
    for (size_t i = 0; i < nr; i++)
        print_row(out, &list[i]);
}

int cmd_lazy_list(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, cmd_find("lazy-list"), argc, argv, &opts,
                         &status))
        return status;

    uint32_t *domids;
    int nr = xlx_lazy_list(env->ctx, &domids);
    if (nr < 0)
        return CMD_FAILED;
    struct xlx_lazy_status *list = calloc((size_t)nr + 1, sizeof(*list));
    size_t known = 0;
    bool all = true;
    for (int i = 0; list && i < nr; i++) {
        int rc = xlx_lazy_status(env->ctx, domids[i], &list[known]);
        known += !rc;
        all &= !rc || rc == -ENOENT; /* it went meanwhile */
    }
    free(domids);
    if (!list)
        return CMD_FAILED;
    status = CMD_OK;
    if (opts.set[OPT_LIST_JSON])
        status = print_json(env->out, list, known);
    else
        print_table(env->out, list, known);
    free(list);
    return all ? status : CMD_FAILED;
}
