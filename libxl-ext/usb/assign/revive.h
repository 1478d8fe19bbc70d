/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Backends whose main process was killed: nobody but the next command would
 * start another one, and until then the devices of the guest serve nobody.
 */
#ifndef XLX_USB_ASSIGN_REVIVE_H
#define XLX_USB_ASSIGN_REVIVE_H

#include "usb/controller/list.h"

/*
 * One port with a device for each guest whose backend was killed; *list_r for
 * free(). Returns how many, or -errno. One that ended in order has left no port
 * with a device.
 */
int xlx__deserted(xlx_ctx *ctx, struct xlx__owned **list_r);

/*
 * Starts another backend for the guest of that port, which continues with what
 * the killed one had. 1: it runs; 0: there is no need any more; -EBUSY: a
 * command for the guest is at work, and still was at `until`; -errno, reported.
 */
int xlx__revive(xlx_ctx *ctx, const struct xlx__owned *port, int64_t until);

#endif
