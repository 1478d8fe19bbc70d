/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xl-ext COMMAND ..., and the same program under the name xl, which takes our
 * commands and passes on every other call.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd_help.h"
#include "nearest.h"

static void print_log(void *user, enum xlx_log_level level, const char *text)
{
    static const char *const prefix[] = {
        [XLX_LOG_ERROR] = "error: ",
        [XLX_LOG_WARN] = "warning: ",
        [XLX_LOG_INFO] = "",
        [XLX_LOG_DEBUG] = "debug: ",
    };
    struct cmd_env *env = user;
    fflush(env->out);
    fprintf(env->err, "%s%s\n", prefix[level], text);
}

static bool is_front(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    return !strcmp(slash ? slash + 1 : argv0, "xl");
}

/* Of xl's commands only xl's own help tells all. */
static bool is_only_ours(const struct cmd *cmd)
{
    return cmd && !cmd->claims && cmd->run != cmd_guard && cmd->run != cmd_help;
}

/* xl has a help of its own: `xl help` is both, `xl help COMMAND` whosever the
 * command is. */
static bool is_help_ours(int argc, char **argv)
{
    return argc == 1 || (argc == 2 && is_only_ours(cmd_find(argv[1])));
}

static bool is_ours(const struct cmd *cmd, int argc, char **argv, bool front)
{
    if (!cmd)
        return false;
    if (cmd->claims)
        return cmd->claims(argc, argv);
    return !front || cmd->run != cmd_help || is_help_ours(argc, argv);
}

static int run(struct cmd_env *env, const struct cmd *cmd, int argc,
               char **argv, bool front)
{
    if (front && cmd->run == cmd_help && argc == 1)
        return cmd_help_front(env, argv);
    return cmd->run(env, argc, argv);
}

/* Splits xl's global options (all without arguments) from the command. */
static int first_operand(int argc, char **argv)
{
    int i = 1;
    while (i < argc && argv[i][0] == '-')
        i++;
    return i;
}

static int unknown_command(struct cmd_env *env, const char *name)
{
    const char *near = cmd_nearest(name);
    fprintf(env->err, "%s: %s: no such command", cmd_program(env), name);
    if (near)
        fprintf(env->err, ": did you mean %s?", near);
    fprintf(env->err, "\nSee: %s help\n", cmd_program(env));
    return CMD_USAGE;
}

/* The distribution's xl may have a command that we have not heard of, but not
 * in a family of ours: what it will say of this one does not help. */
static void hint_at_ours(struct cmd_env *env, const char *name)
{
    static const char *const families[] = { "usb-", "lazy-", "image-",
                                            "evtchn-" };
    const char *near = cmd_nearest(name);
    for (size_t i = 0; near && i < sizeof(families) / sizeof(families[0]); i++)
        if (!strncmp(name, families[i], strlen(families[i])) &&
            !strncmp(near, families[i], strlen(families[i])))
            fprintf(env->err, "xl: %s: did you mean %s?\n", name, near);
}

static int unknown_option(struct cmd_env *env, const char *arg)
{
    static const char *const words[] = { "--help", "--version", NULL };
    const char *near = cmd_nearest_of(arg, words);
    fprintf(env->err, "xl-ext: %s: no such option", arg);
    if (near)
        fprintf(env->err, ": did you mean %s?", near);
    fprintf(env->err, "\nSee: xl-ext help\n");
    return CMD_USAGE;
}

/* xl-ext, or xl-ext --option. */
static int without_command(struct cmd_env *env, const char *option)
{
    char *help[] = { "help", NULL };
    bool asked = option && (!strcmp(option, "--help") || !strcmp(option, "-h"));
    if (option && !strcmp(option, "--version"))
        return cmd_version(env, 1, help);
    if (option && !asked)
        return unknown_option(env, option);
    if (!asked)
        env->out = env->err;
    cmd_help(env, 1, help);
    return asked ? CMD_OK : CMD_USAGE;
}

static int dispatch(struct cmd_env *env, int argc, char **argv, bool front)
{
    int at = first_operand(argc, argv);
    if (!front && at == argc)
        return without_command(env, argv[1]);

    const struct cmd *cmd = at < argc ? cmd_find(argv[at]) : NULL;
    if (is_ours(cmd, argc - at, argv + at, front)) {
        char **global = calloc((size_t)at, sizeof(*global));
        if (!global)
            return CMD_FAILED;
        memcpy(global, argv + 1, (size_t)(at - 1) * sizeof(*global));
        env->global = global;
        int status = run(env, cmd, argc - at, argv + at, front);
        free(global);
        return status;
    }
    if (front && !cmd && at < argc)
        hint_at_ours(env, argv[at]);
    if (cmd)
        cmd_hint_options(env, cmd, argv + at + 1);
    if (front || cmd)
        return cmd_hand_on(env, argv);
    return unknown_command(env, argv[at]);
}

int main(int argc, char **argv)
{
    struct cmd_env env = { .out = stdout, .err = stderr };
    if (xlx_ctx_new(&env.ctx)) {
        fprintf(stderr, "xl-ext: no memory\n");
        return CMD_FAILED;
    }
    bool debug = getenv("XL_EXT_DEBUG") != NULL;
    xlx_ctx_set_log(env.ctx, print_log, &env,
                    debug ? XLX_LOG_DEBUG : XLX_LOG_INFO);

    bool front = argc && is_front(argv[0]);
    env.name = front ? "xl" : NULL;
    int status = dispatch(&env, argc, argv, front);
    xlx_ctx_free(env.ctx);
    if (fflush(stdout) && status == CMD_OK) {
        fprintf(stderr, "%s: cannot write the output\n", cmd_program(&env));
        status = CMD_FAILED;
    }
    return status;
}
