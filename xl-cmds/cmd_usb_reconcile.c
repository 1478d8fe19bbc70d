/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-reconcile: once, or in the foreground until a signal comes.
 */
#include <string.h>

#include "cmd.h"
#include "follow.h"
#include "json.h"
#include "libxl_ext_usb.h"

#define MAX_WAIT 3600u

enum { OPT_WATCH, OPT_JSON, OPT_WAIT };

const struct cmd_option cmd_usb_reconcile_options[] = {
    { "watch", 'W', CMD_NO_ARG, NULL,
      "go on, whenever something comes or goes, until SIGTERM or SIGINT" },
    { "json", 'j', CMD_NO_ARG, NULL, "print a line of JSON for each device" },
    { "wait", 'w', CMD_NEEDS_ARG, "SECONDS",
      "how long guest and backend may take for a device (default 40)" },
    { 0 }
};

const char cmd_usb_reconcile_details[] =
    "Attaches what usb-assign wrote down and is plugged in, and frees the ports\n"
    "of devices that were unplugged, to the guests that run. Prints a line for\n"
    "each device; what fails does not stop the others. The exit status is 1\n"
    "when something failed, or is required and missing.\n"
    "\n"
    "With --watch it prints what changes, and tries again what fails, after\n"
    "1 s at first and 5 min at most. Only one such command runs on a host; the\n"
    "service libxl-ext-usb is one.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-reconcile\n"
    "  xl-ext usb-reconcile guest --json\n"
    "  xl-ext usb-reconcile --watch\n";

/* --- telling -------------------------------------------------------------- */

static bool has_place(const struct xlx_usb_report *r)
{
    return r->outcome <= XLX_USB_FREED && r->place.hc != XLX_USB_ANY;
}

static void print_text(FILE *out, const struct xlx_usb_report *r)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    cmd_escape(r->guest, name);
    if (*name)
        fprintf(out, "guest %s: ", name);
    else
        fprintf(out, "domain %u: ", r->domid);
    if (*r->busid)
        fprintf(out, "usb %s: ", r->busid);
    fputs(xlx_usb_outcome_name(r->outcome), out);
    if (has_place(r))
        fprintf(out, ", controller %u port %u", r->place.hc, r->place.port);
    if (*r->reason)
        fprintf(out, ": %s", r->reason);
    if (r->wish && r->wish->required && r->outcome > XLX_USB_FREED)
        fprintf(out, " (required)");
    fputc('\n', out);
}

static void put_wish(yajl_gen g, const struct xlx_usb_wish *wish)
{
    json_id(g, "vendor_id", wish->identity.vendor);
    json_id(g, "product_id", wish->identity.product);
    json_text(g, "serial", wish->identity.serial);
    json_bool(g, "required", wish->required);
}

static void print_json(FILE *out, const struct xlx_usb_report *r)
{
    yajl_gen g = json_open(out);
    if (!g)
        return;
    yajl_gen_config(g, yajl_gen_beautify, 0);
    yajl_gen_map_open(g);
    json_string(g, "outcome");
    json_string(g, xlx_usb_outcome_name(r->outcome));
    json_text(g, "guest", r->guest);
    json_number(g, "domid", r->domid);
    json_text(g, "busid", r->busid);
    if (has_place(r)) {
        json_number(g, "controller", r->place.hc);
        json_number(g, "port", r->place.port);
    }
    json_text(g, "reason", r->reason);
    if (r->wish)
        put_wish(g, r->wish);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    fputc('\n', out);
}

struct printer {
    FILE *out;
    bool json;
    unsigned told;
};

static void tell(void *user, const struct xlx_usb_report *report)
{
    struct printer *p = user;
    p->told++;
    if (p->json)
        print_json(p->out, report);
    else
        print_text(p->out, report);
    fflush(p->out); /* somebody may be following it */
}

/* --- once, and on --------------------------------------------------------- */

static int once(struct cmd_env *env,
                const struct xlx_usb_reconcile_config *config,
                struct printer *printer)
{
    if (xlx_usb_reconcile(env->ctx, config, tell, printer))
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
                     struct printer *printer)
{
    struct follow follow;
    xlx_usb_watch *watch = NULL;
    int status = CMD_FAILED;
    if (follow_begin(&follow) &&
        !xlx_usb_watch_new(env->ctx, config, tell, printer, &watch))
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
        return cmd_usage(env, self, "one domain at most: %s", self->args);
    if (arg && !cmd_read_number(arg, 1, MAX_WAIT, &wait))
        return cmd_usage(env, self, "--wait=%s: 1 to %u seconds", arg,
                         MAX_WAIT);
    config.guest = opts.argc ? opts.argv[0] : NULL;
    config.timeout_ms = (int)(wait * 1000);
    struct printer printer = { env->out, opts.set[OPT_JSON], 0 };
    return opts.set[OPT_WATCH] ? watch_all(env, &config, &printer)
                               : once(env, &config, &printer);
}
