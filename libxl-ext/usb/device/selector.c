/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/device/selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/parse.h"
#include "core/printable.h"
#include "usb/device/busid.h"

#define ID_DIGITS 4u
#define NAMED_MAX 6 /* candidates that an error names */

/* Exactly four digits, as lsusb prints them. */
static bool parse_id(const char *text, uint16_t *value_r)
{
    uint32_t value;
    if (xlx__parse_hex(text, ID_DIGITS, &value))
        return false;
    *value_r = (uint16_t)value;
    return true;
}

static bool parse_ids(const char *text, struct xlx__selector *sel)
{
    if (!parse_id(text, &sel->vendor) || text[ID_DIGITS] != ':' ||
        !parse_id(text + ID_DIGITS + 1, &sel->product))
        return false;
    const char *rest = text + 2 * ID_DIGITS + 1;
    if (*rest && *rest != ':')
        return false;
    sel->kind = XLX__SELECT_ID;
    sel->serial = *rest ? rest + 1 : NULL;
    return true;
}

/* Three digits with leading zeros are lsusb's own: "001.004". */
static bool parse_part(const char *text, size_t len, uint32_t *value_r)
{
    char digits[4];
    if (len < 1 || len > 3)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return !xlx__parse_u32(digits, 1, 999, value_r);
}

static bool parse_address(const char *text, struct xlx__selector *sel)
{
    const char *dot = strchr(text, '.');
    sel->kind = XLX__SELECT_ADDRESS;
    return dot && parse_part(text, (size_t)(dot - text), &sel->bus) &&
           parse_part(dot + 1, strlen(dot + 1), &sel->address);
}

int xlx__selector_parse(xlx_ctx *ctx, const char *text,
                        struct xlx__selector *sel_r)
{
    struct xlx__selector sel = { .kind = XLX__SELECT_PLACE };
    if (xlx__busid_is_root_hub(text))
        return xlx__fail(ctx, ENOTSUP,
                         "usb %s: is a root hub: attach what is plugged into "
                         "it",
                         text);
    if (xlx__busid_valid(text))
        snprintf(sel.busid, sizeof(sel.busid), "%s", text);
    else if (!parse_ids(text, &sel) && !parse_address(text, &sel))
        return xlx__fail(ctx, EINVAL,
                         "usb %s: names no device: give its place (1-2.3), "
                         "bus.address (1.4), vendor:product (046d:c52b) or "
                         "vendor:product:serial",
                         text);
    *sel_r = sel;
    return 0;
}

bool xlx__selector_matches(const struct xlx__selector *sel,
                           const struct xlx__usbdev *dev)
{
    switch (sel->kind) {
    case XLX__SELECT_PLACE:
        return !strcmp(sel->busid, dev->busid);
    case XLX__SELECT_ADDRESS:
        return sel->bus == dev->bus && sel->address == dev->address;
    default:
        return sel->vendor == dev->vendor && sel->product == dev->product &&
               (!sel->serial || !strcmp(sel->serial, dev->serial));
    }
}

/* "1-2 (serial 0123), 1-3"; cut where it does not fit. */
static void name_candidates(const struct xlx__selector *sel,
                            const struct xlx__usbdev *list, int nr, char *text,
                            size_t size)
{
    size_t n = 0;
    int named = 0;
    for (int i = 0; i < nr && n < size; i++) {
        const struct xlx__usbdev *dev = &list[i];
        if (!xlx__selector_matches(sel, dev))
            continue;
        if (named++ == NAMED_MAX) {
            snprintf(text + n, size - n, ", ...");
            return;
        }
        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
                              dev->busid);
        if (n < size && dev->serial[0])
            n += (size_t)snprintf(text + n, size - n, " (serial %s)",
                                  dev->serial);
    }
}

static int ambiguous(xlx_ctx *ctx, const char *text,
                     const struct xlx__selector *sel,
                     const struct xlx__usbdev *list, int nr, int matches)
{
    char names[XLX__ERROR_MAX / 2] = "";
    name_candidates(sel, list, nr, names, sizeof(names));
    xlx__printable(names, sizeof(names), names);
    return xlx__fail(ctx, ENOTUNIQ,
                     "usb %s: %d devices match: name one by its place: %s",
                     text, matches, names);
}

int xlx__select_among(xlx_ctx *ctx, const char *text,
                      const struct xlx__usbdev *list, int nr, int *index_r)
{
    struct xlx__selector sel;
    int matches = 0, found = 0;
    int rc = xlx__selector_parse(ctx, text, &sel);
    for (int i = 0; !rc && i < nr; i++)
        if (xlx__selector_matches(&sel, &list[i]) && !matches++)
            found = i;
    if (rc)
        return rc;
    if (!matches)
        return xlx__fail(ctx, ENODEV,
                         "usb %s: no such device on this host: see "
                         "usb-list-assignable-devices --all",
                         text);
    if (matches > 1)
        return ambiguous(ctx, text, &sel, list, nr, matches);
    *index_r = found;
    return 0;
}

/* A place needs no look at all the others. */
static int select_place(xlx_ctx *ctx, const char *busid,
                        struct xlx__usbdev *dev_r)
{
    int rc = xlx__usbdev_read(ctx, busid, dev_r);
    if (rc == -ENODEV)
        return xlx__fail(ctx, ENODEV,
                         "usb %s: no such device on this host: see "
                         "usb-list-assignable-devices --all",
                         busid);
    return rc;
}

int xlx__select(xlx_ctx *ctx, const char *text, struct xlx__usbdev *dev_r)
{
    XLX__AUTO_FREE struct xlx__usbdev *list = NULL;
    struct xlx__selector sel;
    int found, rc = xlx__selector_parse(ctx, text, &sel);
    if (rc)
        return rc;
    if (sel.kind == XLX__SELECT_PLACE)
        return select_place(ctx, sel.busid, dev_r);
    int nr = xlx__usbdev_list(ctx, &list);
    rc = nr < 0 ? nr : xlx__select_among(ctx, text, list, nr, &found);
    if (!rc)
        *dev_r = list[found];
    return rc;
}
