/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-reconcile: once, or in the foreground until a signal comes.
 */
#include "cmd_usb.h"
#include "follow.h"

#define MAX_WAIT 3600u

enum { OPT_WATCH, OPT_JSON, OPT_WAIT };

const struct cmd_option cmd_usb_reconcile_options[] = {
    { "watch", 'W', CMD_NO_ARG, NULL,
      "keep running and act on each change, until SIGTERM or SIGINT" },
    { "json", 'j', CMD_NO_ARG, NULL, "print a line of JSON for each device" },
    { "wait", 'w', CMD_NEEDS_ARG, "SECONDS",
      "how long guest and backend may take for a device (default 40)" },
    { 0 }
};

const char cmd_usb_reconcile_details[] =
    "Attaches the devices that are assigned (usb-assign) and plugged in to\n"
    "the guests that run, and frees the ports of devices that were unplugged.\n"
    "Prints a line for each device; a failure does not stop the others. The\n"
    "exit status is 1 if something failed, or is required and missing.\n"
    "\n"
    "With --watch it prints what changes, and repeats what failed, after 1 s\n"
    "at first and 5 min at most. Only one such command runs on a host; the\n"
    "service libxl-ext-usb is one.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-reconcile\n"
    "  xl-ext usb-reconcile guest --json\n"
    "  xl-ext usb-reconcile --watch\n";

/* --- once, and on --------------------------------------------------------- */

static int once(struct cmd_env *env,
                const struct xlx_usb_reconcile_config *config,
                struct usb_printer *printer)
{
    if (xlx_usb_reconcile(env->ctx, config, sizeof(*config), usb_report_print,
                          printer))
        return CMD_FAILED;
    if (!printer->told && !printer->json)
        fprintf(env->err, "nothing is assigned to a guest that runs\n");
    return CMD_OK;
}

static int dispatch(void *watch)
{
    return xlx_usb_watch_dispatch(watch);
}

static int watch_all(struct cmd_env *env,
                     const struct xlx_usb_reconcile_config *config,
                     struct usb_printer *printer)
{
    struct follow follow;
    xlx_usb_watch *watch = NULL;
    int status = CMD_FAILED;
    if (follow_begin(&follow) && !usb_watch_confine() &&
        !xlx_usb_watch_new(env->ctx, config, sizeof(*config), usb_report_print,
                           printer, &watch))
        status = follow_run(&follow, xlx_usb_watch_fd(watch), dispatch, watch);
    xlx_usb_watch_free(watch);
    follow_end(&follow);
    return status;
}

int cmd_usb_reconcile(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct xlx_usb_reconcile_config config = { 0 };
    struct cmd_opts opts;
    uint32_t wait = 0;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    const char *arg = opts.arg[OPT_WAIT];
    if (opts.argc > 1)
        return cmd_usage(env, self, "takes one domain at most: %s", self->args);
    if (arg && !cmd_read_number(arg, 1, MAX_WAIT, &wait))
        return cmd_usage(env, self, "--wait=%s: not 1 to %u seconds", arg,
                         MAX_WAIT);
    config.guest = opts.argc ? opts.argv[0] : NULL;
    config.timeout_ms = (int)(wait * 1000);
    struct usb_printer printer = { env->out, opts.set[OPT_JSON], 0 };
    return opts.set[OPT_WATCH] ? watch_all(env, &config, &printer)
                               : once(env, &config, &printer);
}
