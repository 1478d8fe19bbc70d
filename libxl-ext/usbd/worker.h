/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The worker of one guest: serves its rings with its devices, and knows nothing
 * of xenstore, sysfs or the file system.
 */
#ifndef XLX_USBD_WORKER_H
#define XLX_USBD_WORKER_H

#include <stdint.h>

/*
 * Serves until the broker is gone (returns 0) or nothing can be done any more
 * (-errno). `broker` is the socket; `state` the state file, which outlives the
 * worker (usbd/state.h), open for reading and writing. `confine` is called when
 * everything is open that needs a privilege; it gives them all up. Errors are
 * lines on standard error.
 */
int xlx__usbd_worker_run(uint32_t domid, int broker, int state,
                         int (*confine)(void *user), void *user);

#endif
