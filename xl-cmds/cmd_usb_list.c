/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list, as text and as JSON. What a device says of itself is escaped.
 */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "cmd.h"
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
    "  xl usb-list guest\n"
    "  xl usb-list --json guest\n";

/* Printable ASCII and whole UTF-8 is shown, every other byte as \xHH. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = *p < 0x80                  ? 1
               : *p >= 0xc2 && *p <= 0xdf ? 2
               : *p >= 0xe0 && *p <= 0xef ? 3
               : *p >= 0xf0 && *p <= 0xf4 ? 4
                                          : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* C1 control characters, which terminals obey too. */
    return n == 2 && *p == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

/* `to` has room for four times the length of `from`, and a NUL. */
static void escape(const char *from, char *to)
{
    const unsigned char *p = (const unsigned char *)from;
    while (*p) {
        size_t n = *p < ' ' || *p == 0x7f ? 0 : utf8_length(p);
        if (n) {
            memcpy(to, p, n);
            to += n;
            p += n;
        } else
            to += sprintf(to, "\\x%02x", *p++);
    }
    *to = '\0';
}

static void print_port(FILE *out, const struct xlx_usb_port *port)
{
    char busid[4 * XLX_USB_BUSID_MAX], name[4 * XLX_USB_NAME_MAX];
    fprintf(out, "  Port %u:", port->number);
    escape(port->busid, busid);
    escape(port->name, name);
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

static void put_string(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static void put_number(yajl_gen g, const char *key, uint32_t value)
{
    put_string(g, key);
    yajl_gen_integer(g, value);
}

static void put_text(yajl_gen g, const char *key, const char *value)
{
    char escaped[4 * XLX_USB_NAME_MAX];
    put_string(g, key);
    escape(value, escaped);
    put_string(g, escaped);
}

static void put_id(yajl_gen g, const char *key, uint16_t value)
{
    char text[8];
    snprintf(text, sizeof(text), "%04x", value);
    put_text(g, key, text);
}

static void put_port(yajl_gen g, const struct xlx_usb_port *port)
{
    yajl_gen_map_open(g);
    put_number(g, "port", port->number);
    if (port->busid[0]) {
        put_text(g, "busid", port->busid);
        put_string(g, "present");
        yajl_gen_bool(g, port->present);
    }
    if (port->present) {
        put_id(g, "vendor_id", port->vendor);
        put_id(g, "product_id", port->product);
        put_text(g, "name", port->name);
    }
    yajl_gen_map_close(g);
}

static void put_hc(yajl_gen g, const struct xlx_usb_hc *hc)
{
    yajl_gen_map_open(g);
    put_number(g, "devid", hc->devid);
    put_text(g, "type", xlx_usb_type_name(hc->type));
    put_number(g, "backend_domid", hc->backend_domid);
    put_number(g, "state", hc->state);
    put_number(g, "version", hc->version);
    put_string(g, "ports");
    yajl_gen_array_open(g);
    for (uint32_t p = 0; p < hc->nr_ports; p++)
        put_port(g, &hc->port[p]);
    yajl_gen_array_close(g);
    yajl_gen_map_close(g);
}

static void write_out(void *out, const char *text, size_t len)
{
    fwrite(text, 1, len, out);
}

static int print_json(FILE *out, uint32_t domid, const struct xlx_usb_hc *list,
                      int nr)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    if (!g)
        return CMD_FAILED;
    yajl_gen_config(g, yajl_gen_beautify, 1);
    yajl_gen_config(g, yajl_gen_print_callback, write_out, out);
    yajl_gen_map_open(g);
    put_number(g, "domid", domid);
    put_string(g, "controllers");
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
