/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list, as text and as JSON, once or again and again: of one guest. Without
 * one it is cmd_usb_table.c's. What a device says of itself is escaped.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cmd_usb.h"
#include "columns.h"
#include "json.h"
#include "live.h"
#include "libxl_ext_usb.h"

enum { OPT_JSON, OPT_STATS, OPT_WATCH };

const struct cmd_option cmd_usb_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/usb.md has the schema)" },
    { "stats", 's', CMD_NO_ARG, NULL,
      "show the counts of each port: requests, bytes, errors, latency" },
    { "watch", 'W', CMD_MAY_HAVE_ARG, "SECONDS",
      "follow changes, looking each second or so often; a guest's list has "
      "--stats" },
    { 0 }
};

const char cmd_usb_list_details[] =
    "With DOM: a line for each controller with its number, type, backend\n"
    "domain, state (connected, or what it is on its way to), USB version and\n"
    "number of ports; below it a line for each port with its device's busid,\n"
    "vendor and product id, and name.\n"
    "\n"
    "Without DOM: a line for each USB device of this host, with its state,\n"
    "the guest that has it or to which it is assigned, and its port there.\n"
    "The states are\n"
    "  free            a guest can have it\n"
    "  assigned        it is free, and assigned to a guest (usb-assign)\n"
    "  attached        the guest has it\n"
    "  in use          this host keeps it, for the reason at the line's end\n"
    "  not authorized  by this host (USBGuard)\n"
    "  forbidden       by the policy\n"
    "  hub             the devices behind it have lines of their own\n"
    "This needs no Xen.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-list\n"
    "  xl-ext usb-list guest\n"
    "  xl-ext usb-list --json guest\n"
    "  xl-ext usb-list --watch guest\n";

struct listing {
    struct cmd_env *env;
    uint32_t domid;
    bool json, stats;
};

/* A controller's XenbusState. An emulated one has none. */
static const char *words_of(const struct xlx_usb_hc *hc)
{
    static const char *const words[] = {
        "none",    "initializing", "waiting",       "initialized",  "connected",
        "closing", "closed",       "reconfiguring", "reconfigured",
    };
    if (hc->type == XLX_USB_DEVICEMODEL && !hc->state)
        return "emulated";
    return hc->state < sizeof(words) / sizeof(words[0]) ? words[hc->state]
                                                        : "unknown";
}

/* --- what went through ---------------------------------------------------- */

/* False where nobody counts. */
static bool read_stats(struct listing *l, const struct xlx_usb_hc *hc,
                       uint32_t port, struct xlx_usb_stats *stats_r)
{
    const struct xlx_usb_place place = { hc->devid, port };
    return l->stats && !xlx_usb_stats(l->env->ctx, l->domid, &place, stats_r,
                                      sizeof(*stats_r));
}

/* Below how many microseconds so many of a hundred requests stayed; 0: there
 * was none, or it took longer than is told apart. */
static uint64_t percentile(const struct xlx_usb_stats *stats, unsigned percent)
{
    uint64_t all = 0, sum = 0;
    for (unsigned i = 0; i < XLX_USB_LATENCIES; i++)
        all += stats->latency[i];
    for (unsigned i = 0; all && i + 1 < XLX_USB_LATENCIES; i++) {
        sum += stats->latency[i];
        if (sum * 100 >= all * percent)
            return UINT64_C(16) << i;
    }
    return 0;
}

/* Whoever counts may count anything. */
static void put_count(yajl_gen g, const char *key, uint64_t value)
{
    json_count(g, key, value & INT64_MAX);
}

static void put_stats(yajl_gen g, const struct xlx_usb_stats *s)
{
    json_string(g, "stats");
    yajl_gen_map_open(g);
    put_count(g, "requests", s->requests);
    put_count(g, "bytes_in", s->bytes_in);
    put_count(g, "bytes_out", s->bytes_out);
    put_count(g, "errors", s->errors);
    put_count(g, "refused", s->refused);
    put_count(g, "lost_packets", s->lost_packets);
    put_count(g, "latency_us_50", percentile(s, 50));
    put_count(g, "latency_us_99", percentile(s, 99));
    yajl_gen_map_close(g);
}

