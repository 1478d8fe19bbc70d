/* SPDX-License-Identifier: LGPL-2.1-only */
#include "usb/admission/refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/printable.h"
#include "host/sysfs.h"
#include "usb/admission/use.h"
#include "usbd/device.h"

int xlx__refuse_open(xlx_ctx *ctx, struct xlx__refuse *r)
{
    *r = (struct xlx__refuse){ 0 };
    int rc = xlx__policy_load(ctx, &r->policy);
    if (!rc)
        r->nr_owned = rc = xlx__usb_owned(ctx, &r->owned);
    if (rc < 0) {
        xlx__refuse_close(r);
        return rc;
    }
    return 0;
}

void xlx__refuse_close(struct xlx__refuse *r)
{
    free(r->owned);
    xlx__policy_free(r->policy);
    *r = (struct xlx__refuse){ 0 };
}

__attribute__((format(printf, 4, 5))) static void
note_refusal(struct xlx__refusal *out, int err, bool forceable, const char *fmt,
             ...)
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

/* usbip takes the whole device from the driver "usb"; it has no interfaces
 * then. */
static int check_exported(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                          struct xlx__refusal *out)
{
    char path[64], target[256];
    snprintf(path, sizeof(path), "bus/usb/devices/%s/driver", dev->busid);
    int rc = xlx__sysfs_target_any(ctx, path, target, sizeof(target));
    const char *name = strrchr(target, '/');
    if (!rc && !strcmp(name ? name + 1 : target, "usbip-host"))
        note_refusal(
            out, EBUSY, false,
            "is exported by usbip (driver usbip-host): unbind it first");
    return rc;
}

/* usbfs itself does not say who. */
static void refuse_claimed(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                           struct xlx__refusal *out)
{
    char who[XLX__USBD_WHY_MAX];
    xlx__usbd_who_has(xlx_ctx_path(ctx, XLX_PATH_PROC), dev->bus, dev->address,
                      who);
    note_refusal(out, EBUSY, false,
                 "in use%s on this host (driver usbfs or usbback)",
                 *who ? who : " by a program");
}

/* Nobody has it: no guest, and no program on this host. */
static int check_free(xlx_ctx *ctx, const struct xlx__refuse *r,
                      const struct xlx__usbdev *dev, struct xlx__refusal *out)
{
    out->owner = xlx__usb_owner(r->owned, r->nr_owned, dev->busid);
    if (out->owner) {
        note_refusal(out, EBUSY, false,
                     "attached already to domain %u, controller %u port %u",
                     out->owner->domid, out->owner->place.hc,
                     out->owner->place.port);
        return 0;
    }
    int rc = xlx__usbdev_claimed(ctx, dev->busid);
    if (rc > 0)
        refuse_claimed(ctx, dev, out);
    if (rc && rc != -ENODEV)
        return rc > 0 ? 0 : rc;
    return check_exported(ctx, dev, out);
}

static int check_use(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force,
                     struct xlx__refusal *out)
{
    static const struct {
        const char *text;
        bool forceable;
    } why[] = {
        [XLX__USE_ROOT] = { "this host runs from it", false },
        [XLX__USE_SWAP] = { "this host swaps on it", false },
        [XLX__USE_MOUNTED] = { "is mounted: umount it first", false },
        [XLX__USE_RAID] = { "is part of a RAID (md)", false },
        [XLX__USE_MAPPED] = { "is mapped (LVM, crypt or multipath)", false },
        [XLX__USE_HELD] = { "is held by another driver", false },
        [XLX__USE_GUEST] = { "is a disk of a guest", false },
        [XLX__USE_NETWORK] = { "carries the network of this host: --force "
                               "gives "
                               "it away",
                               true },
        [XLX__USE_LAST_KEYBOARD] = { "is the last keyboard of this host: "
                                     "--force gives it away",
                                     true },
        [XLX__USE_VIRTUAL] = { "is not a device of this host's own hardware: "
                               "--force gives it away",
                               true },
    };
    struct xlx__usb_use_found found;
    int rc = xlx__usb_use(ctx, dev, &found);
    if (rc || found.use == XLX__USE_NONE || (force && why[found.use].forceable))
        return rc;
    note_refusal(out, EBUSY, why[found.use].forceable, "%s%s%s%s",
                 why[found.use].text, *found.what ? " (" : "", found.what,
                 *found.what ? ")" : "");
    return 0;
}

