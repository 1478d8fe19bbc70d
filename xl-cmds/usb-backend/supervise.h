/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The process above broker and worker: starts both, and both again when either
 * has ended, as neither can continue without the other. It has no part in
 * what they do, so that what ends them does not end it.
 */
#ifndef USBD_SUPERVISE_H
#define USBD_SUPERVISE_H

#include <stdint.h>
#include <sys/types.h>

#include "log.h"

/* What a broker ends with. Anything else, and a signal, is a death. */
enum {
    USBD_ENDED = 0,        /* as it was asked to */
    USBD_GUEST_GONE = 20,  /* everything is cleaned up */
    USBD_REFUSED = 21,     /* it cannot start: its line says why */
    USBD_WORKER_GONE = 22, /* the death is not its own */
};

/* What runs in a child of its own, with nothing of ours but these descriptors,
 * 0 and 1 on /dev/null, and 2, the log. Returns the exit status. */
struct usbd_roles {
    int (*worker)(void *user, int sock, int state);
    /* `ready`: one line goes there, "ready" or why not. `signals`: a signalfd
     * of those that ask to end. */
    int (*broker)(void *user, int sock, int ready, int signals);
    /* In the place of both, once, when they cannot be kept alive. */
    int (*give_up)(void *user);
    void *user;
};

struct usbd_supervise {
    uint32_t domid;
    struct usbd_roles roles;
    struct usbd_log *log;
    int out;   /* the line goes there, once */
    int state; /* the worker's file */
    /* So many deaths, each so soon after its start, are too many; the pause
     * after the first, doubled by each; how long an end may take. */
    unsigned deaths_max;
    int calm_ms, backoff_ms, end_ms;
};

/* Returns when the guest is gone or SIGTERM, SIGINT or SIGHUP came: 0; or when
 * nothing can be served: -1, said in the log and in the line. */
int usbd_supervise(const struct usbd_supervise *s);

#endif
