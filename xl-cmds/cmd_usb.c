/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-attach, usb-detach, usb-hc-create, usb-hc-destroy. Their options and help
 * texts are in cmd_usb_help.c, usb-list is in cmd_usb_list.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_usb.h"
#include "cmd_usb_help.h"
#include "json.h"

#define DEFAULT_WAIT (XLX_USB_TIMEOUT_MS / 1000u)
#define MAX_WAIT 3600u
#define DEVICE_MAX 192 /* vendor:product:serial, and room */

struct call {
    const struct cmd *cmd;
    struct cmd_opts opts;
    uint32_t domid;
    int timeout_ms;
};

/* Options, number of operands, and the domain, which comes first. */
static bool start(struct cmd_env *env, int argc, char **argv, int min, int max,
                  struct call *call, int *status)
{
    uint32_t wait = DEFAULT_WAIT;
    call->cmd = cmd_find(argv[0]);
    if (!cmd_parse(env, call->cmd, argc, argv, &call->opts, status))
        return false;
    const char *arg = call->opts.arg[OPT_WAIT];
    if (arg && !cmd_read_number(arg, 1, MAX_WAIT, &wait))
        *status = cmd_usage(env, call->cmd, "--wait=%s: not 1 to %u seconds",
                            arg, MAX_WAIT);
    else if (call->opts.argc < min)
        *status =
            cmd_usage(env, call->cmd, "too few arguments: %s", call->cmd->args);
    else if (call->opts.argc > max)
        *status = cmd_usage(env, call->cmd, "%s: too many arguments: %s",
                            call->opts.argv[max], call->cmd->args);
    else if (cmd_find_domain(env, call->opts.argv[0], &call->domid))
        *status = CMD_FAILED;
    else {
        call->timeout_ms = (int)(wait * 1000);
        return true;
    }
    return false;
}

struct key {
    const char *name;
    uint32_t min, max;
    uint32_t *value;
};

/* Reads key=value operands from number `first` on. 0, or an exit status. */
static int read_keys(struct cmd_env *env, const struct call *call, int first,
                     const struct key *keys)
{
    for (int i = first; i < call->opts.argc; i++) {
        const char *arg = call->opts.argv[i], *value = NULL;
        const struct key *k = keys;
        while (k->name && !(value = cmd_value_of(arg, k->name)))
            k++;
        if (!k->name)
            return cmd_usage(env, call->cmd, "%s: no such argument: %s", arg,
                             call->cmd->args);
        if (!cmd_read_number(value, k->min, k->max, k->value))
            return cmd_usage(env, call->cmd, "%s: not a number from %u to %u",
                             arg, k->min, k->max);
    }
    return 0;
}

static unsigned flags_of(const struct call *call)
{
    return (call->opts.set[OPT_DRY_RUN] ? XLX_USB_DRY_RUN : 0) |
           (call->opts.set[OPT_FORCE] ? XLX_USB_FORCE : 0);
}

/* What attach and detach can be told, in any of their forms. */
struct target {
    char device[DEVICE_MAX]; /* "" for none */
    struct xlx_usb_place place;
};

static bool is_plain(const char *arg)
{
    return !strchr(arg, '=');
}

/* xm's form: numbers without keys. 0, or an exit status. */
static int read_xm_place(struct cmd_env *env, const struct call *call,
                         struct target *t)
{
    char **arg = call->opts.argv;
    if (!cmd_read_number(arg[1], 0, UINT16_MAX, &t->place.hc))
        return cmd_usage(env, call->cmd, "%s: not the number of a controller",
                         arg[1]);
    if (!cmd_read_number(arg[2], 1, XLX_USB_PORTS_MAX, &t->place.port))
        return cmd_usage(env, call->cmd, "%s: a port, 1 to %u", arg[2],
                         XLX_USB_PORTS_MAX);
    return 0;
}

/* Takes an argument out of the operands. */
static void take_operand(struct call *call, int at)
{
    for (int i = at; i < call->opts.argc; i++)
        call->opts.argv[i] = call->opts.argv[i + 1];
    call->opts.argc--;
}

