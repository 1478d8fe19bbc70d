/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/reconcile_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who has a device, or gets it. */
struct owner {
    uint32_t domid; /* 0: nobody */
    int guest;      /* -1: none that anything is written down for */
};

/* What becomes of one wish. */
struct answer {
    bool given; /* `match` is final */
    enum xlx__match match;
    int dev;
    int held;  /* where the guest has it already; -1 */
    int rival; /* XLX__MATCH_AMBIGUOUS: a guest it could be meant for too; -1 */
};

struct work {
    const struct xlx__view *view;
    bool *taken;           /* by device */
    struct owner *owner;   /* by device */
    bool *good;            /* by held port: its device is as it should be */
    bool *to_free;         /* by held port */
    bool *met;             /* by held port: a wish */
    struct answer *answer; /* by guest and wish */
    struct xlx__action *list;
    int nr;
};

static const struct xlx__intent_wish *wish_of(const struct work *w, int g,
                                              int i)
{
    return &w->view->guests[g].intent.wish[i];
}

static int nr_wishes(const struct work *w, int g)
{
    return (int)w->view->guests[g].intent.nr_wishes;
}

static struct answer *answer_of(struct work *w, int g, int i)
{
    return &w->answer[g * XLX_USB_ASSIGNMENTS_MAX + i];
}

static int find_dev(const struct xlx__view *v, const char *busid)
{
    for (int i = 0; i < v->nr_devs; i++)
        if (!strcmp(v->devs[i].busid, busid))
            return i;
    return -1;
}

static int guest_of(const struct xlx__view *v, uint32_t domid)
{
    for (int g = 0; g < v->nr_guests; g++)
        if (v->guests[g].domid == domid)
            return g;
    return -1;
}

static bool is_at_place(const struct work *w, const struct xlx_usb_identity *id,
                        int dev)
{
    return xlx__identity_at_place(id, w->view->devs, w->view->nr_devs, dev);
}

/* --- the ports ------------------------------------------------------------ */

/* A wish of the guest for the device that has no device yet; `at`: one that is
 * written down for the device's place. -1: there is none. */
static int wish_for(struct work *w, int g, int dev, bool at)
{
    for (int i = 0; i < nr_wishes(w, g); i++) {
        const struct xlx_usb_identity *id = &wish_of(w, g, i)->identity;
        if (!answer_of(w, g, i)->given &&
            (id->by_place ? !at && is_at_place(w, id, dev)
                          : xlx__identity_numbers(id, &w->view->devs[dev]) &&
                                (!at || is_at_place(w, id, dev))))
            return i;
    }
    return -1;
}

/* The guest is to have a device from there, and no such one as there is now. */
static bool is_another(const struct work *w, int g, int dev)
{
    const struct xlx__usbdev *d = &w->view->devs[dev];
    bool at = false;
    for (int i = 0; i < nr_wishes(w, g); i++) {
        const struct xlx_usb_identity *id = &wish_of(w, g, i)->identity;
        bool here = is_at_place(w, id, dev);
        if (xlx__identity_numbers(id, d) || (id->by_place && here))
            return false;
        at |= here;
    }
    return at;
}

/* Why the port has to be freed before anything can be attached; NULL: its
 * device is there, and it is the one that was attached. */
static const char *stale(const struct work *w, const struct xlx__held *h)
{
    int dev = find_dev(w->view, h->busid), g = guest_of(w->view, h->domid);
    if (h->busy)
        return NULL;
    if (dev < 0)
        return "its device was unplugged";
    if (w->view->devs[dev].unread)
        return NULL;
    if (h->address && h->address != w->view->devs[dev].address)
        return "its device was plugged in again";
    /* What another tool is just attaching is not claimed yet, either. */
    if (h->address && h->connected && !h->claimed)
        return "the backend has lost its device";
    /* Attached by a tool that does not say when. */
    if (!h->address && g >= 0 && is_another(w, g, dev))
        return "another device is plugged in there";
    return NULL;
}

static void take_device(struct work *w, int dev, uint32_t domid, int guest)
{
    w->taken[dev] = true;
    w->owner[dev] = (struct owner){ domid, guest };
}

static void find_wish(struct work *w, int held, bool at)
{
    const struct xlx__held *h = &w->view->held[held];
    int dev = find_dev(w->view, h->busid), g = guest_of(w->view, h->domid);
    int wish =
        dev < 0 || g < 0 || !w->good[held] ? -1 : wish_for(w, g, dev, at);
    if (wish < 0 || w->met[held])
        return;
    *answer_of(w, g, wish) = (struct answer){ .given = true,
                                              .match = XLX__MATCH_ONE,
                                              .dev = dev,
                                              .held = held,
                                              .rival = -1 };
    w->met[held] = true;
}

