/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A line in syslog (authpriv.notice) for each change: who gave which device to
 * whom, done or not.
 */
#ifndef XLX_USB_ATTACH_AUDIT_H
#define XLX_USB_ATTACH_AUDIT_H

#include "core/ctx.h"

/* `rc` is the result of what the text says; a failure's reason is the
 * context's. */
void xlx__usb_audit(xlx_ctx *ctx, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
