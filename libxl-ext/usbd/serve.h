/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the worker's files share: a guest's controllers, their ports, and the
 * requests on their way. One thread owns all of it.
 *
 *   worker.c       the loop, the broker's messages
 *   hc.c           a controller: its rings, requests to those who do them
 *   urb.c          a request on its way to the device
 *   port.c         a port: the device on it, its address, its configuration
 *   urb_done.c     a request on its way back, or its end
 *   worker_tell.c  what the log, the broker and the guest are told
 *
 * Each calls only those below it.
 */
#ifndef XLX_USBD_SERVE_H
#define XLX_USBD_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usbd/iso.h"
#include "usbd/message.h"
#include "usbd/state.h"
#include "usbd/usbfs.h"
#include "xen/usb_front.h"
#include "xen/usb_guest.h"

#define XLX__USBD_NO_SLOT UINT32_MAX

struct xlx__usbd_hc;

/* A request between its ring and its device, in the place that its slot has. */
struct xlx__usbd_urb {
    struct xlx__front_request req;
    struct xlx__usbd_port *port; /* where the device has it, or NULL */
    uint32_t unlink_slot;        /* who waits for its end, or NO_SLOT */
    int64_t started;             /* microseconds; 0: it is not timed */
    size_t length;               /* of the guest's data */
    uint8_t *buffer;             /* kept from one request to the next */
    size_t capacity;
    struct xlx__usbd_frame *frames; /* the guest's, isochronous */
    struct usbdevfs_urb *kernel;    /* with room for as many packets */
    uint32_t max_packets;
};

struct xlx__usbd_port {
    struct xlx__usbd_hc *hc;
    struct xlx__usbd_port_state *state;
    uint32_t number;
    int dev;              /* usbfs; -1: no device */
    uint32_t in_flight;   /* requests that the device has */
    bool fresh;           /* one that may have been done at once */
    uint32_t speed;       /* as the guest is told */
    bool super_speed;     /* in truth */
    bool replaced;        /* the guest is to see the former one go first */
    bool awaited;         /* an earlier worker had one: it comes, or it goes */
    uint32_t config;      /* bConfigurationValue of the active one */
    uint32_t intfs;       /* its interfaces, a bit each */
    uint32_t config_slot; /* the request that waits for another one, NO_SLOT */
    uint8_t *descriptors;
    size_t nr_descriptors;
};

struct xlx__usbd_hc {
    struct xlx__usbd *usbd;
    struct xlx__usbd_hc_state *state;
    uint32_t devid, nr_ports;
    void *urb_page, *conn_page;
    uint32_t evtchn; /* our end */
    bool broken;     /* the guest does not keep to the protocol */
    bool notify;     /* it waits to be told of what was answered */
    bool more;       /* requests may be there that no event will tell of */
    struct xlx__usbd_port port[XLX__USBD_PORTS_MAX];
    struct xlx__usbd_urb urb[XLX__FRONT_SLOTS];
};

struct xlx__usbd {
    uint32_t domid;
    int broker;
    int epoll;
    struct xlx__usb_guest *guest;
    struct xlx__usbfs *fs;
    struct xlx__usbd_state *state;
    struct xlx__usbd_hc *hc[XLX__USBD_HC_MAX];
    int64_t log_from; /* a guest can cause a line: so many a minute */
    unsigned log_lines;
};

/* --- worker_tell.c -------------------------------------------------------- */

