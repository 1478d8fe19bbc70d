/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The backend's log: the only place where QEMU says why it did not take a
 * device.
 */
#ifndef XLX_USB_CONTROLLER_LOG_H
#define XLX_USB_CONTROLLER_LOG_H

#include "core/ctx.h"

#define XLX__LOG_LINE_MAX 240

/* Composes the path of our backend's log for a domain (PATH_MAX bytes). */
int xlx__usb_log_path(xlx_ctx *ctx, uint32_t domid, char *path_r);

/*
 * The last line of that log that speaks of USB, and of `busid` where given;
 * "" when there is none. Bytes that do not print are replaced.
 */
void xlx__usb_log_line(xlx_ctx *ctx, uint32_t domid, const char *busid,
                       char line_r[XLX__LOG_LINE_MAX]);

/* How long the log is; 0 where there is none. */
int64_t xlx__usb_log_size(xlx_ctx *ctx, uint32_t domid);

/* The last line from `start` on that QEMU wrote, not its supervisor: what it
 * ended with. "" when there is none. */
void xlx__usb_log_last_words(xlx_ctx *ctx, uint32_t domid, int64_t start,
                             char line_r[XLX__LOG_LINE_MAX]);

/* What the log says of the backend's last death, its exit status and its last
 * words: " (exit status 1): ..." to be appended to a message; or ": see its log". */
void xlx__usb_log_death(xlx_ctx *ctx, uint32_t domid,
                        char line_r[XLX__LOG_LINE_MAX]);

/* The words before that. */
#define XLX__LOG_DIED "the USB backend died"

#endif
