/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef USBIP_DEVICE_H
#define USBIP_DEVICE_H

#include "pattern.h"
#include "usbip.h"

enum { MAX_TRANSFER = 1 << 20, MAX_PACKETS = 1024, ECHO_ROOM = 1 << 20 };

/* Requests wait in a list, in the order in which they came. */
struct request {
    struct request *next;
    uint32_t seqnum, length, number_of_packets, interval;
    unsigned int endpoint; /* its index */
    bool in, isochronous;
    uint8_t setup[8];
    uint32_t slot; /* of the first packet */
    uint64_t due_us;
    struct wire_packet *packets; /* in the host's byte order */
    uint8_t *data;               /* `length` bytes, either way */
};

/* Slots are the times at which an isochronous endpoint has a packet. */
struct endpoint {
    bool used, running;
    uint64_t epoch_us, offset;
    uint32_t next_slot;
    unsigned long requests, answers, bytes, unlinks, wrong, missed;
};

struct device {
    struct model *model;
    struct endpoint endpoints[ENDPOINTS];
    struct request *first;
    int fd;
    unsigned int pull_at;
    uint8_t configuration, setting[256];
    uint8_t stored[4096]; /* by a vendor's request */
    size_t stored_length;
    uint8_t echo[ECHO_ROOM];
    size_t echo_length;
};

/* An answer: bytes of data that are valid, and -errno. */
struct answer {
    int status;
    uint32_t length;
};

/* Answers a request to endpoint 0; IN data goes into request->data. */
struct answer control(struct device *device, struct request *request);

/* Fills the packets of an isochronous one, or looks at them. */
struct answer isochronous(struct device *device, struct request *request);

/* When its packets are due. */
void isochronous_schedule(struct device *device, struct request *request);

#endif
