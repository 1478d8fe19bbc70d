/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Options and help from the rows of the table.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "nearest.h"

/* Values of getopt_long() for options without a letter. */
enum { LONG_BASE = 256, LONG_HELP = LONG_BASE + CMD_MAX_OPTIONS };

struct getopt_tables {
    struct option longs[CMD_MAX_OPTIONS + 2];
    char shorts[3 * CMD_MAX_OPTIONS + 4];
};

static int getopt_arg(enum cmd_arg has_arg)
{
    switch (has_arg) {
    case CMD_NEEDS_ARG:
        return required_argument;
    case CMD_MAY_HAVE_ARG:
        return optional_argument;
    default:
        return no_argument;
    }
}

static void make_tables(const struct cmd *cmd, struct getopt_tables *t)
{
    char *s = t->shorts;
    int n = 0;

    memset(t, 0, sizeof(*t));
    if (cmd->claims)
        *s++ = '+'; /* stop at the first operand */
    *s++ = ':';     /* report nothing on stderr */
    *s++ = 'h';
    for (const struct cmd_option *o = cmd->options; o && o->name; o++, n++) {
        t->longs[n] = (struct option){ o->name, getopt_arg(o->has_arg), NULL,
                                       LONG_BASE + n };
        if (!o->letter)
            continue;
        *s++ = o->letter;
        if (o->has_arg == CMD_NEEDS_ARG)
            *s++ = ':';
    }
    t->longs[n] = (struct option){ "help", no_argument, NULL, LONG_HELP };
}

static int index_of_letter(const struct cmd *cmd, int letter)
{
    for (int i = 0; cmd->options && cmd->options[i].name; i++)
        if (cmd->options[i].letter == letter)
            return i;
    return -1;
}

/* "--wiat=5" may have meant --wait. */
const char *cmd_near_option(const struct cmd *cmd, const char *arg)
{
    const char *words[CMD_MAX_OPTIONS + 2] = { "help" };
    char name[64];
    int n = 1;
    if (strncmp(arg, "--", 2))
        return NULL;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    for (const struct cmd_option *o = cmd->options; o && o->name; o++)
        words[n++] = o->name;
    for (int i = 0; i < n; i++)
        if (!strcmp(words[i], name))
            return NULL;
    return cmd_nearest_of(name, words);
}

void cmd_hint_options(struct cmd_env *env, const struct cmd *cmd, char **argv)
{
    for (char **a = argv; *a && strcmp(*a, "--"); a++) {
        const char *near = cmd_near_option(cmd, *a);
        if (near)
            fprintf(env->err, "%s: %s: did you mean --%s?\n", cmd->name, *a,
                    near);
    }
}

static int unknown_option(struct cmd_env *env, const struct cmd *cmd,
                          const char *arg)
{
    const char *near = cmd_near_option(cmd, arg);
    if (near)
        return cmd_usage(env, cmd, "%s: no such option: did you mean --%s?",
                         arg, near);
    return cmd_usage(env, cmd, "%s: no such option", arg);
}

/* `c` is what getopt_long() said of it, `arg` what it stopped at. */
static int wrong_option(struct cmd_env *env, const struct cmd *cmd, int c,
                        const char *arg)
{
    if (c == ':')
        return cmd_usage(env, cmd, "%s: the option needs an argument", arg);
    if (optopt >= LONG_BASE)
        return cmd_usage(env, cmd, "%s: the option takes no argument", arg);
    if (optopt) /* of "-xyz", which may be in the next argument by now */
        return cmd_usage(env, cmd, "-%c: no such option", optopt);
    return unknown_option(env, cmd, arg);
}

bool cmd_parse(struct cmd_env *env, const struct cmd *cmd, int argc,
               char **argv, struct cmd_opts *opts, int *status)
{
    struct getopt_tables tables;
    make_tables(cmd, &tables);
    memset(opts, 0, sizeof(*opts));

    optind = 0; /* glibc: forget the previous scan */
    int c;
    while ((c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) !=
           -1) {
        if (c == 'h' || c == LONG_HELP) {
            cmd_print_help(env, cmd);
            *status = CMD_OK;
            return false;
        }
        int i = c >= LONG_BASE ? c - LONG_BASE : index_of_letter(cmd, c);
        if (c == '?' || c == ':' || i < 0) {
            *status = wrong_option(env, cmd, c, argv[optind - 1]);
            return false;
        }
        opts->set[i] = true;
        opts->arg[i] = optarg;
    }
    opts->argc = argc - optind;
    opts->argv = argv + optind;
    return true;
}

