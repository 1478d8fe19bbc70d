/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the two halves of xl-ext-usb-backend tell each other, over a socket of
 * type SOCK_SEQPACKET: one struct a packet, with a descriptor where said.
 *
 *   broker  root; xenstore, sysfs, opening and claiming devices
 *   worker  nobody; the guest's rings and the devices' descriptors
 *
 * The broker believes nothing that the worker says but that it is the worker of
 * this guest: each message is checked against what the broker knows.
 */
#ifndef XLX_USBD_MESSAGE_H
#define XLX_USBD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define XLX__USBD_HC_MAX 16u     /* controllers of one guest */
#define XLX__USBD_PORTS_MAX 31u  /* usbif's; ports are numbered from 1 */
#define XLX__USBD_GUEST_SIZE 40u /* of a UUID as text, 0 behind it */

enum xlx__usbd_kind {
    /* --- broker to worker --- */

    /* The guest has connected controller `devid`: map its rings. Answered by
     * OPENED. A controller that the state file knows with the same references
     * of the same guest is gone on with where an earlier worker stopped: a
     * domid, and the references, may be another guest's by now. */
    XLX__USBD_OPEN = 1,
    /* Answer nothing more, unmap, close what is plugged in. Answered by CLOSED;
     * no UNPLUGGED comes for its ports. */
    XLX__USBD_CLOSE,
    /* A device for a port, its descriptor with it: opened, all interfaces of
     * the active configuration claimed, privileges dropped. Also the answer to
     * CONFIGURE. The guest is told of the device when it was not yet. */
    XLX__USBD_PLUG,
    /* Each device of the controller's ports has had its PLUG, for now. One that
     * the guest knows, from an earlier worker, and that did not come again has
     * gone; until this comes the guest's requests wait. */
    XLX__USBD_SETTLED,
    /* In place of PLUG where CONFIGURE failed: `error`. */
    XLX__USBD_NOT_CONFIGURED,
    /* Take the device from the guest. Answered by UNPLUGGED, also when there is
     * none. */
    XLX__USBD_UNPLUG,

    /* --- worker to broker --- */

    XLX__USBD_OPENED = 16, /* error: 0, or -errno and nothing is mapped */
    XLX__USBD_CLOSED,
    /* All requests are answered, the guest is told, the descriptor closed. */
    XLX__USBD_UNPLUGGED,
    /* The device was pulled out of this host: as UNPLUGGED, without a wish. */
    XLX__USBD_GONE,
    /* The guest chose configuration `value`, which is not the active one. The
     * worker has closed the descriptor and waits for PLUG. */
    XLX__USBD_CONFIGURE,
    /* The guest has configured the device: its driver can use it now. */
    XLX__USBD_CONFIGURED,
};

/* usbif's speeds. */
enum {
    XLX__USBD_NONE = 0,
    XLX__USBD_LOW = 1,
    XLX__USBD_FULL = 2,
    XLX__USBD_HIGH = 3,
};

struct xlx__usbd_message {
    uint32_t kind;
    uint32_t devid;
    uint32_t port;  /* 0 where the message is about a controller */
    int32_t error;  /* OPENED, NOT_CONFIGURED */
    uint32_t value; /* CONFIGURE, PLUG: bConfigurationValue; PLUG's is active */
    struct {        /* OPEN: as the guest wrote them in xenstore, unchecked */
        uint32_t urb_ref, conn_ref, evtchn, nr_ports;
        char guest[XLX__USBD_GUEST_SIZE]; /* the toolstack wrote it; "": none */
    } hc;
    struct {                  /* PLUG */
        uint32_t speed;       /* what the guest is told */
        uint32_t super_speed; /* 1: announced as a high-speed device */
    } dev;
};

/* Sends one; `fd` -1 for none. 0 or -errno; -EPIPE: the other one is gone.
 * Never waits: -EAGAIN when the other one does not read. */
int xlx__usbd_send(int sock, const struct xlx__usbd_message *m, int fd);

/* 1: one came, *fd_r is its descriptor (close-on-exec) or -1; 0: nothing there;
 * -EPIPE: the other one is gone; -EPROTO: not one of these. */
int xlx__usbd_receive(int sock, struct xlx__usbd_message *m_r, int *fd_r);

#endif
