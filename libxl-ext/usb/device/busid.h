/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Busids, "BUS-PORT[.PORT]...": pure.
 */
#ifndef XLX_USB_DEVICE_BUSID_H
#define XLX_USB_DEVICE_BUSID_H

#include <stdbool.h>

#include "libxl_ext_usb.h"

/* Whether `text` can name a device: decimal numbers without leading zeros, at
 * most seven ports deep, shorter than XLX_USB_BUSID_MAX. */
bool xlx__busid_valid(const char *text);

/* Whether `text` names a root hub: "usb1". */
bool xlx__busid_is_root_hub(const char *text);

/* Whether the first is plugged in behind the hub at the second, or behind a hub
 * there: "1-4.2" and "1-4.1.3" are behind "1-4". */
bool xlx__busid_is_behind(const char *busid, const char *hub);

/*
 * The name a busid or interface ("1-2.3:1.0") has in xenstore, where '.' and
 * ':' are not allowed: libxl's '_' and '@'. `name_r` has as many bytes as
 * `text`.
 */
void xlx__busid_encode(const char *text, char *name_r);

/* The reverse. */
void xlx__busid_decode(const char *name, char *text_r);

#endif
