/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The log of our backend.
 */
#ifndef XLX_USB_CONTROLLER_LOG_H
#define XLX_USB_CONTROLLER_LOG_H

#include "core/ctx.h"

#define XLX__LOG_LINE_MAX 240

/* The line with which each backend begins; what is above it is of others. */
#define XLX__USB_LOG_BEGIN "the USB backend begins"

/* Composes the path of our backend's log for a domain (PATH_MAX bytes). */
int xlx__usb_log_path(xlx_ctx *ctx, uint32_t domid, char *path_r);

/*
 * The last line of the last backend in that log about USB, and about
 * `busid` where given; "" when there is none. Bytes that do not print are
 * replaced.
 */
void xlx__usb_log_line(xlx_ctx *ctx, uint32_t domid, const char *busid,
                       char line_r[XLX__LOG_LINE_MAX]);

#endif
