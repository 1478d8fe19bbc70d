/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-assign and usb-unassign: what guests are to have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "columns.h"
#include "json.h"
#include "live.h"
#include "libxl_ext_usb.h"

enum {
    OPT_REQUIRED,
    OPT_FORCE,
    OPT_PLACE,
    OPT_LIST,
    OPT_JSON,
    OPT_WATCH,
    OPT_HUB,
};
enum { OPT_ALL };

const struct cmd_option cmd_usb_assign_options[] = {
    { "required", 'r', CMD_NO_ARG, NULL,
      "usb-reconcile fails while the device is missing" },
    { "force", 'f', CMD_NO_ARG, NULL,
      "as with usb-attach --force, each time "
      "it is attached" },
    { "place", 'p', CMD_NO_ARG, NULL,
      "assign whatever is plugged in there, now or later" },
    { "list", 'l', CMD_NO_ARG, NULL, "print the assignments" },
    { "json", 'j', CMD_NO_ARG, NULL,
      "print what was done, or the list, as JSON (docs/usb.md has the "
      "schema)" },
    { "watch", 'W', CMD_MAY_HAVE_ARG, "SECONDS",
      "with --list: follow changes, looking each second or so often" },
    { "hub", 0, CMD_NO_ARG, NULL,
      "DEVICE is a hub: whatever is plugged in behind it, now or later" },
    { 0 }
};

const char cmd_usb_assign_details[] =
    "The device is named as for usb-attach, and has to be plugged in now. The\n"
    "command stores its vendor, product, serial number, kinds of interfaces,\n"
    "and the place where it is plugged in. A device with a serial number is\n"
    "recognized wherever it is plugged in later, one without at its place, or\n"
    "where there is no other one like it. A device that comes back as another\n"
    "kind of device (a stick that is now a keyboard) is not given to the\n"
    "guest.\n"
    "\n"
    "With --place the port is assigned, which may be empty: use it for a\n"
    "device that becomes another one when its firmware is loaded. With --hub\n"
    "every port of the hub at that place is assigned, and of hubs behind it.\n"
    "\n"
    "The command attaches nothing: usb-reconcile does that, once or all the\n"
    "time. If the device could not be attached now, a warning gives the\n"
    "reason; a device that the policy forbids is refused. Assignments outlast\n"
    "reboots of the guest and of this host.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-assign guest 1-2\n"
    "  xl-ext usb-assign guest 046d:c52b controller=0 port=4 --required\n"
    "  xl-ext usb-assign guest 1-2 --place\n"
    "  xl-ext usb-assign guest 1-4 --hub\n"
    "  xl-ext usb-assign --list\n"
    "  xl-ext usb-assign --list guest --json\n";

const struct cmd_option cmd_usb_unassign_options[] = {
    { "all", 'a', CMD_NO_ARG, NULL, "all devices of the guest" }, { 0 }
};

const char cmd_usb_unassign_details[] =
    "Name the device by the place that usb-assign --list shows, which uses\n"
    "the host's present bus numbers, or by the place that was assigned, by\n"
    "vendor and product, or, if it has a serial number, by the place where it\n"
    "is now. The guest need not run. A device that the guest has stays there:\n"
    "usb-detach takes it back.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-unassign guest 1-2\n"
    "  xl-ext usb-unassign guest --all\n";

static int read_place(struct cmd_env *env, const struct cmd *self,
                      const struct cmd_opts *opts, struct xlx_usb_place *place)
{
    *place = (struct xlx_usb_place){ XLX_USB_ANY, XLX_USB_ANY };
    for (int i = 2; i < opts->argc; i++) {
        const char *arg = opts->argv[i], *hc = cmd_value_of(arg, "controller");
        const char *port = cmd_value_of(arg, "port");
        if (!hc && !port)
            return cmd_usage(env, self, "%s: no such argument: %s", arg,
                             self->args);
        if (hc && !cmd_read_number(hc, 0, UINT16_MAX, &place->hc))
            return cmd_usage(env, self, "%s: not a number from 0 to %u", arg,
                             UINT16_MAX);
        if (port && !cmd_read_number(port, 1, XLX_USB_PORTS_MAX, &place->port))
            return cmd_usage(env, self, "%s: not a number from 1 to %u", arg,
                             XLX_USB_PORTS_MAX);
    }
    return 0;
}

/* --- listing -------------------------------------------------------------- */

enum { NAME, DEVICE, ID, SERIAL, PLACE, OPTIONS, UUID };
static const struct column heads[] = {
    { "NAME", false },   { "DEVICE", false },    { "ID", false },
    { "SERIAL", false }, { "CTRL/PORT", false }, { "OPTIONS", false },
    { "UUID", false },   { NULL, false },
};

