/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * usb-assign and usb-unassign: changing what is written down.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/uuid.h"
#include "usb/admission/refuse.h"
#include "usb/assign/guests.h"
#include "usb/attach/locks.h"
#include "usb/controller/place.h"
#include "usb/controller/type.h"
#include "usb/device/identity.h"
#include "usb/device/selector.h"

static int check_place(xlx_ctx *ctx, const struct xlx_usb_place *place)
{
    if (place->hc == XLX_USB_ANY && place->port != XLX_USB_ANY)
        return xlx__fail(ctx, EINVAL, "port %u: name its controller too",
                         place->port);
    if ((place->hc != XLX_USB_ANY && place->hc > UINT16_MAX) ||
        (place->port != XLX_USB_ANY &&
         (place->port < 1 || place->port > XLX_USB_PORTS_MAX)))
        return xlx__fail(ctx, EINVAL,
                         "controller %u port %u: no guest has such a port",
                         place->hc, place->port);
    return 0;
}

/* What may pass until the device is attached is only worth a warning, as is
 * what a guest does with it now. */
static int judge_refusal(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         const struct xlx__refusal *refusal, bool force)
{
    if (!refusal->err || refusal->owner)
        return 0;
    if (refusal->err == EACCES && !force)
        return xlx__fail(ctx, EACCES,
                         "usb %s: %s: it would never be attached: --force "
                         "assigns it all the same",
                         dev->busid, refusal->text);
    xlx__warn(ctx, "usb %s: cannot be attached now: %s", dev->busid,
              refusal->text);
    return 0;
}

static int check_device(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force)
{
    struct xlx__refuse facts;
    struct xlx__refusal refusal;
    int rc = xlx__refuse_open(ctx, &facts);
    if (rc)
        return force ? 0 : rc;
    /* The policy first: it stays, whatever else passes. */
    xlx__refuse_policy(&facts, dev, &refusal);
    if (!refusal.err)
        rc = xlx__refuse(ctx, &facts, dev, force, &refusal);
    if (!rc)
        rc = judge_refusal(ctx, dev, &refusal, force);
    xlx__refuse_close(&facts);
    return rc;
}

/* Which controller it will be is decided then; the usual one tells. */
static int warn_unfit(xlx_ctx *ctx, uint32_t domid, const char *busid)
{
    struct xlx__hc hc = { .domid = domid };
    struct xlx__usbdev dev;
    int rc = xlx__usbdev_read(ctx, busid, &dev);
    if (!rc)
        rc = xlx__usbdev_read_needs(ctx, &dev);
    if (!rc)
        rc = xlx__type_auto(ctx, domid, &hc.type);
    if (!rc)
        rc = xlx__type_config(ctx, 0, 0, &hc);
    const struct xlx__snapshot like = { .type = hc.type,
                                        .version = hc.version };
    const char *unfit = rc ? NULL : xlx__place_unfit(&like, &dev);
    if (unfit)
        xlx__warn(ctx, "usb %s: cannot be attached to domain %u: %s", busid,
                  domid, unfit);
    return rc == -ENODEV ? 0 : rc;
}

static int read_wish(xlx_ctx *ctx, const char *device,
                     struct xlx__intent_wish *wish)
{
    struct xlx__usbdev dev;
    int rc = xlx__select(ctx, device, &dev);
    if (rc)
        return rc;
    if (dev.hub)
        return xlx__fail(ctx, ENOTSUP,
                         "usb %s: is a hub: assign one of the devices behind "
                         "it, or all with --hub",
                         dev.busid);
    xlx__identity_of(&dev, &wish->identity);
    return check_device(ctx, &dev, wish->force);
}

/* What is there now, if anything, is a hub. */
static int check_hub(xlx_ctx *ctx, const char *busid)
{
    struct xlx__usbdev dev;
    int rc = xlx__usbdev_read(ctx, busid, &dev);
    if (!rc && !dev.hub)
        return xlx__fail(ctx, ENOTSUP, "usb %s: is not a hub", busid);
    return rc == -ENODEV ? 0 : rc;
}

