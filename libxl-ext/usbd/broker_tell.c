/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Whom the broker tells: the log, and the worker.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/clock.h"
#include "usbd/broker_impl.h"

void xlx__broker_say(struct xlx__usbd_broker *b, struct hc *hc, uint32_t port,
                     const char *fmt, ...)
{
    char text[XLX__ERROR_MAX], where[24] = "";
    unsigned missed;
    va_list ap;
    if (!xlx__usbd_rate_take(&hc->lines, xlx__now_ms(), &missed))
        return;
    if (missed)
        xlx__warn(b->ctx, "domain %u: controller %u: %u lines suppressed",
                  b->domid, hc->devid, missed);
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (port)
        snprintf(where, sizeof(where), " port %u", port);
    xlx__warn(b->ctx, "domain %u: controller %u%s: %s", b->domid, hc->devid,
              where, text);
}

/* --- the worker ----------------------------------------------------------- */

bool xlx__broker_can_send(struct xlx__usbd_broker *b)
{
    struct pollfd pfd = { .fd = b->sock, .events = POLLOUT };
    /* What is wrong with it, sending finds out. */
    if (poll(&pfd, 1, 0) > 0)
        return true;
    b->blocked = true;
    return false;
}

int xlx__broker_send(struct xlx__usbd_broker *b,
                     const struct xlx__usbd_message *m, int fd)
{
    int rc = xlx__usbd_send(b->sock, m, fd);
    return rc && rc != -EPIPE
               ? xlx__fail_errno(b->ctx, -rc,
                                 "domain %u: USB backend: cannot send to its "
                                 "worker",
                                 b->domid)
               : rc;
}