static void check_policy(const struct xlx__refuse *r,
                         const struct xlx__usbdev *dev,
                         struct xlx__refusal *out)
{
    struct xlx__policy_verdict verdict;
    xlx__policy_check(r->policy, dev, &verdict);
    if (!verdict.allowed)
        note_refusal(out, EACCES, false, "forbidden by policy: %s%s",
                     dev->nr_intfs ? ""
                                   : "not configured, it may be anything: ",
                     verdict.rule);
}

/* `given`: by us, and so nobody else's. */
static int find_reason(xlx_ctx *ctx, const struct xlx__refuse *r,
                       const struct xlx__usbdev *dev, bool force, bool given,
                       struct xlx__refusal *refusal_r)
{
    struct xlx__refusal out = { 0 };
    int rc = 0;
    if (dev->unread)
        note_refusal(&out, dev->unread, false, "cannot be read: %s",
                     strerror(dev->unread));
    else if (dev->hub)
        note_refusal(
            &out, ENOTSUP, false,
            "is a hub: attach one of the devices behind it, or all with "
            "--hub");
    else if (dev->unauthorized)
        note_refusal(
            &out, EBUSY, false,
            "is not authorized by this host (see USBGuard, or its file "
            "authorized in sysfs)");
    else if (!given)
        rc = check_free(ctx, r, dev, &out);
    if (!rc && !out.err)
        rc = check_use(ctx, dev, force, &out);
    if (!rc && !out.err)
        check_policy(r, dev, &out);
    if (!rc)
        *refusal_r = out;
    return rc;
}

int xlx__refuse(xlx_ctx *ctx, const struct xlx__refuse *r,
                const struct xlx__usbdev *dev, bool force,
                struct xlx__refusal *refusal_r)
{
    return find_reason(ctx, r, dev, force, false, refusal_r);
}

int xlx__refuse_last(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                     struct xlx__refusal *refusal_r)
{
    struct xlx__usb_use_found found;
    struct xlx__refusal out = { 0 };
    int rc = xlx__usb_use_exclusive(ctx, dev, &found);
    if (!rc && found.use)
        note_refusal(
            &out, EBUSY, false,
            "in use: %s is opened exclusively by this host or another guest",
            found.what);
    if (!rc)
        *refusal_r = out;
    return rc;
}

void xlx__refuse_policy(const struct xlx__refuse *r,
                        const struct xlx__usbdev *dev,
                        struct xlx__refusal *refusal_r)
{
    *refusal_r = (struct xlx__refusal){ 0 };
    check_policy(r, dev, refusal_r);
}

static int refuse_device(xlx_ctx *ctx, const struct xlx__usbdev *dev,
                         bool force, bool given)
{
    struct xlx__refuse facts;
    struct xlx__refusal refusal;
    int rc = xlx__refuse_open(ctx, &facts);
    if (rc)
        return rc;
    rc = find_reason(ctx, &facts, dev, force, given, &refusal);
    xlx__refuse_close(&facts);
    if (!rc && !refusal.err && !given)
        rc = xlx__refuse_last(ctx, dev, &refusal);
    if (!rc && refusal.err)
        return xlx__fail(ctx, refusal.err, "usb %s: %s", dev->busid,
                         refusal.text);
    return rc;
}

int xlx__refuse_device(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force)
{
    return refuse_device(ctx, dev, force, false);
}

int xlx__refuse_given(xlx_ctx *ctx, const struct xlx__usbdev *dev, bool force)
{
    return refuse_device(ctx, dev, force, true);
}
