/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The devices of this host: who has each, or is to have it, or why nobody can.
 */
#include "libxl_ext_usb.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/clean.h"
#include "usb/admission/refuse.h"
#include "usb/assign/hubs.h"
#include "usb/assign/intent.h"
#include "usb/device/identity.h"
#include "usb/device/selector.h"
#include "xen/domain.h"

static const char *const state_names[] = {
    [XLX_USB_IS_FREE] = "free",
    [XLX_USB_IS_ASSIGNED] = "assigned",
    [XLX_USB_IS_ATTACHED] = "attached",
    [XLX_USB_IS_IN_USE] = "in-use",
    [XLX_USB_IS_UNAUTHORIZED] = "not-authorized",
    [XLX_USB_IS_FORBIDDEN] = "forbidden",
    [XLX_USB_IS_HUB] = "hub",
};

const char *xlx_usb_state_name(enum xlx_usb_state state)
{
    return (unsigned)state < XLX__NR(state_names) ? state_names[state]
                                                  : "unknown";
}

/* --- each by itself ------------------------------------------------------- */

static enum xlx_usb_state state_of(const struct xlx__usbdev *dev,
                                   const struct xlx__refusal *refusal)
{
    if (dev->hub)
        return XLX_USB_IS_HUB;
    if (dev->unauthorized)
        return XLX_USB_IS_UNAUTHORIZED;
    if (refusal->owner)
        return XLX_USB_IS_ATTACHED;
    if (refusal->err == EACCES)
        return XLX_USB_IS_FORBIDDEN;
    return refusal->err ? XLX_USB_IS_IN_USE : XLX_USB_IS_FREE;
}

static void describe(const struct xlx__usbdev *dev,
                     const struct xlx__refusal *refusal,
                     struct xlx_usb_device *out)
{
    *out = (struct xlx_usb_device){
        .bus = dev->bus,
        .address = dev->address,
        .mbits = dev->mbits,
        .vendor = dev->vendor,
        .product = dev->product,
        .hub = dev->hub,
        .assignable = !refusal->err,
        .forceable = refusal->forceable,
        .state = state_of(dev, refusal),
    };
    memcpy(out->busid, dev->busid, sizeof(out->busid));
    memcpy(out->name, dev->name, sizeof(out->name));
    memcpy(out->serial, dev->serial, sizeof(out->serial));
    memcpy(out->reason, refusal->text, sizeof(out->reason));
    if (refusal->owner) {
        out->assigned = true;
        out->domid = refusal->owner->domid;
        out->place = refusal->owner->place;
    }
}

static int describe_all(xlx_ctx *ctx, const struct xlx__refuse *facts,
                        const struct xlx__usbdev *devs, int nr,
                        struct xlx_usb_device *out)
{
    int rc = 0;
    for (int i = 0; !rc && i < nr; i++) {
        struct xlx__refusal refusal;
        rc = xlx__refuse(ctx, facts, &devs[i], false, &refusal);
        if (!rc)
            describe(&devs[i], &refusal, &out[i]);
    }
    return rc;
}

/* --- whose they are ------------------------------------------------------- */

static int name_owners(xlx_ctx *ctx, struct xlx_usb_device *list, int nr)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    bool any = false;
    for (int i = 0; i < nr; i++)
        any |= list[i].assigned;
    int nr_doms = any ? xlx__dom_list(ctx, &doms) : 0;
    for (int d = 0; d < nr_doms; d++)
        for (int i = 0; i < nr; i++)
            if (list[i].assigned && list[i].domid == doms[d].domid)
                strcpy(list[i].guest, doms[d].name);
    return nr_doms < 0 ? nr_doms : 0;
}

/* Whose wish comes first: the order in which usb-reconcile goes about it. */
enum turn { AT_PLACE, BY_SERIAL, BY_PORT, BY_NUMBERS, NR_TURNS };

struct wishes {
    struct xlx__guest *guests;
    int nr;
    bool *given; /* by guest and wish */
    const struct xlx__usbdev *devs;
    int nr_devs;
    bool *taken; /* by device */
};

static bool is_its_turn(const struct wishes *w,
                        const struct xlx_usb_identity *id, int dev,
                        enum turn turn)
{
    switch (turn) {
    case AT_PLACE:
        return !id->by_place &&
               xlx__identity_at_place(id, w->devs, w->nr_devs, dev);
    case BY_SERIAL:
        return !id->by_place && id->serial[0];
    case BY_PORT:
        return id->by_place;
    default:
        return true;
    }
}

static void give(struct wishes *w, int g, uint32_t i, enum turn turn,
                 struct xlx_usb_device *list)
{
    const struct xlx_usb_identity *id = &w->guests[g].intent.wish[i].identity;
    bool *given = &w->given[(uint32_t)g * XLX_USB_ASSIGNMENTS_MAX + i];
    int dev;
    if (*given ||
        xlx__identity_match(id, w->devs, w->nr_devs, w->taken, &dev) !=
            XLX__MATCH_ONE ||
        !is_its_turn(w, id, dev, turn))
        return;
    *given = w->taken[dev] = true;
    strcpy(list[dev].guest, w->guests[g].intent.name);
    if (list[dev].state == XLX_USB_IS_FREE)
        list[dev].state = XLX_USB_IS_ASSIGNED;
}

