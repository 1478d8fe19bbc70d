/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What has to be done so that guests have what they are to have: pure.
 */
#ifndef XLX_USB_ASSIGN_RECONCILE_PLAN_H
#define XLX_USB_ASSIGN_RECONCILE_PLAN_H

#include "usb/assign/guests.h"
#include "usb/device/identity.h"
#include "usbd/port_status.h"

/* A port of any domain that runs that has a busid of this host. */
struct xlx__held {
    uint32_t domid;
    struct xlx_usb_place place;
    char busid[XLX_USB_BUSID_MAX];
    bool busy;        /* somebody is at work there */
    bool connected;   /* the controller */
    uint32_t address; /* the device's, when it was attached; 0: unknown */
    bool claimed; /* with an address: the device, as a whole, by the backend */
    char who[XLX__USBD_WHY_MAX]; /* else who has it, " by process ...", or "" */
};

struct xlx__view {
    const struct xlx__guest *guests; /* sorted by name: the first one comes
                                        first */
    int nr_guests;
    const struct xlx__held *held;
    int nr_held;
    const struct xlx__usbdev *devs;
    int nr_devs;
    bool again; /* something could not be read, and counts as busy */
};

enum xlx__act {
    XLX__ACT_FREE,
    XLX__ACT_ATTACH,
    XLX__ACT_NOTHING,
    XLX__ACT_LATER, /* the guest is busy */
};

#define XLX__REASON_MAX 256

struct xlx__action {
    enum xlx__act act;
    enum xlx_usb_outcome outcome; /* when it succeeds */
    int guest;                    /* in the view; -1: of no guest there */
    int wish;                     /* of that guest; -1: it is about a port */
    uint32_t domid;
    char busid[XLX_USB_BUSID_MAX];
    const struct xlx__usbdev *dev; /* to attach: in the view */
    uint32_t address; /* to free: what the port's device had, as in the view */
    struct xlx_usb_place place;
    char reason[XLX__REASON_MAX];
    bool done; /* for who does them */
};

/* Ports to be freed first, then one action for each wish of each guest that
 * runs. *list_r for free(). Returns how many, or -ENOMEM without a report. */
int xlx__decide(const struct xlx__view *view, struct xlx__action **list_r);

#endif