void xlx__usbd_log(struct xlx__usbd *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A message to the broker. One that cannot be sent ends the loop: the broker is
 * gone. */
void xlx__usbd_say(struct xlx__usbd *d, const struct xlx__usbd_message *m);
/* The same about a port, or a controller (port 0). */
void xlx__usbd_report(struct xlx__usbd_hc *hc, uint32_t kind, uint32_t port,
                      uint32_t value);
int64_t xlx__usbd_now_us(void);
/* Tells the guest of the ports that changed, and of the answers. */
void xlx__usbd_hc_tell(struct xlx__usbd_hc *hc);
void xlx__usbd_answer(struct xlx__usbd_hc *hc, uint32_t slot,
                      const struct xlx__front_answer *answer);
/* An answer of a status only. */
void xlx__usbd_answer_status(struct xlx__usbd_hc *hc, uint32_t slot,
                             int32_t status);
/* The guest does not keep to the protocol: it is no longer served. */
void xlx__usbd_hc_break_off(struct xlx__usbd_hc *hc);

/* --- worker.c ------------------------------------------------------------- */

/* One message of the broker's; takes the descriptor. Also for tests. */
void xlx__usbd_order(struct xlx__usbd *d, const struct xlx__usbd_message *m,
                     int fd);

/* --- hc.c ----------------------------------------------------------------- */

/* Maps the rings and continues where the state has them. 0 or -errno.
 */
int xlx__usbd_hc_open(struct xlx__usbd *d, const struct xlx__usbd_message *m,
                      struct xlx__usbd_hc **hc_r);
/* Devices are closed, requests are not answered. NULL is allowed. */
void xlx__usbd_hc_close(struct xlx__usbd_hc *hc);
/* What an earlier worker had, and did not come again, has gone. */
void xlx__usbd_hc_settle(struct xlx__usbd_hc *hc);
/* Does what the guest asks for, and tells it what it is to know. */
void xlx__usbd_hc_serve(struct xlx__usbd_hc *hc);
/* Takes what devices did while their requests were submitted, which spares the
 * sleep until they are readable, and tells the guest. */
void xlx__usbd_hc_reap(struct xlx__usbd_hc *hc);

/* --- port.c --------------------------------------------------------------- */

void xlx__usbd_port_init(struct xlx__usbd_port *port, struct xlx__usbd_hc *hc,
                         uint32_t number);
/* A device comes, or comes back in another configuration. Takes `dev`. */
void xlx__usbd_port_plug(struct xlx__usbd_port *port,
                         const struct xlx__usbd_message *m, int dev);
/* It goes: its requests end, the guest is told. */
void xlx__usbd_port_unplug(struct xlx__usbd_port *port);
/* It was pulled out of the host. */
void xlx__usbd_port_gone(struct xlx__usbd_port *port);
/* The configuration that the guest asked for could not be had. */
void xlx__usbd_port_not_configured(struct xlx__usbd_port *port);
/* The device has something to reap. */
void xlx__usbd_port_reap(struct xlx__usbd_port *port);
/* What a request with this address is for: 0: the device; else the status that
 * it is answered with. A request for address 0 resets a device that has one:
 * that is how a guest's reset of the port shows. */
int32_t xlx__usbd_port_address(struct xlx__usbd_port *port, uint32_t address);
/* What the guest asked for by a control request; each answers `slot`. */
void xlx__usbd_port_set_config(struct xlx__usbd_port *port, uint32_t slot,
                               uint32_t value);
/* The guest does not wait any more for a configuration that it asked for by the
 * request `id`; nothing where none is that. */
void xlx__usbd_port_unlink_config(struct xlx__usbd_hc *hc, uint16_t id);
void xlx__usbd_port_set_interface(struct xlx__usbd_port *port, uint32_t slot,
                                  uint32_t intf, uint32_t alt);
void xlx__usbd_port_clear_halt(struct xlx__usbd_port *port, uint32_t slot,
                               uint32_t endpoint);

/* --- urb.c ---------------------------------------------------------------- */

/* Gives the request in `slot` to the port's device, or answers it. */
void xlx__usbd_urb_start(struct xlx__usbd_port *port, uint32_t slot);
/* The request in `slot` asks for the end of another one. */
void xlx__usbd_urb_unlink(struct xlx__usbd_hc *hc, uint32_t slot);

/* --- urb_done.c ----------------------------------------------------------- */

/* The device is done with it. */
void xlx__usbd_urb_done(struct xlx__usbd_hc *hc, struct usbdevfs_urb *kernel);
/* Ends all of a port's, and waits for that. */
void xlx__usbd_urb_end_all(struct xlx__usbd_port *port);
void xlx__usbd_urb_free(struct xlx__usbd_urb *urb);
/* usbif's status for an errno. */
int32_t xlx__usbd_status(int error);

#endif
