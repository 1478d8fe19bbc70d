/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/hubs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "usb/device/identity.h"

/* Whose hub a device is behind. */
struct target {
    int guest; /* -1: nobody's */
    uint32_t wish;
};

struct work {
    struct xlx__guest *guests;
    int nr;
    const struct xlx__usbdev *devs;
    int nr_devs;
    struct target *target; /* by device */
};

static const struct xlx_usb_identity *id_of(const struct work *w, int g,
                                            uint32_t i)
{
    return &w->guests[g].intent.wish[i].identity;
}

static bool has_place_of_its_own(const struct work *w, int dev)
{
    for (int g = 0; g < w->nr; g++)
        for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++)
            if (id_of(w, g, i)->by_place &&
                xlx__identity_at_place(id_of(w, g, i), w->devs, w->nr_devs,
                                       dev))
                return true;
    return false;
}

/* Known by what it is: two wishes for one device would be one too many. */
static bool is_wished_for(const struct work *w, int g, int dev)
{
    for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++) {
        const struct xlx_usb_identity *id = id_of(w, g, i);
        if (xlx__identity_numbers(id, &w->devs[dev]) &&
            (id->serial[0] ||
             xlx__identity_at_place(id, w->devs, w->nr_devs, dev)))
            return true;
    }
    return false;
}

/* The nearest one. */
static struct target find_hub(const struct work *w, int dev)
{
    struct target found = { -1, 0 };
    size_t longest = 0;
    for (int g = 0; g < w->nr; g++)
        for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++) {
            const struct xlx_usb_identity *id = id_of(w, g, i);
            if (!xlx__identity_behind(id, &w->devs[dev]) ||
                strlen(id->busid) <= longest)
                continue;
            longest = strlen(id->busid);
            found = (struct target){ g, i };
        }
    return found;
}

static void find_targets(struct work *w)
{
    for (int dev = 0; dev < w->nr_devs; dev++) {
        struct target *t = &w->target[dev];
        *t = find_hub(w, dev);
        if (t->guest >= 0 &&
            (w->devs[dev].hub || has_place_of_its_own(w, dev) ||
             is_wished_for(w, t->guest, dev)))
            t->guest = -1;
    }
}

static bool is_used(const struct work *w, int g, uint32_t i)
{
    for (int dev = 0; dev < w->nr_devs; dev++)
        if (w->target[dev].guest == g && w->target[dev].wish == i)
            return true;
    return false;
}

/* The wishes of `old`, and in the place of those for hubs what is behind them.
 * Returns how many had no room. */
static int rewrite(struct work *w, int g, const struct xlx__intent *old)
{
    struct xlx__intent *new = &w->guests[g].intent;
    int left_over = 0;
    uint32_t nr = 0;
    for (uint32_t i = 0; i < old->nr_wishes; i++)
        if (!is_used(w, g, i))
            new->wish[nr++] = old->wish[i];
    for (int dev = 0; dev < w->nr_devs; dev++) {
        if (w->target[dev].guest != g)
            continue;
        if (nr == XLX_USB_ASSIGNMENTS_MAX) {
            left_over++;
            continue;
        }
        struct xlx__intent_wish *wish = &new->wish[nr++];
        *wish = old->wish[w->target[dev].wish];
        wish->identity.hub = false;
        strcpy(wish->identity.busid, w->devs[dev].busid);
        strcpy(wish->identity.controller, w->devs[dev].controller);
    }
    new->nr_wishes = nr;
    return left_over;
}

static bool has_hub(const struct work *w, int g)
{
    for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++)
        if (id_of(w, g, i)->hub)
            return true;
    return false;
}

int xlx__hubs_expand(struct xlx__guest *guests, int nr,
                     const struct xlx__usbdev *devs, int nr_devs)
{
    XLX__AUTO_FREE struct xlx__intent *old = malloc(sizeof(*old));
    XLX__AUTO_FREE struct target *target =
        calloc((size_t)nr_devs + 1, sizeof(*target));
    struct work w = { guests, nr, devs, nr_devs, target };
    int left_over = 0;
    if (!old || !target)
        return -ENOMEM;
    find_targets(&w);
    for (int g = 0; g < nr; g++) {
        if (!has_hub(&w, g))
            continue;
        *old = guests[g].intent;
        left_over += rewrite(&w, g, old);
    }
    return left_over;
}
