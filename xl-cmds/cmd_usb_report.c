/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What has become of devices, as text and as JSON.
 */
#include "cmd_usb.h"
#include "json.h"

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
    if (r->assignment && r->assignment->required && r->outcome > XLX_USB_FREED)
        fprintf(out, " (required)");
    fputc('\n', out);
}

static void put_assignment(yajl_gen g, const struct xlx_usb_assignment *a)
{
    json_id(g, "vendor_id", a->identity->vendor);
    json_id(g, "product_id", a->identity->product);
    json_text(g, "serial", a->identity->serial);
    json_bool(g, "required", a->required);
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
    if (r->assignment)
        put_assignment(g, r->assignment);
    yajl_gen_map_close(g);
    yajl_gen_free(g);
    fputc('\n', out);
}

void usb_report_print(void *user, const struct xlx_usb_report *report)
{
    struct usb_printer *p = user;
    p->told++;
    if (p->json)
        print_json(p->out, report);
    else
        print_text(p->out, report);
    fflush(p->out); /* somebody may be following it */
}
