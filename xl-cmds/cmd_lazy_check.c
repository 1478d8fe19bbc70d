/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * lazy-check: what this host can do for a lazy restore, and why.
 */
#include <string.h>

#include "cmd.h"
#include "cmd_lazy.h"
#include "json.h"

enum { OPT_CHECK_JSON };

const struct cmd_option cmd_lazy_check_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print JSON" }, { 0 }
};

const char cmd_lazy_check_details[] =
    "Returns 0 if this host can restore guests lazily, otherwise 1. Changes\n"
    "nothing. Without a hypervisor it prints one line that says so.\n";

static const char *answer_name(enum xlx_lazy_answer answer)
{
    static const char *const names[] = { [XLX_LAZY_NO] = "no",
                                         [XLX_LAZY_YES] = "yes",
                                         [XLX_LAZY_UNKNOWN] = "unknown" };
    return names[answer];
}

/* Without Xen nothing else was asked. */
static bool is_on_xen(const struct xlx_lazy_report *report)
{
    for (int i = 0; i < XLX_LAZY_FEATURES; i++)
        if (!strcmp(report->features[i].name, "xen"))
            return report->features[i].answer != XLX_LAZY_NO;
    return true;
}

static void print_features(FILE *out, const struct xlx_lazy_report *report)
{
    fprintf(out, "%-12s %-7s  %s\n", "FEATURE", "ANSWER",
            "WHAT IT IS FOR, OR WHAT TO DO");
    for (int i = 0; i < XLX_LAZY_FEATURES; i++) {
        const struct xlx_lazy_feature *f = &report->features[i];
        fprintf(out, "%-12s %-7s  %s\n", f->name, answer_name(f->answer),
                f->answer == XLX_LAZY_UNKNOWN ? "" : f->text);
    }
}

void cmd_lazy_print_report(FILE *out, const struct xlx_lazy_report *report)
{
    if (is_on_xen(report))
        print_features(out, report);
    if (report->possible)
        fputs("Guests can be restored lazily.\n", out);
    else
        fprintf(out, "Guests cannot be restored lazily: %s.\n", report->reason);
}

static int print_json(FILE *out, const struct xlx_lazy_report *report)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_bool(g, "possible", report->possible);
    json_text(g, "reason", report->reason);
    json_string(g, "features");
    yajl_gen_array_open(g);
    for (int i = 0; i < XLX_LAZY_FEATURES; i++) {
        const struct xlx_lazy_feature *f = &report->features[i];
        yajl_gen_map_open(g);
        json_text(g, "name", f->name);
        json_text(g, "answer", answer_name(f->answer));
        json_bool(g, "needed", f->needed);
        json_text(g, "text", f->text);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

int cmd_lazy_check(struct cmd_env *env, int argc, char **argv)
{
    struct xlx_lazy_report report;
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, cmd_find("lazy-check"), argc, argv, &opts,
                         &status))
        return status;

    xlx_lazy_report(&report);
    status = CMD_OK;
    if (opts.set[OPT_CHECK_JSON])
        status = print_json(env->out, &report);
    else
        cmd_lazy_print_report(env->out, &report);
    return status == CMD_OK && !report.possible ? CMD_FAILED : status;
}
