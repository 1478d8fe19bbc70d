/* SPDX-License-Identifier: LGPL-2.1-only */
#include "libxl_ext_usb.h"

#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "usb/attach/attach.h"
#include "usb/attach/audit.h"
#include "usb/attach/locks.h"
#include "usb/attach/transfer.h"
#include "usb/controller/hc.h"
#include "usb/controller/list.h"
#include "usb/device/busid.h"
#include "usb/device/device.h"
#include "usb/device/selector.h"

/* Whether the port's device is meant; one that is unplugged has only its place.
 */
static bool port_matches(xlx_ctx *ctx, const struct xlx__selector *sel,
                         const char *busid)
{
    struct xlx__usbdev dev;
    if (sel->kind == XLX__SELECT_PLACE)
        return !strcmp(sel->busid, busid);
    return xlx__busid_valid(busid) && !xlx__usbdev_read(ctx, busid, &dev) &&
           xlx__selector_matches(sel, &dev);
}

/* Returns how many match; the first is at *place_r. */
static int find_matches(xlx_ctx *ctx, uint32_t domid,
                        const struct xlx__selector *sel,
                        struct xlx_usb_place *place_r,
                        char busid_r[XLX_USB_BUSID_MAX])
{
    XLX__AUTO_FREE struct xlx__snapshot *list = NULL;
    int matches = 0, nr = xlx__usb_snapshot(ctx, domid, &list);
    for (int i = 0; i < nr; i++)
        for (uint32_t p = 0; p < list[i].nr_ports; p++) {
            const char *busid = list[i].port[p].busid;
            /* What is there by other names only its own domain knows. */
            if (list[i].backend_domid && sel->kind != XLX__SELECT_PLACE)
                continue;
            if (!*busid || !port_matches(ctx, sel, busid) || matches++)
                continue;
            *place_r = (struct xlx_usb_place){ list[i].devid, p + 1 };
            strcpy(busid_r, busid);
        }
    return nr < 0 ? nr : matches;
}

int xlx_usb_find(xlx_ctx *ctx, uint32_t domid, const char *device,
                 struct xlx_usb_place *place_r, char *busid_r)
{
    char busid[XLX_USB_BUSID_MAX];
    struct xlx__selector sel;
    int rc = xlx__usb_check_domain(ctx, domid);
    if (!rc)
        rc = xlx__selector_parse(ctx, device, &sel);
    if (rc)
        return rc;
    rc = find_matches(ctx, domid, &sel, place_r, busid);
    if (rc == 0)
        return xlx__fail(ctx, ENODEV, "usb %s: not attached to domain %u",
                         device, domid);
    if (rc > 1)
        return xlx__fail(ctx, ENOTUNIQ,
                         "usb %s: domain %u has %d devices that match: name "
                         "one by its place, as usb-list shows it",
                         device, domid, rc);
    if (rc == 1 && busid_r)
        strcpy(busid_r, busid);
    return rc < 0 ? rc : 0;
}

static int read_port(xlx_ctx *ctx, uint32_t domid,
                     const struct xlx_usb_place *place, struct xlx__hc *hc_r,
                     char busid_r[XLX_USB_BUSID_MAX])
{
    int rc = xlx__hc_read(ctx, domid, place->hc, hc_r);
    if (!rc)
        rc = xlx__usb_check_hc(ctx, hc_r);
    if (rc)
        return rc;
    if (place->port < 1 || place->port > hc_r->nr_ports)
        return xlx__fail(ctx, EINVAL,
                         "domain %u: controller %u: no port %u: it has ports 1 "
                         "to %u",
                         domid, place->hc, place->port, hc_r->nr_ports);
    rc = xlx__hc_port(ctx, XLX__XS_NO_TX, hc_r, place->port, busid_r);
    if (!rc && !busid_r[0])
        return xlx__fail(ctx, ENODEV,
                         "domain %u: controller %u: port %u has no device",
                         domid, place->hc, place->port);
    return rc;
}

/* The device that was chosen before the domain was locked is still there. */
static int check_meant(xlx_ctx *ctx, uint32_t domid,
                       const struct xlx_usb_place *place, const char *meant,
                       const char *busid)
{
    if (!meant || !strcmp(meant, busid))
        return 0;
    return xlx__fail(ctx, EBUSY,
                     "usb %s: is not at port %u of controller %u of domain %u "
                     "any more, another device is: see usb-list",
                     meant, place->port, place->hc, domid);
}

/* Any address will do for who means the port. */
#define ANY_ADDRESS UINT32_MAX

static int check_address(xlx_ctx *ctx, uint32_t domid, const char *busid,
                         uint32_t address)
{
    uint32_t now = address;
    int rc = address == ANY_ADDRESS
                 ? 0
                 : xlx__usbdev_remembered_address(ctx, busid, domid, &now);
    return rc || now == address
               ? rc
               : xlx__fail(ctx, EBUSY,
                           "usb %s: domain %u has been given it again", busid,
                           domid);
}

