/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list, as text and as JSON, once or again and again: of one guest. Without
 * one it is cmd_usb_table.c's. What a device says of itself is escaped.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "cmd_usb.h"
#include "follow.h"
#include "json.h"
#include "libxl_ext_usb.h"

enum { OPT_JSON, OPT_STATS, OPT_WATCH };

const struct cmd_option cmd_usb_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/usb.md has the schema)" },
    { "stats", 's', CMD_NO_ARG, NULL,
      "show the counts of each port: requests, bytes, errors, latency" },
    { "watch", 'W', CMD_NO_ARG, NULL,
      "update each second, until interrupted; with --stats for a guest" },
    { 0 }
};

const char cmd_usb_list_details[] =
    "With DOM: for each controller its number, type, backend domain, state (4\n"
    "is connected), USB version and ports; for each port the device's busid,\n"
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

static void print_latency(FILE *out, const char *what, uint64_t us)
{
    if (us >= 1000)
        fprintf(out, ", %s below %.1f ms", what, (double)us / 1000);
    else if (us)
        fprintf(out, ", %s below %u us", what, (unsigned)us);
}

static void print_stats(FILE *out, const struct xlx_usb_stats *s)
{
    fprintf(out,
            "    requests %llu, in %.1f KiB, out %.1f KiB, errors %llu, "
            "refused %llu",
            (unsigned long long)s->requests, (double)s->bytes_in / 1024,
            (double)s->bytes_out / 1024, (unsigned long long)s->errors,
            (unsigned long long)s->refused);
    if (s->lost_packets)
        fprintf(out, ", lost packets %llu",
                (unsigned long long)s->lost_packets);
    print_latency(out, "half", percentile(s, 50));
    print_latency(out, "99 %", percentile(s, 99));
    fputc('\n', out);
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

static void print_port(FILE *out, const struct xlx_usb_port *port)
{
    char busid[4 * XLX_USB_BUSID_MAX], name[4 * XLX_USB_NAME_MAX];
    fprintf(out, "  Port %u:", port->number);
    cmd_escape(port->busid, busid);
    cmd_escape(port->name, name);
    if (port->present)
        fprintf(out, " %s ID %04x:%04x%s%s", busid, port->vendor, port->product,
                *name ? " " : "", name);
    else if (*busid)
        fprintf(out, " %s (not plugged in)", busid);
    fputc('\n', out);
}

static void print_text(struct listing *l, const struct xlx_usb_hc *list, int nr)
{
    FILE *out = l->env->out;
    struct xlx_usb_stats stats;
    for (int i = 0; i < nr; i++) {
        fprintf(out, "%-6s %-12s %-3s %-5s %-7s %-5s\n", "Devid", "Type", "BE",
                "state", "usb-ver", "ports");
        fprintf(out, "%-6u %-12s %-3u %-5u %-7u %-5u\n", list[i].devid,
                xlx_usb_type_name(list[i].type), list[i].backend_domid,
                list[i].state, list[i].version, list[i].nr_ports);
        for (uint32_t p = 0; p < list[i].nr_ports; p++) {
            print_port(out, &list[i].port[p]);
            if (list[i].port[p].busid[0] &&
                read_stats(l, &list[i], p + 1, &stats))
                print_stats(out, &stats);
        }
    }
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
    json_number(g, "version", hc->version);
    json_string(g, "ports");
    yajl_gen_array_open(g);
    for (uint32_t p = 0; p < hc->nr_ports; p++)
        put_port(l, g, hc, &hc->port[p]);
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
    int status = CMD_OK, nr = xlx_usb_list(l->env->ctx, l->domid, &list);
    if (nr < 0)
        return CMD_FAILED;
    if (l->json)
        status = print_json(l, list, nr);
    else if (nr)
        print_text(l, list, nr);
    else
        fprintf(l->env->err, "domain %u: has no USB controllers\n", l->domid);
    free(list);
    return status;
}

/* Once, or again and again. */
static int list_now(struct cmd_env *env, const struct cmd *self, bool watch,
                    bool json, int (*list)(void *user), void *user)
{
    return watch ? follow_seconds(env, self->name, !json, list, user)
                 : list(user);
}

int cmd_usb_list(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct listing l = { .env = env };
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    bool watch = opts.set[OPT_WATCH];
    l.json = opts.set[OPT_JSON];
    if (opts.argc > 1)
        return cmd_usage(env, self, "one domain: %s", self->args);
    if (!opts.argc && opts.set[OPT_STATS])
        return cmd_usage(env, self, "--stats needs a domain");
    if (!opts.argc) {
        struct usb_table table = { env, l.json };
        return list_now(env, self, watch, l.json, usb_table_print, &table);
    }
    if (xlx_domain_find(env->ctx, opts.argv[0], &l.domid))
        return CMD_FAILED;
    l.stats = opts.set[OPT_STATS] || watch;
    return list_now(env, self, watch, l.json, list_guest, &l);
}
