/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * evtchn-list, as text and as JSON.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_evtchn.h"
#include "columns.h"
#include "json.h"
#include "live.h"
#include "libxl_ext_evtchn.h"

enum { OPT_JSON, OPT_WATCH };

const struct cmd_option cmd_evtchn_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL,
      "print JSON (docs/evtchn-toolstack.md has the schema)" },
    { "watch", 'W', CMD_MAY_HAVE_ARG, "SECONDS",
      "follow changes, looking each second or so often" },
    { 0 }
};

const char cmd_evtchn_list_details[] =
    "Prints a line for each event channel: its port, its type, the other end\n"
    "(domain and port), the vCPU that it interrupts, and its device. On a\n"
    "hypervisor with vectors for single channels it also prints the vector (-\n"
    "is the vCPU's upcall; t: the toolstack bound it), whether the channel is\n"
    "pending or masked, and the number of events while they were counted.\n"
    "Below the channels it lists the vectors that the guest offers,\n"
    "and notes such as that all channels of a kind interrupt one vCPU.\n"
    "\n"
    "Examples:\n"
    "  xl-ext evtchn-list guest\n"
    "  xl-ext evtchn-list --watch guest\n"
    "  xl-ext evtchn-list --json 0\n";

/* What there was at one time. */
struct listing {
    xlx_evtchn_channels *channels;
    const struct xlx_evtchn_info *info;
    struct xlx_evtchn_offer *offers;
    int nr_offers;
    struct xlx_evtchn_finding *findings;
    int nr_findings;
};

/* --- text ----------------------------------------------------------------- */

enum { PORT, TYPE, REMOTE, VCPU, DEVICE };
static const struct column heads[] = {
    { "PORT", true }, { "TYPE", false },   { "REMOTE", false },
    { "VCPU", true }, { "DEVICE", false }, { NULL, false },
};

/* Where the hypervisor has vectors for single channels. */
enum { VECTOR = VCPU + 1, STATE, EVENTS, DEVICE_BEHIND_EVENTS };
static const struct column vector_heads[] = {
    { "PORT", true },   { "TYPE", false },   { "REMOTE", false },
    { "VCPU", true },   { "VECTOR", false }, { "STATE", false },
    { "EVENTS", true }, { "DEVICE", false }, { NULL, false },
};

static void put_remote(struct columns *t, const struct xlx_evtchn_port *port)
{
    if (port->type == XLX_EVTCHN_INTERDOMAIN)
        columns_put(t, REMOTE, "%u:%u", port->remote_domid, port->remote_port);
    else if (port->type == XLX_EVTCHN_UNBOUND)
        columns_put(t, REMOTE, "%u:-", port->remote_domid);
    else if (port->type == XLX_EVTCHN_PIRQ || port->type == XLX_EVTCHN_VIRQ)
        columns_put(t, REMOTE, "%s %u", xlx_evtchn_type_name(port->type),
                    port->irq);
}

static const char *words_of(const struct xlx_evtchn_port *port)
{
    if (port->pending)
        return port->masked ? "pending,masked" : "pending";
    return port->masked ? "masked" : "";
}

static void put_vector(struct columns *t, const struct xlx_evtchn_info *info,
                       const struct xlx_evtchn_port *port)
{
    if (port->vector)
        columns_put(t, VECTOR, "0x%02x%s", port->vector,
                    port->toolstack ? "t" : "");
    columns_put(t, STATE, "%s", words_of(port));
    if (info->counting)
        columns_put(t, EVENTS, "%llu", (unsigned long long)port->count);
}

static void put_row(struct columns *t, const struct xlx_evtchn_info *info,
                    const struct xlx_evtchn_port *port)
{
    const char *device = port->used_by_xen ? "(Xen)" : "-";
    columns_row(t);
    columns_put(t, PORT, "%u", port->port);
    columns_put(t, TYPE, "%s", xlx_evtchn_type_name(port->type));
    put_remote(t, port);
    columns_put(t, VCPU, "%u", port->vcpu);
    if (info->vectors)
        put_vector(t, info, port);
    columns_put(t, info->vectors ? DEVICE_BEHIND_EVENTS : DEVICE, "%s",
                *port->device ? port->device : device);
}

static bool print_table(struct cmd_env *env, const struct listing *l)
{
    struct columns *t = columns_new(l->info->vectors ? vector_heads : heads);
    for (uint32_t i = 0; i < l->info->nr_ports; i++)
        put_row(t, l->info, xlx_evtchn_port(l->channels, i));
    bool printed = columns_print(t, env->out, env->err, 0);
    columns_free(t);
    return printed;
}

static bool has(const struct xlx_evtchn_offer *offer, unsigned vector)
{
    return vector < 256 && offer->vectors[vector / 64] >> vector % 64 & 1;
}

/* "vCPU 0 offers 0x41-0x48 0x51" */
static void print_offer(FILE *out, const struct xlx_evtchn_offer *offer)
{
    fprintf(out, "vCPU %u offers", offer->vcpu);
    for (unsigned first = 0; first < 256; first++) {
        unsigned last = first;
        if (!has(offer, first))
            continue;
        while (has(offer, last + 1))
            last++;
        fprintf(out, " 0x%02x", first);
        if (last > first)
            fprintf(out, "-0x%02x", last);
        first = last;
    }
    fputc('\n', out);
}