bool cmd_parse_alone(struct cmd_env *env, const struct cmd *cmd, int argc,
                     char **argv, struct cmd_opts *opts, int *status)
{
    if (!cmd_parse(env, cmd, argc, argv, opts, status))
        return false;
    if (!opts->argc)
        return true;
    *status = cmd_usage(env, cmd, "%s: takes no operand", opts->argv[0]);
    return false;
}

int cmd_usage(struct cmd_env *env, const struct cmd *cmd, const char *fmt, ...)
{
    va_list ap;
    fprintf(env->err, "%s: ", cmd->name);
    va_start(ap, fmt);
    vfprintf(env->err, fmt, ap);
    va_end(ap);
    fprintf(env->err, "\nSee: %s %s --help\n", cmd_program(env), cmd->name);
    return CMD_USAGE;
}

#define LINE_MAX_WIDTH 80

void cmd_print_wrapped(FILE *out, unsigned at, unsigned indent,
                       const char *text)
{
    for (bool first = true; *text; first = false) {
        unsigned word = (unsigned)strcspn(text, " ");
        if (!first && at + 1 + word > LINE_MAX_WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", (int)word, text);
        at += word;
        text += word + strspn(text + word, " ");
    }
    fputc('\n', out);
}

#define OPTION_WIDTH 25 /* of what stands before its help */

static void print_option(FILE *out, const struct cmd_option *o)
{
    char left[64];
    const char *argh = o->argh ? o->argh : "ARG";
    int n = o->letter
                ? snprintf(left, sizeof(left), "-%c, --%s", o->letter, o->name)
                : snprintf(left, sizeof(left), "--%s", o->name);
    if (o->has_arg == CMD_NEEDS_ARG)
        snprintf(left + n, sizeof(left) - n, "=%s", argh);
    else if (o->has_arg == CMD_MAY_HAVE_ARG)
        snprintf(left + n, sizeof(left) - n, "[=%s]", argh);
    n = fprintf(out, "  %-22s ", left);
    cmd_print_wrapped(out, (unsigned)n, OPTION_WIDTH, o->help);
}

/* Each "xl-ext " in the details becomes the name we were called by. */
static void print_details(struct cmd_env *env, const char *text)
{
    static const char ours[] = "xl-ext ";
    const char *at;
    for (; (at = strstr(text, ours)); text = at + strlen(ours))
        fprintf(env->out, "%.*s%s ", (int)(at - text), text, cmd_program(env));
    fputs(text, env->out);
}

void cmd_print_help(struct cmd_env *env, const struct cmd *cmd)
{
    FILE *out = env->out;
    int n = fprintf(out, "Usage: %s %s ", cmd_program(env), cmd->name);
    cmd_print_wrapped(out, (unsigned)n, 7, cmd->args);
    fprintf(out, "\n%s.\n", cmd->summary);
    if (cmd->details) {
        fputc('\n', out);
        print_details(env, cmd->details);
    }
    fprintf(out, "\nOptions:\n");
    for (const struct cmd_option *o = cmd->options; o && o->name; o++)
        print_option(out, o);
    fprintf(out, "  %-22s %s\n", "-h, --help", "show this help");
}

bool cmd_read_number(const char *text, uint32_t min, uint32_t max,
                     uint32_t *value)
{
    if (!*text || strlen(text) > 9 ||
        strspn(text, "0123456789") != strlen(text))
        return false;
    unsigned long n = strtoul(text, NULL, 10);
    *value = (uint32_t)n;
    return n >= min && n <= max;
}

const char *cmd_value_of(const char *arg, const char *key)
{
    size_t n = strlen(key);
    return !strncmp(arg, key, n) && arg[n] == '=' ? arg + n + 1 : NULL;
}
