/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A broker with all that is around it, in memory: xenstore, devices, a worker
 * at the other end of its socket, and a guest's frontends.
 */
#ifndef FAKES_USBD_WORLD_H
#define FAKES_USBD_WORLD_H

#include "fakes/usbd_devices.h"
#include "fakes/xenstore_mem.h"
#include "usbd/broker.h"
#include "usbd/message.h"

#define USBD_DOMID 5u

struct usbd_world {
    unsigned settled; /* SETTLED that came */
    xlx_ctx *ctx;
    struct nth nth; /* calls of all seams */
    struct xs_mem *xs;
    struct sysfs_mem *sysfs;
    struct usbd_fake devices;
    struct xlx__usbd_broker *broker; /* NULL: not running */
    int sock, worker;                /* their ends of the socket, or -1 */
    char lines[4096];

    /* How the worker behaves, when it is let. */
    int open_error;
    bool has[XLX__USBD_HC_MAX][XLX__USBD_PORTS_MAX + 1];
    int dies_at;  /* at which message, from 1; 0: never */
    int messages; /* so far */
    /* After which step the broker is killed, from 1; 0: never. */
    int killed_at, steps, deaths;
};

struct usbd_world *usbd_world_new(void);
void usbd_world_free(struct usbd_world *w);

/* Starts the broker, and a worker that knows nothing. */
int usbd_world_start(struct usbd_world *w);
/* Ends both, as SIGKILL would. */
void usbd_world_kill(struct usbd_world *w);

/* What stands in the node below the backend's, frontend's or status's folder of
 * controller `devid`; NULL removes. */
void usbd_world_put_be(struct usbd_world *w, unsigned devid, const char *node,
                       const char *value);
void usbd_world_put_fe(struct usbd_world *w, unsigned devid, const char *node,
                       const char *value);
const char *usbd_world_be(struct usbd_world *w, unsigned devid,
                          const char *node);
const char *usbd_world_status(struct usbd_world *w, unsigned devid,
                              unsigned port);

/* The toolstack makes a controller; the guest connects it. */
void usbd_world_make(struct usbd_world *w, unsigned devid);
void usbd_world_connect(struct usbd_world *w, unsigned devid);
void usbd_world_remove(struct usbd_world *w, unsigned devid);
void usbd_world_fill(struct usbd_world *w, unsigned devid, unsigned port,
                     const char *busid);

/* The next message to the worker: true when there is one. Its descriptor is
 * closed; *had_fd_r says whether there was one. */
bool usbd_world_hear(struct usbd_world *w, struct xlx__usbd_message *m_r,
                     bool *had_fd_r);
void usbd_world_tell(struct usbd_world *w, enum xlx__usbd_kind kind,
                     unsigned devid, unsigned port, int32_t error,
                     uint32_t value);

/* One step of the broker. */
int usbd_world_step(struct usbd_world *w);

/*
 * Lets broker and worker work until nothing happens any more. The worker
 * answers, and its guest configures what it gets. Whoever dies or fails is
 * started again with the other, as main does it. Returns what the broker ended
 * with, 0 when it has not.
 */
int usbd_world_settle(struct usbd_world *w);

#endif