static int print_text(struct cmd_env *env, const struct listing *l)
{
    if (!print_table(env, l))
        return CMD_FAILED;
    for (int i = 0; i < l->nr_offers; i++)
        print_offer(env->out, &l->offers[i]);
    for (int i = 0; i < l->nr_findings; i++)
        fprintf(env->out, "note: %s\n", l->findings[i].text);
    return CMD_OK;
}

/* --- JSON ----------------------------------------------------------------- */

static void put_port(yajl_gen g, const struct xlx_evtchn_info *info,
                     const struct xlx_evtchn_port *port)
{
    yajl_gen_map_open(g);
    json_number(g, "port", port->port);
    json_text(g, "type", xlx_evtchn_type_name(port->type));
    json_number(g, "vcpu", port->vcpu);
    if (port->remote_domid != XLX_EVTCHN_NO_DOMID)
        json_number(g, "remote_domid", port->remote_domid);
    if (port->type == XLX_EVTCHN_INTERDOMAIN)
        json_number(g, "remote_port", port->remote_port);
    if (port->type == XLX_EVTCHN_PIRQ || port->type == XLX_EVTCHN_VIRQ)
        json_number(g, "irq", port->irq);
    if (*port->device)
        json_text(g, "device", port->device);
    if (info->vectors) {
        json_number(g, "vector", port->vector);
        json_bool(g, "toolstack", port->toolstack);
        json_bool(g, "pending", port->pending);
        json_bool(g, "masked", port->masked);
        json_bool(g, "used_by_xen", port->used_by_xen);
        json_number(g, "priority", port->priority);
    }
    if (info->counting)
        json_count(g, "count", port->count & INT64_MAX);
    yajl_gen_map_close(g);
}

static void put_offers(yajl_gen g, const struct listing *l)
{
    json_string(g, "offers");
    yajl_gen_array_open(g);
    for (int i = 0; i < l->nr_offers; i++) {
        yajl_gen_map_open(g);
        json_number(g, "vcpu", l->offers[i].vcpu);
        json_string(g, "vectors");
        yajl_gen_array_open(g);
        for (unsigned v = 0; v < 256; v++)
            if (has(&l->offers[i], v))
                yajl_gen_integer(g, v);
        yajl_gen_array_close(g);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
}

static void put_findings(yajl_gen g, const struct listing *l)
{
    json_string(g, "findings");
    yajl_gen_array_open(g);
    for (int i = 0; i < l->nr_findings; i++) {
        yajl_gen_map_open(g);
        json_text(g, "code", xlx_evtchn_finding_name(l->findings[i].code));
        json_text(g, "text", l->findings[i].text);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
}

static int print_json(FILE *out, const struct listing *l)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_number(g, "domid", l->info->domid);
    json_bool(g, "hvm", l->info->hvm);
    json_number(g, "vcpus", l->info->vcpus);
    json_bool(g, "vectors", l->info->vectors);
    json_bool(g, "allowed", l->info->allowed);
    json_bool(g, "counting", l->info->counting);
    json_string(g, "ports");
    yajl_gen_array_open(g);
    for (uint32_t i = 0; i < l->info->nr_ports; i++)
        put_port(g, l->info, xlx_evtchn_port(l->channels, i));
    yajl_gen_array_close(g);
    if (l->info->allowed)
        put_offers(g, l);
    put_findings(g, l);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

/* --- the command ---------------------------------------------------------- */

struct call {
    struct cmd_env *env;
    uint32_t domid;
    bool json;
    bool live; /* a guest that writes nonsense does not end it */
};

static bool look(struct cmd_env *env, uint32_t domid, struct listing *l)
{
    if (xlx_evtchn_list(env->ctx, domid, &l->channels) < 0)
        return false;
    l->info = xlx_evtchn_info(l->channels);
    if (l->info->allowed)
        l->nr_offers = xlx_evtchn_offers(env->ctx, domid, &l->offers);
    l->nr_findings =
        xlx_evtchn_diagnose(l->channels, &l->findings, sizeof(*l->findings));
    if (l->nr_findings < 0)
        fprintf(env->err, "error: no memory\n");
    /* A guest that writes nonsense does not hide its channels. */
    return (l->nr_offers >= 0 || l->nr_offers == -EBADMSG) &&
           l->nr_findings >= 0;
}

static int list_channels(void *user)
{
    const struct call *call = user;
    struct listing l = { 0 };
    int status = CMD_FAILED;
    if (look(call->env, call->domid, &l))
        status = call->json ? print_json(call->env->out, &l)
                            : print_text(call->env, &l);
    if (l.nr_offers < 0 && !call->live)
        status = CMD_FAILED;
    free(l.offers);
    free(l.findings);
    xlx_evtchn_channels_free(l.channels);
    return status;
}

int cmd_evtchn_list(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct call call = { .env = env };
    struct live live = { .env = env, .list = list_channels, .user = &call };
    struct cmd_opts opts;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 1)
        return cmd_usage(env, self, "one domain: %s", self->args);
    if (cmd_find_domain(env, opts.argv[0], &call.domid))
        return CMD_FAILED;
    live.json = call.json = opts.set[OPT_JSON];
    call.live = opts.set[OPT_WATCH];
    if (!call.live)
        return list_channels(&call);
    status = live_read(&live, self, opts.arg[OPT_WATCH]);
    return status ? status : live_run(&live);
}
