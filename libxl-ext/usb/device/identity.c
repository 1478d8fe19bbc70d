/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/device/identity.h"

#include <stdio.h>
#include <string.h>

#include "usb/device/busid.h"

_Static_assert(XLX_USB_CLASSES_MAX == XLX__USB_INTFS_MAX, "all interfaces");

static void class_of(const struct xlx__usbintf *intf, char text_r[7])
{
    snprintf(text_r, 7, "%02x%02x%02x", intf->class, intf->subclass,
             intf->protocol);
}

static void face_of(const struct xlx__usbintf *intf, unsigned nr, bool whole,
                    struct xlx_usb_face *face_r)
{
    *face_r = (struct xlx_usb_face){ .whole = whole, .nr_classes = nr };
    for (unsigned i = 0; i < nr; i++)
        class_of(&intf[i], face_r->classes[i]);
}

/* In use or, `whole`, all there are, as far as they are known. */
static void face_of_dev(const struct xlx__usbdev *dev, bool whole,
                        struct xlx_usb_face *face_r)
{
    if (whole && dev->nr_kinds)
        face_of(dev->kind, dev->nr_kinds, true, face_r);
    else
        face_of(dev->intf, dev->nr_intfs, false, face_r);
}

void xlx__identity_of(const struct xlx__usbdev *dev,
                      struct xlx_usb_identity *id_r)
{
    *id_r = (struct xlx_usb_identity){
        .vendor = dev->vendor,
        .product = dev->product,
        .nr_faces = 1,
    };
    snprintf(id_r->busid, sizeof(id_r->busid), "%s", dev->busid);
    snprintf(id_r->controller, sizeof(id_r->controller), "%s", dev->controller);
    snprintf(id_r->serial, sizeof(id_r->serial), "%s", dev->serial);
    face_of_dev(dev, true, &id_r->face[0]);
}

/* "1-2.3" without the bus. */
static const char *ports_of(const char *busid)
{
    const char *dash = strchr(busid, '-');
    return dash ? dash : busid;
}

/* Buses get new numbers at each boot, in the order in which controllers
 * are found. */
static bool same_place(const char *busid_a, const char *controller_a,
                       const char *busid_b, const char *controller_b)
{
    if (*controller_a && *controller_b)
        return !strcmp(controller_a, controller_b) &&
               !strcmp(ports_of(busid_a), ports_of(busid_b));
    return !strcmp(busid_a, busid_b);
}

bool xlx__identity_same_place(const struct xlx_usb_identity *a,
                              const struct xlx_usb_identity *b)
{
    return same_place(a->busid, a->controller, b->busid, b->controller);
}

void xlx__identity_renumber(struct xlx_usb_identity *id,
                            const struct xlx__usbbus *bus, int nr)
{
    char busid[XLX_USB_BUSID_MAX];
    for (int i = 0; id->controller[0] && i < nr; i++) {
        if (strcmp(id->controller, bus[i].controller))
            continue;
        int n = snprintf(busid, sizeof(busid), "%u%s", bus[i].number,
                         ports_of(id->busid));
        if (n < (int)sizeof(busid))
            memcpy(id->busid, busid, sizeof(busid));
        return;
    }
}

bool xlx__identity_at_place(const struct xlx_usb_identity *id,
                            const struct xlx__usbdev *dev, int nr, int which)
{
    const struct xlx__usbdev *d = &dev[which];
    if (id->hub ||
        !same_place(id->busid, id->controller, d->busid, d->controller))
        return false;
    /* That bus may be another one's number by now. */
    for (int i = 0; i < nr && !(id->controller[0] && d->controller[0]); i++)
        if (i != which && xlx__identity_numbers(id, &dev[i]) &&
            !strcmp(ports_of(id->busid), ports_of(dev[i].busid)))
            return false;
    return true;
}

bool xlx__identity_behind(const struct xlx_usb_identity *id,
                          const struct xlx__usbdev *dev)
{
    if (!id->hub)
        return false;
    if (id->controller[0] && dev->controller[0])
        return !strcmp(id->controller, dev->controller) &&
               xlx__busid_is_behind(ports_of(dev->busid), ports_of(id->busid));
    return xlx__busid_is_behind(dev->busid, id->busid);
}

