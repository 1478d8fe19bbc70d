/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list-assignable-devices, as text in xm's form and as JSON.
 */
#include <stdlib.h>
#include <unistd.h>

#include "cmd_usb.h"
#include "json.h"
#include "live.h"
#include "libxl_ext_usb.h"

enum { OPT_ALL, OPT_JSON, OPT_WATCH };

const struct cmd_option cmd_usb_devices_options[] = {
    { "all", 'a', CMD_NO_ARG, NULL,
      "also list those that cannot be attached, with the reason" },
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/usb.md has the schema)" },
    { "watch", 'W', CMD_MAY_HAVE_ARG, "SECONDS",
      "follow changes, looking each second or so often" },
    { 0 }
};

const char cmd_usb_devices_details[] =
    "Prints a line for each USB device of this host that can be attached to a\n"
    "guest: its busid, vendor and product id, and name. With --all it also\n"
    "lists hubs, devices that a guest has, and those that this host needs or\n"
    "its policy forbids. The lines have the form that xm's had, for programs\n"
    "that read them; only on a terminal is there a heading. usb-list without\n"
    "DOM has all of them in one table. Neither needs Xen.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-list-assignable-devices\n"
    "  xl-ext usb-list-assignable-devices --all\n"
    "  xl-ext usb-list-assignable-devices --all --json\n";

static void print_device(FILE *out, const struct xlx_usb_device *dev)
{
    char name[4 * XLX_USB_NAME_MAX];
    cmd_escape(dev->name, name);
    fprintf(out, "%-13s: ID %04x:%04x%s%s", dev->busid, dev->vendor,
            dev->product, *name ? " " : "", name);
    if (!dev->assignable)
        fprintf(out, " [%s]", dev->reason);
    fputc('\n', out);
}

static void put_device(yajl_gen g, const struct xlx_usb_device *dev)
{
    yajl_gen_map_open(g);
    json_text(g, "busid", dev->busid);
    json_number(g, "bus", dev->bus);
    json_number(g, "address", dev->address);
    json_id(g, "vendor_id", dev->vendor);
    json_id(g, "product_id", dev->product);
    json_text(g, "name", dev->name);
    json_text(g, "serial", dev->serial);
    json_number(g, "speed", dev->mbits);
    json_bool(g, "hub", dev->hub);
    json_text(g, "state", xlx_usb_state_name(dev->state));
    json_bool(g, "assignable", dev->assignable);
    if (!dev->assignable) {
        json_text(g, "reason", dev->reason);
        json_bool(g, "forceable", dev->forceable);
    }
    if (dev->guest[0])
        json_text(g, "guest", dev->guest);
    if (dev->assigned) {
        json_number(g, "domid", dev->domid);
        json_number(g, "controller", dev->place.hc);
        json_number(g, "port", dev->place.port);
    }
    yajl_gen_map_close(g);
}

int usb_devices_json(FILE *out, const struct xlx_usb_device *list, int nr,
                     bool all)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_string(g, "devices");
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++)
        if (all || list[i].assignable)
            put_device(g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

struct listing {
    struct cmd_env *env;
    bool all, json, headed;
};

/*
 * The lines are xm's: who parses this list has a program of that time, and
 * expects no heading. On a terminal there is one.
 */
static void print_text(const struct listing *l,
                       const struct xlx_usb_device *list, int nr)
{
    int shown = 0;
    if (nr && l->headed)
        fprintf(l->env->out, "%-13s: ID %-9s %s%s\n", "BUSID", "", "NAME",
                l->all ? " [REASON]" : "");
    for (int i = 0; i < nr; i++) {
        if (!l->all && !list[i].assignable)
            continue;
        print_device(l->env->out, &list[i]);
        shown++;
    }
    if (!shown && nr)
        fprintf(l->env->err, "no device of this host can be attached: --all "
                             "has the reasons\n");
    if (!nr)
        fprintf(l->env->err, "this host has no USB devices\n");
}

static int list_devices(void *user)
{
    const struct listing *l = user;
    struct xlx_usb_device *list;
    int status = CMD_OK,
        nr = xlx_usb_devices(l->env->ctx, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    if (l->json)
        status = usb_devices_json(l->env->out, list, nr, l->all);
    else
        print_text(l, list, nr);
    free(list);
    return status;
}

int cmd_usb_devices(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    int status;
    if (!cmd_parse_alone(env, self, argc, argv, &opts, &status))
        return status;
    struct listing l = { env, opts.set[OPT_ALL], opts.set[OPT_JSON],
                         isatty(fileno(env->out)) };
    struct live live = {
        .env = env, .json = l.json, .list = list_devices, .user = &l
    };
    if (!opts.set[OPT_WATCH])
        return list_devices(&l);
    status = live_read(&live, self, opts.arg[OPT_WATCH]);
    return status ? status : live_run(&live);
}
