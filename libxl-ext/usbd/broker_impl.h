/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the broker's files share: broker.c (loop, messages, end), broker_hc.c
 * (controllers), broker_port.c (ports), broker_tell.c (lines, the worker).
 */
#ifndef XLX_USBD_BROKER_IMPL_H
#define XLX_USBD_BROKER_IMPL_H

#include "usbd/broker.h"
#include "usbd/bus.h"
#include "usbd/message.h"
#include "usbd/port_status.h"
#include "usbd/rate.h"

enum port_state {
    PORT_EMPTY,
    PORT_FAILED,     /* `busid` could not be had; not tried again */
    PORT_PLUGGED,    /* with the worker */
    PORT_UNPLUGGING, /* UNPLUGGED is to come */
    /* Ours and not with the worker: its controller is not open, or an earlier
     * broker had it. No driver of this host gets in between. */
    PORT_HELD,
};

struct port {
    enum port_state state;
    char busid[XLX_USB_BUSID_MAX];
    struct xlx__usbd_claim claim; /* from PORT_PLUGGED on */
    bool used;                    /* something may be half done in the device */
    bool gone; /* PORT_UNPLUGGING: it was pulled out meanwhile */
};

enum hc_state {
    HC_IDLE,    /* the worker knows nothing of it */
    HC_OPENING, /* OPENED is to come */
    HC_OPEN,
    HC_CLOSING, /* CLOSED is to come */
};

struct hc {
    bool used;  /* this slot */
    bool there; /* in xenstore */
    uint32_t devid;
    enum hc_state state;
    uint32_t nr_ports; /* once it was opened */
    bool settled;      /* since then */
    struct xlx__usbd_rate lines;
    struct port port[XLX__USBD_PORTS_MAX]; /* by number - 1 */
};

enum ending {
    GOING_ON,
    ASKED,   /* guests are asked to let go of their controllers */
    CLOSING, /* no longer asked */
};

struct xlx__usbd_broker {
    xlx_ctx *ctx;
    uint32_t domid;
    struct xlx__usbd_bus bus;
    int sock;
    struct xlx__usbd_devices *devices;
    enum ending ending;
    bool guest_gone;
    int64_t until; /* of what an end waits for */
    bool again;    /* look once more, at once */
    bool blocked;  /* look once more when the worker reads */
    bool said_too_many;
    struct xlx__usbd_rate looks;
    struct hc hc[XLX__USBD_HC_MAX];
};

/* One line about a controller, and a port of it unless 0; those that a guest
 * can provoke are limited, which is said too. */
void xlx__broker_say(struct xlx__usbd_broker *b, struct hc *hc, uint32_t port,
                     const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether the worker can be told something now; if not, `blocked` is set. */
bool xlx__broker_can_send(struct xlx__usbd_broker *b);

/* 0 or -errno, of which -EPIPE is not reported. `fd` -1: none. */
int xlx__broker_send(struct xlx__usbd_broker *b,
                     const struct xlx__usbd_message *m, int fd);

/* NULL where there is none. `make` one: NULL when all slots are used. */
struct hc *xlx__broker_find_hc(struct xlx__usbd_broker *b, uint32_t devid);
struct hc *xlx__broker_make_hc(struct xlx__usbd_broker *b, uint32_t devid);

/* --- controllers ---------------------------------------------------------- */

/* Makes a controller match its nodes, as far as that is possible now. */
int xlx__broker_look_hc(struct xlx__usbd_broker *b, struct hc *hc);
int xlx__broker_opened(struct xlx__usbd_broker *b, struct hc *hc, int error);
int xlx__broker_closed(struct xlx__usbd_broker *b, struct hc *hc);

/* --- ports, numbered from 1 ----------------------------------------------- */

/* The same for a port. `plug`: it may be filled now. */
int xlx__broker_look_port(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr, bool plug);
int xlx__broker_unplugged(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr);
int xlx__broker_gone(struct xlx__usbd_broker *b, struct hc *hc, uint32_t nr);
int xlx__broker_configure(struct xlx__usbd_broker *b, struct hc *hc,
                          uint32_t nr, uint32_t value);
int xlx__broker_configured(struct xlx__usbd_broker *b, struct hc *hc,
                           uint32_t nr);
/* Its controller is closed: the worker has nothing of it any more. */
int xlx__broker_port_closed(struct xlx__usbd_broker *b, struct hc *hc,
                            uint32_t nr);
/* Gives back what is held. */
int xlx__broker_release_port(struct xlx__usbd_broker *b, struct hc *hc,
                             uint32_t nr);
/* What an earlier broker wrote down of a port. */
void xlx__broker_recall_port(struct hc *hc, uint32_t nr,
                             const struct xlx__usbd_status *s);

#endif
