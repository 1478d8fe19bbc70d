/* SPDX-License-Identifier: LGPL-2.1-only */
#include "evtchn/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/clock.h"
#include "evtchn/list.h"
#include "xen/xenstore.h"

#define AREA "/local/domain/%u/"
#define ASKED AREA XLX__PLACES_ASKED

#define LOOK_MS 20

/* --- what the guest says -------------------------------------------------- */

int xlx__places_read(xlx_ctx *ctx, uint32_t domid, uint32_t vcpus,
                     struct xlx_evtchn_offer **list_r)
{
    XLX__AUTO_FREE char *text = NULL;
    *list_r = NULL;
    int rc =
        xlx__xs_read(ctx, XLX__XS_NO_TX, &text, AREA XLX__PLACES_NODE, domid);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    rc = xlx__places_parse(text, vcpus, list_r);
    if (rc == -ENOMEM)
        return xlx__fail(ctx, ENOMEM, "domain %u: no memory", domid);
    return rc >= 0 ? rc
                   : xlx__fail(ctx, EBADMSG,
                               "domain %u: xenstore: " XLX__PLACES_NODE
                               ": not a list of vCPUs that the guest has (0 1)",
                               domid);
}

/* --- its channels --------------------------------------------------------- */

bool xlx__places_has(const struct xlx_evtchn_port *port)
{
    return port->type == XLX_EVTCHN_INTERDOMAIN && !port->used_by_xen &&
           strchr(port->device, '/') && !strstr(port->device, " of domain ");
}

void xlx__places_prepare(struct xlx_evtchn_port *ports, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (xlx__places_has(&ports[i]))
            ports[i].toolstack = ports[i].vector != 0;
        else
            ports[i].used_by_xen = true; /* as little movable as that */
    }
}

/* --- asking --------------------------------------------------------------- */

/* What is asked for one port; "" is nothing. */
struct request {
    uint32_t port;
    char before[XLX_EVTCHN_DEVICE_MAX + 16], now[XLX_EVTCHN_DEVICE_MAX + 16];
};

struct asking {
    xlx_ctx *ctx;
    const struct xlx__evtchn_job *job;
    struct xlx_evtchn_change *list;
    int nr;
    struct request *request; /* one of each change */
    int nr_requests;
    uint32_t late; /* the first port that was not as it is asked */
};

static int read_request(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                        struct request *r)
{
    XLX__AUTO_FREE char *text = NULL;
    int rc = xlx__xs_read(ctx, t, &text, ASKED "/%u", domid, r->port);
    if (rc && rc != -ENOENT)
        return rc;
    snprintf(r->before, sizeof(r->before), "%s", rc ? "" : text);
    return 0;
}

static int write_request(xlx_ctx *ctx, uint32_t t, uint32_t domid,
                         uint32_t port, const char *text)
{
    return *text ? xlx__xs_write(ctx, t, text, ASKED "/%u", domid, port)
                 : xlx__xs_rm(ctx, t, 2, ASKED "/%u", domid, port);
}

static int ask_all(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct asking *a = arg;
    uint32_t domid = a->job->info.domid;
    /* Of a domain that has just ended nodes would stay. */
    int rc = xlx__xs_exists(ctx, t, AREA "name", domid);
    if (rc <= 0)
        return rc ? rc : xlx__evtchn_failed(ctx, domid, -ESRCH);
    rc = 0;
    for (int i = 0; !rc && i < a->nr_requests; i++) {
        struct request *r = &a->request[i];
        rc = read_request(ctx, t, domid, r);
        if (!rc)
            rc = write_request(ctx, t, domid, r->port, r->now);
    }
    return rc;
}

static int take_back_all(xlx_ctx *ctx, uint32_t t, void *arg)
{
    const struct asking *a = arg;
    int rc = 0;
    for (int i = 0; !rc && i < a->nr_requests; i++)
        rc = write_request(ctx, t, a->job->info.domid, a->request[i].port,
                           a->request[i].before);
    return rc;
}

