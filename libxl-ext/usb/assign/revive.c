/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/assign/revive.h"

#include "core/clean.h"
#include "core/clock.h"
#include "usb/attach/locks.h"
#include "usb/controller/backend.h"
#include "usb/controller/hc.h"
#include "usb/controller/type.h"
#include "usb/deadline.h"

/* 1: a process served the port and was killed; 0 or -errno. */
static int is_deserted(xlx_ctx *ctx, const struct xlx__owned *port,
                       struct xlx__hc *hc_r)
{
    int rc = xlx__backend_killed(ctx, port->domid);
    if (rc > 0)
        rc = xlx__hc_find(ctx, port->domid, port->place.hc, hc_r);
    return rc > 0 ? xlx__type_of(hc_r)->start != NULL : rc;
}

int xlx__deserted(xlx_ctx *ctx, struct xlx__owned **list_r)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    struct xlx__hc hc;
    int found = 0, rc = 0, nr = xlx__usb_owned(ctx, &owned);
    for (int i = 0; rc >= 0 && i < nr; i++) {
        /* One guest's are one behind the other. */
        if (found && owned[found - 1].domid == owned[i].domid)
            continue;
        rc = is_deserted(ctx, &owned[i], &hc);
        if (rc > 0)
            owned[found++] = owned[i];
    }
    if (nr < 0 || rc < 0)
        return nr < 0 ? nr : rc;
    *list_r = xlx__steal(owned);
    return found;
}

static int start_backend_again(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    const struct xlx__type *type = xlx__type_of(hc);
    bool started;
    int rc = type->check(ctx, hc->domid);
    if (!rc)
        rc = type->start(ctx, hc->domid, xlx__now_ms() + XLX__START_MS,
                         &started);
    return rc ? rc : 1;
}

int xlx__revive(xlx_ctx *ctx, const struct xlx__owned *port, int64_t until)
{
    struct xlx__hc hc;
    XLX__AUTO_CLOSE int lock = xlx__usb_lock_domain(ctx, port->domid, until);
    if (lock < 0)
        return lock;
    int rc = is_deserted(ctx, port, &hc);
    return rc > 0 ? start_backend_again(ctx, &hc) : rc;
}