/* --- text ----------------------------------------------------------------- */

enum { DEVID, TYPE, BACKEND, STATE, VERSION, PORTS };
static const struct column hc_heads[] = {
    { "DEVID", false }, { "TYPE", false }, { "BACKEND", false },
    { "STATE", false }, { "USB", false },  { "PORTS", false },
    { NULL, false },
};

enum { PORT, DEVICE, ID, NAME };
static const struct column port_heads[] = {
    { "PORT", false }, { "DEVICE", false }, { "ID", false },
    { "NAME", false }, { NULL, false },
};

enum {
    REQUESTS = ID + 1,
    BYTES_IN,
    BYTES_OUT,
    ERRORS,
    REFUSED,
    LOST,
    HALF,
    NEARLY_ALL,
    NAME_BEHIND_STATS,
};
static const struct column stats_heads[] = {
    { "PORT", false },     { "DEVICE", false },   { "ID", false },
    { "REQUESTS", true },  { "IN KiB", true },    { "OUT KiB", true },
    { "ERRORS", true },    { "REFUSED", true },   { "LOST", true },
    { "50% BELOW", true }, { "99% BELOW", true }, { "NAME", false },
    { NULL, false },
};

static void put_latency(struct columns *t, unsigned column, uint64_t us)
{
    if (us >= 1000)
        columns_put(t, column, "%.1f ms", (double)us / 1000);
    else if (us)
        columns_put(t, column, "%u us", (unsigned)us);
}

static void put_counts(struct columns *t, const struct xlx_usb_stats *s)
{
    columns_put(t, REQUESTS, "%llu", (unsigned long long)s->requests);
    columns_put(t, BYTES_IN, "%.1f", (double)s->bytes_in / 1024);
    columns_put(t, BYTES_OUT, "%.1f", (double)s->bytes_out / 1024);
    columns_put(t, ERRORS, "%llu", (unsigned long long)s->errors);
    columns_put(t, REFUSED, "%llu", (unsigned long long)s->refused);
    columns_put(t, LOST, "%llu", (unsigned long long)s->lost_packets);
    put_latency(t, HALF, percentile(s, 50));
    put_latency(t, NEARLY_ALL, percentile(s, 99));
}

static void put_name(struct columns *t, unsigned column,
                     const struct xlx_usb_port *port)
{
    char name[4 * XLX_USB_NAME_MAX];
    cmd_escape(port->name, name);
    if (port->present)
        columns_put(t, column, "%s", name);
    else if (port->busid[0])
        columns_put(t, column, "(not plugged in)");
}

static void put_port_row(struct listing *l, struct columns *t,
                         const struct xlx_usb_hc *hc,
                         const struct xlx_usb_port *port)
{
    char busid[4 * XLX_USB_BUSID_MAX];
    struct xlx_usb_stats stats;
    cmd_escape(port->busid, busid);
    columns_row(t);
    columns_put(t, PORT, "%u", port->number);
    columns_put(t, DEVICE, "%s", busid);
    if (port->present)
        columns_put(t, ID, "%04x:%04x", port->vendor, port->product);
    put_name(t, l->stats ? NAME_BEHIND_STATS : NAME, port);
    if (*busid && read_stats(l, hc, port->number, &stats))
        put_counts(t, &stats);
}

static void put_hc_row(struct columns *t, const struct xlx_usb_hc *hc)
{
    columns_row(t);
    columns_put(t, DEVID, "%u", hc->devid);
    columns_put(t, TYPE, "%s", xlx_usb_type_name(hc->type));
    columns_put(t, BACKEND, "%u", hc->backend_domid);
    columns_put(t, STATE, "%s", words_of(hc));
    columns_put(t, VERSION, "%u", hc->version);
    columns_put(t, PORTS, "%u", hc->nr_ports);
}