bool xlx__identity_same(const struct xlx_usb_identity *a,
                        const struct xlx_usb_identity *b)
{
    return a->by_place == b->by_place && a->hub == b->hub &&
           a->vendor == b->vendor && a->product == b->product &&
           !strcmp(a->serial, b->serial) &&
           (a->serial[0] || xlx__identity_same_place(a, b));
}

bool xlx__identity_numbers(const struct xlx_usb_identity *id,
                           const struct xlx__usbdev *dev)
{
    return !dev->unread && !id->by_place && id->vendor == dev->vendor &&
           id->product == dev->product && !strcmp(id->serial, dev->serial);
}

/* With its serial, or at its place; elsewhere it is simply something else. */
static bool must_be(const struct xlx_usb_identity *id,
                    const struct xlx__usbdev *dev, int nr, int which)
{
    return id->serial[0] || xlx__identity_at_place(id, dev, nr, which);
}

static bool same_face(const struct xlx_usb_face *a,
                      const struct xlx_usb_face *b)
{
    bool same = a->whole == b->whole && a->nr_classes == b->nr_classes;
    for (uint32_t i = 0; same && i < a->nr_classes; i++)
        same = !strcmp(a->classes[i], b->classes[i]);
    return same;
}

static bool same_interfaces(const struct xlx_usb_identity *id,
                            const struct xlx__usbdev *dev)
{
    struct xlx_usb_face now;
    bool same = false;
    for (uint32_t i = 0; !same && i < id->nr_faces; i++) {
        face_of_dev(dev, id->face[i].whole, &now);
        same = same_face(&id->face[i], &now);
    }
    return same;
}

void xlx__identity_add_faces(struct xlx_usb_identity *id,
                             const struct xlx_usb_identity *old)
{
    for (uint32_t i = 0; i < old->nr_faces; i++) {
        bool known = false;
        for (uint32_t n = 0; n < id->nr_faces; n++)
            known |= same_face(&id->face[n], &old->face[i]);
        if (!known && id->nr_faces < XLX_USB_FACES_MAX)
            id->face[id->nr_faces++] = old->face[i];
    }
}

static enum xlx__match match_place(const struct xlx_usb_identity *id,
                                   const struct xlx__usbdev *dev, int nr,
                                   const bool *taken, int *which_r)
{
    for (int i = 0; i < nr; i++)
        if (!dev[i].hub && dev[i].nr_intfs &&
            xlx__identity_at_place(id, dev, nr, i)) {
            *which_r = i;
            return taken[i] ? XLX__MATCH_TAKEN : XLX__MATCH_ONE;
        }
    return XLX__MATCH_NONE;
}

enum xlx__match xlx__identity_match(const struct xlx_usb_identity *id,
                                    const struct xlx__usbdev *dev, int nr,
                                    const bool *taken, int *which_r)
{
    if (id->by_place)
        return match_place(id, dev, nr, taken, which_r);
    int nr_free = 0, free_one = -1, taken_one = -1, changed_one = -1;
    for (int i = 0; i < nr; i++) {
        if (!dev[i].nr_intfs || !xlx__identity_numbers(id, &dev[i]))
            continue;
        if (!same_interfaces(id, &dev[i])) {
            if (must_be(id, dev, nr, i) && !taken[i])
                changed_one = i;
        } else if (xlx__identity_at_place(id, dev, nr, i)) {
            *which_r = i;
            return taken[i] ? XLX__MATCH_TAKEN : XLX__MATCH_ONE;
        } else if (taken[i]) {
            taken_one = i;
        } else {
            nr_free++;
            free_one = i;
        }
    }
    if (nr_free > 1)
        return XLX__MATCH_AMBIGUOUS;
    int which = taken_one >= 0 ? taken_one : changed_one;
    if (nr_free)
        which = free_one;
    if (which < 0)
        return XLX__MATCH_NONE;
    *which_r = which;
    if (nr_free)
        return XLX__MATCH_ONE;
    return taken_one >= 0 ? XLX__MATCH_TAKEN : XLX__MATCH_CHANGED;
}
