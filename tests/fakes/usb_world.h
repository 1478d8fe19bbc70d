/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A Xen host in memory: domain 5 (PVH, "guest"), a backend process that can be
 * started, a frontend driver in the guest, and USB devices on the host. What
 * QEMU and the guest do happens while the library waits.
 */
#ifndef FAKES_USB_WORLD_H
#define FAKES_USB_WORLD_H

#include "core/ctx.h"
#include "fakes/nth.h"
#include "fakes/sysfs_mem.h"
#include "fakes/xenstore_mem.h"

#define WORLD_DOMID 5u

struct usb_world {
    xlx_ctx *ctx;
    struct nth nth;
    struct xs_mem *xs;
    struct sysfs_mem *sysfs;
    char dir[64]; /* run directory, logs, usb-policy.conf */

    /* How its inhabitants behave; all as it should be at first. */
    bool no_frontend;    /* the guest has no driver */
    bool no_claim;       /* the backend does not take devices */
    bool no_release;     /* nor give them back */
    bool dead;           /* the backend is there and does nothing */
    const char *refusal; /* what the daemon says instead of "ready" */

    bool running; /* our backend process */
    bool stale;   /* it was killed and left its pidfile */
    int starts;
    bool closing[8]; /* by devid: the backend has yet to say Closed */

    struct {
        const char *busid; /* taken by the backend, or NULL */
        char port[128];    /* the node it was taken for */
        const char *driver[SYSFS_MEM_INTFS];
    } taken[8];
};

/* The last line that went to syslog: syslog(3) is the fake's own. */
extern char usb_world_syslog[512];

struct usb_world *usb_world_new(void);
void usb_world_free(struct usb_world *w);

/* kill -9 of the backend: the kernel lets go of the devices. */
void usb_world_kill_backend(struct usb_world *w);

/* All that a failed command may not change; for free(). */
char *usb_world_dump(struct usb_world *w);

#endif