/* A device in a guest stays there, whoever put it there. */
static void look_at_ports(struct work *w)
{
    for (int i = 0; i < w->view->nr_held; i++) {
        const struct xlx__held *h = &w->view->held[i];
        int dev = find_dev(w->view, h->busid), g = guest_of(w->view, h->domid);
        w->good[i] = !stale(w, h);
        w->to_free[i] = !w->good[i] && g >= 0;
        if (w->good[i] && dev >= 0)
            take_device(w, dev, h->domid, g);
        find_wish(w, i, true);
    }
    for (int i = 0; i < w->view->nr_held; i++)
        find_wish(w, i, false);
}

/* --- the wishes ----------------------------------------------------------- */

/* How well a device has to be known to be given. */
enum how {
    BY_PLACE,   /* it is where it was when it was assigned */
    BY_SERIAL,  /* or has a serial number that no other one has */
    BY_PORT,    /* or is in a port that is assigned, whatever it is */
    BY_NUMBERS, /* or is the only one like it */
};

static bool is_like(const struct xlx_usb_identity *a,
                    const struct xlx_usb_identity *b)
{
    return !a->by_place && !b->by_place && a->vendor == b->vendor &&
           a->product == b->product && !strcmp(a->serial, b->serial);
}

/* A guest that is to have one like it, from another place; `missing`: that runs
 * and has not got it yet. -1: there is none. */
static int find_rival(struct work *w, int g, const struct xlx_usb_identity *id,
                      bool missing)
{
    for (int h = 0; h < w->view->nr_guests; h++)
        for (int i = 0; h != g && i < nr_wishes(w, h); i++) {
            const struct xlx_usb_identity *other = &wish_of(w, h, i)->identity;
            if (is_like(id, other) && !xlx__identity_same_place(id, other) &&
                (!missing ||
                 (w->view->guests[h].domid && !answer_of(w, h, i)->given)))
                return h;
        }
    return -1;
}

/* A maker may give all its devices one serial number. */
static bool serial_tells(struct work *w, int g,
                         const struct xlx_usb_identity *id)
{
    int nr = 0;
    for (int i = 0; i < w->view->nr_devs; i++)
        nr += xlx__identity_numbers(id, &w->view->devs[i]);
    return id->serial[0] && nr == 1 && find_rival(w, g, id, false) < 0;
}

static bool is_known(struct work *w, int g, int i, enum how how)
{
    struct answer *a = answer_of(w, g, i);
    const struct xlx_usb_identity *id = &wish_of(w, g, i)->identity;
    if (is_at_place(w, id, a->dev))
        return !id->by_place || how >= BY_PORT;
    if (how == BY_PLACE)
        return false;
    if (serial_tells(w, g, id))
        return true;
    if (how != BY_NUMBERS)
        return false;
    a->rival = find_rival(w, g, id, true);
    if (a->rival >= 0)
        a->match = XLX__MATCH_AMBIGUOUS;
    return a->rival < 0;
}

static void look_for(struct work *w, int g, int i, enum how how)
{
    struct answer *a = answer_of(w, g, i);
    if (a->given)
        return;
    a->held = a->rival = -1;
    a->match = xlx__identity_match(&wish_of(w, g, i)->identity, w->view->devs,
                                   w->view->nr_devs, w->taken, &a->dev);
    if (a->match == XLX__MATCH_ONE && is_known(w, g, i, how)) {
        take_device(w, a->dev, w->view->guests[g].domid, g);
        a->given = true;
    }
    /* The guest has it for another wish. */
    if (a->match == XLX__MATCH_TAKEN && w->owner[a->dev].guest == g)
        a->match = XLX__MATCH_NONE;
}

static void look_for_all(struct work *w, bool running, enum how how)
{
    for (int g = 0; g < w->view->nr_guests; g++)
        for (int i = 0; i < nr_wishes(w, g); i++)
            if (!!w->view->guests[g].domid == running)
                look_for(w, g, i, how);
}

/* --- the actions ---------------------------------------------------------- */