/* xl's form names the device by two numbers, and its only type. */
static int read_place(struct cmd_env *env, struct call *call, int first,
                      struct target *t)
{
    uint32_t bus = 0, address = 0;
    const struct key keys[] = {
        { "controller", 0, UINT16_MAX, &t->place.hc },
        { "port", 1, XLX_USB_PORTS_MAX, &t->place.port },
        { "hostbus", 1, 999, &bus },
        { "hostaddr", 1, 999, &address },
        { 0 },
    };
    for (int i = first; i < call->opts.argc; i++)
        if (!strcmp(call->opts.argv[i], "type=hostdev"))
            take_operand(call, i--);
    int status = read_keys(env, call, first, keys);
    if (!status && !bus != !address)
        status =
            cmd_usage(env, call->cmd, "hostbus= and hostaddr= need each other");
    if (!status && bus && t->device[0])
        status = cmd_usage(env, call->cmd, "two devices: %s and %u.%u",
                           t->device, bus, address);
    if (!status && bus)
        snprintf(t->device, sizeof(t->device), "%u.%u", bus, address);
    return status;
}

/* DEVICE [KEY=VALUE]... | KEY=VALUE... | DEVID PORT [DEVICE]. 0, or an exit
 * status. */
static int read_target(struct cmd_env *env, struct call *call, struct target *t)
{
    char **arg = call->opts.argv;
    int nr = call->opts.argc, plain = 1;
    *t = (struct target){ .place = { XLX_USB_ANY, XLX_USB_ANY } };
    while (plain < nr && is_plain(arg[plain]))
        plain++;
    bool xm = plain == nr && (nr == 3 || nr == 4);
    const char *device =
        xm ? (nr == 4 ? arg[3] : "") : (plain > 1 ? arg[1] : "");
    if (strlen(device) >= sizeof(t->device))
        return cmd_usage(env, call->cmd, "%.32s...: not a device's name",
                         device);
    strcpy(t->device, device);
    return xm ? read_xm_place(env, call, t)
              : read_place(env, call, plain > 1 ? 2 : 1, t);
}

/* What an `auto` controller has become. */
static const char *type_of(xlx_ctx *ctx, uint32_t domid, uint32_t devid)
{
    struct xlx_usb_hc *list = NULL;
    enum xlx_usb_type type = XLX_USB_AUTO;
    int nr = xlx_usb_list(ctx, domid, &list, sizeof(*list));
    for (int i = 0; i < nr; i++)
        if (list[i].devid == devid)
            type = list[i].type;
    free(list);
    return xlx_usb_type_name(type);
}

static void put_place(yajl_gen g, const struct xlx_usb_place *place)
{
    if (place->hc != XLX_USB_ANY)
        json_number(g, "controller", place->hc);
    json_number(g, "port", place->port);
}

