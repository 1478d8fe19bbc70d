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
static bool is_on_xen(const xlx_lazy_report *report)
{
    const struct xlx_lazy_feature *f;
    for (unsigned i = 0; (f = xlx_lazy_report_feature(report, i)); i++)
        if (!strcmp(f->name, "xen"))
            return f->answer != XLX_LAZY_NO;
    return true;
}

static void print_features(FILE *out, const xlx_lazy_report *report)
{
    const struct xlx_lazy_feature *f;
    fprintf(out, "%-12s %-7s  %s\n", "FEATURE", "ANSWER",
            "WHAT IT IS FOR, OR WHAT TO DO");
    for (unsigned i = 0; (f = xlx_lazy_report_feature(report, i)); i++)
        fprintf(out, "%-12s %-7s  %s\n", f->name, answer_name(f->answer),
                f->answer == XLX_LAZY_UNKNOWN ? "" : f->text);
}

void cmd_lazy_print_report(FILE *out, const xlx_lazy_report *report)
{
    const char *reason = xlx_lazy_report_reason(report);
    if (is_on_xen(report))
        print_features(out, report);
    if (reason)
        fprintf(out, "Guests cannot be restored lazily: %s.\n", reason);
    else
        fputs("Guests can be restored lazily.\n", out);
}

static int print_json(FILE *out, const xlx_lazy_report *report)
{
    const struct xlx_lazy_feature *f;
    const char *reason = xlx_lazy_report_reason(report);
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_bool(g, "possible", !reason);
    json_text(g, "reason", reason ? reason : "");
    json_string(g, "features");
    yajl_gen_array_open(g);
    for (unsigned i = 0; (f = xlx_lazy_report_feature(report, i)); i++) {
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
    xlx_lazy_report *report;
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, cmd_find("lazy-check"), argc, argv, &opts,
                         &status))
        return status;

    if (xlx_lazy_report_new(&report)) {
        fputs("error: no memory\n", env->err);
        return CMD_FAILED;
    }
    if (opts.set[OPT_CHECK_JSON])
        status = print_json(env->out, report);
    else
        cmd_lazy_print_report(env->out, report);
    if (xlx_lazy_report_reason(report))
        status = CMD_FAILED;
    xlx_lazy_report_free(report);
    return status;
}