static struct xlx__action *add_action(struct work *w, enum xlx__act act,
                                      enum xlx_usb_outcome outcome, int guest,
                                      int wish)
{
    struct xlx__action *a = &w->list[w->nr++];
    *a = (struct xlx__action){
        .act = act,
        .outcome = outcome,
        .guest = guest,
        .wish = wish,
        .domid = guest < 0 ? 0 : w->view->guests[guest].domid,
        .place = { XLX_USB_ANY, XLX_USB_ANY },
    };
    return a;
}

static void add_free(struct work *w, int i)
{
    const struct xlx__held *h = &w->view->held[i];
    struct xlx__action *a = add_action(w, XLX__ACT_FREE, XLX_USB_FREED,
                                       guest_of(w->view, h->domid), -1);
    a->domid = h->domid;
    a->place = h->place;
    a->address = h->address;
    strcpy(a->busid, h->busid);
    snprintf(a->reason, sizeof(a->reason), "%s%s%s", stale(w, h),
             *h->who ? ": it is in use" : "", h->who);
}

static void say_ambiguous(const struct work *w,
                          const struct xlx_usb_identity *id, char *reason)
{
    char list[120] = "";
    for (int i = 0; i < w->view->nr_devs; i++) {
        size_t n = strlen(list);
        if (!w->taken[i] && xlx__identity_numbers(id, &w->view->devs[i]))
            snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
                     w->view->devs[i].busid);
    }
    snprintf(reason, XLX__REASON_MAX,
             "several devices that match are plugged in (%s): assign one of "
             "them",
             list);
}

static void say_rival(const struct work *w, const struct answer *a,
                      char *reason)
{
    snprintf(reason, XLX__REASON_MAX,
             "the device at %s could be this one or that of guest %.80s: "
             "assign it again to one of them",
             w->view->devs[a->dev].busid,
             w->view->guests[a->rival].intent.name);
}

static void say_taken(const struct work *w, int dev, char *reason)
{
    const struct owner *o = &w->owner[dev];
    if (o->guest >= 0)
        snprintf(reason, XLX__REASON_MAX,
                 "guest %.100s has it, or has "
                 "precedence",
                 w->view->guests[o->guest].intent.name);
    else
        snprintf(reason, XLX__REASON_MAX, "domain %u has it", o->domid);
}

static void say_changed(const struct work *w, const struct xlx_usb_identity *id,
                        int dev, char *reason)
{
    struct xlx_usb_identity new;
    xlx__identity_of(&w->view->devs[dev], &new);
    const struct xlx_usb_face *now = &new.face[0], *was = &id->face[0];
    snprintf(reason, XLX__REASON_MAX,
             "the device at %s is another kind of device now (first interface "
             "%s, was %s; %u of them, was %u): assign it again if that is "
             "right",
             new.busid, now->nr_classes ? now->classes[0] : "none",
             was->nr_classes ? was->classes[0] : "none", now->nr_classes,
             was->nr_classes);
}

/* One that this host keeps unused has no interfaces, and so is not there yet.
 */
static void say_missing(const struct work *w, const struct xlx_usb_identity *id,
                        struct xlx__action *action)
{
    const struct xlx__view *v = w->view;
    const char *why =
        id->by_place ? "nothing is plugged in there" : "not plugged in";
    if (id->hub)
        why = "nothing is plugged in behind it";
    for (int i = 0; i < v->nr_devs; i++) {
        bool here = xlx__identity_at_place(id, v->devs, v->nr_devs, i);
        if (v->devs[i].unread && here)
            why = "what is plugged in there cannot be read";
        if (!v->devs[i].unauthorized ||
            !(id->by_place ? here
                           : xlx__identity_numbers(id, &v->devs[i]) &&
                                 (here || id->serial[0])))
            continue;
        strcpy(action->busid, v->devs[i].busid);
        why = "not authorized by this host";
    }
    snprintf(action->reason, XLX__REASON_MAX, "%s", why);
}

static void add_nothing(struct work *w, int g, int i)
{
    static const enum xlx_usb_outcome outcomes[] = {
        [XLX__MATCH_NONE] = XLX_USB_WAITS,
        [XLX__MATCH_AMBIGUOUS] = XLX_USB_AMBIGUOUS,
        [XLX__MATCH_CHANGED] = XLX_USB_CHANGED,
        [XLX__MATCH_TAKEN] = XLX_USB_TAKEN,
    };
    const struct answer *a = answer_of(w, g, i);
    const struct xlx_usb_identity *id = &wish_of(w, g, i)->identity;
    struct xlx__action *action =
        add_action(w, XLX__ACT_NOTHING, outcomes[a->match], g, i);
    bool is_there =
        a->match == XLX__MATCH_CHANGED || a->match == XLX__MATCH_TAKEN;
    strcpy(action->busid, is_there ? w->view->devs[a->dev].busid : id->busid);
    if (a->match == XLX__MATCH_AMBIGUOUS && a->rival >= 0)
        say_rival(w, a, action->reason);
    else if (a->match == XLX__MATCH_AMBIGUOUS)
        say_ambiguous(w, id, action->reason);
    else if (a->match == XLX__MATCH_TAKEN)
        say_taken(w, a->dev, action->reason);
    else if (a->match == XLX__MATCH_CHANGED)
        say_changed(w, id, a->dev, action->reason);
    else
        say_missing(w, id, action);
}