static void take_back(struct asking *a)
{
    struct xlx__reason reason;
    xlx__reason_keep(a->ctx, &reason);
    if (xlx__xs_transact(a->ctx, take_back_all, a))
        xlx__warn(a->ctx, "domain %u: what it was asked is not taken back: %s",
                  a->job->info.domid, xlx_ctx_error(a->ctx));
    xlx__reason_put_back(a->ctx, &reason);
}

/* With its device: the port of one that went may be another's later. */
static void make_request(struct request *r, const struct xlx_evtchn_change *c)
{
    int device = (int)strcspn(c->device, " ");
    r->port = c->port;
    if (c->to_vector)
        snprintf(r->now, sizeof(r->now), "%u %.*s", c->to_vcpu, device,
                 c->device);
    else
        snprintf(r->now, sizeof(r->now), "- %.*s", device, c->device);
}

static int make_requests(struct asking *a)
{
    a->request = calloc((size_t)a->nr + 1, sizeof(*a->request));
    if (!a->request)
        return xlx__fail(a->ctx, ENOMEM, "domain %u: no memory",
                         a->job->info.domid);
    for (int i = 0; i < a->nr; i++)
        make_request(&a->request[i], &a->list[i]);
    a->nr_requests = a->nr;
    return 0;
}

/* --- waiting -------------------------------------------------------------- */

static const struct xlx_evtchn_port *find(const struct xlx_evtchn_port *ports,
                                          int nr, uint32_t port)
{
    for (int i = 0; i < nr; i++)
        if (ports[i].port == port)
            return &ports[i];
    return NULL;
}

static void leave_out(struct asking *a, int i)
{
    xlx__warn(a->ctx, "domain %u: port %u: was closed meanwhile",
              a->job->info.domid, a->list[i].port);
    memmove(&a->list[i], &a->list[i + 1],
            (size_t)(--a->nr - i) * sizeof(*a->list));
}

static bool is_made(struct xlx_evtchn_change *c,
                    const struct xlx_evtchn_port *port)
{
    if (!c->to_vector)
        return !port->vector;
    if (!port->vector || port->vcpu != c->to_vcpu)
        return false;
    c->to_vector = port->vector;
    return true;
}

/* 1: all is as it was asked. */
static int look(xlx_ctx *ctx, void *arg)
{
    struct asking *a = arg;
    XLX__AUTO_FREE struct xlx_evtchn_port *ports = NULL;
    int nr =
        xlx__evtchn_ports(ctx, a->job->info.domid, &a->job->features, &ports);
    if (nr < 0)
        return nr;
    for (int i = 0; i < a->nr; i++) {
        const struct xlx_evtchn_port *port = find(ports, nr, a->list[i].port);
        if (!port) {
            leave_out(a, i--);
        } else if (!is_made(&a->list[i], port)) {
            a->late = port->port;
            return 0;
        }
    }
    return 1;
}

int xlx__places_apply(xlx_ctx *ctx, const struct xlx__evtchn_job *job,
                      struct xlx_evtchn_change *list, int nr, int64_t until)
{
    struct asking a = { .ctx = ctx, .job = job, .list = list, .nr = nr };
    int rc = make_requests(&a);
    if (!rc)
        rc = xlx__xs_transact(ctx, ask_all, &a);
    if (!rc) {
        rc = xlx__xs_wait_for(ctx, NULL, 0, LOOK_MS, until, look, &a);
        if (rc == -ETIMEDOUT)
            rc = xlx__fail(ctx, ETIMEDOUT,
                           "domain %u: port %u: the guest has not placed it "
                           "where it was asked to",
                           job->info.domid, a.late);
        if (rc < 0)
            take_back(&a);
    }
    free(a.request);
    return rc < 0 ? rc : a.nr;
}

int xlx__places_forget(xlx_ctx *ctx, uint32_t t, uint32_t domid)
{
    return xlx__xs_rm(ctx, t, 1, ASKED, domid);
}
