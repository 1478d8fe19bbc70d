/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Carrying controllers over the death of their backend. A new QEMU cannot go
 * on with the rings of the old one, so the guest has to let go of each
 * controller and gets it again, with the same devid, ports and devices. That is
 * park; a QEMU that starts, and finds them; unpark.
 *
 * A controller that the guest has never connected has no rings: the next QEMU
 * takes it as it is, and the guest must not lose it (usb/hc.h).
 */
#ifndef XLX_USB_BACKEND_PARK_H
#define XLX_USB_BACKEND_PARK_H

#include "usb/controller/hc.h"

struct xlx__parked {
    struct xlx__hc hc;
    char busid[XLX_USB_PORTS_MAX][XLX_USB_BUSID_MAX]; /* by port - 1 */
};

/* Closes and removes the domain's qusb controllers and makes them again, with
 * empty ports, for a QEMU to come. *list_r for free(). Returns how many, or
 * -errno with some of them parked for good. */
int xlx__park(xlx_ctx *ctx, uint32_t domid, struct xlx__parked **list_r);

/*
 * With a QEMU: waits until they are connected and plugs their devices in, but
 * for those that were pulled out meanwhile. What does not work is warned about,
 * and given back to the host.
 */
void xlx__unpark(xlx_ctx *ctx, const struct xlx__parked *list, int nr);

/* Closes and removes the domain's qusb controllers for good. */
void xlx__close_all(xlx_ctx *ctx, uint32_t domid);

/* Gives the host back every device that was written down for a domain. */
void xlx__give_all_back(xlx_ctx *ctx, uint32_t domid);

#endif
