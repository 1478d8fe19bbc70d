/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * help: our commands in groups; under the name xl behind those of the
 * distribution's.
 */
#include "cmd_help.h"

#include <string.h>

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

/* --- the overview --------------------------------------------------------- */

static const struct group {
    const char *title;
    const char *words[6]; /* names; or, with a dash, how they begin */
} groups[] = {
    { "USB devices", { "usb-" } },
    { "Restore", { "restore", "lazy-" } },
    { "Save files", { "image-" } },
    { "Event channels", { "evtchn-" } },
    { "Commands of xl, for guests restored lazily or with USB devices",
      { "save", "migrate", "dump-core", "mem-set", "mem-max" } },
    { "This host", { "doctor", "install-front", "help", "version" } },
    { "Other names, as xl has them", { "usbdev-", "usbctrl-" } },
};

static bool is_word(const char *name, const char *word)
{
    size_t n = strlen(word);
    return word[n - 1] == '-' ? !strncmp(name, word, n) : !strcmp(name, word);
}

static bool is_in(const struct group *group, const char *name)
{
    size_t max = sizeof(group->words) / sizeof(group->words[0]);
    for (size_t i = 0; i < max && group->words[i]; i++)
        if (is_word(name, group->words[i]))
            return true;
    return false;
}

static void print_group(FILE *out, const struct group *group)
{
    fprintf(out, "\n%s:\n", group->title);
    for (const struct cmd *c = cmd_table; c->name; c++)
        if (is_in(group, c->name))
            fprintf(out, "  %-28s %s\n", c->name, c->summary);
}

/* No line begins with one blank: by that the completions know xl's own. */
static void print_overview(struct cmd_env *env, const char *title)
{
    fprintf(env->out, "%s\n", title);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        print_group(env->out, &groups[i]);
    fprintf(env->out, "\nMore: %s COMMAND --help, and xl-ext(1).\n",
            cmd_program(env));
}

static void print_usage(struct cmd_env *env)
{
    fprintf(env->out, "Usage: %s COMMAND [OPTIONS] ...\n\n", cmd_program(env));
    print_overview(env, "PVUSB, lazy restore and event channels for Xen "
                        "hosts.");
}

int cmd_help_front(struct cmd_env *env, char **argv)
{
    int status = cmd_run_command(env, argv);
    fputc('\n', env->out);
    print_overview(env, "libxl-ext adds to this xl:");
    return status;
}

/* --- the command ---------------------------------------------------------- */

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
        print_usage(env);
        return CMD_OK;
    }
    const struct cmd *c = cmd_find(opts.argv[0]);
    if (!c)
        return unknown_command(env, self, opts.argv[0]);
    cmd_print_help(env, c);
    return CMD_OK;
}
