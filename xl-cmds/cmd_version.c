/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * version: of libxl-ext, of the Xen it was built for, and of the one that runs.
 */
#include "cmd.h"
#include "json.h"

enum { OPT_VERSION_JSON };

const struct cmd_option cmd_version_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print JSON" }, { 0 }
};

const char cmd_version_details[] =
    "If the two releases of Xen differ, the hypervisor may refuse what the\n"
    "commands ask of it: between an upgrade and the reboot, for example.\n";

static const char *not_running(xlx_ctx *ctx)
{
    return xlx_on_xen(ctx) ? "running on Xen of an unknown version"
                           : "not running on Xen";
}

static void print_lines(struct cmd_env *env, const char *running)
{
    fprintf(env->out, "libxl-ext %s\nbuilt for Xen %s\n", xlx_version(),
            xlx_xen_built_for());
    if (running)
        fprintf(env->out, "running on Xen %s\n", running);
    else
        fprintf(env->out, "%s\n", not_running(env->ctx));
}

static int print_json(struct cmd_env *env, const char *running)
{
    yajl_gen g = json_open(env->out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_text(g, "libxl_ext", xlx_version());
    json_text(g, "built_for", xlx_xen_built_for());
    if (running) {
        json_text(g, "running", running);
    } else {
        json_string(g, "running");
        yajl_gen_null(g);
    }
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

int cmd_version(struct cmd_env *env, int argc, char **argv)
{
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, cmd_find("version"), argc, argv, &opts, &status))
        return status;

    const char *running = xlx_xen_running(env->ctx);
    if (opts.set[OPT_VERSION_JSON])
        return print_json(env, running);
    print_lines(env, running);
    return CMD_OK;
}
