/* SPDX-License-Identifier: LGPL-2.1-only */
#include "cmd.h"
#include "cmd_complete.h"

/* Rows of help's options in the table. */
enum { OPT_COMMANDS, OPT_OPTIONS, OPT_COMPLETE };

static int print_options(struct cmd_env *env, const char *name)
{
    const struct cmd *c = cmd_find(name);
    if (!c)
        return CMD_FAILED;
    fprintf(env->out, "--help\n");
    for (const struct cmd_option *o = c->options; o && o->name; o++)
        fprintf(env->out, "--%s%s\n", o->name,
                o->has_arg == CMD_NEEDS_ARG ? "=" : "");
    return CMD_OK;
}

static void print_names(FILE *out)
{
    for (const struct cmd *c = cmd_table; c->name; c++)
        fprintf(out, "%s\n", c->name);
}

static void print_overview(struct cmd_env *env)
{
    FILE *out = env->out;
    fprintf(out,
            "Usage: %s COMMAND [OPTIONS] ...\n\n"
            "PVUSB, lazy restore and event channels for Xen hosts.\n\n"
            "Commands:\n",
            cmd_program(env));
    for (const struct cmd *c = cmd_table; c->name; c++)
        fprintf(out, "  %-22s %s\n", c->name, c->summary);
    fprintf(out, "\nMore: %s COMMAND --help, and xl-ext(1).\n",
            cmd_program(env));
}

static int unknown_command(struct cmd_env *env, const struct cmd *self,
                           const char *name)
{
    const char *near = cmd_nearest(name);
    if (near)
        return cmd_usage(env, self, "%s: no such command: did you mean %s?",
                         name, near);
    return cmd_usage(env, self, "%s: no such command", name);
}

int cmd_help(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find("help");
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;

    if (opts.set[OPT_COMPLETE]) {
        cmd_complete(env, opts.argc, opts.argv);
        return CMD_OK;
    }
    if (opts.set[OPT_OPTIONS])
        return print_options(env, opts.arg[OPT_OPTIONS]);
    if (opts.set[OPT_COMMANDS]) {
        print_names(env->out);
        return CMD_OK;
    }
    if (opts.argc == 0) {
        print_overview(env);
        return CMD_OK;
    }
    const struct cmd *c = cmd_find(opts.argv[0]);
    if (!c)
        return unknown_command(env, self, opts.argv[0]);
    cmd_print_help(env, c);
    return CMD_OK;
}

