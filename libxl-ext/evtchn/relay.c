/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Passes what a guest offers in xenstore to Xen.
 */
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "evtchn/list.h"
#include "evtchn/offers.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#define AREA "/local/domain/%u/" XLX__OFFERS_NODE
#define NOTE "/libxl/%u/" XLX__OFFERS_NOTE

/* Only what differs: an offer that is the same again changes no binding. */
static int relay_vcpu(xlx_ctx *ctx, uint32_t domid, uint32_t vcpu,
                      const struct xlx__offers *offers)
{
    static const uint64_t none[4];
    struct xlx__evtchn *e = ctx->evtchn;
    const uint64_t *wanted = none;
    uint64_t has[4];
    for (int i = 0; i < offers->nr; i++)
        if (offers->offer[i].vcpu == vcpu)
            wanted = offers->offer[i].vectors;
    int rc = e->ops->offers(e, domid, vcpu, has);
    if (!rc && memcmp(has, wanted, sizeof(has)))
        rc = e->ops->offer(e, domid, vcpu, wanted);
    return rc ? xlx__evtchn_failed(ctx, domid, rc) : 0;
}

/* The guest may wait for this before it gives a vector to something else. */
static int tell_guest(xlx_ctx *ctx, uint32_t domid, uint32_t serial,
                      const char *error)
{
    XLX__AUTO_FREE char *said = NULL;
    char text[XLX__ERROR_MAX + 16];
    snprintf(text, sizeof(text), "%u%s%s", serial, *error ? " " : "", error);
    int rc = xlx__xs_read(ctx, XLX__XS_NO_TX, &said, AREA "/done", domid);
    if (rc && rc != -ENOENT)
        return rc;
    return rc || strcmp(said, text)
               ? xlx__xs_write(ctx, XLX__XS_NO_TX, text, AREA "/done", domid)
               : 0;
}

int xlx__offers_relay(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                      const struct xlx__offers *offers)
{
    int noted = xlx__xs_exists(ctx, XLX__XS_NO_TX, NOTE, domid);
    int rc = noted < 0 ? noted : 0;
    if (rc || (!offers->there && !noted))
        return rc;
    if (!noted)
        rc = xlx__xs_write(ctx, XLX__XS_NO_TX, "1", NOTE, domid);
    for (uint32_t vcpu = 0; !rc && vcpu < vcpus; vcpu++)
        rc = relay_vcpu(ctx, domid, vcpu, offers);
    if (!rc && !offers->there)
        rc = xlx__xs_rm(ctx, XLX__XS_NO_TX, 0, NOTE, domid);
    if (!rc && offers->there && offers->serial)
        rc = tell_guest(ctx, domid, offers->serial, "");
    return rc;
}

void xlx__offers_refused(xlx_ctx *ctx, uint32_t domid)
{
    struct xlx__reason reason;
    uint32_t serial;
    xlx__reason_keep(ctx, &reason);
    if (!xlx__xs_read_u32(ctx, XLX__XS_NO_TX, 1, UINT32_MAX, &serial,
                          AREA "/serial", domid))
        tell_guest(ctx, domid, serial, reason.text);
    xlx__reason_put_back(ctx, &reason);
}
