/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A Xen host in memory: domain 5 (PVH, "guest") and domain 6 (HVM, "other"), a
 * backend process that can be started, the kernel's backend, libxl with the
 * device model of domain 6, frontend drivers in the guests, and USB devices on
 * the host. What backends and guests do happens while the library waits.
 */
#ifndef FAKES_USB_WORLD_H
#define FAKES_USB_WORLD_H

#include <stdio.h>

#include "core/ctx.h"
#include "fakes/nth.h"
#include "fakes/sysfs_mem.h"
#include "fakes/xenstore_mem.h"
#include "libxl_ext_usb.h"
#include "xen/libxl_usb.h"

#define WORLD_DOMID 5u
#define WORLD_UUID "00000000-0000-4000-8000-000000000005" /* domain 5's */
#define WORLD_HVM 6u
#define WORLD_DEVIDS 8
#define WORLD_TAKEN 8 /* devices */

struct usb_world {
    xlx_ctx *ctx;
    struct nth nth;
    struct xs_mem *xs;
    struct sysfs_mem *sysfs;
    char dir[64];   /* run directory, state, logs, usb-policy.conf */
    uint32_t domid; /* "guest" runs as; 5 at first */

    /* How its inhabitants behave; all as it should be at first. */
    bool no_frontend;    /* the guest has no driver */
    bool no_claim;       /* the backend does not take devices */
    bool no_release;     /* nor give them back */
    bool not_configured; /* the guest has the device and does nothing */
    bool notices;        /* the backend empties the port of a pulled device */
    bool dies;           /* the backend, when a device is given to it */
    bool daemon;         /* of the host: has claimed what is plugged in again */
    bool dead;           /* the backend is there and does nothing */
    const char *refusal; /* what the daemon says instead of "ready" */

    bool running;       /* our backend process for "guest" */
    bool running_other; /* and for "other" */
    bool stale;         /* it was killed and left its pidfile */
    int starts;
    bool closing[3][WORLD_DEVIDS]; /* the backend has yet to say Closed */

    /* What the drivers in domain 5 and 6 know, and have connected. Of one that
     * goes in between, Linux's xen-hcd kills its guest's xenbus. */
    bool known[2][WORLD_DEVIDS], open[2][WORLD_DEVIDS];
    bool xenbus_dead;

    bool usbback;  /* the kernel has it: usb_world_load_usbback() */
    char ids[160]; /* its port_ids */
    bool fatal;    /* it gave up: a port was emptied before its device was
                      unbound */

    /* What the device model of domain 6 has. */
    bool qemu_hc[WORLD_DEVIDS];
    int qemu_made;   /* controllers, so far */
    bool qemu_keeps; /* those it has */
    /* One that was removed stays for so many additions of its number. */
    int qemu_lingers, qemu_going[WORLD_DEVIDS];
    struct xlx__libxl_dev qemu_dev[WORLD_TAKEN]; /* bus 0: none */

    uint64_t addresses; /* a bit for each that was ever taken, up to 63 */
    struct {
        const char *busid; /* taken by the backend, or NULL */
        const char *address;
        char port[128]; /* the node it was taken for */
        const char *driver[SYSFS_MEM_INTFS];
    } taken[WORLD_TAKEN];
};

/* The last line that went to syslog: syslog(3) is the fake's own. */
extern char usb_world_syslog[512];

struct usb_world *usb_world_new(void);
void usb_world_free(struct usb_world *w);

void usb_world_load_usbback(struct usb_world *w);

/* The guest ends, and its backend with it; it is started as another domain. */
void usb_world_destroy(struct usb_world *w);
void usb_world_create(struct usb_world *w, uint32_t domid, const char *uuid);

/* kill -9 of the backend: the kernel lets go of the devices. */
void usb_world_kill_backend(struct usb_world *w);

/* What another process has: a context of its own, on the same host. To be
 * closed before the world is freed. */
xlx_ctx *usb_world_other(struct usb_world *w);
void usb_world_close_other(xlx_ctx *other);

/* Lets the world's inhabitants come to rest. */
void usb_world_rest(struct usb_world *w);

/* All that a failed command may not change; for free(). */
char *usb_world_dump(struct usb_world *w);

/* Among its inhabitants: a process claims a device for a port, and gives it
 * back, with or without its drivers. `taken` returns a slot, or -1. */
void usb_world_take(struct usb_world *w, const char *busid, const char *port);
int usb_world_taken(struct usb_world *w, const char *port);
void usb_world_give_back(struct usb_world *w, int slot, bool drivers);

/* usb_world_libxl.c */
struct xlx__libxl *usb_world_libxl(struct usb_world *w);
void usb_world_dump_qemu(struct usb_world *w, FILE *out);

#endif