static int print_attached(struct cmd_env *env, const struct call *call,
                          const char *busid, const struct xlx_usb_place *got)
{
    yajl_gen g = json_open(env->out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_text(g, "busid", busid);
    json_number(g, "domid", call->domid);
    put_place(g, got);
    if (got->hc != XLX_USB_ANY)
        json_text(g, "type", type_of(env->ctx, call->domid, got->hc));
    json_bool(g, "dry_run", call->opts.set[OPT_DRY_RUN]);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

static int attach_hub(struct cmd_env *env, const struct call *call,
                      const struct target *hub)
{
    struct usb_printer printer = { env->out, call->opts.set[ATTACH_JSON], 0 };
    return xlx_usb_attach_hub(env->ctx, call->domid, hub->device, &hub->place,
                              flags_of(call), call->timeout_ms,
                              usb_report_print, &printer)
               ? CMD_FAILED
               : CMD_OK;
}

int cmd_usb_attach(struct cmd_env *env, int argc, char **argv)
{
    struct call call;
    struct target t;
    struct xlx_usb_place got;
    char busid[XLX_USB_BUSID_MAX];
    int status;
    if (!start(env, argc, argv, 2, 6, &call, &status))
        return status;
    status = read_target(env, &call, &t);
    if (!status && !t.device[0])
        status = cmd_usage(env, call.cmd, "which device? %s", call.cmd->args);
    if (status)
        return status;
    if (call.opts.set[ATTACH_HUB])
        return attach_hub(env, &call, &t);
    /* By its place from here on: an address may change meanwhile. */
    if (xlx_usb_select(env->ctx, t.device, busid) ||
        xlx_usb_attach(env->ctx, call.domid, busid, &t.place, flags_of(&call),
                       call.timeout_ms, &got))
        return CMD_FAILED;
    if (call.opts.set[ATTACH_JSON])
        return print_attached(env, &call, busid, &got);
    if (!call.opts.set[OPT_DRY_RUN])
        fprintf(env->out,
                "usb %s: attached to domain %u, controller %u port %u\n", busid,
                call.domid, got.hc, got.port);
    return CMD_OK;
}

/* A port of the guest, and which device is meant: "" for whichever is there. */
struct found {
    struct xlx_usb_place place;
    char busid[XLX_USB_BUSID_MAX];
};

static const char *meant(const struct found *found)
{
    return found->busid[0] ? found->busid : NULL;
}

/* Where in the guest the device is. 0, or an exit status. */
static int find_target(struct cmd_env *env, struct call *call,
                       struct found *found)
{
    struct target t;
    int status = read_target(env, call, &t);
    found->busid[0] = '\0';
    int rc = !status && t.device[0]
                 ? xlx_usb_find(env->ctx, call->domid, t.device, &t.place,
                                found->busid)
                 : 0;
    /* A detach that was killed when it had got that far is ended here. */
    if (rc == -ENODEV && !call->opts.set[OPT_DRY_RUN])
        xlx_usb_repair(env->ctx);
    if (rc)
        status = CMD_FAILED;
    if (!status && (t.place.hc == XLX_USB_ANY || t.place.port == XLX_USB_ANY))
        status = cmd_usage(env, call->cmd, "which device? %s", call->cmd->args);
    found->place = t.place;
    return status;
}

static int move(struct cmd_env *env, const struct call *call,
                const struct found *from)
{
    const struct xlx_usb_place any = { XLX_USB_ANY, XLX_USB_ANY };
    struct xlx_usb_place got;
    uint32_t to;
    if (cmd_find_domain(env, call->opts.arg[DETACH_MOVE], &to) ||
        xlx_usb_move(env->ctx, call->domid, &from->place, meant(from), to, &any,
                     flags_of(call), call->timeout_ms, &got))
        return CMD_FAILED;
    if (!call->opts.set[OPT_DRY_RUN])
        fprintf(env->out,
                "moved from domain %u to domain %u, controller %u port %u\n",
                call->domid, to, got.hc, got.port);
    return CMD_OK;
}

static int detach_hub(struct cmd_env *env, struct call *call)
{
    struct usb_printer printer = { env->out, false, 0 };
    struct target hub;
    int status = read_target(env, call, &hub);
    if (status)
        return status;
    if (call->opts.arg[DETACH_MOVE])
        return cmd_usage(env, call->cmd, "--hub or --move?");
    if (!hub.device[0] || hub.place.hc != XLX_USB_ANY ||
        hub.place.port != XLX_USB_ANY)
        return cmd_usage(env, call->cmd, "--hub: which hub of this host?");
    return xlx_usb_detach_hub(env->ctx, call->domid, hub.device, flags_of(call),
                              call->timeout_ms, usb_report_print, &printer)
               ? CMD_FAILED
               : CMD_OK;
}

int cmd_usb_detach(struct cmd_env *env, int argc, char **argv)
{
    struct call call;
    struct found found;
    char busid[XLX_USB_BUSID_MAX];
    int status;
    if (!start(env, argc, argv, 2, 4, &call, &status))
        return status;
    if (call.opts.set[DETACH_HUB])
        return detach_hub(env, &call);
    status = find_target(env, &call, &found);
    if (status || call.opts.arg[DETACH_MOVE])
        return status ? status : move(env, &call, &found);
    if (call.opts.set[OPT_DRY_RUN]) {
        fprintf(env->out,
                "would detach port %u of controller %u of domain %u\n",
                found.place.port, found.place.hc, call.domid);
        return CMD_OK;
    }
    if (xlx_usb_detach(env->ctx, call.domid, &found.place, meant(&found),
                       call.timeout_ms, busid))
        return CMD_FAILED;
    fprintf(env->out,
            "usb %s: detached from domain %u, controller %u port %u\n", busid,
            call.domid, found.place.hc, found.place.port);
    return CMD_OK;
}

static bool read_type(const char *text, enum xlx_usb_type *type)
{
    for (int i = XLX_USB_AUTO; i <= XLX_USB_DEVICEMODEL; i++)
        if (!strcmp(text, xlx_usb_type_name(i))) {
            *type = i;
            return true;
        }
    return false;
}

/* Takes type=... out of the operands, which are numbers otherwise. */
static int take_type(struct cmd_env *env, struct call *call,
                     enum xlx_usb_type *type)
{
    int kept = 1;
    for (int i = 1; i < call->opts.argc; i++) {
        const char *value = cmd_value_of(call->opts.argv[i], "type");
        if (!value)
            call->opts.argv[kept++] = call->opts.argv[i];
        else if (!read_type(value, type))
            return cmd_usage(env, call->cmd,
                             "type=%s: not auto, qusb, pv or devicemodel",
                             value);
    }
    call->opts.argc = kept;
    return 0;
}

static int read_config(struct cmd_env *env, struct call *call,
                       struct xlx_usb_hc_config *config)
{
    const struct key keys[] = {
        { "version", 1, 3, &config->version },
        { "ports", 1, XLX_USB_PORTS_MAX, &config->ports },
        { 0 },
    };
    char **operand = call->opts.argv;
    *config = (struct xlx_usb_hc_config){ 0 };
    int status = take_type(env, call, &config->type);
    if (status || call->opts.argc != 3 || strchr(operand[1], '='))
        return status ? status : read_keys(env, call, 1, keys);
    /* xm: DOM VERSION PORTS */
    for (int i = 0; i < 2; i++)
        if (!cmd_read_number(operand[i + 1], keys[i].min, keys[i].max,
                             keys[i].value))
            return cmd_usage(env, call->cmd,
                             "%s: %s takes a number from %u "
                             "to %u",
                             operand[i + 1], keys[i].name, keys[i].min,
                             keys[i].max);
    return 0;
}

static int print_created(struct cmd_env *env, uint32_t domid, uint32_t devid,
                         const char *type)
{
    yajl_gen g = json_open(env->out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_number(g, "domid", domid);
    json_number(g, "devid", devid);
    json_text(g, "type", type);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

int cmd_usb_hc_create(struct cmd_env *env, int argc, char **argv)
{
    struct call call;
    struct xlx_usb_hc_config config;
    uint32_t devid;
    int status;
    if (!start(env, argc, argv, 1, 4, &call, &status))
        return status;
    status = read_config(env, &call, &config);
    if (status)
        return status;
    if (xlx_usb_hc_create(env->ctx, call.domid, &config, sizeof(config),
                          call.timeout_ms, &devid))
        return CMD_FAILED;
    const char *type = type_of(env->ctx, call.domid, devid);
    if (call.opts.set[CREATE_JSON])
        return print_created(env, call.domid, devid, type);
    fprintf(env->out, "domain %u: USB controller %u created (%s)\n", call.domid,
            devid, type);
    return CMD_OK;
}

int cmd_usb_hc_destroy(struct cmd_env *env, int argc, char **argv)
{
    struct call call;
    uint32_t devid;
    int status;
    if (!start(env, argc, argv, 2, 2, &call, &status))
        return status;
    const char *text = call.opts.argv[1];
    if (!cmd_read_number(text, 0, UINT16_MAX, &devid))
        return cmd_usage(env, call.cmd,
                         "%s: not the number of a controller, as usb-list "
                         "shows it",
                         text);
    if (xlx_usb_hc_destroy(env->ctx, call.domid, devid, call.timeout_ms))
        return CMD_FAILED;
    fprintf(env->out, "domain %u: USB controller %u destroyed\n", call.domid,
            devid);
    return CMD_OK;
}