/* The policy is asked about what is there when that is to be attached. */
static int read_place(xlx_ctx *ctx, const char *device, bool hub,
                      struct xlx_usb_identity *id)
{
    struct xlx__selector sel;
    int rc = xlx__selector_parse(ctx, device, &sel);
    if (!rc && sel.kind != XLX__SELECT_PLACE)
        return xlx__fail(ctx, EINVAL,
                         "usb %s: is not a place: name a port as in 1-2.3",
                         device);
    if (rc)
        return rc;
    id->by_place = true;
    id->hub = hub;
    memcpy(id->busid, sel.busid, sizeof(id->busid));
    rc = hub ? check_hub(ctx, id->busid) : 0;
    return rc ? rc
              : xlx__usbdev_read_controller(ctx, id->busid, id->controller);
}

/* A guest that nothing is written down for yet. */
static int new_intent(xlx_ctx *ctx, const char *guest,
                      struct xlx__intent *intent)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    uint32_t domid;
    int rc = xlx_domain_find(ctx, guest, &domid);
    if (!rc)
        rc = xlx__usb_check_domain(ctx, domid);
    int nr = rc ? rc : xlx__dom_list(ctx, &doms), i = 0;
    if (nr < 0)
        return nr;
    while (i < nr && doms[i].domid != domid)
        i++;
    if (i == nr || !xlx__uuid_valid(doms[i].uuid))
        return xlx__fail(ctx, ENOTSUP,
                         "domain %u: has no UUID in xenstore: not a guest of "
                         "libxl",
                         domid);
    rc = xlx__intent_load(ctx, doms[i].uuid, intent);
    if (rc != -ENOENT)
        return rc;
    *intent = (struct xlx__intent){ 0 };
    strcpy(intent->uuid, doms[i].uuid);
    strcpy(intent->name, doms[i].name);
    return 0;
}

static int find_intent(xlx_ctx *ctx, const char *guest,
                       struct xlx__intent *intent)
{
    XLX__AUTO_FREE struct xlx__guest *guests = NULL;
    int nr = xlx__guests_load(ctx, &guests, NULL, NULL);
    int which = nr < 0 ? -1 : xlx__guests_find(guests, nr, guest);
    if (which < 0)
        return nr < 0 ? nr : -ENOENT;
    *intent = guests[which].intent;
    return 0;
}

/* A maker may give all devices one serial number: the one that was assigned
 * before is still in its place. */
static bool is_twin(xlx_ctx *ctx, const struct xlx_usb_identity *old,
                    const struct xlx_usb_identity *id)
{
    XLX__AUTO_FREE struct xlx__usbdev *list = NULL;
    int nr =
        xlx__identity_same_place(old, id) ? 0 : xlx__usbdev_list(ctx, &list);
    for (int i = 0; i < nr; i++)
        if (xlx__identity_numbers(old, &list[i]) &&
            xlx__identity_at_place(old, list, nr, i))
            return true;
    return false;
}

/* The wish for the same device: for its place, or else for it when it was
 * elsewhere; nr_wishes when there is none. */
static uint32_t find_same(xlx_ctx *ctx, const struct xlx__intent *intent,
                          const struct xlx_usb_identity *id)
{
    uint32_t found = intent->nr_wishes;
    for (uint32_t i = 0; i < intent->nr_wishes; i++) {
        const struct xlx_usb_identity *old = &intent->wish[i].identity;
        if (!xlx__identity_same(old, id))
            continue;
        if (xlx__identity_same_place(old, id))
            return i;
        if (found == intent->nr_wishes && !is_twin(ctx, old, id))
            found = i;
    }
    return found;
}

static int warn_running(xlx_ctx *ctx, const struct xlx__intent *intent,
                        const char *busid)
{
    XLX__AUTO_FREE struct xlx__dom *doms = NULL;
    int nr = xlx__dom_list(ctx, &doms), rc = nr < 0 ? nr : 0;
    for (int i = 0; !rc && i < nr; i++)
        if (!strcmp(doms[i].uuid, intent->uuid))
            rc = warn_unfit(ctx, doms[i].domid, busid);
    return rc;
}

/* Replaces the wish for the same device, or appends. */
static int add_wish(xlx_ctx *ctx, struct xlx__intent *intent,
                    const struct xlx__intent_wish *wish)
{
    uint32_t i = find_same(ctx, intent, &wish->identity);
    if (i == XLX_USB_ASSIGNMENTS_MAX)
        return xlx__fail(ctx, ENOSPC, "guest %s: has %u devices already",
                         intent->name, XLX_USB_ASSIGNMENTS_MAX);
    if (wish->once && i < intent->nr_wishes && !intent->wish[i].once)
        return 0;
    struct xlx__intent_wish all = *wish;
    if (i < intent->nr_wishes)
        xlx__identity_add_faces(&all.identity, &intent->wish[i].identity);
    intent->wish[i] = all;
    if (i == intent->nr_wishes)
        intent->nr_wishes++;
    return 0;
}

