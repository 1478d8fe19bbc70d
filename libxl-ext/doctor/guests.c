/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The doctor: whether the guests that run have connected their USB controllers.
 */
#include <stdlib.h>

#include "core/clean.h"
#include "doctor/doctor.h"
#include "usb/controller/backend.h"
#include "usb/controller/hc.h"
#include "xen/domain.h"

#define CHECK "usb-frontend"

/* Those that a process of ours serves, and nobody else. */
static bool is_served_by_us(const struct xlx__hc *hc)
{
    return !hc->by_kernel && !hc->backend_domid;
}

static void judge_states(struct xlx__doctor *d, const struct xlx__hc *hc,
                         uint32_t be, uint32_t fe)
{
    if (be == XLX__STATE_CONNECTED && fe == XLX__STATE_CONNECTED)
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_OK,
                         "the guest has connected controller %u", hc->devid);
    else if (is_served_by_us(hc) && !xlx__backend_alive(d->ctx, hc->domid))
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_MISSING,
                         "the backend of controller %u does not run: "
                         "usb-reconcile, or the next usb-attach for the "
                         "guest, starts another one",
                         hc->devid);
    else if (fe <= XLX__STATE_INITIALISING)
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_MISSING,
                         "the guest has not connected controller %u: it needs "
                         "a PVUSB frontend driver (Linux: xen-hcd), loaded "
                         "and running",
                         hc->devid);
    else
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_MISSING,
                         "controller %u is not connected (backend state %u, "
                         "frontend state %u)",
                         hc->devid, be, fe);
}

static void check_controller(struct xlx__doctor *d, const struct xlx__hc *hc)
{
    uint32_t be, fe;
    if (hc->type == XLX_USB_DEVICEMODEL) {
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_OK,
                         "the guest's device model emulates controller %u",
                         hc->devid);
        return;
    }
    int rc = xlx__hc_state(d->ctx, hc, &be, &fe);
    if (rc)
        xlx__doctor_judge(d, CHECK, rc, XLX_DOCTOR_UNKNOWN, "");
    else
        judge_states(d, hc, be, fe);
}

static void check_guest(struct xlx__doctor *d, const struct xlx__dom *dom)
{
    XLX__AUTO_FREE struct xlx__hc *list = NULL;
    d->domid = dom->domid;
    d->guest = dom->name;
    int nr = xlx__hc_list(d->ctx, dom->domid, &list);
    if (nr < 0)
        xlx__doctor_judge(d, CHECK, nr, XLX_DOCTOR_UNKNOWN, "");
    else if (!nr)
        xlx__doctor_find(d, CHECK, XLX_DOCTOR_UNKNOWN,
                         "the guest has no USB controller: usb-hc-create "
                         "shows whether its driver connects");
    for (int i = 0; i < nr; i++)
        check_controller(d, &list[i]);
}

void xlx__doctor_check_guests(struct xlx__doctor *d)
{
    XLX__AUTO_FREE struct xlx__dom *list = NULL;
    int nr = xlx__dom_list(d->ctx, &list);
    if (nr < 0)
        xlx__doctor_judge(d, CHECK, nr, XLX_DOCTOR_UNKNOWN, "");
    for (int i = 0; i < nr; i++)
        check_guest(d, &list[i]);
}
