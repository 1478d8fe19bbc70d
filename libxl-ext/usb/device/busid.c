/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/device/busid.h"

#include <string.h>

/* USB allows seven tiers of devices, the root hub is the first. */
#define MAX_PORTS 7

/* Skips a number without leading zeros, of at most three digits. */
static const char *skip_number(const char *p)
{
    size_t n = strspn(p, "0123456789");
    return *p == '0' || n == 0 || n > 3 ? NULL : p + n;
}

bool xlx__busid_valid(const char *text)
{
    if (strlen(text) >= XLX_USB_BUSID_MAX)
        return false;
    const char *p = skip_number(text);
    char before = '-';
    for (int ports = 0; p && ports < MAX_PORTS; ports++) {
        if (*p != before)
            return false;
        p = skip_number(p + 1);
        if (p && !*p)
            return true;
        before = '.';
    }
    return false;
}

bool xlx__busid_is_root_hub(const char *text)
{
    const char *end = strncmp(text, "usb", 3) ? NULL : skip_number(text + 3);
    return end && !*end;
}

bool xlx__busid_is_behind(const char *busid, const char *hub)
{
    size_t n = strlen(hub);
    return !strncmp(busid, hub, n) && busid[n] == '.';
}

static void translate(const char *from, char *to, const char *in,
                      const char *out)
{
    do {
        const char *hit = *from ? strchr(in, *from) : NULL;
        *to++ = hit ? out[hit - in] : *from;
    } while (*from++);
}

void xlx__busid_encode(const char *text, char *name_r)
{
    translate(text, name_r, ".:", "_@");
}

void xlx__busid_decode(const char *name, char *text_r)
{
    translate(name, text_r, "_@", ".:");
}
