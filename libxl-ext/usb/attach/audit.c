/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/audit.h"

#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "core/printable.h"

void xlx__usb_audit(xlx_ctx *ctx, int rc, const char *fmt, ...)
{
    char what[XLX__ERROR_MAX], why[XLX__ERROR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    xlx__printable(what, sizeof(what), what);
    xlx__printable(why, sizeof(why), ctx->error);
    syslog(LOG_AUTHPRIV | LOG_NOTICE, "%s, by uid %u: %s%s", what,
           (unsigned)getuid(), rc ? "failed: " : "done", rc ? why : "");
}
