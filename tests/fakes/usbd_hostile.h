/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A guest that means harm, against a worker with devices that do anything a
 * device may: requests of any bytes, indices, grants taken back, all at any
 * time, while devices are plugged and pulled and the worker is killed.
 */
#ifndef FAKES_USBD_HOSTILE_H
#define FAKES_USBD_HOSTILE_H

#include <stdint.h>

struct usbd_hostile {
    uint64_t requests, submitted, answers, broken, plugs, kills;
};

/* Goes on until `requests` were sent. Ends the process where something is not
 * as it must be. */
void usbd_hostile_run(uint64_t seed, uint64_t requests,
                      struct usbd_hostile *done_r);

#endif