int xlx_usb_assign(xlx_ctx *ctx, const char *guest, const char *device,
                   unsigned flags, const struct xlx_usb_place *place)
{
    struct xlx__intent_wish wish = { .required = flags & XLX_USB_REQUIRED,
                                     .once = flags & XLX_USB_ONCE,
                                     .force = flags & XLX_USB_FORCE,
                                     .place = { XLX_USB_ANY, XLX_USB_ANY } };
    if (place)
        wish.place = *place;
    bool hub = flags & XLX_USB_BY_HUB;
    int rc = check_place(ctx, &wish.place);
    if (!rc && hub && wish.place.port != XLX_USB_ANY)
        rc = xlx__fail(ctx, EINVAL,
                       "usb %s: the devices behind a hub cannot share one "
                       "port",
                       device);
    if (!rc)
        rc = hub || flags & XLX_USB_BY_PLACE
                 ? read_place(ctx, device, hub, &wish.identity)
                 : read_wish(ctx, device, &wish);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(ctx);
    if (lock < 0)
        return lock;
    XLX__AUTO_FREE struct xlx__intent *intent = calloc(1, sizeof(*intent));
    if (!intent)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", guest);
    rc = find_intent(ctx, guest, intent);
    if (rc == -ENOENT)
        rc = new_intent(ctx, guest, intent);
    if (!rc)
        rc = add_wish(ctx, intent, &wish);
    if (!rc)
        rc = xlx__intent_save(ctx, intent);
    if (!rc && !wish.identity.by_place)
        rc = warn_running(ctx, intent, wish.identity.busid);
    return rc;
}

/* --- taking back ---------------------------------------------------------- */

/* As if the device were plugged in where it is written down to be. */
static bool is_written_so(const struct xlx_usb_identity *id,
                          const struct xlx__selector *sel)
{
    struct xlx__usbdev dev = { .vendor = id->vendor, .product = id->product };
    strcpy(dev.busid, id->busid);
    strcpy(dev.serial, id->serial);
    return sel->kind != XLX__SELECT_ADDRESS && xlx__selector_matches(sel, &dev);
}

static int mark_written(const struct xlx__intent *intent,
                        const struct xlx__selector *sel, bool *marked)
{
    int nr = 0;
    for (uint32_t i = 0; i < intent->nr_wishes; i++)
        nr += marked[i] = is_written_so(&intent->wish[i].identity, sel);
    return nr;
}

/* Buses get new numbers at each boot: what a place is called today goes
 * before what it was called. */
static int mark_places(xlx_ctx *ctx, const struct xlx__intent *intent,
                       const struct xlx__selector *sel, bool *marked)
{
    XLX__AUTO_FREE struct xlx__intent *today = malloc(sizeof(*today));
    if (!today)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", intent->name);
    *today = *intent;
    int rc = xlx__intent_renumber(ctx, today, 1);
    int nr = rc ? rc : mark_written(today, sel, marked);
    return nr ? nr : mark_written(intent, sel, marked);
}

/* Those that the text names as they are written down; when there is none, the
 * one plugged in that it names. Marks them and returns how many. */
static int mark(xlx_ctx *ctx, const struct xlx__intent *intent,
                const char *device, bool *marked)
{
    struct xlx__selector sel;
    struct xlx__usbdev dev;
    int nr = 0, rc = xlx__selector_parse(ctx, device, &sel);
    if (!rc)
        nr = mark_places(ctx, intent, &sel, marked);
    if (rc || nr)
        return rc ? rc : nr;
    rc = xlx__select(ctx, device, &dev);
    for (uint32_t i = 0; !rc && i < intent->nr_wishes; i++) {
        const struct xlx_usb_identity *id = &intent->wish[i].identity;
        nr += marked[i] = id->serial[0] && xlx__identity_numbers(id, &dev);
    }
    return rc && rc != -ENODEV ? rc : nr;
}

