/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * USB devices that can be taken and given back, in memory. Which are plugged in
 * is the business of a sysfs in memory; this has who claims them.
 */
#ifndef FAKES_USBD_DEVICES_H
#define FAKES_USBD_DEVICES_H

#include "fakes/nth.h"
#include "fakes/sysfs_mem.h"
#include "usbd/device.h"

#define USBD_FAKE_MAX 8

struct usbd_fake_device {
    char busid[XLX_USB_BUSID_MAX]; /* "": unused */
    uint32_t address;
    int fd;          /* of the claim, -1: this host has it */
    unsigned claims; /* how often it was claimed */
    unsigned resets;
    unsigned given_back; /* how often the drivers were called */
    int config;          /* the last that was set, -1: none */
};

/* Outlives the seams that are made over it, as a host does its processes. */
struct usbd_fake {
    struct nth *nth;
    struct sysfs_mem *sysfs;
    const char *busy;   /* this one cannot be claimed */
    int refuses_config; /* this configuration cannot be set: -EPIPE; 0: none */
    struct usbd_fake_device dev[USBD_FAKE_MAX];
};

struct xlx__usbd_devices *usbd_fake_new(struct usbd_fake *f);

/* What became of a device; never NULL. */
struct usbd_fake_device *usbd_fake_find(struct usbd_fake *f, const char *busid);

/* How many are claimed. */
unsigned usbd_fake_claimed(const struct usbd_fake *f);

#endif
