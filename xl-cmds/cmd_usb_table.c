/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-list without a guest: every USB device of this host, and who has it.
 */
#include <stdlib.h>

#include "cmd_usb.h"
#include "columns.h"
#include "json.h"
#include "libxl_ext_usb.h"

enum { BUSID, ID, NAME, SPEED, STATE, GUEST, PLACE, REASON };

static const struct column heads[] = {
    { "BUSID", false },     { "ID", false },     { "NAME", false },
    { "SPEED", false },     { "STATE", false },  { "GUEST", false },
    { "CTRL/PORT", false }, { "REASON", false }, { NULL, false },
};

static const char *words_of(enum xlx_usb_state state)
{
    switch (state) {
    case XLX_USB_IS_IN_USE:
        return "in use";
    case XLX_USB_IS_UNAUTHORIZED:
        return "not authorized";
    default:
        return xlx_usb_state_name(state);
    }
}

/* "480M", as lsusb has it; Mbit/s. */
static void put_speed(struct columns *t, const struct xlx_usb_device *dev)
{
    if (dev->mbits == 1)
        columns_put(t, SPEED, "1.5M");
    else if (dev->mbits % 1000)
        columns_put(t, SPEED, "%uM", dev->mbits);
    else if (dev->mbits)
        columns_put(t, SPEED, "%uG", dev->mbits / 1000);
}

static void put_guest(struct columns *t, const struct xlx_usb_device *dev)
{
    char name[4 * XLX_GUEST_NAME_MAX];
    cmd_escape(dev->guest, name);
    if (*name)
        columns_put(t, GUEST, "%s", name);
    else if (dev->assigned)
        columns_put(t, GUEST, "%u", dev->domid);
}

/* What is in a column of its own already is no reason. */
static bool has_reason(const struct xlx_usb_device *dev)
{
    return dev->reason[0] && !dev->assigned && !dev->hub;
}

static void put_device(struct columns *t, const struct xlx_usb_device *dev)
{
    char name[4 * XLX_USB_NAME_MAX];
    cmd_escape(dev->name, name);
    columns_row(t);
    columns_put(t, BUSID, "%s", dev->busid);
    columns_put(t, ID, "%04x:%04x", dev->vendor, dev->product);
    columns_put(t, NAME, "%s", name);
    put_speed(t, dev);
    columns_put(t, STATE, "%s", words_of(dev->state));
    put_guest(t, dev);
    if (dev->assigned)
        columns_put(t, PLACE, "%u/%u", dev->place.hc, dev->place.port);
    if (has_reason(dev))
        columns_put(t, REASON, "%s", dev->reason);
}

static int print_text(struct cmd_env *env, const struct xlx_usb_device *list,
                      int nr)
{
    struct columns *t = columns_new(heads);
    for (int i = 0; i < nr; i++)
        put_device(t, &list[i]);
    bool printed = columns_print(t, env->out, env->err, 0);
    columns_free(t);
    return printed ? CMD_OK : CMD_FAILED;
}

int usb_table_print(void *table)
{
    const struct usb_table *t = table;
    struct xlx_usb_device *list;
    int status = CMD_OK,
        nr = xlx_usb_devices(t->env->ctx, &list, sizeof(*list));
    if (nr < 0)
        return CMD_FAILED;
    if (t->json)
        status = usb_devices_json(t->env->out, list, nr, true);
    else if (nr)
        status = print_text(t->env, list, nr);
    else
        fprintf(t->env->err, "this host has no USB devices\n");
    free(list);
    return status;
}