/* A device whose old port still says it has it cannot be attached, whichever
 * guest that is. */
static void free_ports_of(struct work *w, const char *busid)
{
    for (int i = 0; i < w->view->nr_held; i++)
        if (!w->good[i] && !strcmp(w->view->held[i].busid, busid))
            w->to_free[i] = true;
}

static void add_wish(struct work *w, int g, int i)
{
    const struct answer *a = answer_of(w, g, i);
    if (w->view->guests[g].busy) {
        struct xlx__action *later =
            add_action(w, XLX__ACT_LATER, XLX_USB_FAILED, g, i);
        strcpy(later->busid, wish_of(w, g, i)->identity.busid);
        snprintf(later->reason, sizeof(later->reason),
                 "another command for the guest is running");
        return;
    }
    if (!a->given) {
        add_nothing(w, g, i);
        return;
    }
    struct xlx__action *action =
        a->held >= 0 ? add_action(w, XLX__ACT_NOTHING, XLX_USB_IN_PLACE, g, i)
                     : add_action(w, XLX__ACT_ATTACH, XLX_USB_ATTACHED, g, i);
    action->dev = &w->view->devs[a->dev];
    strcpy(action->busid, action->dev->busid);
    action->place =
        a->held >= 0 ? w->view->held[a->held].place : wish_of(w, g, i)->place;
}

static void add_all(struct work *w)
{
    for (int g = 0; g < w->view->nr_guests; g++)
        for (int i = 0; w->view->guests[g].domid && i < nr_wishes(w, g); i++) {
            const struct answer *a = answer_of(w, g, i);
            if (a->given && a->held < 0)
                free_ports_of(w, w->view->devs[a->dev].busid);
        }
    for (int i = 0; i < w->view->nr_held; i++)
        if (w->to_free[i])
            add_free(w, i);
    for (int g = 0; g < w->view->nr_guests; g++)
        for (int i = 0; w->view->guests[g].domid && i < nr_wishes(w, g); i++)
            add_wish(w, g, i);
}

static bool allocate_work(struct work *w)
{
    const struct xlx__view *v = w->view;
    size_t devs = (size_t)v->nr_devs + 1, held = (size_t)v->nr_held + 1;
    size_t wishes = (size_t)v->nr_guests * XLX_USB_ASSIGNMENTS_MAX;
    w->taken = calloc(devs, sizeof(*w->taken));
    w->owner = calloc(devs, sizeof(*w->owner));
    w->good = calloc(held, sizeof(*w->good));
    w->to_free = calloc(held, sizeof(*w->to_free));
    w->met = calloc(held, sizeof(*w->met));
    w->answer = calloc(wishes + 1, sizeof(*w->answer));
    size_t actions = held;
    for (int g = 0; g < v->nr_guests; g++)
        actions += v->guests[g].intent.nr_wishes;
    w->list = calloc(actions, sizeof(*w->list));
    return w->taken && w->owner && w->good && w->to_free && w->met &&
           w->answer && w->list;
}

int xlx__decide(const struct xlx__view *view, struct xlx__action **list_r)
{
    struct work w = { .view = view };
    bool ok = allocate_work(&w);
    if (ok) {
        look_at_ports(&w);
        /* Everybody's own before anybody is offered what is only like it. A
         * guest that does not run keeps what is certainly its own. */
        for (int how = BY_PLACE; how <= BY_PORT; how++) {
            look_for_all(&w, true, how);
            look_for_all(&w, false, how);
        }
        look_for_all(&w, true, BY_NUMBERS);
        add_all(&w);
        *list_r = w.list;
    } else
        free(w.list);
    free(w.taken);
    free(w.owner);
    free(w.good);
    free(w.to_free);
    free(w.met);
    free(w.answer);
    return ok ? w.nr : -ENOMEM;
}
