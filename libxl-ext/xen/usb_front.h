/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The two rings of a guest's USB controller (public/io/usbif.h) from the side
 * of the backend. Pure: a page, which is the guest's and may change at any
 * time, and where we are in it, which is ours and outlives us: it is kept in
 * the state file, and whoever comes after a backend that was killed at any
 * moment continues with it. A request is taken once and answered once.
 */
#ifndef XLX_XEN_USB_FRONT_H
#define XLX_XEN_USB_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XLX__FRONT_SEGMENTS 16u /* USBIF_MAX_SEGMENTS_PER_REQUEST */
#define XLX__FRONT_SLOTS 32u    /* at least as many as a ring of one page has */

/* usbif's values; what is none of them is an IOERROR. */
enum xlx__front_status {
    XLX__FRONT_OK = 0,
    XLX__FRONT_NODEV = -19,
    XLX__FRONT_INVAL = -22,
    XLX__FRONT_STALL = -32,
    XLX__FRONT_IOERROR = -71,
    XLX__FRONT_BABBLE = -75,
    XLX__FRONT_SHUTDOWN = -108,
};

enum xlx__front_type {
    XLX__FRONT_ISO,
    XLX__FRONT_INTERRUPT,
    XLX__FRONT_CONTROL,
    XLX__FRONT_BULK,
};

/* A piece of a page that the guest granted. */
struct xlx__segment {
    uint32_t ref;
    uint16_t offset, length;
};

/* A request, copied out of the ring and taken apart; nothing is checked but
 * that nr_segs and nr_frame_segs together are at most XLX__FRONT_SEGMENTS. */
struct xlx__front_request {
    uint16_t id;
    bool unlink;
    uint16_t unlink_id;
    uint8_t port, address, endpoint;
    bool in;
    enum xlx__front_type type;
    bool short_not_ok;
    uint16_t length; /* 65536 comes as 0: see the segments */
    uint8_t setup[8];
    uint16_t nr_packets;
    uint32_t nr_segs, nr_frame_segs;
    /* The data's, then those of the frame descriptors. */
    struct xlx__segment seg[XLX__FRONT_SEGMENTS];
};

struct xlx__front_answer {
    int32_t status; /* enum xlx__front_status */
    uint32_t actual_length;
    uint32_t error_count; /* isochronous */
    uint16_t start_frame;
};

/*
 * Ours, in shared memory: written in an order in which every moment can be the
 * last one. All zero is a ring that nothing was taken from.
 */
struct xlx__front_state {
    uint32_t req_cons, rsp_prod;
    uint32_t answering; /* slot + 1 of the answer being given, 0 for none */
    struct {
        uint16_t id;
        uint16_t taken; /* 1: without an answer */
    } slot[XLX__FRONT_SLOTS];
};

/* How many requests a ring holds. */
uint32_t xlx__front_size(void);

/*
 * Ends what one that was killed had begun, and makes what it left
 * consistent. Before anything else, also on a state that is new. -EBADMSG: the
 * guest's indices are not those of a ring.
 */
int xlx__front_resume(const void *page, struct xlx__front_state *state);

/*
 * The next request. 1: taken, *slot_r is its place until it is answered; 0:
 * there is none, and the guest will tell of the next one; -EBADMSG: the guest
 * does not keep to the protocol, its ring is not to be touched again.
 */
int xlx__front_next(void *page, struct xlx__front_state *state,
                    struct xlx__front_request *req_r, unsigned *slot_r);

/* Answers the request of a slot that is taken. True: the guest waits to be told
 * (its event channel). */
bool xlx__front_answer(void *page, struct xlx__front_state *state,
                       unsigned slot, const struct xlx__front_answer *answer);

/*
 * Tells of a device on the other ring (`speed` 0: gone). 1: done, and the guest
 * waits to be told; 2: done, it does not; 0: it has no room, and will tell of
 * new; -EBADMSG as above. Its state is all in the page: one who is killed may
 * tell the same twice, which a guest does not notice.
 */
int xlx__front_tell(void *page, uint32_t port, uint32_t speed);

#endif
