/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * doctor: does libxl-ext work on this host, as text and as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "libxl_ext_doctor.h"

enum { OPT_DOCTOR_JSON };

const struct cmd_option cmd_doctor_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print JSON" }, { 0 }
};

const char cmd_doctor_details[] =
    "One line for each check of this host, and for each USB controller of the\n"
    "guests that run. STATE is\n"
    "  ok        it is there\n"
    "  missing   something does not work without it: the line says what to do\n"
    "  optional  only some commands need it, or need more than there is\n"
    "  unknown   it could not be found out, in most cases for lack of root\n"
    "Returns 0 when nothing is missing, else 1. Changes nothing. On a host\n"
    "without Xen, and in a guest, it prints one line that says so.\n"
    "\n"
    "Examples:\n"
    "  xl-ext doctor\n"
    "  xl-ext doctor --json\n";

struct listing {
    FILE *out;
    yajl_gen json; /* NULL: text */
    bool headed;
};

/* --- text ----------------------------------------------------------------- */

static bool stops_all(const struct xlx_doctor_finding *f)
{
    return f->state == XLX_DOCTOR_MISSING && !strcmp(f->check, "xen");
}

/* A guest without a name is known by its domid. */
static void print_guest(FILE *out, const struct xlx_doctor_finding *f)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    cmd_escape(f->guest, name);
    if (!f->domid)
        fprintf(out, "%-10s", "-");
    else if (*name)
        fprintf(out, "%-10s", name);
    else
        fprintf(out, "%-10u", f->domid);
}

static void print_line(void *user, const struct xlx_doctor_finding *f)
{
    struct listing *l = user;
    char *text = malloc(4 * strlen(f->text) + 1);
    if (text)
        cmd_escape(f->text, text);
    if (stops_all(f)) {
        fprintf(l->out, "%s\n", text ? text : "no memory");
        free(text);
        return;
    }
    if (!l->headed)
        fprintf(l->out, "%-18s %-10s%-9s %s\n", "CHECK", "GUEST", "STATE",
                "WHAT IS THERE, OR WHAT TO DO");
    l->headed = true;
    fprintf(l->out, "%-18s ", f->check);
    print_guest(l->out, f);
    fprintf(l->out, "%-9s %s\n", xlx_doctor_state_name(f->state),
            text ? text : "no memory");
    free(text);
}

static int print_text(struct cmd_env *env)
{
    struct listing l = { .out = env->out };
    int missing = xlx_doctor(env->ctx, print_line, &l);
    if (missing > 0)
        fprintf(env->out, "%d missing.\n", missing);
    else if (!missing)
        fprintf(env->out, "Nothing is missing.\n");
    return missing ? CMD_FAILED : CMD_OK;
}

/* --- JSON ----------------------------------------------------------------- */

static void put_finding(void *user, const struct xlx_doctor_finding *f)
{
    yajl_gen g = ((struct listing *)user)->json;
    yajl_gen_map_open(g);
    json_text(g, "check", f->check);
    json_text(g, "state", xlx_doctor_state_name(f->state));
    if (f->domid) {
        json_number(g, "domid", f->domid);
        json_text(g, "guest", f->guest);
    }
    json_text(g, "text", f->text);
    yajl_gen_map_close(g);
}

static int print_json(struct cmd_env *env)
{
    struct listing l = { .json = json_open(env->out) };
    if (!l.json)
        return CMD_FAILED;
    yajl_gen_map_open(l.json);
    json_string(l.json, "findings");
    yajl_gen_array_open(l.json);
    int missing = xlx_doctor(env->ctx, put_finding, &l);
    yajl_gen_array_close(l.json);
    json_bool(l.json, "works", missing == 0);
    yajl_gen_map_close(l.json);
    yajl_gen_free(l.json);
    return missing ? CMD_FAILED : CMD_OK;
}

int cmd_doctor(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, cmd_find("doctor"), argc, argv, &opts, &status))
        return status;
    return opts.set[OPT_DOCTOR_JSON] ? print_json(env) : print_text(env);
}