static bool print_hc(struct listing *l, const struct xlx_usb_hc *hc)
{
    struct columns *t = columns_new(hc_heads);
    struct columns *ports = columns_new(l->stats ? stats_heads : port_heads);
    put_hc_row(t, hc);
    for (uint32_t p = 0; p < hc->nr_ports; p++)
        put_port_row(l, ports, hc, hc->port[p]);
    bool printed = columns_print(t, l->env->out, l->env->err, 0) &&
                   columns_print(ports, l->env->out, l->env->err, 2);
    columns_free(t);
    columns_free(ports);
    return printed;
}

static int print_text(struct listing *l, const struct xlx_usb_hc *list, int nr)
{
    for (int i = 0; i < nr; i++)
        if (!print_hc(l, &list[i]))
            return CMD_FAILED;
    return CMD_OK;
}

/* --- JSON ----------------------------------------------------------------- */

static void put_port(struct listing *l, yajl_gen g, const struct xlx_usb_hc *hc,
                     const struct xlx_usb_port *port)
{
    struct xlx_usb_stats stats;
    yajl_gen_map_open(g);
    json_number(g, "port", port->number);
    if (port->busid[0]) {
        json_text(g, "busid", port->busid);
        json_bool(g, "present", port->present);
    }
    if (port->present) {
        json_id(g, "vendor_id", port->vendor);
        json_id(g, "product_id", port->product);
        json_text(g, "name", port->name);
    }
    if (port->busid[0] && read_stats(l, hc, port->number, &stats))
        put_stats(g, &stats);
    yajl_gen_map_close(g);
}

static void put_hc(struct listing *l, yajl_gen g, const struct xlx_usb_hc *hc)
{
    yajl_gen_map_open(g);
    json_number(g, "devid", hc->devid);
    json_text(g, "type", xlx_usb_type_name(hc->type));
    json_number(g, "backend_domid", hc->backend_domid);
    json_number(g, "state", hc->state);
    json_text(g, "state_name", words_of(hc));
    json_number(g, "version", hc->version);
    json_string(g, "ports");
    yajl_gen_array_open(g);
    for (uint32_t p = 0; p < hc->nr_ports; p++)
        put_port(l, g, hc, hc->port[p]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
}

static int print_json(struct listing *l, const struct xlx_usb_hc *list, int nr)
{
    yajl_gen g = json_open(l->env->out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_number(g, "domid", l->domid);
    json_string(g, "controllers");
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++)
        put_hc(l, g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

/* --- the whole ------------------------------------------------------------ */

static int list_guest(void *user)
{
    struct listing *l = user;
    struct xlx_usb_hc *list;
    int status = CMD_OK,
        nr = xlx_usb_list(l->env->ctx, l->domid, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    if (l->json)
        status = print_json(l, list, nr);
    else if (nr)
        status = print_text(l, list, nr);
    else
        fprintf(l->env->err, "domain %u: has no USB controllers\n", l->domid);
    free(list);
    return status;
}

/* Once, or again and again. */
static int list_now(struct live *live, const struct cmd *self,
                    const struct cmd_opts *opts)
{
    if (!opts->set[OPT_WATCH])
        return live->list(live->user);
    int status = live_read(live, self, opts->arg[OPT_WATCH]);
    return status ? status : live_run(live);
}

int cmd_usb_list(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct listing l = { .env = env };
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    l.json = opts.set[OPT_JSON];
    l.stats = opts.set[OPT_STATS] || opts.set[OPT_WATCH];
    if (opts.argc > 1)
        return cmd_usage(env, self, "one domain: %s", self->args);
    if (!opts.argc && opts.set[OPT_STATS])
        return cmd_usage(env, self, "--stats needs a domain");
    struct usb_table table = { env, l.json };
    struct live live = { .env = env, .json = l.json };
    live.list = opts.argc ? list_guest : usb_table_print;
    live.user = opts.argc ? (void *)&l : &table;
    if (opts.argc && cmd_find_domain(env, opts.argv[0], &l.domid))
        return CMD_FAILED;
    return list_now(&live, self, &opts);
}
