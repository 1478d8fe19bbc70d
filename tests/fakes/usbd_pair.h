/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Both ends of a USB backend's worker in one process: a guest, with its grants,
 * its event channel and the rings of a controller, written from the protocol as
 * Linux's xen-hcd has it; and devices behind a usbfs in memory.
 */
#ifndef FAKES_USBD_PAIR_H
#define FAKES_USBD_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usbd/serve.h"

#define WORLD_PAGES 64 /* grant reference n is page n, from 1 */
#define WORLD_DEVS 8
#define WORLD_DEV_FD 1000 /* descriptor of device n is this + n */
#define WORLD_URB_REF 1
#define WORLD_CONN_REF 2
#define WORLD_EVTCHN 7 /* the guest's port */
#define WORLD_DEVID 3
#define WORLD_PORTS 4

struct usbd_dev {
    bool open, gone;
    uint8_t descriptors[512];
    size_t nr_descriptors;
    struct usbdevfs_urb *pending[64]; /* submitted, in order */
    int nr_pending;
    struct usbdevfs_urb *done[64];
    int nr_done;
    int submit_rc, set_interface_rc, clear_halt_rc, reset_rc; /* next one's */
    bool at_once; /* a transfer is done when it was submitted */
    unsigned resets, clear_halts, discards, submits, reaps;
    uint32_t cleared; /* the last endpoint of clear_halt() */
    uint32_t alt[32];
};

struct usbd_answer {
    bool there;
    int32_t status;
    uint32_t actual_length, error_count;
};

struct usbd_pair {
    struct xlx__usbd usbd;
    struct xlx__usb_guest guest;
    struct xlx__usbfs fs;
    struct xlx__usbd_state *state;
    int broker; /* the broker's end of the socket */

    char uuid[XLX__USBD_GUEST_SIZE]; /* the guest's */
    uint8_t (*page)[4096];           /* by reference */
    bool revoked[WORLD_PAGES];       /* a copy to or from it fails */
    uint32_t mapped[WORLD_PAGES];
    bool bound;
    unsigned notified; /* since it was last looked at */
    int map_rc, bind_rc;

    /* The guest's end. */
    uint32_t req_prod, rsp_cons, conn_cons;
    bool in_flight[64];
    struct usbd_answer answer[64]; /* by id */
    uint8_t told[WORLD_PORTS + 1]; /* the speed, by port */
    unsigned nr_told;

    struct usbd_dev dev[WORLD_DEVS];
};

struct usbd_pair *usbd_pair_new(void);
void usbd_pair_free(struct usbd_pair *w);

/* As after kill -9: a new worker with what the state file holds. */
void usbd_pair_kill(struct usbd_pair *w);

/* The worker is killed; then another guest has the domid, and a ring at the
 * same references, in which no request has been yet. Its UUID differs from the
 * former one's in its last digit; after one without a UUID it has none. */
void usbd_pair_kill_for_another_guest(struct usbd_pair *w);

/* Opens the guest's controller. Returns OPENED's error. */
int usbd_pair_open(struct usbd_pair *w);
void usbd_pair_close(struct usbd_pair *w);
/* The broker gives device n to a port, and takes it. */
void usbd_pair_plug(struct usbd_pair *w, uint32_t port, int n, uint32_t speed,
                    bool super_speed);
void usbd_pair_unplug(struct usbd_pair *w, uint32_t port);
/* The next message to the broker: its kind, 0 for none. */
uint32_t usbd_pair_said(struct usbd_pair *w, struct xlx__usbd_message *m_r);

/* --- the guest ------------------------------------------------------------ */

/* What a request is; the rest is found out. */
struct usbd_request {
    uint16_t id;
    uint8_t port, address, endpoint;
    bool in;
    enum xlx__front_type type;
    uint32_t first_ref; /* of its pages, which follow each other */
    uint32_t length;
    uint8_t setup[8];
    const struct xlx__usbd_frame *frames;
    uint32_t nr_frames;
    uint32_t frames_ref;
    int unlink_id; /* with `unlink` */
    bool unlink;
};
void usbd_guest_push(struct usbd_pair *w, const struct usbd_request *r);
/* A raw request, whatever is in it. */
void usbd_guest_push_raw(struct usbd_pair *w, const void *request);
/* Lets the worker look, then takes what came: fails the test for an answer that
 * nobody waits for. */
void usbd_guest_run(struct usbd_pair *w);
/* A control request without data or with it, and its answer's status. */
int32_t usbd_guest_control(struct usbd_pair *w, uint8_t port, uint8_t address,
                           const uint8_t setup[8], uint32_t first_ref);
/* Gives events on the other ring back, as xen-hcd does at once. */
void usbd_guest_post_conn(struct usbd_pair *w, unsigned nr);

/* --- devices -------------------------------------------------------------- */

/* The oldest pending transfer ends: with `status`, and `length` bytes. Returns
 * it, NULL for none. */
struct usbdevfs_urb *usbd_dev_complete(struct usbd_pair *w, int n, int status,
                                       int length);
void usbd_dev_pull(struct usbd_pair *w, int n);

#endif
