/* SPDX-License-Identifier: LGPL-2.1-only */
#include <stdio.h>
#include <string.h>

#include "usbfs.h"

enum { LENGTH = 64, FOR_EVER = -1 };

/*
 * Claims the interface that has the interrupt endpoint, as daemons do, prints
 * "held", and keeps a request there until it is killed. Who takes the device
 * away ends that request, and with it this program.
 */
int hold(int argc, char **argv)
{
    struct usbdevfs_urb *urb;
    unsigned int endpoint;
    int fd;

    if (argc != 2)
        return 2;
    fd = device_open(argv[0]);
    endpoint = (unsigned int)number(argv[1], 16);
    device_claim(fd, endpoint);
    urb = urb_new(USBDEVFS_URB_TYPE_INTERRUPT, endpoint, LENGTH, 0);
    urb_submit(fd, urb);
    puts("held");
    while (!(urb = urb_reap(fd, FOR_EVER))->status)
        urb_submit(fd, urb);
    fail("hold: taken away: %s", strerror(-urb->status));
}