static void put_device(struct columns *t, const struct xlx_usb_identity *id)
{
    char serial[4 * XLX_USB_SERIAL_MAX];
    cmd_escape(id->serial, serial);
    columns_put(t, DEVICE, "%s", id->busid);
    if (id->hub)
        columns_put(t, ID, "any behind it");
    else if (id->by_place)
        columns_put(t, ID, "any");
    else {
        columns_put(t, ID, "%04x:%04x", id->vendor, id->product);
        columns_put(t, SERIAL, "%s", serial);
    }
}

static void put_place(struct columns *t, const struct xlx_usb_place *place)
{
    char hc[16] = "-", port[16] = "-";
    if (place->hc == XLX_USB_ANY && place->port == XLX_USB_ANY)
        return;
    if (place->hc != XLX_USB_ANY)
        snprintf(hc, sizeof(hc), "%u", place->hc);
    if (place->port != XLX_USB_ANY)
        snprintf(port, sizeof(port), "%u", place->port);
    columns_put(t, PLACE, "%s/%s", hc, port);
}

static void put_options(struct columns *t, const struct xlx_usb_assignment *a)
{
    char text[32] = "";
    snprintf(text, sizeof(text), "%s%s%s", a->required ? ",required" : "",
             a->once ? ",once" : "", a->force ? ",force" : "");
    columns_put(t, OPTIONS, "%s", *text ? text + 1 : "");
}

static void put_row(struct columns *t, const struct xlx_usb_assignment *a)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    cmd_escape(a->guest, name);
    columns_row(t);
    columns_put(t, NAME, "%s", name);
    put_device(t, a->identity);
    put_place(t, &a->place);
    put_options(t, a);
    columns_put(t, UUID, "%s", a->uuid);
}

static void put_assignment(yajl_gen g, const struct xlx_usb_assignment *a)
{
    const struct xlx_usb_identity *id = a->identity;
    yajl_gen_map_open(g);
    json_text(g, "busid", id->busid);
    if (id->controller[0])
        json_text(g, "host_controller", id->controller);
    if (id->by_place)
        json_bool(g, "by_place", true);
    if (id->hub)
        json_bool(g, "hub", true);
    json_id(g, "vendor_id", id->vendor);
    json_id(g, "product_id", id->product);
    json_text(g, "serial", id->serial);
    json_string(g, "interfaces");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < id->face[0].nr_classes; i++)
        json_string(g, id->face[0].classes[i]);
    yajl_gen_array_close(g);
    json_bool(g, "required", a->required);
    if (a->once)
        json_bool(g, "once", true);
    if (a->force)
        json_bool(g, "force", true);
    if (a->place.hc != XLX_USB_ANY)
        json_number(g, "controller", a->place.hc);
    if (a->place.port != XLX_USB_ANY)
        json_number(g, "port", a->place.port);
    yajl_gen_map_close(g);
}

/* The guest of the first of `list`, with those of its devices that are in it.
 * Returns how many. */