static int detach(xlx_ctx *ctx, uint32_t domid,
                  const struct xlx_usb_place *place, const char *meant,
                  uint32_t address, int timeout_ms, char *busid_r)
{
    struct xlx__hc hc;
    char busid[XLX_USB_BUSID_MAX];
    int64_t until = xlx__now_ms() + timeout_ms;
    int rc = xlx__usb_check_domain(ctx, domid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int domain = xlx__usb_lock_domain(ctx, domid, until);
    if (domain < 0)
        return domain;
    rc = read_port(ctx, domid, place, &hc, busid);
    if (!rc)
        rc = check_meant(ctx, domid, place, meant, busid);
    if (rc)
        return rc;
    XLX__AUTO_CLOSE int device = xlx__usb_lock_device(ctx, busid, until);
    if (device < 0)
        return device;
    rc = check_address(ctx, domid, busid, address);
    if (rc)
        return rc;
    rc = xlx__usb_unplug(ctx, &hc, place->port, busid, until);
    xlx__usb_audit(ctx, rc,
                   "usb %s: detach from domain %u, controller %u port %u",
                   busid, domid, place->hc, place->port);
    if (!rc && busid_r)
        strcpy(busid_r, busid);
    return rc;
}

int xlx_usb_detach(xlx_ctx *ctx, uint32_t domid,
                   const struct xlx_usb_place *place, const char *busid,
                   int timeout_ms, char *busid_r)
{
    return detach(ctx, domid, place, busid, ANY_ADDRESS, timeout_ms, busid_r);
}

int xlx__usb_detach_given(xlx_ctx *ctx, uint32_t domid,
                          const struct xlx_usb_place *place, const char *busid,
                          uint32_t address, int timeout_ms)
{
    return detach(ctx, domid, place, busid, address, timeout_ms, NULL);
}

/* --- from guest to guest -------------------------------------------------- */

/* The device that the guest has there: the same goes to the other, whatever is
 * plugged in at its place by then. */
static int find_given(xlx_ctx *ctx, uint32_t domid,
                      const struct xlx_usb_place *place, const char *meant,
                      struct xlx__usbdev *dev_r)
{
    struct xlx__hc hc;
    char busid[XLX_USB_BUSID_MAX];
    int rc = read_port(ctx, domid, place, &hc, busid);
    if (!rc)
        rc = check_meant(ctx, domid, place, meant, busid);
    if (rc)
        return rc;
    rc = xlx__usbdev_read_given(ctx, busid, domid, dev_r);
    return rc == -ENODEV
               ? xlx__fail(ctx, ENODEV, "usb %s: was unplugged: detach it only",
                           busid)
               : rc;
}

/* Where it goes to and where it comes from, of one move. */
struct moving {
    uint32_t from_domid, to_domid;
    const struct xlx_usb_place *from;
    struct xlx_usb_place to;
    bool made; /* the controller there */
    unsigned flags;
    int timeout_ms;
};

/* It was given away before, so nothing may stand in the way now. */
static void take_back(xlx_ctx *ctx, const struct moving *m,
                      const struct xlx__usbdev *dev)
{
    struct xlx__reason reason;
    struct xlx_usb_place back;
    xlx__reason_keep(ctx, &reason);
    if (m->made &&
        xlx_usb_hc_destroy(ctx, m->to_domid, m->to.hc, m->timeout_ms))
        xlx__warn(ctx,
                  "domain %u: controller %u, which was created for it, "
                  "stays",
                  m->to_domid, m->to.hc);
    if (dev &&
        xlx__usb_attach_dev(ctx, m->from_domid, dev, m->from,
                            m->flags | XLX_USB_FORCE, m->timeout_ms, &back))
        xlx__warn(ctx, "usb %s: domain %u does not take it back either",
                  dev->busid, m->from_domid);
    xlx__reason_put_back(ctx, &reason);
}

/* The checks for the other guest first, before the device is taken away. */
static int move(xlx_ctx *ctx, struct moving *m, const char *meant,
                const struct xlx_usb_place *want, struct xlx_usb_place *got_r)
{
    struct xlx__usbdev dev;
    int rc = find_given(ctx, m->from_domid, m->from, meant, &dev);
    if (!rc)
        rc = xlx__usb_attach_prepare(ctx, m->to_domid, &dev, want, m->flags,
                                     m->timeout_ms, &m->to, &m->made);
    if (rc)
        return rc;
    rc = xlx_usb_detach(ctx, m->from_domid, m->from, dev.busid, m->timeout_ms,
                        NULL);
    if (rc) {
        take_back(ctx, m, NULL);
        return rc;
    }
    rc = xlx__usb_attach_dev(ctx, m->to_domid, &dev, &m->to, m->flags,
                             m->timeout_ms, got_r);
    if (rc)
        take_back(ctx, m, &dev);
    return rc;
}

int xlx_usb_move(xlx_ctx *ctx, uint32_t from_domid,
                 const struct xlx_usb_place *from, const char *busid,
                 uint32_t to_domid, const struct xlx_usb_place *to,
                 unsigned flags, int timeout_ms, struct xlx_usb_place *got_r)
{
    if (from_domid == to_domid)
        return xlx__fail(ctx, EINVAL, "domain %u: has the device already",
                         to_domid);
    struct moving m = { .from_domid = from_domid,
                        .to_domid = to_domid,
                        .from = from,
                        .flags = flags,
                        .timeout_ms = timeout_ms };
    int rc = xlx__usb_check_domain(ctx, to_domid);
    if (rc || !(flags & XLX_USB_DRY_RUN))
        return rc ? rc : move(ctx, &m, busid, to, got_r);
    xlx__info(ctx,
              "would detach port %u of controller %u of domain %u and attach "
              "it to domain %u",
              from->port, from->hc, from_domid, to_domid);
    *got_r = *to;
    return 0;
}