static void remove_marked(struct xlx__intent *intent, const bool *marked)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < intent->nr_wishes; i++)
        if (!marked[i])
            intent->wish[kept++] = intent->wish[i];
    intent->nr_wishes = kept;
}

static int unassign(xlx_ctx *ctx, struct xlx__intent *intent,
                    const char *device)
{
    bool marked[XLX_USB_ASSIGNMENTS_MAX] = { false };
    int nr = (int)intent->nr_wishes;
    if (device)
        nr = mark(ctx, intent, device, marked);
    else
        memset(marked, true, sizeof(marked));
    if (nr == 0)
        return xlx__fail(ctx, ENOENT, "usb %s: is not assigned to guest %s",
                         device ? device : "", intent->name);
    if (nr > 1 && device)
        return xlx__fail(ctx, ENOTUNIQ,
                         "usb %s: guest %s has %d devices that match: name "
                         "one by its place",
                         device, intent->name, nr);
    if (nr < 0)
        return nr;
    remove_marked(intent, marked);
    int rc = xlx__intent_save(ctx, intent);
    return rc ? rc : nr;
}

int xlx_usb_unassign(xlx_ctx *ctx, const char *guest, const char *device)
{
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(ctx);
    if (lock < 0)
        return lock;
    XLX__AUTO_FREE struct xlx__intent *intent = calloc(1, sizeof(*intent));
    if (!intent)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", guest);
    int rc = find_intent(ctx, guest, intent);
    if (rc == -ENOENT)
        return xlx__fail(ctx, ENOENT, "guest %s: nothing is assigned to it",
                         guest);
    return rc ? rc : unassign(ctx, intent, device);
}

/* --- what is to be once --------------------------------------------------- */

int xlx__intent_fulfil(xlx_ctx *ctx, const char *uuid,
                       const struct xlx_usb_identity *id)
{
    bool marked[XLX_USB_ASSIGNMENTS_MAX] = { false };
    XLX__AUTO_FREE struct xlx__intent *intent = calloc(1, sizeof(*intent));
    if (!intent)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", uuid);
    int rc = xlx__intent_load(ctx, uuid, intent);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    for (uint32_t i = 0; i < intent->nr_wishes; i++)
        marked[i] = intent->wish[i].once &&
                    xlx__identity_same(&intent->wish[i].identity, id) &&
                    xlx__identity_same_place(&intent->wish[i].identity, id);
    remove_marked(intent, marked);
    return xlx__intent_save(ctx, intent);
}

int xlx_usb_unassign_once(xlx_ctx *ctx, const char *guest)
{
    bool marked[XLX_USB_ASSIGNMENTS_MAX] = { false };
    int nr = 0;
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(ctx);
    if (lock < 0)
        return lock;
    XLX__AUTO_FREE struct xlx__intent *intent = calloc(1, sizeof(*intent));
    if (!intent)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", guest);
    int rc = find_intent(ctx, guest, intent);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    for (uint32_t i = 0; i < intent->nr_wishes; i++)
        nr += marked[i] = intent->wish[i].once;
    remove_marked(intent, marked);
    rc = nr ? xlx__intent_save(ctx, intent) : 0;
    return rc ? rc : nr;
}

/* --- listing -------------------------------------------------------------- */

static int list_one(xlx_ctx *ctx, const char *guest,
                    struct xlx__intent **list_r)
{
    XLX__AUTO_FREE struct xlx__intent *intent = calloc(1, sizeof(*intent));
    if (!intent)
        return xlx__fail(ctx, ENOMEM, "guest %s: no memory", guest);
    int rc = find_intent(ctx, guest, intent);
    if (rc == -ENOENT)
        rc = new_intent(ctx, guest, intent);
    if (rc || !intent->nr_wishes)
        return rc;
    *list_r = xlx__steal(intent);
    return 1;
}

int xlx__intent_list(xlx_ctx *ctx, const char *guest,
                     struct xlx__intent **list_r)
{
    struct xlx__intent *list = NULL;
    XLX__AUTO_CLOSE int lock = xlx__intent_lock(ctx);
    if (lock < 0)
        return lock;
    int nr = guest ? list_one(ctx, guest, &list)
                   : xlx__intent_load_all(ctx, &list, NULL, NULL);
    int rc = nr < 0 ? nr : xlx__intent_renumber(ctx, list, nr);
    if (rc) {
        free(list);
        return rc;
    }
    *list_r = list;
    return nr;
}
