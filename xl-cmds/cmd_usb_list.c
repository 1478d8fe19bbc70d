/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list, as text and as JSON. What a device says of itself is escaped.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "libxl_ext_usb.h"

enum { OPT_JSON };

const struct cmd_option cmd_usb_list_options[] = {
    { "json", 'j', CMD_NO_ARG, NULL, "print JSON (docs/usb.md has the schema)" },
    { 0 }
};

const char cmd_usb_list_details[] =
    "For each controller its number, type, backend domain, state (4 is\n"
    "connected), USB version and ports; for each port the device's busid,\n"
    "vendor and product id, and name.\n"
    "\n"
    "Examples:\n"
    "  xl-ext usb-list guest\n"
    "  xl-ext usb-list --json guest\n";

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

static void print_text(FILE *out, const struct xlx_usb_hc *list, int nr)
{
    for (int i = 0; i < nr; i++) {
        fprintf(out, "%-6s %-12s %-3s %-5s %-7s %-5s\n", "Devid", "Type", "BE",
                "state", "usb-ver", "ports");
        fprintf(out, "%-6u %-12s %-3u %-5u %-7u %-5u\n", list[i].devid,
                xlx_usb_type_name(list[i].type), list[i].backend_domid,
                list[i].state, list[i].version, list[i].nr_ports);
        for (uint32_t p = 0; p < list[i].nr_ports; p++)
            print_port(out, &list[i].port[p]);
    }
}

/* --- JSON ----------------------------------------------------------------- */

static void put_port(yajl_gen g, const struct xlx_usb_port *port)
{
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
    yajl_gen_map_close(g);
}

static void put_hc(yajl_gen g, const struct xlx_usb_hc *hc)
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
        put_port(g, &hc->port[p]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
}

static int print_json(FILE *out, uint32_t domid, const struct xlx_usb_hc *list,
                      int nr)
{
    yajl_gen g = json_open(out);
    if (!g)
        return CMD_FAILED;
    yajl_gen_map_open(g);
    json_number(g, "domid", domid);
    json_string(g, "controllers");
    yajl_gen_array_open(g);
    for (int i = 0; i < nr; i++)
        put_hc(g, &list[i]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    return CMD_OK;
}

int cmd_usb_list(struct cmd_env *env, int argc, char **argv)
{
    const struct cmd *self = cmd_find(argv[0]);
    struct cmd_opts opts;
    struct xlx_usb_hc *list;
    uint32_t domid;
    int status;
    if (!cmd_parse(env, self, argc, argv, &opts, &status))
        return status;
    if (opts.argc != 1)
        return cmd_usage(env, self, "one domain: %s", self->args);
    if (xlx_domain_find(env->ctx, opts.argv[0], &domid))
        return CMD_FAILED;
    int nr = xlx_usb_list(env->ctx, domid, &list);
    if (nr < 0)
        return CMD_FAILED;
    if (opts.set[OPT_JSON])
        status = print_json(env->out, domid, list, nr);
    else {
        print_text(env->out, list, nr);
        status = CMD_OK;
    }
    free(list);
    return status;
}
