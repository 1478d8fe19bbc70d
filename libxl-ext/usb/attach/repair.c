/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/attach/repair.h"

#include "core/clean.h"
#include "core/clock.h"
#include "usb/attach/locks.h"
#include "usb/controller/backend.h"
#include "usb/controller/list.h"
#include "usb/deadline.h"
#include "usb/device/device.h"

/* Says so only when there was something to repair. */
static int restore_drivers(xlx_ctx *ctx, const char *busid, int64_t until)
{
    XLX__AUTO_NAMES struct xlx__names before = { 0 }, after = { 0 };
    int rc = xlx__usbdev_drivers(ctx, busid, &before);
    if (rc == -ENODEV)
        return 0;
    if (!rc)
        rc = xlx__usbdev_restore(ctx, busid, until);
    if (!rc)
        rc = xlx__usbdev_drivers(ctx, busid, &after);
    if (!rc && after.nr != before.nr)
        xlx__info(ctx,
                  "usb %s: a command that was killed, or another tool, had "
                  "left it without its drivers: it has them again",
                  busid);
    return rc;
}

/* The device's drivers, and what was written down for it. */
static int undo_giving(xlx_ctx *ctx, const char *busid, int64_t until)
{
    uint32_t domid;
    int rc = restore_drivers(ctx, busid, until);
    int given = rc ? rc : xlx__usbdev_given_to(ctx, busid, &domid);
    if (given > 0)
        rc = xlx__backend_forget(ctx, domid, busid);
    if (given < 0 || rc)
        return rc ? rc : given;
    return xlx__usbdev_forget(ctx, busid);
}

int xlx__usb_repair(xlx_ctx *ctx, const char *busid, int64_t until)
{
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int rc = xlx__usbdev_is_remembered(ctx, busid);
    if (rc <= 0)
        return rc;
    int nr = xlx__usb_owned(ctx, &owned);
    if (nr < 0 || xlx__usb_owner(owned, nr, busid))
        return nr < 0 ? nr : 0;
    rc = undo_giving(ctx, busid, until);
    return rc ? rc : 1;
}

static void warn_stays(xlx_ctx *ctx, const char *busid)
{
    xlx__warn(ctx, "usb %s: what a command left behind cannot be undone: %s",
              busid, xlx_ctx_error(ctx));
}

/* Nobody is at work for the device, nor for the guest it was given to: while
 * the guest's controllers are carried over, its devices are on no port. */
int xlx__usb_repair_unowned(xlx_ctx *ctx, const char *busid)
{
    uint32_t domid;
    int rc = xlx__usbdev_given_to(ctx, busid, &domid);
    if (rc <= 0)
        return rc;
    XLX__AUTO_CLOSE int domain =
        xlx__usb_lock_domain(ctx, domid, xlx__now_ms());
    XLX__AUTO_CLOSE int device =
        domain < 0 ? -1 : xlx__usb_lock_device(ctx, busid, xlx__now_ms());
    return device < 0
               ? 0
               : xlx__usb_repair(ctx, busid, xlx__now_ms() + XLX__FOLLOW_MS);
}

/* The lock is the caller's for one guest; a device is worth no failure. */
int xlx__usb_repair_domain(xlx_ctx *ctx, uint32_t domid, int64_t until)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int rc = xlx__usbdev_remembered(ctx, domid, &busids);
    for (size_t i = 0; !rc && i < busids.nr; i++) {
        xlx__tolerate(ctx, 1);
        XLX__AUTO_CLOSE int lock =
            xlx__usb_lock_device(ctx, busids.v[i], until);
        if (lock < 0 || xlx__usb_repair(ctx, busids.v[i],
                                        xlx__now_ms() + XLX__FOLLOW_MS) < 0)
            warn_stays(ctx, busids.v[i]);
        xlx__tolerate(ctx, -1);
    }
    return rc;
}

int xlx__usb_unowned(xlx_ctx *ctx, struct xlx__names *busids)
{
    XLX__AUTO_NAMES struct xlx__names all = { 0 };
    XLX__AUTO_FREE struct xlx__owned *owned = NULL;
    int rc = xlx__usbdev_all_remembered(ctx, &all);
    int nr = rc || !all.nr ? rc : xlx__usb_owned(ctx, &owned);
    rc = nr < 0 ? nr : 0;
    for (size_t i = 0; !rc && i < all.nr; i++)
        if (!xlx__usb_owner(owned, nr, all.v[i]) &&
            xlx__names_add(busids, all.v[i]))
            rc = xlx__fail(ctx, ENOMEM, "usb: no memory");
    return rc;
}

/* One that cannot be repaired does not stop the others. */
int xlx_usb_repair(xlx_ctx *ctx)
{
    XLX__AUTO_NAMES struct xlx__names busids = { 0 };
    int failed = 0, repaired = 0, rc = xlx__usb_unowned(ctx, &busids);
    for (size_t i = 0; !rc && i < busids.nr; i++) {
        int one = xlx__usb_repair_unowned(ctx, busids.v[i]);
        repaired += one > 0;
        failed = one < 0 ? one : failed;
    }
    if (rc || failed)
        return rc ? rc : failed;
    return repaired;
}
