/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The last keyboard: whoever sits at this host would be locked out.
 */
#include "usb/admission/use.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"
#include "host/sysfs.h"

#define INPUT "class/input"
#define PATH_SIZE 320

/* Bits of the lowest word: Escape, the digits, Q to D. udev's input_id calls a
 * device with all of them a keyboard; one with a power button is none. */
#define KEYBOARD_KEYS 0xfffffffeu

static bool keyboard_intf(const struct xlx__usbdev *dev)
{
    for (unsigned i = 0; i < dev->nr_intfs; i++)
        if (dev->intf[i].class == 3 && dev->intf[i].subclass == 1 &&
            dev->intf[i].protocol == 1)
            return true;
    return false;
}

/* "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe": words of
 * the kernel's size, the lowest last. */
static bool keyboard_keys(const char *text)
{
    uint32_t low = 0;
    const char *space = strrchr(text, ' ');
    const char *word = space ? space + 1 : text;
    size_t n = strlen(word), take = n < 8 ? n : 8;
    if (xlx__parse_hex(word + n - take, take, &low))
        return false;
    return (low & KEYBOARD_KEYS) == KEYBOARD_KEYS;
}

/* What a program makes through uinput is not there to be typed on, and often
 * repeats the keys of a real one. */
static bool made_by_program(const char *target)
{
    return strstr(target, "/virtual/input/");
}

struct keyboards {
    bool here, elsewhere;
};

/* `name` is "input5". */
static int look_at(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                   const char *name, struct keyboards *seen, char *label,
                   size_t size)
{
    char path[PATH_SIZE], target[PATH_MAX], keys[512];
    snprintf(path, sizeof(path), INPUT "/%s", name);
    int rc = xlx__sysfs_target_any(ctx, path, target, sizeof(target));
    if (rc || made_by_program(target))
        return rc;
    snprintf(path, sizeof(path), INPUT "/%s/capabilities/key", name);
    rc = xlx__sysfs_read_any(ctx, path, keys, sizeof(keys));
    if (rc || !keyboard_keys(keys))
        return rc;
    if (!xlx__usb_use_below(target, dev->busid)) {
        seen->elsewhere = true;
        return 0;
    }
    seen->here = true;
    if (*label)
        return 0;
    snprintf(path, sizeof(path), INPUT "/%s/name", name);
    return xlx__sysfs_read_any(ctx, path, label, size);
}

int xlx__usb_use_keyboard(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                          struct xlx__usb_use_found *found)
{
    XLX__AUTO_NAMES struct xlx__names names = { 0 };
    struct keyboards seen = { .here = keyboard_intf(dev) };
    char label[sizeof(found->what)] = "";
    int rc = xlx__sysfs_list_any(ctx, INPUT, &names);
    for (size_t i = 0; !rc && i < names.nr; i++)
        if (!strncmp(names.v[i], "input", strlen("input")))
            rc = look_at(ctx, dev, names.v[i], &seen, label, sizeof(label));
    if (rc || !seen.here || seen.elsewhere)
        return rc;
    found->use = XLX__USE_LAST_KEYBOARD;
    snprintf(found->what, sizeof(found->what), "%s",
             *label ? label : dev->name);
    return 0;
}