static int put_guest(yajl_gen g, const struct xlx_usb_assignment *list, int nr)
{
    int i = 0;
    yajl_gen_map_open(g);
    json_text(g, "name", list->guest);
    json_text(g, "uuid", list->uuid);
    json_string(g, "devices");
    yajl_gen_array_open(g);
    for (; i < nr && !strcmp(list[i].uuid, list->uuid); i++)
        put_assignment(g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    return i;
}

static int print_json(FILE *out, const struct xlx_usb_assignment *list, int nr)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_array_open(g);
    for (int i = 0; i < nr;)
        i += put_guest(g, &list[i], nr - i);
    yajl_gen_array_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

struct listing {
    struct cmd_env *env;
    const char *guest; /* or NULL */
    bool json;
};

static int print_text(const struct listing *l,
                      const struct xlx_usb_assignment *list, int nr)
{
    struct columns *t = columns_new(heads);
    for (int i = 0; i < nr; i++)
        put_row(t, &list[i]);
    bool printed = columns_print(t, l->env->out, l->env->err, 0);
    columns_free(t);
    return printed ? CMD_OK : CMD_FAILED;
}

static void say_nothing_assigned(const struct listing *l)
{
    if (l->guest)
        fprintf(l->env->err, "guest %s: nothing is assigned to it\n", l->guest);
    else
        fprintf(l->env->err, "nothing is assigned to any guest\n");
}

static int list_assignments(void *user)
{
    const struct listing *l = user;
    struct xlx_usb_assignment *list;
    int status = CMD_OK;
    int nr = xlx_usb_assignments(l->env->ctx, l->guest, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    if (l->json)
        status = print_json(l->env->out, list, nr);
    else if (nr)
        status = print_text(l, list, nr);
    else
        say_nothing_assigned(l);
    free(list);
    return status;
}

static int list(struct cmd_env *env, const struct cmd *self,
                const struct cmd_opts *opts)
{
    if (opts->argc > 1)
        return cmd_usage(env, self, "--list takes one domain at most");
    struct listing l = { env, opts->argc ? opts->argv[0] : NULL,
                         opts->set[OPT_JSON] };
    struct live live = {
        .env = env, .json = l.json, .list = list_assignments, .user = &l
    };
    if (!opts->set[OPT_WATCH])
        return list_assignments(&l);
    int status = live_read(&live, self, opts->arg[OPT_WATCH]);
    return status ? status : live_run(&live);
}

/* --- assigning ------------------------------------------------------------ */

static const struct xlx_usb_assignment *
find_assignment(const struct xlx_usb_assignment *list, int nr,
                const char *busid, unsigned flags)
{
    for (int i = 0; i < nr; i++) {
        const struct xlx_usb_identity *id = list[i].identity;
        bool by_place = flags & (XLX_USB_BY_PLACE | XLX_USB_BY_HUB);
        if (id->by_place == by_place && id->hub == !!(flags & XLX_USB_BY_HUB) &&
            !strcmp(id->busid, busid))
            return &list[i];
    }
    return NULL;
}

/* As it is written down, with all that has been found out about it. */
static int print_assigned(struct cmd_env *env, const char *guest,
                          const char *busid, unsigned flags)
{
    struct xlx_usb_assignment *list = NULL;
    int nr = xlx_usb_assignments(env->ctx, guest, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    const struct xlx_usb_assignment *a =
        find_assignment(list, nr, busid, flags);
    yajl_gen g = a ? json_open(env->out) : NULL;
    if (!a)
        fprintf(env->err, "usb-assign: usb %s: was unassigned meanwhile\n",
                busid);
    if (g) {
        put_guest(g, a, 1);
        yajl_gen_free(g);
    }
    free(list);
    return g ? CMD_OK : CMD_FAILED;
}

static unsigned flags_of(const struct cmd_opts *opts)
{
    return (opts->set[OPT_REQUIRED] ? XLX_USB_REQUIRED : 0) |
           (opts->set[OPT_FORCE] ? XLX_USB_FORCE : 0) |
           (opts->set[OPT_PLACE] ? XLX_USB_BY_PLACE : 0) |
           (opts->set[OPT_HUB] ? XLX_USB_BY_HUB : 0);
}

static int assign(struct cmd_env *env, const struct cmd *self,
                  const struct cmd_opts *opts)
{
    struct xlx_usb_place place;
    char busid[XLX_USB_BUSID_MAX];
    const char *device = opts->argc < 2 ? NULL : opts->argv[1];
    if (opts->argc < 2 || opts->argc > 4)
        return cmd_usage(env, self, "takes a domain and a device: %s",
                         self->args);
    int status = read_place(env, self, opts, &place);
    if (status)
        return status;
    if (!opts->set[OPT_PLACE] && !opts->set[OPT_HUB]) {
        if (xlx_usb_select(env->ctx, device, busid))
            return CMD_FAILED;
        device = busid;
    }
    int rc =
        xlx_usb_assign(env->ctx, opts->argv[0], device, flags_of(opts), &place);
    if (rc == -ESRCH)
        cmd_hint_domain(env, opts->argv[0]);
    if (rc)
        return CMD_FAILED;
    if (opts->set[OPT_JSON])
        return print_assigned(env, opts->argv[0], device, flags_of(opts));
    fprintf(env->out, "usb %s: assigned to guest %s\n", device, opts->argv[0]);
    return CMD_OK;
}

int cmd_usb_assign(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.set[OPT_LIST])
        return list(env, self, &opts);
    if (opts.set[OPT_WATCH])
        return cmd_usage(env, self, "--watch needs --list");
    if (opts.set[OPT_HUB] && opts.set[OPT_PLACE])
        return cmd_usage(env, self, "--hub and --place exclude each other");
    return assign(env, self, &opts);
}

int cmd_usb_unassign(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != (opts.set[OPT_ALL] ? 1 : 2))
        return cmd_usage(env, self,
                         "takes a domain and a device, or --all: "
                         "%s",
                         self->args);
    const char *device = opts.set[OPT_ALL] ? NULL : opts.argv[1];
    if (xlx_usb_unassign(env->ctx, opts.argv[0], device) < 0)
        return CMD_FAILED;
    if (device)
        fprintf(env->out, "usb %s: no longer assigned to guest %s\n", device,
                opts.argv[0]);
    else
        fprintf(env->out, "guest %s: nothing is assigned to it any more\n",
                opts.argv[0]);
    return CMD_OK;
}