/* `at`: only what is written down for the device's place. */
static bool could_be(const struct wishes *w, const struct xlx_usb_identity *id,
                     int dev, bool at)
{
    bool here = xlx__identity_at_place(id, w->devs, w->nr_devs, dev);
    if (id->by_place)
        return !at && here;
    return xlx__identity_numbers(id, &w->devs[dev]) && (here || !at);
}

/* What the guest has got is not looked for again. */
static void note_attached(struct wishes *w, int dev, const char *guest, bool at)
{
    for (int g = 0; g < w->nr && !w->taken[dev]; g++)
        for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++) {
            bool *given = &w->given[(uint32_t)g * XLX_USB_ASSIGNMENTS_MAX + i];
            if (*given || strcmp(w->guests[g].intent.name, guest) ||
                !could_be(w, &w->guests[g].intent.wish[i].identity, dev, at))
                continue;
            *given = w->taken[dev] = true;
            break;
        }
}

static void note_all_attached(struct wishes *w,
                              const struct xlx_usb_device *list)
{
    for (int at = 1; at >= 0; at--)
        for (int i = 0; i < w->nr_devs; i++)
            if (list[i].assigned)
                note_attached(w, i, list[i].guest, at);
    for (int i = 0; i < w->nr_devs; i++)
        w->taken[i] = list[i].assigned;
}

static void give_all(struct wishes *w, struct xlx_usb_device *list)
{
    note_all_attached(w, list);
    for (int turn = AT_PLACE; turn < NR_TURNS; turn++)
        for (int g = 0; g < w->nr; g++)
            for (uint32_t i = 0; i < w->guests[g].intent.nr_wishes; i++)
                give(w, g, i, turn, list);
}

/* What is written down is replaced as a whole: reading it needs no lock. */
static int load_guests(xlx_ctx *ctx, struct xlx__guest **list_r)
{
    XLX__AUTO_FREE struct xlx__intent *intents = NULL;
    struct xlx__guest *list = NULL;
    int nr = xlx__intent_load_all(ctx, &intents, NULL, NULL);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "guests: no memory");
    for (int i = 0; i < nr; i++)
        list[i].intent = intents[i];
    *list_r = list;
    return nr;
}

static int name_assigned(xlx_ctx *ctx, const struct xlx__usbdev *devs, int nr,
                         struct xlx_usb_device *list)
{
    XLX__AUTO_FREE struct xlx__guest *guests = NULL;
    int nr_guests = load_guests(ctx, &guests);
    if (nr_guests <= 0)
        return nr_guests;
    XLX__AUTO_FREE bool *given =
        calloc((size_t)nr_guests * XLX_USB_ASSIGNMENTS_MAX, sizeof(*given));
    XLX__AUTO_FREE bool *taken = calloc((size_t)nr + 1, sizeof(*taken));
    if (!given || !taken || xlx__hubs_expand(guests, nr_guests, devs, nr) < 0)
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    struct wishes w = { .guests = guests,
                        .nr = nr_guests,
                        .given = given,
                        .devs = devs,
                        .nr_devs = nr,
                        .taken = taken };
    give_all(&w, list);
    return 0;
}

/* --- the whole ------------------------------------------------------------ */

int xlx_usb_devices(xlx_ctx *ctx, struct xlx_usb_device **list_r, size_t size)
{
    XLX__AUTO_FREE struct xlx__usbdev *devs = NULL;
    XLX__AUTO_FREE struct xlx_usb_device *list = NULL;
    struct xlx__refuse facts;
    int rc, nr = xlx__usbdev_list(ctx, &devs);
    if (nr > 0 && !(list = calloc((size_t)nr, sizeof(*list))))
        return xlx__fail(ctx, ENOMEM, "usb: no memory");
    if (nr < 0 || (rc = xlx__refuse_open(ctx, &facts)))
        return nr < 0 ? nr : rc;
    rc = describe_all(ctx, &facts, devs, nr, list);
    xlx__refuse_close(&facts);
    if (!rc)
        rc = name_owners(ctx, list, nr);
    if (!rc)
        rc = name_assigned(ctx, devs, nr, list);
    if (rc)
        return rc;
    *list_r = xlx__list_sized(xlx__steal(list), nr, sizeof(*list), size);
    return nr && !*list_r ? xlx__fail(ctx, ENOMEM, "usb: no memory") : nr;
}

int xlx_usb_select(xlx_ctx *ctx, const char *device,
                   char busid_r[XLX_USB_BUSID_MAX])
{
    struct xlx__usbdev dev;
    int rc = xlx__select(ctx, device, &dev);
    if (!rc)
        memcpy(busid_r, dev.busid, XLX_USB_BUSID_MAX);
    return rc;
}
