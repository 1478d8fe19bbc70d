/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The states of a controller's two ends: until both are connected, and until
 * both are closed.
 */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "usb/controller/backend.h"
#include "usb/deadline.h"
#include "usb/controller/hc.h"
#include "usb/controller/log.h"
#include "xen/domain.h"

#define FRONTEND "/local/domain/%u/device/vusb/%u"
#define LOOK_MS 50 /* how often, where nothing tells of a change */

/* A guest may have written anything. */
static int read_state(xlx_ctx *ctx, uint32_t t, const char *path,
                      uint32_t *state_r)
{
    *state_r = XLX__STATE_NONE;
    int rc = xlx__xs_read_u32(ctx, t, 0, 8, state_r, "%s", path);
    return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

struct state_paths {
    char be[XLX__XS_PATH_MAX + 8];
    char fe[XLX__XS_PATH_MAX];
};

static void state_paths(const struct xlx__hc *hc, struct state_paths *p)
{
    snprintf(p->be, sizeof(p->be), "%s/state", hc->be);
    snprintf(p->fe, sizeof(p->fe), FRONTEND "/state", hc->domid, hc->devid);
}

int xlx__hc_state(xlx_ctx *ctx, const struct xlx__hc *hc, uint32_t *be_r,
                  uint32_t *fe_r)
{
    struct state_paths p;
    state_paths(hc, &p);
    int rc = read_state(ctx, XLX__XS_NO_TX, p.be, be_r);
    return rc ? rc : read_state(ctx, XLX__XS_NO_TX, p.fe, fe_r);
}

/* --- connecting ----------------------------------------------------------- */

/* One of ours whose process was killed. */
static bool is_orphan(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    return hc->type != XLX_USB_DEVICEMODEL && !hc->by_kernel &&
           !hc->backend_domid && !xlx__backend_alive(ctx, hc->domid);
}

static int look_connected(xlx_ctx *ctx, void *arg)
{
    uint32_t be, fe;
    int rc = xlx__hc_state(ctx, arg, &be, &fe);
    if (rc)
        return rc;
    if (be == XLX__STATE_CLOSING || be == XLX__STATE_CLOSED ||
        fe == XLX__STATE_CLOSING || fe == XLX__STATE_CLOSED)
        return -ECONNABORTED;
    if (be == XLX__STATE_CONNECTED && fe == XLX__STATE_CONNECTED)
        return 1;
    return is_orphan(ctx, arg) ? -ECONNRESET : 0;
}

int xlx__hc_connected(xlx_ctx *ctx, const struct xlx__hc *hc)
{
    uint32_t be, fe;
    int rc = xlx__hc_state(ctx, hc, &be, &fe);
    return rc ? rc : be == XLX__STATE_CONNECTED;
}

static int not_connected(xlx_ctx *ctx, const struct xlx__hc *hc, int err)
{
    char why[XLX__LOG_LINE_MAX];
    uint32_t be, fe;
    int rc = xlx__hc_state(ctx, hc, &be, &fe);
    if (rc)
        return rc;
    if (err == ECONNRESET)
        return xlx__fail(ctx, err,
                         "domain %u: USB controller: the USB backend died "
                         "meanwhile: see its log",
                         hc->domid);
    if (err == ECONNABORTED)
        return xlx__fail(
            ctx, err,
            "domain %u: USB controller: %s closed it instead of "
            "connecting",
            hc->domid, fe >= XLX__STATE_CLOSING ? "the guest" : "the backend");
    if (be == XLX__STATE_INIT_WAIT && fe == XLX__STATE_INITIALISING)
        return xlx__fail(ctx, err,
                         "domain %u: the guest does not take the USB "
                         "controller: it needs a PVUSB frontend driver "
                         "(Linux: xen-hcd), loaded and running",
                         hc->domid);
    xlx__usb_log_line(ctx, hc->domid, NULL, why);
    return xlx__fail(ctx, err,
                     "domain %u: USB controller: the handshake stopped "
                     "(backend state %u, frontend state %u)%s%s",
                     hc->domid, be, fe, *why ? ": " : "", why);
}

int xlx__hc_connect(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until)
{
    struct state_paths p;
    state_paths(hc, &p);
    const char *paths[] = { p.be, p.fe };
    int rc = xlx__xs_wait_for(ctx, paths, 2, LOOK_MS, until, look_connected,
                              (void *)hc);
    if (rc == -ETIMEDOUT || rc == -ECONNABORTED || rc == -ECONNRESET)
        return not_connected(ctx, hc, -rc);
    return rc < 0 ? rc : 0;
}

/* Writes the backend's state of a controller that the guest has not connected.
 * -EALREADY: it has, or one of them is closing. */
static int write_before_open(xlx_ctx *ctx, uint32_t t, const struct xlx__hc *hc,
                             uint32_t state)
{
    struct state_paths p;
    uint32_t be, fe;
    state_paths(hc, &p);
    int rc = read_state(ctx, t, p.be, &be);
    if (!rc)
        rc = read_state(ctx, t, p.fe, &fe);
    if (rc)
        return rc;
    if (fe != XLX__STATE_INITIALISING ||
        (be != XLX__STATE_INITIALISING && be != XLX__STATE_INIT_WAIT))
        return -EALREADY;
    return be == state ? 0 : xlx__xs_write_u32(ctx, t, state, "%s", p.be);
}

/* --- closing -------------------------------------------------------------- */

static int write_offer(xlx_ctx *ctx, uint32_t t, void *hc)
{
    return write_before_open(ctx, t, hc, XLX__STATE_INIT_WAIT);
}

static int look_taken(xlx_ctx *ctx, void *arg)
{
    const struct xlx__hc *hc = arg;
    uint32_t be, fe;
    int rc = xlx__hc_state(ctx, hc, &be, &fe);
    if (rc)
        return rc;
    return fe != XLX__STATE_INITIALISING || !xlx__dom_alive(ctx, hc->domid);
}

/*
 * Linux's xen-hcd gives its rings' grants back when a controller goes, also
 * when it has not made them: then it frees grant 0, the console's, and dies of
 * it with the guest's whole xenbus. So a controller that it may know does not
 * go before it has connected. It does that as soon as there is a backend, or
 * somebody says so in its place. A guest without the driver does not answer,
 * and loses nothing. *until moves by what this takes.
 */
static int let_connect(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t *until)
{
    struct state_paths p;
    state_paths(hc, &p);
    const char *paths[] = { p.fe };
    int64_t before = xlx__now_ms();
    int rc = xlx__xs_transact(ctx, write_offer, (void *)hc);
    if (!rc)
        rc = xlx__xs_wait_for(ctx, paths, 1, LOOK_MS, before + XLX__OFFER_MS,
                              look_taken, (void *)hc);
    *until += xlx__now_ms() - before;
    if (rc == -EALREADY || rc == -ETIMEDOUT)
        return 0;
    return rc < 0 ? rc : 0;
}

/* A guest without a driver has nothing to close and says nothing: then it is
 * said in its place, for the backend waits for it. */
static int write_frontend_closed(xlx_ctx *ctx, uint32_t t,
                                 const struct xlx__hc *hc)
{
    uint32_t fe;
    struct state_paths p;
    state_paths(hc, &p);
    int rc = read_state(ctx, t, p.fe, &fe);
    return rc || fe != XLX__STATE_INITIALISING
               ? rc
               : xlx__xs_write_u32(ctx, t, XLX__STATE_CLOSED, "%s", p.fe);
}

static int write_closing(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct xlx__hc *hc = arg;
    int rc = xlx__xs_write(ctx, t, "0", "%s/online", hc->be);
    if (!rc)
        rc = write_frontend_closed(ctx, t, hc);
    return rc ? rc
              : xlx__xs_write_u32(ctx, t, XLX__STATE_CLOSING, "%s/state",
                                  hc->be);
}

static bool is_closed_or_none(uint32_t state)
{
    return state == XLX__STATE_CLOSED || state == XLX__STATE_NONE;
}

struct closing {
    const struct xlx__hc *hc;
    int64_t closed; /* since when the guest's end is, 0: not yet */
};

/* The backend answers last: as long as it has not, it may write its state once
 * more, into nodes that are removed by then. One that was killed never does. */
static int look_closed(xlx_ctx *ctx, void *arg)
{
    struct closing *c = arg;
    uint32_t be, fe;
    int rc = xlx__hc_state(ctx, c->hc, &be, &fe);
    if (rc || is_closed_or_none(be))
        return rc ? rc : 1;
    if (!c->closed && is_closed_or_none(fe))
        c->closed = xlx__now_ms();
    return c->closed && xlx__now_ms() - c->closed >= XLX__FOLLOW_MS;
}

int xlx__hc_close(xlx_ctx *ctx, const struct xlx__hc *hc, int64_t until)
{
    struct closing c = { .hc = hc };
    struct state_paths p;
    state_paths(hc, &p);
    const char *paths[] = { p.be, p.fe };
    int rc = let_connect(ctx, hc, &until);
    if (!rc)
        rc = xlx__xs_transact(ctx, write_closing, (void *)hc);
    if (!rc)
        rc = xlx__xs_wait_for(ctx, paths, 2, LOOK_MS, until, look_closed, &c);
    if (rc != -ETIMEDOUT)
        return rc > 0 ? 0 : rc;
    xlx__warn(ctx,
              "domain %u: USB controller %u: the guest does not close it: "
              "removed anyway",
              hc->domid, hc->devid);
    return xlx__hc_avoid(ctx, hc);
}

int xlx__hc_close_and_remove(xlx_ctx *ctx, const struct xlx__hc *hc,
                             int64_t until)
{
    int rc = xlx__hc_close(ctx, hc, until);
    return rc ? rc : xlx__hc_remove(ctx, hc);
}
