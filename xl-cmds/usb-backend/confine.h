/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the worker may do once it has opened all that it needs: use the
 * descriptors it has, and get memory.
 */
#ifndef USBD_CONFINE_H
#define USBD_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

/* A uid of its own for each guest, so that two workers are strangers: systemd's
 * list of uid ranges leaves those from here on unused. */
#define USBD_UID_FIRST 1879048192u

struct usbd_confine {
    uint32_t domid;
    const char *root; /* an empty folder that becomes the whole file system */
    pid_t parent;     /* who takes the worker with it when it dies */
};

/*
 * Gives up uid, groups, capabilities, file system, new privileges, processes
 * and files, and all system calls but a few; one of any other is the end of the
 * process. Cannot be taken back. `user` is a struct usbd_confine. 0, or -errno
 * and a line on standard error: then nothing may be served.
 */
int usbd_confine(void *user);

#endif
