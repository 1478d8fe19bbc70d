/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/printable.h"
int xlx__refuse_open(xlx_ctx *ctx, struct xlx__refuse *r)
{
    *r = (struct xlx__refuse){ 0 };
    r->nr_owned = xlx__usb_owned(ctx, &r->owned);
    return r->nr_owned < 0 ? r->nr_owned : 0;
}

void xlx__refuse_close(struct xlx__refuse *r)
{
    free(r->owned);
    *r = (struct xlx__refuse){ 0 };
}

__attribute__((format(printf, 4, 5))) static void
refuse(struct xlx__refusal *out, int err, bool forceable, const char *fmt, ...)
{
    char text[sizeof(out->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    out->err = err;
    out->forceable = forceable;
    xlx__printable(out->text, sizeof(out->text), text);
}

/* Nobody has it: no guest, and no program on this host. */
static int check_free(xlx_ctx *ctx, const struct xlx__refuse *r,
                      const struct xlx__usbdev *dev, struct xlx__refusal *out)
{
    out->owner = xlx__usb_owner(r->owned, r->nr_owned, dev->busid);
    if (out->owner) {
        refuse(out, EBUSY, false,
               "attached already to domain %u, controller %u port %u",
               out->owner->domid, out->owner->place.hc,
               out->owner->place.port);
        return 0;
    }
    int rc = xlx__usbdev_claimed(ctx, dev->busid);
    if (rc > 0)
        refuse(out, EBUSY, false,
               "in use by a program on this host (driver usbfs)");
    return rc == -ENODEV || rc > 0 ? 0 : rc;
}

int xlx__refuse(xlx_ctx *ctx, const struct xlx__refuse *r,
                const struct xlx__usbdev *dev, bool force,
                struct xlx__refusal *refusal_r)
{
    struct xlx__refusal out = { 0 };
    int rc = 0;
    (void)force;
    if (dev->hub)
        refuse(&out, ENOTSUP, false,
               "is a hub: attach the devices behind it");
    else
        rc = check_free(ctx, r, dev, &out);
    if (!rc)
        *refusal_r = out;
    return rc;
}
