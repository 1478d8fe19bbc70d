/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the usb commands share.
 */
#ifndef CMD_USB_H
#define CMD_USB_H

#include "cmd.h"
#include "libxl_ext_usb.h"

/* usb-list without a guest: all devices of this host (cmd_usb_table.c). */
struct usb_table {
    struct cmd_env *env;
    bool json;
};

/* Prints it once; an exit status. */
int usb_table_print(void *table);

/* A line for each device that something became of (cmd_usb_report.c). */
struct usb_printer {
    FILE *out;
    bool json;
    unsigned told; /* lines so far */
};

/* An xlx_usb_report_fn, with the printer as `user`. */
void usb_report_print(void *user, const struct xlx_usb_report *report);

/* An object with the devices, or, without `all`, those that a guest can have;
 * an exit status. */
int usb_devices_json(FILE *out, const struct xlx_usb_device *list, int nr,
                     bool all);

/*
 * Of the calling process and all that it starts: gives up the rights that the
 * watcher and the backends do not need, unless XL_EXT_USB_CONFINE is "off".
 * Cannot be undone. 0, or -errno and a line on standard error.
 */
int usb_watch_confine(void);

#endif
