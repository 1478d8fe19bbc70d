/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The rows of the options that cmd_usb_help.c has for cmd_usb.c.
 */
#ifndef CMD_USB_HELP_H
#define CMD_USB_HELP_H

/* Each command's, from its own table; the first ones are the same. */
enum { OPT_WAIT, OPT_DRY_RUN, OPT_FORCE };
enum { ATTACH_JSON = OPT_FORCE + 1, ATTACH_HUB };
enum { DETACH_MOVE = OPT_FORCE + 1, DETACH_HUB };
enum { CREATE_JSON = OPT_WAIT + 1 };

#endif
