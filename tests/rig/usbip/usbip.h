/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The wire format that Linux's vhci_hcd speaks (USB/IP 1.1.1), and the parts of
 * usbip-device: see main.c. All numbers on the wire are big-endian.
 */
#ifndef USBIP_H
#define USBIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CMD_SUBMIT = 1, CMD_UNLINK, RET_SUBMIT, RET_UNLINK };

/* Both ways; what `word` holds depends on the command. */
struct wire_header {
    uint32_t command, seqnum, devid;
    uint32_t in; /* 1: data goes to the host */
    uint32_t ep;
    uint32_t word[5];
    uint8_t setup[8];
};

enum {
    SUBMIT_FLAGS,
    SUBMIT_LENGTH,
    SUBMIT_FRAME,
    SUBMIT_PACKETS,
    SUBMIT_EVERY
};
enum { RET_STATUS, RET_LENGTH, RET_FRAME, RET_PACKETS, RET_ERRORS };
enum { UNLINK_SEQNUM = 0 };

struct wire_packet {
    uint32_t offset, length, actual, status;
};

enum speed { LOW = 1, FULL = 2, HIGH = 3, SUPER = 5 }; /* as Linux counts */

enum { MAX_DESCRIPTORS = 64, MAX_DESCRIPTOR = 4096, ENDPOINTS = 32 };

/* What an endpoint does with the requests that come to it: main.c lists them.
 */
enum behaviour { ORDINARY, NUMBER, ECHO, SHORT, STALL, HALT, HANG, BABBLE };

struct descriptor {
    uint8_t type, index;
    size_t length;
    uint8_t bytes[MAX_DESCRIPTOR];
};

/*
 * A device as data. `used` of the descriptors are there. Behaviours are
 * numbered by endpoint_index().
 */
struct model {
    enum speed speed;
    unsigned int used;
    struct descriptor descriptors[MAX_DESCRIPTORS];
    enum behaviour behaviour[ENDPOINTS];
    unsigned int argument[ENDPOINTS];
};

/* 0 to 15: OUT, 16 to 31: IN. */
static inline unsigned int endpoint_index(unsigned int number, bool in)
{
    return (number & 15) + (in ? 16 : 0);
}

/* --- model.c */

/* Reads a description; ends the program with a message when it is not one. */
void model_read(struct model *model, const char *path);

/* Takes "81=stall" or "81=short:64"; false when it is neither. */
bool model_behave(struct model *model, const char *text);

bool model_speed(struct model *model, const char *name);

/* NULL when there is none. */
const struct descriptor *model_find(const struct model *model, uint8_t type,
                                    uint8_t index);

/* bmAttributes of the endpoint in the first configuration, -1 without one. */
int model_endpoint_type(const struct model *model, unsigned int number,
                        bool in);

/* --- vhci.c */

/*
 * Gives one end of a connection to a free port of vhci_hcd. Returns our end
 * and fills in the name that the device will have in sysfs; -1 with errno.
 */
int vhci_plug(enum speed speed, char *busid, size_t size);

/* --- device.c */

struct device;

struct device *device_new(struct model *model);

/* Plugs it in as vhci_plug() does; 0 or -1 with errno. */
int device_plug(struct device *device, char *busid, size_t size);

/* Pulls it out: the connection is closed, whatever is on its way. */
void device_pull(struct device *device);

/* The n-th answer from now on that has data ends in its middle, by a pull. */
void device_pull_at(struct device *device, unsigned int n);

/* The descriptor to poll for reading, -1 while it is not plugged in. */
int device_fd(const struct device *device);

/* The host has chosen a configuration. */
bool device_configured(const struct device *device);

/* Takes what the host has sent. */
void device_receive(struct device *device);

/* Answers what is due; returns the µs until the next is, -1 for never. */
long device_serve(struct device *device);

/* Counts of each endpoint that was used, in one line. */
void device_print(const struct device *device);

uint64_t now_us(void);

#endif
