/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The state file: what a guest's worker leaves to the next one when it is
 * killed at any moment, and what usb-list reads of it. A worker maps it;
 * whoever maps it later believes nothing in it: a guest may have taken the
 * worker over.
 */
#ifndef XLX_USBD_STATE_H
#define XLX_USBD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usbd/message.h"
#include "xen/usb_front.h"

#define XLX__USBD_STATE_MAGIC 0x55584c58u /* "XLXU" */
#define XLX__USBD_STATE_VERSION 2u
#define XLX__USBD_LATENCIES 16u
#define XLX__USBD_TIMED_EVERY 8u /* a disk takes three for a command */

/* Counted since the device was plugged in; read by others at any time. */
struct xlx__usbd_stats {
    uint64_t requests, errors, refused;
    uint64_t bytes_in, bytes_out;
    uint64_t lost_packets; /* isochronous packets that had an error */
    /* How many requests took less than 2^(i + 4) us; the last one: any time. Of
     * each XLX__USBD_TIMED_EVERY the first: a look at the clock is a system
     * call in a PV dom0, and there were two of ten for it. */
    uint64_t latency[XLX__USBD_LATENCIES];
};

struct xlx__usbd_port_state {
    uint8_t told;       /* the speed that the guest knows; 0: nothing there */
    uint8_t address;    /* that the guest gave the device; 0: none yet */
    uint8_t configured; /* 1: the guest has configured it */
    uint8_t alt[32];    /* the settings that it chose, by interface */
    struct xlx__usbd_stats stats;
};

struct xlx__usbd_hc_state {
    uint32_t used; /* 1 */
    uint32_t devid;
    /* Of whose rings this is the state. */
    char guest[XLX__USBD_GUEST_SIZE];
    uint32_t urb_ref, conn_ref, evtchn;
    struct xlx__front_state ring;
    struct xlx__usbd_port_state port[XLX__USBD_PORTS_MAX]; /* by port - 1 */
};

struct xlx__usbd_state {
    uint32_t magic, version;
    struct xlx__usbd_hc_state hc[XLX__USBD_HC_MAX];
};

/* Maps the file, made larger where it is too short; one that is not a state
 * becomes an empty one. 0 or -errno. */
int xlx__usbd_state_map(int fd, struct xlx__usbd_state **state_r);

/* Whether it is a guest's, by its UUID; a guest that has none owns nothing. */
bool xlx__usbd_state_is_of(const struct xlx__usbd_hc_state *hc,
                           const char guest[XLX__USBD_GUEST_SIZE]);

/* The guest's controller's, or NULL. */
struct xlx__usbd_hc_state *
xlx__usbd_state_find(struct xlx__usbd_state *state,
                     const char guest[XLX__USBD_GUEST_SIZE], uint32_t devid);

#endif
